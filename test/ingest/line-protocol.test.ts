import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { type LineOptions, LineProtocol, refusalMessage } from '../../src/ingest/line-protocol.ts'
import { FakeAppender } from './fake-appender.ts'
import { seeds } from './seeds.ts'

const nowUs = 1_760_000_000_000_000

function write(body: string | Uint8Array, options: Partial<LineOptions> = {}, cuts: number[] = []) {
  const appender = new FakeAppender()
  const writer = new LineProtocol(appender).writer({ nowUs, ...options })
  const bytes = Buffer.from(body)
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    writer.push(Buffer.from(bytes.subarray(from, cut)))
    from = cut
  }
  const result = writer.finish()
  const rows = appender.rows.map(row => ({ name: row.name, ...row.labels, ...row.fields, at: row.timeUs }))
  return { appender, result, rows }
}

t.test('LineWriter stores the lines of the InfluxDB reference', async t => {
  const at = 1_465_839_830_100_400
  const cases: [string, object][] = [
    [
      'weather,location=us-midwest temperature=82 1465839830100400200',
      { location: 'us-midwest', temperature: 82 }
    ],
    [
      'weather,location=us-midwest temperature=82i 1465839830100400200',
      { location: 'us-midwest', temperature: 82 }
    ],
    ['weather temperature=82u 1465839830100400200', { temperature: 82 }],
    ['weather,a=b temperature="too warm" 1465839830100400200', { a: 'b', temperature: 'too warm' }],
    [
      'weather a=t,b=T,c=true,d=True,e=TRUE 1465839830100400200',
      { a: true, b: true, c: true, d: true, e: true }
    ],
    [
      'weather a=f,b=F,c=false,d=False,e=FALSE 1465839830100400200',
      { a: false, b: false, c: false, d: false, e: false }
    ],
    [
      'weather,l\\ o=us\\,mid\\=w temp\\=rature=82 1465839830100400200',
      { 'l o': 'us,mid=w', 'temp=rature': 82 }
    ],
    [
      'weather,a=b\\d temperature="too\\" hot\\\\ \\n" 1465839830100400200',
      { a: 'b\\d', temperature: 'too" hot\\ \\n' }
    ],
    ['weather v="a,b=c d#" 1465839830100400200', { v: 'a,b=c d#' }],
    ['weather v="two\nlines",w=1 1465839830100400200', { v: 'two\nlines', w: 1 }],
    [
      'weather v=-1.5e-3,w=1.,x=.5,y=+2,z=1e3 1465839830100400200',
      { v: -1.5e-3, w: 1, x: 0.5, y: 2, z: 1000 }
    ],
    [
      'weather v=9223372036854775807i,w=-9223372036854775808i 1465839830100400200',
      { v: 2 ** 63, w: -(2 ** 63) }
    ],
    ['weather v=18446744073709551615u 1465839830100400200', { v: 2 ** 64 }],
    ['  weather   v=1   1465839830100400200  ', { v: 1 }],
    ['weather v=1,v=2,w=3,v=4 1465839830100400200', { v: 4, w: 3 }]
  ]
  for (const [line, fields] of cases) {
    for (const body of [line, `${line}\n${line}\n`, `${line}\r\n${line}\r\n`]) {
      const { rows, result } = write(body)
      t.same(result.refusals, [], line)
      t.equal(rows.length, body === line ? 1 : 2)
      for (const row of rows) t.same(row, { name: 'weather', ...fields, at }, line)
    }
  }
  t.same(write('wea\\,ther\\ x v=1 0').rows, [{ name: 'wea,ther x', v: 1, at: 0 }])
  t.same(write('wetter_°C,raum=küche wert=1 0').rows, [{ name: 'wetter_°C', raum: 'küche', wert: 1, at: 0 }])
  t.same(write('\n').rows, [])
  t.same(write('# a comment\n\n \r\n# m v=1').rows, [])
})

t.test('LineWriter takes times in every precision, exact to the microsecond', async t => {
  const table: [string, string, number][] = [
    ['ns', '1465839830100400999', 1_465_839_830_100_400],
    ['n', '999', 0],
    ['u', '1465839830100400', 1_465_839_830_100_400],
    ['us', '5', 5],
    ['ms', '1465839830100', 1_465_839_830_100_000],
    ['s', '1465839830', 1_465_839_830_000_000],
    ['m', '24430663', 1_465_839_780_000_000],
    ['h', '407177', 1_465_837_200_000_000]
  ]
  for (const [precision, time, at] of table) {
    t.same(
      write(`m v=1 ${time}\nm v=1 ${time}`, { precision }).rows.map(row => row.at),
      [at, at],
      precision
    )
  }
  t.same(write('m v=1').rows[0]!.at, nowUs)
  t.throws(() => write('', { precision: 'd' }), { code: 'VARVE_PRECISION' })
})

t.test('LineWriter keeps the good lines and names the bad ones', async t => {
  const bad: [string | Uint8Array, RegExp][] = [
    ['m', /missing fields/],
    ['m ', /missing fields/],
    ['m,a=b', /missing fields/],
    [',a=b v=1', /missing measurement/],
    ['m,a v=1', /missing tag value/],
    ['m,a= v=1', /missing tag value/],
    ['m,=b v=1', /missing tag key/],
    ['m,a=b=c v=1', /invalid tag format/],
    ['m,a=b,a=c v=1', /label a is given twice/],
    ['m,__name__=x v=1', /reserved/],
    ['m v', /invalid field format/],
    ['m v=', /missing field value/],
    ['m =1', /missing (fields|field key)/],
    ['m v=1,', /invalid field format/],
    ['m v=1,=2', /missing field key/],
    ['m v=abc', /invalid number/],
    ['m v=NaN', /invalid number/],
    ['m v=inf', /invalid number/],
    ['m v=1.5i', /invalid number/],
    ['m v=-1u', /invalid number/],
    ['m v=0x1', /invalid number/],
    ['m v=1e400', /out of range/],
    ['m v=9223372036854775808i', /out of range/],
    ['m v=tru', /invalid boolean/],
    ['m v="a"b', /invalid field format/],
    ['m v=1 now', /bad timestamp/],
    ['m v=1 12 13', /bad timestamp/],
    ['m v=1 1.5', /bad timestamp/],
    ['m v=1 99999999999999999999999', /time outside range/],
    ['m v=1 4733510400000000000', /time outside range/],
    [Buffer.from([0x6d, 0xff, 0x20, 0x76, 0x3d, 0x31]), /UTF-8/],
    [Buffer.from([0x6d, 0x20, 0xc3, 0x3d, 0x31]), /UTF-8/],
    [Buffer.from([0x6d, 0x2c, 0x61, 0x3d, 0xc0, 0x80, 0x20, 0x76, 0x3d, 0x31]), /UTF-8/],
    [Buffer.from([0x6d, 0x20, 0x76, 0x3d, 0x22, 0xff, 0x22]), /UTF-8/],
    [`m v="${'x'.repeat(10)}`, /unbalanced quotes/],
    [`${'m'.repeat(600)} v=1`, /longer than 512/]
  ]
  for (const [line, why] of bad) {
    const body = Buffer.concat([
      Buffer.from('ok v=1 1000\n'),
      Buffer.from(line),
      Buffer.from('\nok v=2 2000\n')
    ])
    for (const cuts of [[], [20]]) {
      const { rows, result } = write(body, {}, cuts)
      t.same(
        rows,
        [
          { name: 'ok', v: 1, at: 1 },
          { name: 'ok', v: 2, at: 2 }
        ],
        String(line).slice(0, 50)
      )
      t.equal(result.refused, 1)
      t.match(result.refusals[0], { line: 2, reason: why })
      t.match(refusalMessage(result), /^partial write: unable to parse 'm?.*dropped=1$/s)
    }
  }
  const { result } = write('bad\n'.repeat(100))
  t.equal(result.refused, 100)
  t.equal(result.refusals.length, 10)
  t.match(refusalMessage(result), /^unable to parse 'bad': missing fields \(line 1\)/)
  t.equal(refusalMessage(write('m v=1').result), null)
})

t.test('LineWriter gives the same whatever the chunks', async t => {
  const body = Buffer.from(
    '# c\nm,a=b v=1,s="q\\"x\ny",b=t 1000\nm,a=b v=2,s="q",b=f 2000\r\n\nbad\nm,a=b v=30i 3000\nmé x="é" 5000\nm v="\n' +
      'm,a=b v=3,s="z",b=T 4000\nlast v=1.25e1'
  )
  const { rows, result } = write(body)
  t.equal(rows.length, 5)
  t.equal(result.refused, 2)
  for (let cut = 0; cut <= body.length; cut++) {
    const one = write(body, {}, [cut])
    t.same([one.rows, one.result], [rows, result], `cut at ${cut}`)
  }
  const every = write(body, {}, [...body.keys()])
  t.same([every.rows, every.result], [rows, result], 'cut everywhere')
})

t.test('LineWriter bounds a line and what it holds of one', async t => {
  const long = `m v="${'x'.repeat(300_000)}"`
  for (const cuts of [[], [200_000], [100_000, 150_000, 250_000, 299_000]]) {
    const { rows, result } = write(`a v=1 0\n${long}\nb v=1 0\n`, {}, cuts)
    t.equal(rows.at(-1)!.name, 'b')
    t.ok(cuts.length === 0 || result.refused === 1)
  }
  const open = `m v="\n${'n v=1 0\n'.repeat(40_000)}`
  const cuts = Array.from({ length: open.length / 4096 }, (_, i) => (i + 1) * 4096)
  const { rows, result } = write(open, {}, cuts)
  t.equal(rows.length, 40_000, 'an open quote takes its own line only')
  t.equal(result.refused, 1)
})

t.test('LineWriter asks for the shape of a line once', async t => {
  const appender = new FakeAppender()
  const protocol = new LineProtocol(appender)
  for (let round = 0; round < 5; round++) {
    const writer = protocol.writer({ nowUs })
    for (let i = 0; i < 20; i++) writer.push(Buffer.from(`m,d=${i} a=${round},b=1i\nm,d=${i} a=1\n`))
    t.equal(writer.finish().rows, 40)
  }
  t.equal(appender.asked, 40)
  t.equal(protocol.forms.size, 40)
})

t.test('LineWriter never throws and never stores a line that is not one', async t => {
  const valid = 'weather,loc=a\\ b,x=y t=82.5,i=1i,s="a \\"q\\" é",b=true 1465839830100400200\nm v=1\n'
  const alphabet = Buffer.from('m,=" \\\n\r#tfi.0123456789e-+\u00e9\0')
  const appender = new FakeAppender()
  const protocol = new LineProtocol(appender)
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const bytes = Buffer.from(random.chance(0.3) ? 'x'.repeat(60) : valid)
    const changes = random.below(8)
    for (let i = 0; i < changes; i++) {
      bytes[random.below(bytes.length)] = random.chance(0.2) ? random.below(256) : random.pick([...alphabet])
    }
    const cuts = [random.below(bytes.length), random.below(bytes.length)].sort((a, b) => a - b)
    try {
      const whole = write(bytes)
      const writer = protocol.writer({ nowUs })
      const from = appender.rows.length
      writer.push(bytes.subarray(0, cuts[0]))
      writer.push(bytes.subarray(cuts[0], cuts[1]))
      writer.push(bytes.subarray(cuts[1]))
      const result = writer.finish()
      const rows = appender.rows.slice(from)
      const fresh = whole.appender.rows
      t.same([result, rows], [whole.result, fresh], `VARVE_SEED=${seed}: known forms read as new ones`)
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
})

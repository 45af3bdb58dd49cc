import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { FORMS, type Form, openFormReader, openFormWriter } from '../../src/transfer/form.ts'
import { readParquet } from '../../src/transfer/parquet-read.ts'
import { numberOf, numberText, type Refusal, type TransferRow } from '../../src/transfer/row.ts'
import { LINE_BYTES_MAX } from '../../src/transfer/text-lines.ts'
import { seeds } from '../kit/seeds.ts'
import { randomRows, rowKey } from './rows.ts'

function gather() {
  const rows: TransferRow[] = []
  const lines: number[] = []
  const refusals: Refusal[] = []
  const sink = {
    row: (row: TransferRow, line: number) => {
      rows.push(row)
      lines.push(line)
    },
    refuse: (refusal: Refusal) => void refusals.push(refusal)
  }
  return { rows, lines, refusals, sink }
}

/** Reads a file, cut at random places where it is text. */
async function read(form: Form, bytes: Uint8Array, random = new Random(1), precision = 'ns') {
  const found = gather()
  if (form === 'parquet') {
    const slice = (from: number, to = bytes.length) => new Uint8Array(bytes.slice(from, to)).buffer
    await readParquet({ byteLength: bytes.length, slice }, found.sink, async () => {})
    return found
  }
  const reader = openFormReader(form, found.sink, precision)
  for (let at = 0; at < bytes.length; ) {
    // A copy that is spoilt afterwards: who gave a piece may use it again.
    const piece = Buffer.from(bytes.subarray(at, at + 1 + random.below(random.chance(0.5) ? 7 : 4000)))
    reader.push(piece)
    at += piece.length
    piece.fill(0)
  }
  reader.end()
  return found
}

async function write(form: Form, rows: readonly TransferRow[], random: Random): Promise<Uint8Array> {
  const names = [...new Set(rows.flatMap(({ labels }) => labels.map(([name]) => name)))]
  let writer = await openFormWriter(form, names, null)
  const pieces: Uint8Array[] = []
  for (const row of rows) {
    writer.add(row)
    if (random.chance(0.1)) pieces.push(writer.take())
    if (!random.chance(0.1)) continue
    // As after an interruption: another process goes on.
    writer.checkpoint()
    pieces.push(writer.take())
    writer = await openFormWriter(form, names, writer.state())
  }
  writer.finish()
  pieces.push(writer.take())
  return Buffer.concat(pieces)
}

for (const form of FORMS) {
  t.test(`${form}: every row is read back bit for bit, also over interruptions`, async t => {
    for (const seed of seeds(form === 'parquet' ? 40 : 150)) {
      const random = new Random(seed)
      const rows = randomRows(seed, 1 + random.below(60))
      const { rows: back, refusals } = await read(form, await write(form, rows, random), random)
      const isSame = JSON.stringify(back.map(rowKey)) === JSON.stringify(rows.map(rowKey))
      if (!isSame || refusals.length > 0) {
        t.same([back.map(rowKey), refusals], [rows.map(rowKey), []], `VARVE_SEED=${seed}`)
        return
      }
    }
    t.pass('all are equal')
  })

  t.test(`${form}: a file without rows is read as one`, async t => {
    const found = await read(form, await write(form, [], new Random(1)))
    t.same([found.rows, found.refusals], [[], []])
  })
}

t.test('numberText() and numberOf() are inverse, and what is no number is none', async t => {
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const value = new Float64Array(new Uint32Array([random.u32(), random.u32()]).buffer)
    const back = new Float64Array([numberOf(numberText(value[0]!))!])
    const [a, b] = [new BigUint64Array(value.buffer)[0], new BigUint64Array(back.buffer)[0]]
    if (a !== b && !Number.isNaN(value[0])) return t.equal(a, b, `VARVE_SEED=${seed}`)
  }
  for (const text of ['', 'x', '1x', '0x10', ' 1', 'NaN:7ff0', 'NaN:0000000000000001', 'nan', '-']) {
    t.equal(numberOf(text), null, JSON.stringify(text))
  }
})

t.test('NDJSON: what is no row is told by its line, and the rows around it are read', async t => {
  const good = '{"time_us":1,"fields":{"a":1}}'
  const bad = [
    'x',
    '[]',
    '{"time_us":-1,"fields":{"a":1}}',
    '{"time_us":1.5,"fields":{"a":1}}',
    '{"time_us":1,"fields":{}}',
    '{"time_us":1,"fields":{"a":null}}',
    '{"time_us":1,"fields":{"a":{"base64":"?"}}}',
    '{"time_us":1,"fields":{"a":1},"lables":{}}',
    '{"time_us":1,"labels":{"x":1},"fields":{"a":1}}'
  ]
  const text = bad.map(line => `${line}\n${good}\n`).join('')
  const { rows, lines, refusals } = await read('ndjson', Buffer.from(text))
  t.equal(rows.length, bad.length)
  t.same(
    lines,
    bad.map((_, i) => i * 2 + 2)
  )
  t.same(
    refusals.map(({ line }) => line),
    bad.map((_, i) => i * 2 + 1)
  )
  const odd = await read('ndjson', Buffer.concat([Buffer.from([0xff, 10]), Buffer.from(good)]))
  t.match(odd, { rows: [{ timeUs: 1 }], refusals: [{ line: 1, reason: /UTF-8/ }] })
})

t.test('a line without end costs one line, and the next goes on', async t => {
  for (const form of ['ndjson', 'csv'] as const) {
    const found = gather()
    const reader = openFormReader(form, found.sink, 'ns')
    if (form === 'csv') reader.push(Buffer.from('time_us,value\n'))
    const piece = Buffer.alloc(4 * 1024 ** 2, 'x')
    for (let bytes = 0; bytes <= LINE_BYTES_MAX; bytes += piece.length) reader.push(piece)
    reader.push(Buffer.from(form === 'csv' ? '\n1,2\n' : '\n{"time_us":1,"fields":{"value":2}}\n'))
    reader.end()
    t.equal(found.refusals.length > 0, true, form)
    t.match(found.rows, [{ timeUs: 1, fields: ['value'], values: [2] }], form)
  }
})

t.test('CSV of others is read: other columns are labels, kinds are told by the text', async t => {
  const text =
    'time,site,value,name\n2023-11-14T22:13:20.000001Z,roof,21.5,t\n2023-11-14T23:13:20+01:00,,"on, ""off""",s\nx,,1,t\n'
  const { rows, refusals } = await read('csv', Buffer.from(text))
  t.same(rows, [
    { timeUs: 1700000000000001, name: 't', labels: [['site', 'roof']], fields: ['value'], values: [21.5] },
    { timeUs: 1700000000000000, name: 's', labels: [], fields: ['value'], values: ['on, "off"'] }
  ])
  t.match(refusals, [{ line: 4, reason: /time/ }])
  const headless = await read('csv', Buffer.from('a,b\n1,2\n3,4\n'))
  t.match(headless, { rows: [], refusals: [{ line: 1 }] })
  t.equal(headless.refusals.length, 1, 'told once')
})

t.test('line protocol of others is read, in its unit; without a time a line is refused', async t => {
  const text =
    'weather,site=my\\ roof t=21.5,n=3i,up=t,s="a b" 1700000000\nweather t=1\nweather t="varve:no:x" 1\n'
  const { rows, refusals } = await read('line', Buffer.from(text), new Random(3), 's')
  t.same(rows, [
    {
      timeUs: 1700000000000000,
      name: 'weather',
      labels: [['site', 'my roof']],
      fields: ['t', 'n', 'up', 's'],
      values: [21.5, 3, true, 'a b']
    }
  ])
  t.match(refusals, [
    { line: 2, reason: /no time/ },
    { line: 3, reason: /mark/ }
  ])
})

t.test('what is no Parquet file is refused with a reason', async t => {
  await t.rejects(read('parquet', Buffer.from('PAR1 not really PAR1')), { code: 'VARVE_TRANSFER_FILE' })
})

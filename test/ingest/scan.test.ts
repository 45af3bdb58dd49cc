import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { type DeadLetter, DeadLetters } from '../../src/ingest/dead-letter.ts'
import { TIME_UNITS, timeOfIso, timeOfNumber } from '../../src/ingest/device-time.ts'
import { NOT_A_NUMBER, OUT_OF_RANGE, scanNumber } from '../../src/ingest/number.ts'
import { compileRule, labelPairs, ruleOf } from '../../src/ingest/rule.ts'
import { isUtf8 } from '../../src/ingest/utf8.ts'
import { seeds } from './seeds.ts'

const out = new Float64Array(1)

function scan(text: string, lenient: boolean): [after: number, value: number] {
  out[0] = Number.NaN
  const bytes = Buffer.from(`${text}`)
  return [scanNumber(bytes, 0, bytes.length, out, 0, lenient), out[0]!]
}

t.test('scanNumber() gives the bits of Number() for any decimal', async t => {
  for (const seed of seeds(20_000)) {
    const random = new Random(seed)
    let text = random.chance(0.3) ? '-' : ''
    text += random.chance(0.3) ? '0' : String(1 + random.below(10 ** random.below(10)))
    for (let i = random.below(3); i > 0 && !text.endsWith('0'); i--) text += String(random.below(1e9))
    if (random.chance(0.7)) text += `.${String(random.below(1e9)).padStart(random.below(25), '0')}`
    if (random.chance(0.3))
      text += `${random.pick(['e', 'E'])}${random.pick(['', '+', '-'])}${random.below(330)}`
    const [after, value] = scan(text, false)
    const model = Number(text)
    const fine = Number.isFinite(model)
      ? after === text.length && Object.is(value, model)
      : after === OUT_OF_RANGE
    if (!fine) t.fail(`VARVE_SEED=${seed} ${text}: ${value}, not ${model}`)
  }
  for (const seed of seeds(5000)) {
    const random = new Random(seed)
    const bits = new DataView(new ArrayBuffer(8))
    bits.setUint32(0, random.u32())
    bits.setUint32(4, random.u32())
    const model = bits.getFloat64(0)
    if (!Number.isFinite(model)) continue
    if (!Object.is(scan(String(model), false)[1], model)) t.fail(`VARVE_SEED=${seed} ${model}`)
  }
  t.same(scan('0.1', false), [3, 0.1])
})

t.test('scanNumber() has two grammars', async t => {
  for (const text of ['', '-', '+1', '.5', '5.', '01', 'e1', '1e', '1e+', '-.', 'x']) {
    t.equal(scan(text, false)[0], NOT_A_NUMBER, text)
  }
  for (const text of ['', '-', '+', '.', '1e', 'x', '-e1']) t.equal(scan(text, true)[0], NOT_A_NUMBER, text)
  t.same(scan('+01.', true), [4, 1])
  t.same(scan('-.5e1', true), [5, -5])
  t.same(scan('12x', true), [2, 12])
})

t.test('timeOfIso() reads what Date reads, and refuses what is no time', async t => {
  const iso = (text: string) => timeOfIso(Buffer.from(`"${text}"`), 1, Buffer.byteLength(text) + 1)
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const ms = Math.floor((random.unit() * 2 - 0.5) * 4e12)
    const text = new Date(ms).toISOString()
    if (iso(text) !== ms * 1000) t.fail(`VARVE_SEED=${seed} ${text}`)
  }
  t.equal(iso('2024-02-29'), Date.UTC(2024, 1, 29) * 1000)
  t.equal(iso('2024-02-29 12:30'), Date.UTC(2024, 1, 29, 12, 30) * 1000)
  t.equal(iso('2024-02-29T12:30:01.1234567+0130'), Date.UTC(2024, 1, 29, 11, 0, 1) * 1000 + 123_456)
  t.equal(iso('2024-02-29T12:30:01-05'), Date.UTC(2024, 1, 29, 17, 30, 1) * 1000)
  const wrong = [
    '',
    '2023-02-29',
    '2024-13-01',
    '2024-01-01T24:00',
    '2024-01-01T1:00',
    '2024-1-1',
    'on',
    '2024-01-01T00:00:00.',
    '2024-01-01T00:00:00Zx',
    '2024-01-01T00:00:00+1'
  ]
  for (const text of wrong) t.ok(Number.isNaN(iso(text)), text)
  for (const unit of TIME_UNITS) t.equal(Number.isNaN(timeOfNumber(1, unit)), unit === 'iso')
  for (const value of [1.76e9, 1.76e12, 1.76e15, 1.76e18]) t.equal(timeOfNumber(value, 'auto'), 1.76e15)
})

t.test('isUtf8() agrees with TextDecoder', async t => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for (const seed of seeds(20_000)) {
    const random = new Random(seed)
    const leads = [
      0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xe0, 0xa0, 0x9f, 0xed, 0xf0, 0x90, 0x8f, 0xf4, 0xf5, 0xff, 0x41
    ]
    const bytes = Uint8Array.from({ length: random.below(6) }, () => random.pick(leads))
    let model = true
    try {
      decoder.decode(bytes)
    } catch {
      model = false
    }
    if (isUtf8(bytes, 0, bytes.length) !== model) t.fail(`VARVE_SEED=${seed} ${bytes}`)
  }
  t.ok(isUtf8(Buffer.from('é日本😀'), 0, 12))
})

t.test('compileRule() refuses what cannot be', async t => {
  const wrong = ['', 'a/#/b', 'a+/b', '{}', '{a', 'a}', '{a}{b}', '{a}/{a}', '{topic}', '{__name__}', '{a+}']
  for (const pattern of wrong) t.throws(() => compileRule({ pattern }), { code: 'VARVE_RULE' }, pattern)
  t.throws(() => compileRule({ pattern: 'a', timeUnit: 'd' as 's' }), { code: 'VARVE_RULE' })
  t.throws(() => compileRule({ pattern: 'a', format: 'xml' as 'json' }), { code: 'VARVE_RULE' })
  t.throws(() => compileRule({ pattern: '{a}', labels: { a: 'x' } }), { code: 'VARVE_RULE' })
  t.ok(compileRule({ pattern: '{topic}', topicLabel: false }))
})

t.test('ruleOf() matches as MQTT filters do', async t => {
  const table: [pattern: string, topic: string, matches: boolean][] = [
    ['#', 'a/b', true],
    ['a/#', 'a', true],
    ['a/#', 'ab', false],
    ['+/b', 'a/b', true],
    ['+', '/a', false],
    ['+/a', '/a', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['{a}/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['{s}/dev-{d}x/t', 'a/dev-7x/t', true],
    ['{s}/dev-{d}x/t', 'a/dev-x/t', true],
    ['dev{d}ev', 'dev', false],
    ['a', 'a/', false]
  ]
  for (const [pattern, topic, matches] of table) {
    const rule = compileRule({ pattern })
    t.equal(ruleOf([rule], topic.split('/')) === rule, matches, `${pattern} on ${topic}`)
  }
  const rule = compileRule({ pattern: '{site}/dev-{d}', labels: { k: 'v' } })
  t.same(labelPairs(rule, 's/dev-7', ['s', 'dev-7']), [
    ['k', 'v'],
    ['topic', 's/dev-7'],
    ['site', 's'],
    ['d', '7']
  ])
})

t.test('DeadLetters keeps the newest, at a bounded rate, and goes on after a restart', async t => {
  let nowMs = 0
  const clock = { nowUs: () => 0, monotonicMs: () => nowMs, after: () => () => {} }
  const stored = new Map<number, DeadLetter>()
  const store = { put: (slot: number, letter: DeadLetter) => void stored.set(slot, letter) }
  const letters = new DeadLetters({ clock, store, capacity: 4, burst: 2, ratePerSecond: 1 })
  const bytes = Buffer.alloc(1000, 'x')
  for (let i = 0; i < 10; i++) letters.add('t', i, 'syntax', `${i}`, bytes, 0, 1000)
  t.same(
    letters.newest().map(letter => letter.reason),
    ['1', '0']
  )
  t.equal(letters.countedOnly, 8)
  t.equal(letters.counts.syntax, 10)
  for (let i = 10; i < 15; i++) {
    nowMs += 1000
    letters.add('t', i, 'utf8', `${i}`, bytes, 0, 1000)
  }
  t.same(
    letters.newest().map(letter => letter.reason),
    ['14', '13', '12', '11']
  )
  t.equal(letters.newest()[0]!.payload.length, 256)
  t.equal(stored.size, 4)
  const again = new DeadLetters({ clock, store, capacity: 4, stored: stored.values() })
  again.add('t', 15, 'size', '15', bytes, 0, 1)
  t.same(
    again.newest().map(letter => letter.reason),
    ['15', '14', '13', '12']
  )
})

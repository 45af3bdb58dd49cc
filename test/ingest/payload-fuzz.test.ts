import t from 'tap'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { DeadLetters } from '../../src/ingest/dead-letter.ts'
import { Mapper } from '../../src/ingest/mapper.ts'
import { FakeAppender } from './fake-appender.ts'
import { seeds } from './seeds.ts'

const nowUs = 1_760_000_000_000_000
const keys = ['a', 'b', 'temperature', 'é', 'a_0', 'x y', '\\"']

/** A document whose structure is drawn from one source and whose values are drawn from another. */
function anyDocument(structure: Random, values: Random, depth = 0): unknown {
  const kind = structure.below(depth > 3 ? 5 : 8)
  if (kind === 5 || (depth === 0 && kind > 1)) {
    const n = structure.below(6)
    const object: Record<string, unknown> = {}
    for (let i = 0; i < n; i++) object[structure.pick(keys)] = anyDocument(structure, values, depth + 1)
    return object
  }
  if (kind >= 6 || depth === 0) {
    return Array.from({ length: structure.below(4) }, () => anyDocument(structure, values, depth + 1))
  }
  return anyScalar(values)
}

function anyScalar(random: Random): unknown {
  const sign = random.chance(0.5) ? 1 : -1
  switch (random.below(8)) {
    case 0:
      return null
    case 1:
      return random.chance(0.5)
    case 2:
      return random.pick(['', 'on', 'é"\\\n', '\u0000', '日本', 'x'.repeat(random.below(40))])
    case 3:
      return sign * random.below(1e9)
    case 4:
      return (sign * random.below(1e6)) / 10 ** random.below(6)
    case 5:
      return sign * random.unit() * 10 ** (random.below(60) - 30)
    case 6:
      return sign * Number.MAX_SAFE_INTEGER * random.unit() * 1000
    default:
      return sign * random.below(100)
  }
}

/** The model: what a document becomes, from its parsed value. */
function modelOf(value: unknown, bareName: string): Record<string, unknown> {
  const fields: Record<string, unknown> = Object.create(null)
  const walk = (at: unknown, name: string, root: boolean) => {
    if (Array.isArray(at))
      at.forEach((item, i) => void walk(item, `${name === '' ? bareName : name}_${i}`, false))
    else if (typeof at === 'object' && at !== null && !(at instanceof Uint8Array)) {
      for (const [key, item] of Object.entries(at)) walk(item, root ? key : `${name}_${key}`, false)
    } else fields[name === '' ? bareName : name] = at === undefined ? null : at
  }
  walk(value, '', true)
  for (const name of Object.keys(fields)) if (fields[name] === null) delete fields[name]
  return fields
}

function harness() {
  const appender = new FakeAppender()
  const deadLetters = new DeadLetters({ clock: systemClock })
  const mapper = new Mapper({ appender, deadLetters })
  const send = (bytes: Uint8Array) => {
    const from = appender.rows.length
    mapper.message('s/leaf', bytes, 0, bytes.length, nowUs)
    return appender.rows.slice(from).map(row => ({ ...row.fields }))
  }
  const failures = () => Object.values(deadLetters.counts).reduce((a, b) => a + b, 0)
  return { appender, mapper, send, failures }
}

/** Same names and same bits; the order of names does not matter. */
function isSame(row: Record<string, unknown> | undefined, model: Record<string, unknown>): boolean {
  const names = Object.keys(model)
  if (row === undefined) return names.length === 0
  return (
    Object.keys(row).length === names.length &&
    names.every(name => {
      const a = row[name]
      const b = model[name]
      return a instanceof Uint8Array ? Buffer.compare(a, b as Uint8Array) === 0 : Object.is(a, b)
    })
  )
}

t.test('message() reads JSON as JSON.parse does, the first time and by a known form', async t => {
  const { send, failures } = harness()
  for (const seed of seeds(3000)) {
    const structure = seed % 60
    const value = anyDocument(new Random(structure), new Random(seed))
    const text = JSON.stringify(value, null, structure % 3)
    const rows = send(Buffer.from(text))
    const model = modelOf(JSON.parse(text), 'leaf')
    if (rows.length > 1 || !isSame(rows[0], model)) {
      t.same(rows[0], model, `VARVE_SEED=${seed} ${text}`)
      t.fail(`VARVE_SEED=${seed}`)
    }
  }
  t.equal(failures(), 0)
})

t.test('message() reads CBOR as cbor-x does, the first time and by a known form', async t => {
  const { send, failures } = harness()
  for (const seed of seeds(2000)) {
    const structure = seed % 60
    const value = anyDocument(new Random(structure), new Random(seed))
    const bytes = encodeCbor(value)
    const rows = send(bytes)
    const model = modelOf(JSON.parse(JSON.stringify(value)), 'leaf')
    if (rows.length > 1 || !isSame(rows[0], model)) {
      t.same(rows[0], model, `VARVE_SEED=${seed}`)
      t.fail(`VARVE_SEED=${seed}`)
    }
  }
  t.equal(failures(), 0)
})

t.test('message() accepts of broken JSON what JSON.parse accepts, and no more', async t => {
  const known = harness()
  const alphabet = Buffer.from('{}[]:,"\\ 0123456789.eE+-truefalsn\n\u00e9\0')
  let accepted = 0
  for (const seed of seeds(6000)) {
    const random = new Random(seed)
    const value = anyDocument(new Random(seed % 20), random)
    const bytes = Buffer.from(JSON.stringify(value))
    for (let i = random.below(4); i >= 0 && bytes.length > 0; i--) {
      bytes[random.below(bytes.length)] = random.chance(0.2) ? random.below(256) : random.pick([...alphabet])
    }
    if (bytes[0] !== 0x7b && bytes[0] !== 0x5b) continue
    let model: unknown
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
      model = modelOf(JSON.parse(text), 'leaf')
      if (Object.values(model as object).some(v => v === Infinity || v === -Infinity)) model = undefined
      else if (Object.hasOwn(model as object, '')) model = undefined
    } catch {
      model = undefined
    }
    const before = known.failures()
    const rows = known.send(bytes)
    const refused = known.failures() > before
    if (!refused) accepted++
    // Of an object and a later value under one key JSON.parse forgets the object, and we keep its fields.
    const fine = model === undefined ? refused : !refused && isSame(rows[0], model as Record<string, unknown>)
    if (!fine && !/"(.*)":.*"\1":/.test(bytes.toString())) {
      t.fail(`VARVE_SEED=${seed} ${bytes} ${JSON.stringify(rows)}`)
    }
  }
  t.ok(process.env.VARVE_SEED !== undefined || accepted > 300, `${accepted} were accepted`)
})

t.test('message() never throws, whatever the bytes', async t => {
  const rules = [
    { pattern: 'j', format: 'json', time: 'ts' },
    { pattern: 'c', format: 'cbor', time: 'ts' },
    { pattern: 't', format: 'text' },
    { pattern: 'k', keepPayload: true, time: 'a' },
    { pattern: 'r', format: 'raw' }
  ] as const
  const appender = new FakeAppender()
  const deadLetters = new DeadLetters({ clock: systemClock })
  const mapper = new Mapper({ appender, deadLetters, rules })
  const models = [
    Buffer.from('{"ts":1760000000,"a":[{"t":1760000000,"v":1},{"ts":"2025-10-09T08:53:21Z","v":"x"}]}'),
    encodeCbor({ ts: new Date(1_760_000_000_000), a: [{ t: 1_760_000_000, v: 1.5 }], b: new Uint8Array(5) }),
    encodeCbor({ ts: 5, big: 2n ** 70n, s: 'x'.repeat(300), n: -5, f: 1e-9 }),
    Buffer.from('21.5e3')
  ]
  let seen = 0
  for (const seed of seeds(10_000)) {
    const random = new Random(seed)
    const bytes = random.chance(0.2) ? Buffer.alloc(random.below(40)) : Buffer.from(random.pick(models))
    for (let i = random.below(5); i > 0 && bytes.length > 0; i--) {
      bytes[random.below(bytes.length)] = random.below(256)
    }
    const end = random.chance(0.2) ? random.below(bytes.length + 1) : bytes.length
    const topic = random.pick(['j', 'c', 't', 'k', 'r', 'auto'])
    try {
      mapper.message(topic, bytes, 0, end, nowUs)
      seen++
    } catch (error) {
      t.fail(`VARVE_SEED=${seed} ${topic} ${bytes.toString('hex')}: ${(error as Error).stack}`)
    }
  }
  t.equal(mapper.messages, seen)
  t.ok(appender.rows.length > seen / 10)
})

t.test('message() reads the times, tags and oddities of CBOR', async t => {
  const appender = new FakeAppender()
  const deadLetters = new DeadLetters({ clock: systemClock, burst: 100 })
  const mapper = new Mapper({ appender, deadLetters, rules: [{ pattern: '#', time: 'ts' }] })
  const table: [hex: string, object][] = [
    ['a2627473c11a68e77840617601', { v: 1, at: 1_760_000_064e6 }],
    ['a2627473c1fb41da39dde0200000617601', { v: 1, at: 1_759_999_872.5e6 }],
    ['a2627473c074323032352d31302d30395430383a35333a32315a617601', { v: 1, at: 1_760_000_001e6 }],
    ['a16178c11a68e77840', { x: 1_760_000_064, at: nowUs }],
    ['bf61617f6161626263ff6162f6ff', { a: 'abc', at: nowUs }],
    ['a10105', { 1: 5, at: nowUs }],
    ['a12005', { '-1': 5, at: nowUs }],
    ['a16162c249010000000000000000', { b: 2 ** 64, at: nowUs }],
    ['a16162f93c00', { b: 1, at: nowUs }],
    ['a16162f97e00', { b: Number.NaN, at: nowUs }],
    ['a1616243010203', { b: new Uint8Array([1, 2, 3]), at: nowUs }],
    ['d9d9f7a1616201', { b: 1, at: nowUs }],
    ['a1616239ffff', { b: -65_536, at: nowUs }],
    ['a161621bffffffffffffffff', { b: 2 ** 64, at: nowUs }]
  ]
  for (const [hex, row] of table) {
    const bytes = Buffer.from(hex, 'hex')
    for (let i = 0; i < 2; i++) mapper.message('x', bytes, 0, bytes.length, nowUs)
    const found = appender.rows.slice(-2).map(one => ({ ...one.fields, at: one.timeUs }))
    t.same(found, [row, row], hex)
  }
  for (const hex of [
    'a1',
    'a1ff',
    '9b00ffffffffffffff',
    'a161627b00ffffffffffffff',
    'a16162f8ff',
    '81'.repeat(40),
    'a1616200ff',
    'a1f501',
    'a16162ff',
    'bf6161ff',
    'a161625f6161ff'
  ]) {
    const bytes = Buffer.from(hex, 'hex')
    t.equal(mapper.message('x', bytes, 0, bytes.length, nowUs), 0, hex)
  }
  t.equal(deadLetters.counts.syntax + deadLetters.counts.depth, 11)
  t.same(decodeCbor(encodeCbor({ a: [1] })), { a: [1] })
})

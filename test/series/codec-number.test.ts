// Numbers: decimals, doubles, dictionaries, and the statistics in a column's head.
import t from 'tap'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import { decodeNumbers, encodeNumbers, readNumberHead } from '../../src/series/codec-column.ts'
import { guessScale, scaledInteger } from '../../src/series/codec-decimal.ts'
import { countDistinct, decodeDictionary, encodeDictionary } from '../../src/series/codec-dictionary.ts'
import {
  decodePlanes,
  decodeRaw,
  decodeXor,
  decodeZstd,
  encodePlanes,
  encodeRaw,
  encodeXor,
  encodeZstd
} from '../../src/series/codec-double.ts'
import { decodeNear, encodeNear } from '../../src/series/codec-near.ts'
import { decodeBare, encodeBare } from '../../src/series/codec-number.ts'
import { decodeSqueezed } from '../../src/series/codec-zstd.ts'
import { readStats } from '../../src/series/column-stats.ts'
import { seeds } from '../kit/seeds.ts'
import {
  anyNumbers,
  anyRows,
  damage,
  differsAt,
  exampleOf,
  readerOf,
  survives,
  written
} from './codec-kit.ts'

/** Decodes head and body that lie one after the other. */
function decodeBoth(bytes: Uint8Array, n: number, into: Float64Array) {
  const from = readerOf(bytes)
  const head = readNumberHead(from, n)
  decodeNumbers(from, n, head, from.at - 8, into, () => into.subarray(0, 0))
  return { head, left: from.left }
}

function encodeBoth(values: Float64Array, n: number, cold: boolean): Uint8Array {
  const head = new ByteWriter()
  const body = new ByteWriter()
  encodeNumbers(values, n, head, body, cold)
  head.raw(body.written())
  return head.copy()
}

t.test('every Example in the headers of the number codecs reads back', async t => {
  const into = new Float64Array(8)
  const expect = (file: string, values: number[]) =>
    t.same([...into.subarray(0, values.length)], values, file)
  decodeBare(readerOf(exampleOf('codec-number.ts')), 3, into)
  expect('codec-number.ts', [0.5, 0.25, 0.75])
  decodeNear(readerOf(exampleOf('codec-near.ts')), 4, into)
  expect('codec-near.ts', [20.5, 7.33333333333333, 0.30000000000000004, 1])
  decodeXor(readerOf(exampleOf('codec-double.ts')), 3, into)
  expect('codec-double.ts', [1.5, 1.5, 1.75])
  decodeDictionary(readerOf(exampleOf('codec-dictionary.ts')), 4, into)
  expect('codec-dictionary.ts', [0.1, 7.25, 0.1, 7.25])
  decodeBoth(exampleOf('codec-column.ts'), 3, into)
  expect('codec-column.ts', [21.4, 21.5, 21.3])
  const stats = readStats(readerOf(exampleOf('column-stats.ts')), 3)
  t.match(
    stats,
    { first: 21.4, last: 21.3, min: 21.3, max: 21.5, sum: 64.2, sumUnits: 642 },
    'column-stats.ts'
  )
  const raw = decodeSqueezed(new ByteReader(exampleOf('codec-zstd.ts')), 64)
  t.same(
    [...raw],
    Array.from({ length: 64 }, (_, i) => i & 1),
    'codec-zstd.ts'
  )
})

t.test('scaledInteger() takes decimals and refuses -0, NaN, infinities and noise', async t => {
  t.equal(scaledInteger(21.4, 10, false), 214)
  t.equal(scaledInteger(Math.fround(30.531), 1000, true), 30531)
  for (const value of [-0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 0.1 + 0.2]) {
    t.ok(Number.isNaN(scaledInteger(value, 10, false)), String(value))
  }
})

t.test('guessScale() finds decimal places, float32 and neither', async t => {
  const column = (f: (i: number) => number) => Float64Array.from({ length: 200 }, (_, i) => f(i))
  t.same(
    guessScale(
      column(i => i / 4),
      200
    ),
    { exponent: 2, single: false }
  )
  t.same(
    guessScale(
      column(i => Math.fround(20 + i / 1000)),
      200
    ),
    { exponent: 3, single: true }
  )
  t.equal(
    guessScale(
      column(i => Math.sqrt(i + 2) * Math.PI),
      200
    ),
    null
  )
})

t.test('every form of doubles gives back the same bits', async t => {
  const forms = [
    [encodeRaw, decodeRaw],
    [encodeXor, decodeXor],
    [encodeZstd, decodeZstd],
    [encodePlanes, decodePlanes]
  ] as const
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const values = anyNumbers(random, n)
    for (const [encode, decode] of forms) {
      const from = readerOf(written(out => encode(values, n, out)))
      const into = new Float64Array(n)
      decode(from, n, into)
      if (differsAt(values, into, n) >= 0 || from.left > 0) t.fail(`VARVE_SEED=${seed} ${encode.name}`)
    }
  }
})

t.test('encodeNear() finds thirds, float32 that went through text, and sums of decimals', async t => {
  const near: [string, number, (i: number) => number][] = [
    ['thirds', 2.1, i => Number((400 + ((i * 37) % 97) / 3).toPrecision(15))],
    ['small thirds', 2.1, i => Number((((i * 37) % 97) / 3e5).toPrecision(15))],
    ['float32', 2.1, i => Math.fround(5 + ((i * 37) % 97) / 1000) * (1 + ((i % 3) - 1) * 2 ** -52)],
    ['sums', 2.1, i => 0.1 * ((i * 37) % 97) + 0.2],
    ['negative sums', 2.1, i => -0.1 * ((i * 37) % 97) - 0.2],
    ['exceptions', 4, i => (i % 40 === 7 ? Math.sin(i) : 0.1 * ((i * 37) % 97) + 0.2)]
  ]
  for (const [name, bytesMax, make] of near) {
    const values = Float64Array.from({ length: 1000 }, (_, i) => make(i))
    const bytes = written(out => t.ok(encodeNear(values, 1000, out, false), name))
    t.ok(bytes.length < bytesMax * 1000, `${name}: ${bytes.length} bytes`)
    const into = new Float64Array(1000)
    const from = readerOf(bytes)
    decodeNear(from, 1000, into)
    t.equal(differsAt(values, into, 1000), -1, name)
    t.equal(from.left, 0, name)
  }
  const noise = Float64Array.from({ length: 1000 }, (_, i) => Math.sin(i))
  t.notOk(encodeNear(noise, 1000, new ByteWriter(), false), 'noise')
})

t.test('a dictionary keeps -0, 0 and every NaN apart', async t => {
  const values = new Float64Array(400)
  const bits = new BigUint64Array(values.buffer)
  const distinct = [0n, 1n << 63n, 0x7ff8000000000000n, 0x7ff0000000000001n, 0x4010000000000000n]
  for (let i = 0; i < 400; i++) bits[i] = distinct[i % 5]!
  t.equal(countDistinct(values, 400, 10), 5)
  const bytes = written(out => encodeDictionary(values, 400, 5, out, true))
  const into = new Float64Array(400)
  decodeDictionary(readerOf(bytes), 400, into)
  t.equal(differsAt(values, into, 400), -1)
  t.equal(countDistinct(values, 400, 4), 0, 'too many')
})

t.test('decodeNumbers(encodeNumbers(v)) gives back the same bits, cold and packed', async t => {
  for (const seed of seeds(400)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const values = anyNumbers(random, n)
    for (const cold of [true, false]) {
      const into = new Float64Array(n)
      const { left } = decodeBoth(encodeBoth(values, n, cold), n, into)
      if (left > 0 || differsAt(values, into, n) >= 0)
        t.fail(`VARVE_SEED=${seed} cold ${cold}: ${differsAt(values, into, n)}`)
      const bare = readerOf(written(out => encodeBare(values, n, out, cold)))
      decodeBare(bare, n, into)
      if (bare.left > 0 || differsAt(values, into, n) >= 0) t.fail(`VARVE_SEED=${seed} bare, cold ${cold}`)
    }
  }
})

/** The sum of doubles as exactly as a plain loop can: pairs of (sum, error). */
function plainStats(values: Float64Array) {
  const numbers = [...values].filter(value => !Number.isNaN(value))
  let magnitude = 0
  for (const value of numbers) magnitude += Math.abs(value)
  return {
    nans: values.length - numbers.length,
    first: values[0]!,
    last: values[values.length - 1]!,
    min: numbers.length === 0 ? Number.NaN : numbers.reduce((a, b) => (b < a ? b : a)),
    max: numbers.length === 0 ? Number.NaN : numbers.reduce((a, b) => (b > a ? b : a)),
    sum: numbers.reduce((a, b) => a + b, 0),
    slack: magnitude * 1e-12
  }
}

t.test('statistics in the head equal those of a plain model', async t => {
  for (const seed of seeds(400)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const values = anyNumbers(random, n)
    const { head } = decodeBoth(encodeBoth(values, n, true), n, new Float64Array(n))
    const model = plainStats(values)
    for (const key of ['nans', 'first', 'last', 'min', 'max'] as const) {
      if (!Object.is(head.stats[key], model[key]))
        t.fail(`VARVE_SEED=${seed} ${key}: ${head.stats[key]}, ${model[key]}`)
    }
    const { sum } = head.stats
    const near =
      Object.is(sum, model.sum) || Math.abs(sum - model.sum) <= model.slack || !Number.isFinite(model.slack)
    if (!near) t.fail(`VARVE_SEED=${seed} sum: ${sum}, ${model.sum}`)
  }
})

t.test('the sum of decimals is exact where adding doubles is not', async t => {
  const values = Float64Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? 0.1 : 0.2))
  const { head } = decodeBoth(encodeBoth(values, 4096, true), 4096, new Float64Array(4096))
  t.equal(head.stats.sum, 614.4)
  t.equal(head.stats.sumUnits, 6144)
})

t.test('decodeNumbers() of damaged bytes throws VarveError at most', async t => {
  let refused = 0
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const n = 1 + random.below(200)
    const bytes = damage(encodeBoth(anyNumbers(random, n), n, random.chance(0.6)), random)
    try {
      if (!survives(() => decodeBoth(bytes, n, new Float64Array(n)))) refused++
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.ok(refused > 500, `${refused} of 3000 were seen`)
})

// Times, states and texts: the columns of a chunk that are not numbers.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { decodeBits, encodeBits } from '../../src/series/codec-state.ts'
import { decodeTexts, encodeTexts } from '../../src/series/codec-text.ts'
import { decodeTimes, encodeTimes } from '../../src/series/codec-time.ts'
import type { Texts } from '../../src/series/run.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, damage, exampleOf, readerOf, survives, written } from './codec-kit.ts'

function textsOf(values: readonly (string | Uint8Array)[]): Texts {
  const parts = values.map(value => Buffer.from(value as string))
  const offsets = new Uint32Array(parts.length + 1)
  parts.forEach((part, i) => {
    offsets[i + 1] = offsets[i]! + part.length
  })
  return { bytes: new Uint8Array(Buffer.concat(parts)), offsets }
}

const same = (a: Texts, b: Texts, n: number) =>
  Buffer.compare(
    a.bytes.subarray(a.offsets[0], a.offsets[n]),
    b.bytes.subarray(b.offsets[0], b.offsets[n])
  ) === 0 && a.offsets.subarray(0, n + 1).every((offset, i) => offset === b.offsets[i])

function anyTexts(random: Random, n: number): Texts {
  const style = random.below(5)
  let at = 0
  return textsOf(
    Array.from({ length: n }, (_, i) => {
      if (style === 0) return random.pick(['on', 'off', '', 'unavailable'])
      if (style === 1) return random.chance(0.02) ? `state ${++at}` : `state ${at}`
      if (style === 2) return `{"seq":${i},"v":${random.below(1000)},"ok":true}`
      if (style === 3) return Uint8Array.from({ length: random.below(40) }, () => random.below(256))
      return `${random.below(500)}`
    })
  )
}

/** Strictly ascending times as devices make them: regular, jittered, with gaps, 1 us to 1 year apart. */
function anyTimes(random: Random, n: number): Float64Array {
  const times = new Float64Array(n)
  const unit = random.pick([1, 1, 1000, 1_000_000])
  const period = random.pick([1, 7, 10_000, 10_003, 60_000, 31_536_000_000 / unit]) * unit
  const jitter = random.pick([0, 0, 1, 200, 5000])
  const drift = random.pick([0, 0, 0.37])
  const style = random.below(4)
  const start = Math.floor((random.unit() - 0.3) * 1.7e15)
  let at = start
  let tick = 0
  for (let i = 0; i < n; i++) {
    tick += random.chance(0.03) ? 1 + random.below(50) : 1
    if (style === 0) at = start + i * period
    else if (style === 1) at = start + Math.floor(tick * (period + drift)) + random.below(jitter + 1) * unit
    else if (style === 2) at += 1 + Math.floor(random.unit() * period)
    else at += unit * (1 + random.below(jitter + 1))
    times[i] = i > 0 && at <= times[i - 1]! ? times[i - 1]! + unit : at
    at = style >= 2 ? times[i]! : at
    if (times[i]! > 2 ** 53 - 1) times[i] = times[i - 1]! + 1
  }
  return times
}

t.test('every Example in the headers reads back', async t => {
  const bits = new Uint8Array(6)
  decodeBits(readerOf(exampleOf('codec-state.ts')), 6, bits)
  t.same([...bits], [1, 1, 1, 0, 0, 1], 'codec-state.ts')
  const texts = decodeTexts(readerOf(exampleOf('codec-text.ts')), 3)
  t.ok(same(texts, textsOf(['on', 'on', 'off']), 3), 'codec-text.ts')
  const times = new Float64Array(3)
  decodeTimes(readerOf(exampleOf('codec-time.ts')), 3, 0, 2000, times)
  t.same([...times], [0, 1000, 2000], 'codec-time.ts')
})

t.test('decodeTimes(encodeTimes(v)) gives back v, cold and packed', async t => {
  for (const seed of seeds(500)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const times = anyTimes(random, n)
    for (const cold of [true, false]) {
      const from = readerOf(written(out => encodeTimes(times, n, out, cold)))
      const into = new Float64Array(n)
      decodeTimes(from, n, times[0]!, times[n - 1]!, into)
      if (from.left > 0 || times.some((time, i) => time !== into[i]))
        t.fail(`VARVE_SEED=${seed} cold ${cold}`)
    }
  }
})

t.test('encodeTimes() finds the schedule behind jitter, gaps and a drifting clock', async t => {
  const random = new Random(3)
  const size = (periodUs: number, gaps: boolean) => {
    let tick = 0
    const times = Float64Array.from({ length: 800 }, () => {
      tick += gaps && random.chance(0.02) ? 1 + random.below(300) : 1
      return 1.7e15 + Math.round((tick * periodUs) / 1000) * 1000 + random.below(201) * 1000
    })
    return written(out => encodeTimes(times, 800, out, true)).length / 800
  }
  // log2(201) is 7.65 bits, 0.956 bytes: what jitter of 0 to 200 ms costs at least.
  const regular = size(10_000_000, false)
  t.ok(regular < 1.03, `${regular} bytes a row`)
  const gaps = size(10_000_000, true)
  t.ok(gaps < 1.1, `${gaps} bytes a row with gaps`)
  const drifting = size(10_000_370, false)
  t.ok(drifting < 1.06, `${drifting} bytes a row with a clock that drifts by 37 ppm`)
})

t.test('a regular time column costs a few bytes', async t => {
  const times = Float64Array.from({ length: 4096 }, (_, i) => 1.7e15 + i * 1e7)
  t.ok(written(out => encodeTimes(times, 4096, out, true)).length <= 12)
})

t.test('decodeBits(encodeBits(v)) gives back v', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const chance = random.pick([0, 0.01, 0.5, 1])
    let state = random.below(2)
    const values = Float64Array.from({ length: n }, () => (state = random.chance(chance) ? 1 - state : state))
    const from = readerOf(written(out => encodeBits(values, n, out, random.chance(0.5))))
    const into = new Float64Array(n)
    decodeBits(from, n, into)
    if (from.left > 0 || values.some((value, i) => value !== into[i])) t.fail(`VARVE_SEED=${seed}`)
  }
})

t.test('decodeTexts(encodeTexts(v)) gives back v', async t => {
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const texts = anyTexts(random, n)
    const from = readerOf(written(out => encodeTexts(texts, n, out, random.chance(0.5))))
    const back = decodeTexts(from, n)
    if (from.left > 0 || !same(texts, back, n)) t.fail(`VARVE_SEED=${seed}`)
  }
})

t.test('encodeTexts() takes texts that do not start at the first byte', async t => {
  const whole = textsOf(['skipped', 'a', 'b', 'a'])
  const part = { bytes: whole.bytes, offsets: whole.offsets.subarray(1) }
  const back = decodeTexts(readerOf(written(out => encodeTexts(part, 3, out, true))), 3)
  t.same(Buffer.from(back.bytes).toString(), 'aba')
  t.same([...back.offsets], [0, 1, 2, 3])
})

t.test('encodeTexts() refuses more bytes than a column may hold', async t => {
  const bytes = new Uint8Array(64 * 1024 * 1024 + 1)
  const texts = { bytes, offsets: Uint32Array.of(0, bytes.length) }
  t.throws(() => written(out => encodeTexts(texts, 1, out, true)), { code: 'VARVE_CHUNK_LIMIT' })
})

t.test('damaged times, bits and texts throw VarveError at most', async t => {
  let refused = 0
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const n = 1 + random.below(200)
    const cold = random.chance(0.5)
    const times = anyTimes(random, n)
    const tries = [
      [
        written(out => encodeTimes(times, n, out, cold)),
        (bytes: Uint8Array) => decodeTimes(readerOf(bytes), n, times[0]!, times[n - 1]!, new Float64Array(n))
      ],
      [
        written(out => encodeTexts(anyTexts(random, n), n, out, cold)),
        (bytes: Uint8Array) => decodeTexts(readerOf(bytes), n)
      ],
      [
        written(out =>
          encodeBits(
            Float64Array.from(times, () => random.below(2)),
            n,
            out,
            cold
          )
        ),
        (bytes: Uint8Array) => decodeBits(readerOf(bytes), n, new Uint8Array(n))
      ]
    ] as const
    const [bytes, decode] = tries[seed % 3]!
    try {
      if (!survives(() => decode(damage(bytes, random)))) refused++
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.ok(refused > 500, `${refused} of 3000 were seen`)
})

// Integers: bit packing, blocks, the entropy stage and the prediction over them.
import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import { BitReader, BitWriter, pack, unpack } from '../../src/series/bit-pack.ts'
import { decodeIntegers, encodeIntegers } from '../../src/series/codec-integers.ts'
import { findLadder, fromRungs, readLadder } from '../../src/series/codec-ladder.ts'
import { decodePacked, encodePacked, packedCost } from '../../src/series/codec-packed.ts'
import { encodeEntropy } from '../../src/series/entropy.ts'
import { medianOf, noPlan, planContexts, planEntropy } from '../../src/series/entropy-plan.ts'
import { decodeEntropy } from '../../src/series/entropy-read.ts'
import { readCounts, writeCounts } from '../../src/series/entropy-table.ts'
import { coarserTokens, TOKEN_ZERO, tokenBits, tokenLow, tokenOf } from '../../src/series/entropy-token.ts'
import { RunningSum } from '../../src/series/running-sum.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, damage, exampleOf, readerOf, survives, written } from './codec-kit.ts'

const list = (values: ArrayLike<number>, n: number) => Array.from(values).slice(0, n)

/** Integers as times, counters and sensors make them; all differences of order 2 stay exact. */
function anyIntegers(random: Random, n: number): Float64Array {
  const span = 2 ** random.below(49)
  const unit = random.pick([1, 1, 10, 1000])
  const style = random.below(8)
  let on = false
  const rung = 3 + random.unit() * random.pick([4, 100, 5000, 2 ** 24])
  let height = 0
  const values = new Float64Array(n)
  let at = Math.floor(random.unit() * span)
  for (let i = 0; i < n; i++) {
    if (style === 0) at = Math.floor((random.unit() - 0.5) * span)
    else if (style === 1) at += random.below(9) - 4
    else if (style === 2) at = random.chance(0.02) ? Math.floor(random.unit() * span) : at + random.below(3)
    else if (style === 3) at = random.chance(0.01) ? -Math.floor(random.unit() * span) : random.below(5)
    else if (style === 4) at = i * 17
    else if (style === 5) {
      if (random.chance(0.05)) on = !on
      at = on ? 500 + random.below(4) : random.below(2)
    } else if (style === 6) at = Math.round((height += random.below(7) - 3) * rung)
    else at = (i * i) % 2 ** 40
    if (Math.abs(at) > span) at = 0
    values[i] = at * (span < 2 ** 38 ? unit : 1)
  }
  return values
}

t.test('every Example in the headers of the integer codecs reads back', async t => {
  const bits = new Uint32Array(32)
  unpack(readerOf(exampleOf('bit-pack.ts')), 5, 3, bits)
  t.same(list(bits, 5), [1, 2, 3, 4, 5], 'bit-pack.ts')
  const into = new Float64Array(16)
  const sum = new RunningSum()
  sum.start(0, 0, 0, 1, 1)
  decodePacked(readerOf(exampleOf('codec-packed.ts')), sum, into, 0, 5)
  t.same(list(into, 5), [5, 6, 7, 8, 9], 'codec-packed.ts')
  decodeEntropy(readerOf(exampleOf('entropy.ts')), into, 0, 10)
  t.same(list(into, 10), [0, 0, 0, 1, 0, 0, 0, 0, -1, 0], 'entropy.ts')
  const counts = new Uint32Array(3)
  readCounts(counts, 3, 2, new BitReader(readerOf(exampleOf('entropy-table.ts'))))
  t.same(list(counts, 3), [1, 6, 2], 'entropy-table.ts')
  const ladder = { shift: 0, step: 0, offset: 0 }
  readLadder(readerOf(exampleOf('codec-ladder.ts')), ladder)
  const rungs = Float64Array.from({ length: 6 }, (_, i) => i)
  fromRungs(rungs, 6, ladder, 0, 1, 1)
  t.same(list(rungs, 6), [0, 3, 7, 10, 14, 17], 'codec-ladder.ts')
  decodeIntegers(readerOf(exampleOf('codec-integers.ts')), 4, into)
  t.same(list(into, 4), [100, 110, 120, 130], 'codec-integers.ts')
})

t.test('unpack(pack(values)) gives the values back at every width and length', async t => {
  const random = new Random(1)
  const into = new Uint32Array(160)
  for (let width = 0; width <= 32; width++) {
    for (const n of [1, 31, 32, 33, 100, 128]) {
      const values = Uint32Array.from({ length: n }, () => Math.floor(random.unit() * 2 ** width))
      const bytes = written(out => pack(values, 0, n, width, out))
      const from = readerOf(bytes)
      unpack(from, n, width, into)
      if (from.left !== 0 || values.some((value, i) => value !== into[i]))
        t.fail(`width ${width}, ${n} values`)
    }
  }
})

t.test('BitReader gives back what BitWriter put, up to 53 bits wide', async t => {
  const widths = [1, 7, 24, 3, 0, 24, 12]
  const bytes = written(out => {
    const bits = new BitWriter(out)
    for (const width of widths) bits.put((1 << width) - 1, width)
    bits.putWide(2 ** 53 - 2, 53)
    bits.finish()
  })
  const bits = new BitReader(readerOf(bytes))
  for (const width of widths) t.equal(bits.take(width), (1 << width) - 1)
  t.same([bits.take(24), bits.take(24), bits.take(5)], [0xfffffe, 0xffffff, 31])
})

t.test('tokenOf() puts every integer in the interval of its token, in order', async t => {
  const random = new Random(2)
  t.equal(tokenOf(5, 1), 4, 'the Example of entropy-token.ts')
  t.equal(tokenOf(-6, 1), -5, 'the Example of entropy-token.ts')
  for (let i = 0; i < 20_000; i++) {
    const x = Math.floor((random.unit() - 0.5) * 2 ** (1 + random.below(53)))
    const split = random.below(6)
    const token = tokenOf(x, split)
    const extra = x - tokenLow(token, split)
    if (!(extra >= 0 && extra < 2 ** tokenBits(token, split))) t.fail(`${x} at split ${split}: ${extra}`)
    if (tokenOf(x + 1, split) < token) t.fail(`${x + 1} has a lower token than ${x}`)
    if (split < 5 && coarserTokens(split)[tokenOf(x, 5) + TOKEN_ZERO] !== token + TOKEN_ZERO)
      t.fail(`coarser ${x}`)
  }
})

t.test('decodeIntegers(encodeIntegers(v)) gives back v, cold and packed, and reads all bytes', async t => {
  for (const seed of seeds(600)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const values = anyIntegers(random, n)
    for (const cold of [true, false]) {
      const from = readerOf(written(out => encodeIntegers(values, n, out, cold)))
      const into = new Float64Array(n)
      decodeIntegers(from, n, into)
      if (from.left !== 0 || values.some((value, i) => value !== into[i]))
        t.fail(`VARVE_SEED=${seed} cold ${cold}`)
    }
  }
})

t.test('findLadder() finds the steps of instruments, and rungs give back every value', async t => {
  const ladder = { shift: 0, step: 0, offset: 0 }
  let found = 0
  for (const seed of seeds(400)) {
    const random = new Random(seed)
    const n = 40 + random.below(3000)
    const step = 3 + random.unit() * random.pick([3, 100, 10_000])
    const start = random.unit() * 1e6
    let height = 0
    const values = Float64Array.from(
      { length: n },
      (_, i) => Math.round(start + (height += i === 0 ? 0 : random.below(5) - 2) * step) - Math.round(start)
    )
    const rungs = values.slice()
    if (!findLadder(rungs, n, ladder)) continue
    found++
    const steps = Math.abs(ladder.step / 2 ** ladder.shift - step)
    if (steps > 0.6) t.fail(`VARVE_SEED=${seed}: step ${step} is taken for ${ladder.step}, ${ladder.shift}`)
    fromRungs(rungs, n, ladder, 0, 1, 1)
    if (rungs.some((value, i) => value !== values[i])) t.fail(`VARVE_SEED=${seed}: other values`)
  }
  t.ok(found > 300, `${found} of 400 were found`)
})

t.test('findLadder() leaves values alone that stand on none', async t => {
  const random = new Random(3)
  const ladder = { shift: 0, step: 0, offset: 0 }
  const noise = Float64Array.from({ length: 500 }, (_, i) => (i === 0 ? 0 : random.below(1e6)))
  const times = Float64Array.from({ length: 500 }, (_, i) => (i === 0 ? 0 : i * 4000 + random.below(300)))
  const two = Float64Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? 0 : 77))
  const far = Float64Array.of(0, 5, 11, 16, 2 ** 50)
  for (const values of [noise, times, two, far]) {
    const copy = values.slice()
    t.equal(findLadder(copy, copy.length, ladder), false)
    t.same(copy, values)
  }
})

t.test('packedCost() is what encodePacked() writes', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const n = anyRows(random)
    const values = anyIntegers(random, n)
    const out = new ByteWriter()
    encodePacked(values, 0, n, out)
    const cost = packedCost(values, 0, n)
    if (Math.abs(cost - out.length) > 2 * Math.ceil(n / 128))
      t.fail(`VARVE_SEED=${seed}: ${cost}, ${out.length}`)
  }
})

t.test('encodeEntropy() comes within 4 % and 40 bytes of the entropy of its residuals', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const n = 500 + random.below(3500)
    const spread = 2 + random.below(30)
    const values = Float64Array.from({ length: n }, () => random.below(spread) + random.below(spread))
    const counts = new Map<number, number>()
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
    let entropy = 0
    for (const count of counts.values()) entropy -= (count * Math.log2(count / n)) / 8
    const plan = noPlan()
    planEntropy(values, 0, n, medianOf(values, 0, n), plan)
    const size = written(out => encodeEntropy(values, 0, n, plan, out)).length
    if (size > entropy * 1.04 + 40) t.fail(`VARVE_SEED=${seed}: ${size} bytes, entropy ${entropy}`)
  }
})

t.test('what tells of the next residual is not paid for twice', async t => {
  const random = new Random(4)
  let on = false
  const n = 4096
  const values = Float64Array.from({ length: n }, () => {
    if (random.chance(0.01)) on = !on
    return on ? random.below(8) - 8 : 0
  })
  const plan = noPlan()
  planEntropy(values, 0, n, 0, plan)
  const alone = written(out => encodeEntropy(values, 0, n, plan, out))
  planContexts(values, 0, n, plan)
  t.ok(plan.usual >= 0, 'contexts are chosen')
  const together = written(out => encodeEntropy(values, 0, n, plan, out))
  t.ok(together.length < alone.length * 0.85, `${together.length} bytes instead of ${alone.length}`)
  const into = new Float64Array(n)
  decodeEntropy(readerOf(together), into, 0, n)
  t.same(into, values)
  const noise = Float64Array.from({ length: n }, () => random.below(16))
  planEntropy(noise, 0, n, 8, plan)
  planContexts(noise, 0, n, plan)
  t.equal(plan.usual, -1, 'noise has one table')
})

t.test('a regular series costs a few bytes however long it is', async t => {
  const values = Float64Array.from({ length: 4096 }, (_, i) => 1_700_000_000 + i * 60_000_000)
  t.ok(written(out => encodeIntegers(values, 4096, out, true)).length < 16)
})

t.test('decodeIntegers() of damaged bytes throws VarveError at most', async t => {
  let refused = 0
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const n = 1 + random.below(300)
    const values = anyIntegers(random, n)
    const bytes = damage(
      written(out => encodeIntegers(values, n, out, random.chance(0.6))),
      random
    )
    try {
      if (!survives(() => decodeIntegers(readerOf(bytes), n, new Float64Array(n)))) refused++
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.ok(refused > 300, `${refused} of 2000 were seen`)
})

t.test('writeCounts() costs about four bits a token of a smooth distribution', async t => {
  const counts = Uint32Array.from({ length: 30 }, (_, i) =>
    Math.max(1, Math.round(200 * Math.exp(-Math.abs(i - 15) / 3)))
  )
  const bytes = written(out => {
    const bits = new BitWriter(out)
    writeCounts(counts, 30, 2, bits)
    bits.finish()
  })
  t.ok(bytes.length <= 30 * 0.65, `${bytes.length} bytes`)
})

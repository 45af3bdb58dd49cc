import t from 'tap'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import { Quantiles, VALUES_MAX } from '../../src/series/quantile.ts'
import { Sketch, sketchError } from '../../src/series/sketch.ts'
import { seeds } from '../kit/seeds.ts'

function encoded(sketch: Sketch): Uint8Array {
  const out = new ByteWriter()
  sketch.encode(out)
  return out.copy()
}

/** Numbers of all sizes, or near each other, or few different ones. */
function anyNumbers(random: Random, n: number): number[] {
  const middle = (random.unit() - 0.5) * 200
  const draw = random.pick([
    () => (random.unit() - 0.5) * 10 ** (random.below(600) - 300),
    () => middle + random.unit(),
    () => random.below(5) - 2,
    () => random.pick([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -1.7e308, 1.7e308, 0, 1])
  ])
  return Array.from({ length: n }, draw)
}

/** Prometheus' quantile, and how far the two values that it lies between may be off. */
function model(
  values: readonly number[],
  q: number
): { value: number; low: number; high: number; weight: number } {
  const sorted = Float64Array.from(values).sort()
  const rank = q * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(rank)]!, sorted[Math.min(sorted.length - 1, Math.floor(rank) + 1)]!]
  const weight = rank - Math.floor(rank)
  return { value: low * (1 - weight) + high * weight, low, high, weight }
}

t.test('Sketch reads back what it wrote, and its example', async t => {
  const sketch = new Sketch(2)
  for (const value of [20, 20.1, 21.5, 0]) sketch.add(value)
  t.equal(Buffer.from(encoded(sketch)).toString('hex'), '320002ac020000000200')
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    const any = new Sketch(random.below(5))
    for (const value of anyNumbers(random, random.below(200))) any.add(value)
    const back = Sketch.decode(new ByteReader(encoded(any)))
    t.same([...back.values()], [...any.values()], `VARVE_SEED=${seed}`)
  }
  t.throws(() => Sketch.decode(new ByteReader(Uint8Array.of(0x25))), { code: 'VARVE_SKETCH' })
  t.throws(() => Sketch.decode(new ByteReader(Uint8Array.of(0x22, 0x7f, 1))), { code: 'VARVE_SKETCH' })
})

t.test('Sketch: parts added up are the sketch of the whole, and a fine one becomes a coarse one', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const level = random.below(5)
    const whole = new Sketch(level)
    const sum = new Sketch(level)
    for (let part = 0; part < 4; part++) {
      const values = anyNumbers(random, random.below(100))
      const own = new Sketch(random.below(level + 1))
      for (const value of values) {
        whole.add(value)
        own.add(value)
      }
      sum.addSketch(Sketch.decode(new ByteReader(encoded(own))))
    }
    t.same(encoded(sum), encoded(whole), `VARVE_SEED=${seed}`)
  }
})

t.test('Quantiles are exact of values, and of sketches within their error', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const level = random.below(5)
    const error = sketchError(level) * (1 + 1e-9)
    const all = anyNumbers(random, 1 + random.below(300))
    const exact = new Quantiles()
    for (const value of all) exact.add(value)
    const mixed = new Quantiles()
    const sketch = new Sketch(level)
    const sketched = all.filter(() => random.chance(0.7))
    let n = 0
    for (const value of all) {
      if (n < sketched.length && Object.is(value, sketched[n])) {
        sketch.add(value)
        n++
      } else mixed.add(value)
    }
    if (sketched.length > 0) {
      const ends = Float64Array.from(sketched).sort()
      mixed.addSketch(sketch, ends[0]!, ends.at(-1)!)
    }
    for (const q of [0, 0.01, 0.25, 0.5, 0.9, 0.999, 1]) {
      const { value, low, high, weight } = model(all, q)
      t.ok(exact.quantile(q) === value || Number.isNaN(value), `VARVE_SEED=${seed} p${q * 100}`)
      const far = Math.abs(mixed.quantile(q) - value)
      const farMax = error * (Math.abs(low) * (1 - weight) + Math.abs(high) * weight)
      t.ok(
        far <= farMax || !Number.isFinite(value) || value === mixed.quantile(q),
        `VARVE_SEED=${seed} p${q * 100}: ${far}`
      )
    }
  }
  t.equal(sketchError(2).toFixed(12), '0.010000000000')
})

t.test('Quantiles: many values become a sketch of 0.25 %, NaN is less than all', async t => {
  const many = new Quantiles()
  const n = VALUES_MAX * 3
  for (let i = 1; i <= n; i++) many.add(i)
  t.ok(many.bytes < 100_000)
  t.ok(Math.abs(many.quantile(0.5) / (n / 2) - 1) < 0.0026)
  const some = new Quantiles()
  some.addNans(2)
  some.addEqual(3, 100)
  t.ok(Number.isNaN(some.quantile(0)))
  t.equal(some.quantile(0.5), 3)
  t.ok(Number.isNaN(new Quantiles().quantile(0.5)))
})

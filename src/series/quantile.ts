// Quantiles over values that are known one by one, by sketches, or both. The q-quantile lies between two order
// statistics by weight, as Prometheus' quantile_over_time has it; NaN is less than every number.
//
// Invariants: with values alone the answer is exact as long as there are at most VALUES_MAX; beyond, and with
// sketches, each order statistic is off by at most the error of the coarsest sketch in it, as a share of
// itself; the least and the greatest value of each window are known, so that p0 and p100 are exact.
// Not here: what a sketch is (sketch.ts).
import { Sketch } from './sketch.ts'

/** From here on single values become a sketch of the finest level: an error of 0.25 %. */
export const VALUES_MAX = 16_384

export class Quantiles {
  private values = new Float64Array(8)
  private n = 0
  private nans = 0
  /** Sketched values, by the number that stands for them. */
  private readonly counts = new Map<number, number>()
  /** How many are in `counts`. */
  private counted = 0
  private rest: Sketch | null = null

  /** What it holds in memory, bytes, about. */
  get bytes(): number {
    return this.values.length * 8 + (this.counts.size + (this.rest?.sizes ?? 0)) * 48
  }

  add(value: number): void {
    if (Number.isNaN(value)) this.nans++
    else if (this.rest !== null) {
      this.rest.add(value)
      this.counted++
    } else {
      if (this.n === this.values.length) {
        const grown = new Float64Array(this.n * 2)
        grown.set(this.values)
        this.values = grown
      }
      this.values[this.n++] = value
      if (this.n > VALUES_MAX) this.squeeze()
    }
  }

  /** Adds `count` equal values. */
  addEqual(value: number, count: number): void {
    if (count <= 8) for (let i = 0; i < count; i++) this.add(value)
    else this.count(value, count)
  }

  addNans(count: number): void {
    this.nans += count
  }

  /** Adds the values of a window. @param min  the least of them, which is known; max likewise */
  addSketch(sketch: Sketch, min: number, max: number): void {
    const sizes = [...sketch.values()].map(({ value, count }) => ({ value, count }))
    for (const [size, end] of [
      [sizes[0], min],
      [sizes.at(-1), max]
    ] as const) {
      if (size === undefined || size.count === 0) continue
      size.count--
      this.count(end, 1)
    }
    for (const { value, count } of sizes) {
      if (count > 0) this.count(Math.min(Math.max(value, min), max), count)
    }
  }

  private count(value: number, count: number): void {
    this.counts.set(value, (this.counts.get(value) ?? 0) + count)
    this.counted += count
  }

  private squeeze(): void {
    this.rest = new Sketch(0)
    for (let i = 0; i < this.n; i++) this.rest.add(this.values[i]!)
    this.counted += this.n
    this.n = 0
    this.values = new Float64Array(8)
  }

  /** NaN when there is no value. @param q  from 0 to 1 */
  quantile(q: number): number {
    const total = this.nans + this.n + this.counted
    if (total === 0) return Number.NaN
    const rank = q * (total - 1)
    const lower = Math.floor(rank)
    const weight = rank - lower
    const statistics = this.statistics(lower, Math.min(total - 1, lower + 1))
    return statistics[0] * (1 - weight) + statistics[1] * weight
  }

  /** The values at two ranks, the second at the first or one after. */
  private statistics(first: number, second: number): [number, number] {
    const all = new Map(this.counts)
    for (let i = 0; i < this.n; i++) all.set(this.values[i]!, (all.get(this.values[i]!) ?? 0) + 1)
    for (const { value, count } of this.rest?.values() ?? []) all.set(value, (all.get(value) ?? 0) + count)
    const found: [number, number] = [Number.NaN, Number.NaN]
    let before = this.nans
    for (const value of Float64Array.from(all.keys()).sort()) {
      const after = before + all.get(value)!
      if (first >= before && first < after) found[0] = value
      if (second >= before && second < after) found[1] = value
      before = after
    }
    return found
  }
}

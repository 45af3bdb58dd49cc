// The quantiles of windows of one answer series, for requests that ask for them: values one by one from raw,
// sketches from tiers.
// Not here: what a quantile is (series/quantile.ts), the other functions (windows.ts).
import { Quantiles } from '../series/quantile.ts'
import type { TierWindow } from '../series/source.ts'

/** What a slot takes beside its values, bytes. */
const SLOT_BYTES = 300

export class WindowQuantiles {
  private readonly slots: Quantiles[] = []
  /** What all of them hold in memory. */
  bytes = 0

  /** Adds numbers[from, to). */
  add(slot: number, numbers: Float64Array, from: number, to: number): void {
    this.change(slot, into => {
      for (let i = from; i < to; i++) into.add(numbers[i]!)
    })
  }

  /** Adds what a tier says of a window; see hasSketch(). */
  addTier(slot: number, window: TierWindow): void {
    const { count, at, stales, sketch, min, max, sum, first, last } = window
    this.change(slot, into => {
      if (at !== null) into.add(Number(at))
      into.addNans(stales)
      if (sketch !== null) {
        let known = 0
        for (const one of sketch.values()) known += one.count
        into.addSketch(sketch, min, max)
        into.addNans(count - known)
      } else if (count > 2 && !Number.isNaN(sum)) into.addEqual(min, count)
      else for (const value of [first, last].slice(2 - count)) into.add(Number(value))
    })
  }

  /** NaN for a slot without numbers. @param name  such as p99.9 */
  say(name: string, slot: number): number {
    return this.slots[slot]?.quantile(Number(name.slice(1)) / 100) ?? Number.NaN
  }

  private change(slot: number, by: (into: Quantiles) => void): void {
    let into = this.slots[slot]
    if (into === undefined) {
      this.slots[slot] = into = new Quantiles()
      this.bytes += SLOT_BYTES + into.bytes
    }
    const before = into.bytes
    by(into)
    this.bytes += into.bytes - before
  }
}

/** Whether a tier's window tells its quantiles: it has a sketch, or so few or equal values that it needs none. */
export function hasSketch({ sketch, count, min, max, sum }: TierWindow): boolean {
  return sketch !== null || count <= 2 || (min === max && !Number.isNaN(sum))
}

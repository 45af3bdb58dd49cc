// Reduced precision, for owners who ask for it: times in steps and values with few decimals cost far fewer
// bytes, because jitter and the last digits of a sensor are noise, and noise is what no codec makes small.
// Rows are cut on their way into the store, before the WAL: what is acknowledged is what is stored.
//
// A time is cut down to its step, so that nothing is dated ahead. Rows of one group that a device dates
// within one step therefore become one row, of which the later value stays: the step must be shorter than the
// interval of the device. Values are rounded to the nearest, halves up.
//
// Invariants: without rules nothing is changed; whole numbers (-0 too), NaN, infinities and numbers too
// large for a double to have such decimals keep their bits; cutting twice is cutting once.
// Not here: which rules the owner wrote (daemon/policy.ts), times given by the gateway (daemon/ingest-sink.ts).
import type { Labels } from '../series/label.ts'
import { KIND, type Kind } from '../series/sample.ts'
import type { Appender } from './appender.ts'

/** The first rule that covers a field holds for its value, and the first that covers any field for the time. */
export interface PrecisionRule {
  covers(name: string, labels: Labels, field: string): boolean
  /** Times are multiples of this, microseconds; 1 keeps them. */
  readonly stepUs: number
  /** Decimal places of values, 0 to 15; null keeps them. */
  readonly decimals: number | null
}

/** What is cut of the rows of a shape. */
interface Cut {
  readonly stepUs: number
  /** 10^decimals of each field; 0 keeps its value. */
  readonly powers: Float64Array
}

/** From here on doubles are whole numbers. */
const WHOLE_MIN = 2 ** 52

/** A value with as many decimals as 10^decimals = power says. */
export function cutValue(value: number, power: number): number {
  const scaled = value * power
  // NaN and infinities fail the comparison.
  if (!(Math.abs(scaled) < WHOLE_MIN) || Number.isInteger(value)) return value
  // + 0: a small negative value becomes 0, not -0.
  return Math.round(scaled) / power + 0
}

/** An Appender in front of another, which gets rows of the precision that the rules ask for. */
export class PrecisionAppender implements Appender {
  private readonly inner: Appender
  private readonly rules: readonly PrecisionRule[]
  /** By shape; null where nothing is cut. */
  private readonly cuts: (Cut | null)[] = []
  /** That of the begun row. */
  private cut: Cut | null = null

  constructor(inner: Appender, rules: readonly PrecisionRule[]) {
    this.inner = inner
    this.rules = rules
  }

  shape(
    name: string,
    labels: Labels,
    fields: readonly string[],
    kinds: readonly Kind[],
    retentionClass?: string
  ): number {
    const shape = this.inner.shape(name, labels, fields, kinds, retentionClass)
    if (shape >= 0) this.cuts[shape] = this.cutOf(name, labels, fields, kinds)
    return shape
  }

  private cutOf(name: string, labels: Labels, fields: readonly string[], kinds: readonly Kind[]): Cut | null {
    const covering = fields.map(field => this.rules.find(rule => rule.covers(name, labels, field)))
    const first = this.rules.find(rule => covering.includes(rule))
    if (first === undefined) return null
    const powers = Float64Array.from(covering, (rule, i) => {
      const decimals = kinds[i] === KIND.number ? (rule?.decimals ?? null) : null
      return decimals === null ? 0 : Number(`1e${decimals}`)
    })
    return { stepUs: first.stepUs, powers }
  }

  /** The step of a shape's times, microseconds. */
  stepUsOf(shape: number): number {
    return this.cuts[shape]?.stepUs ?? 1
  }

  begin(shape: number, timeUs: number, isArrival: boolean): void {
    this.beginExact(shape, timeUs - (timeUs % this.stepUsOf(shape)), isArrival)
  }

  /** As begin(), with the time as it is: for rows that must not share a time. */
  beginExact(shape: number, timeUs: number, isArrival: boolean): void {
    this.cut = this.cuts[shape] ?? null
    this.inner.begin(shape, timeUs, isArrival)
  }

  get slots(): Float64Array {
    return this.inner.slots
  }

  get at(): number {
    return this.inner.at
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    this.inner.text(i, source, start, end)
  }

  end(): void {
    if (this.cut !== null) {
      const { slots, at } = this.inner
      const { powers } = this.cut
      for (let i = 0; i < powers.length; i++) {
        const value = slots[at + i]!
        // A NaN stays where it lies: as a number it may lose the bits that mark a series stale.
        if (powers[i] !== 0 && !Number.isNaN(value)) slots[at + i] = cutValue(value, powers[i]!)
      }
    }
    this.inner.end()
  }

  get pendingGroup(): number {
    return this.inner.pendingGroup
  }
}

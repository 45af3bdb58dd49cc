// Folds the samples of one field into windows, and the windows of a finer tier likewise. Pure.
//
// NaN: a sample that is NaN counts, makes the sum NaN, and is passed over by min and max unless all are
// NaN; first and last are what they are. These are the rules of Prometheus' *_over_time functions. Booleans
// count as 0 and 1; strings and bytes are only counted, and so are stale marks, which end a series and are no
// samples of it.
//
// Sums carry what rounding took from them (Kahan, Neumaier's form): nearer to the truth, so that sums of windows
// and of samples agree, and shorter on the medium, since the sum of decimals then is a decimal (13 bytes instead
// of 26 for an hour of a room; equal where sums were short already).
//
// `dropped` is kept for counters alone: where more than a twentieth of the samples fall, a fall is no reset and
// the column would be noise.
//
// Invariants: times ascend strictly; a window without a sample is not there.
// Not here: columns (aggregate.ts).
import { KIND, type Kind } from '../series/sample.ts'
import { Sketch } from '../series/sketch.ts'
import type { TierWindow } from '../series/source.ts'

/** More falls a sample are no resets. */
const FALLS_SHARE_MAX = 1 / 20

class Building {
  readonly startUs: number
  count = 0
  sum = 0
  rest = 0
  min = Number.NaN
  max = Number.NaN
  first = Number.NaN
  firstKind: Kind = KIND.number
  last = Number.NaN
  lastKind: Kind = KIND.number
  firstUs = 0
  lastUs = 0
  dropped = 0
  isDroppedKnown = true
  at: number | boolean | null = null
  others = 0
  stales = 0
  hasBooleans = false
  sketch: Sketch | null = null

  constructor(startUs: number) {
    this.startUs = startUs
  }

  addSum(value: number): void {
    const next = this.sum + value
    if (!Number.isFinite(next)) this.rest = 0
    else if (Math.abs(this.sum) >= Math.abs(value)) this.rest += this.sum - next + value
    else this.rest += value - next + this.sum
    this.sum = next
  }

  addExtremes(min: number, max: number): void {
    if (min < this.min || Number.isNaN(this.min)) this.min = min
    if (max > this.max || Number.isNaN(this.max)) this.max = max
  }
}

export class WindowFold {
  private readonly field: number
  private readonly stepUs: number
  private readonly level: number | null
  private readonly done: Building[] = []
  private open: Building | null = null
  private endUs = Number.NEGATIVE_INFINITY
  private samples = 0
  private falls = 0

  /** @param level  of the sketches; null for none */
  constructor(field: number, stepUs: number, level: number | null) {
    this.field = field
    this.stepUs = stepUs
    this.level = level
  }

  /** A number, or a boolean as 0 or 1. */
  add(timeUs: number, value: number, kind: Kind): void {
    const to = this.at(timeUs)
    if (kind === KIND.boolean) to.hasBooleans = true
    if (timeUs === to.startUs) {
      to.at = kind === KIND.boolean ? value === 1 : value
      return
    }
    this.samples++
    if (to.count++ === 0) {
      to.first = value
      to.firstKind = kind
      to.firstUs = timeUs
      to.sum = value
    } else {
      if (value < to.last) this.fell(to, to.last)
      to.addSum(value)
    }
    to.addExtremes(value, value)
    to.last = value
    to.lastKind = kind
    to.lastUs = timeUs
    if (this.level !== null) (to.sketch ??= new Sketch(this.level)).add(value)
  }

  addOther(timeUs: number): void {
    this.at(timeUs).others++
  }

  addStale(timeUs: number): void {
    this.at(timeUs).stales++
  }

  /** A window of a finer tier whose step divides ours. With sketches wanted, it has one or needs none. */
  addWindow(window: TierWindow): void {
    const { startUs, at, count } = window
    if (at !== null) this.add(startUs, Number(at), typeof at === 'boolean' ? KIND.boolean : KIND.number)
    const to = this.at(startUs)
    to.others += window.others
    to.stales += window.stales
    if (window.hasBooleans) to.hasBooleans = true
    if (count === 0) return
    const [first, last] = [Number(window.first), Number(window.last)]
    this.samples += count
    if (to.count === 0) {
      to.first = first
      to.firstKind = kindOf(window.first)
      to.firstUs = window.firstUs
      to.sum = window.sum
    } else {
      if (first < to.last) this.fell(to, to.last)
      to.addSum(window.sum)
    }
    to.count += count
    to.addExtremes(window.min, window.max)
    to.last = last
    to.lastKind = kindOf(window.last)
    to.lastUs = window.lastUs
    if (window.dropped === null) to.isDroppedKnown = false
    else to.dropped += window.dropped
    if (this.level !== null) this.addSketch((to.sketch ??= new Sketch(this.level)), window)
  }

  private addSketch(to: Sketch, { sketch, count, first, last, min }: TierWindow): void {
    if (sketch !== null) to.addSketch(sketch)
    else if (count > 2) to.add(min, count)
    else for (const value of count === 1 ? [first] : [first, last]) to.add(Number(value))
  }

  private fell(to: Building, by: number): void {
    this.falls++
    to.dropped += by
  }

  private at(timeUs: number): Building {
    if (timeUs >= this.endUs) {
      const startUs = Math.floor(timeUs / this.stepUs) * this.stepUs
      this.endUs = startUs + this.stepUs
      this.open = new Building(startUs)
      this.done.push(this.open)
    }
    return this.open!
  }

  /** All windows, ascending. */
  windows(): TierWindow[] {
    const isCounter = this.falls <= this.samples * FALLS_SHARE_MAX
    return this.done.map(one => {
      const sum = Number.isFinite(one.sum) ? one.sum + one.rest : one.sum
      const isDropKnown = one.isDroppedKnown && (isCounter || one.dropped === 0)
      const needsSketch = one.count > 2 && (one.min !== one.max || Number.isNaN(sum))
      return {
        field: this.field,
        startUs: one.startUs,
        count: one.count,
        sum,
        min: one.min,
        max: one.max,
        first: shown(one.first, one.firstKind),
        last: shown(one.last, one.lastKind),
        firstUs: one.firstUs,
        lastUs: one.lastUs,
        dropped: isDropKnown ? one.dropped : null,
        sketch: needsSketch ? one.sketch : null,
        at: one.at,
        others: one.others,
        stales: one.stales,
        hasBooleans: one.hasBooleans
      }
    })
  }
}

function kindOf(value: number | boolean): Kind {
  return typeof value === 'boolean' ? KIND.boolean : KIND.number
}

function shown(value: number, kind: Kind): number | boolean {
  return kind === KIND.boolean ? value === 1 : value
}

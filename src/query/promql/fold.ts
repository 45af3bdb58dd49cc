// Windows that do not overlap, by what the heads of chunks, tiers and, where those do not tell, samples come to:
// counts, sums and bounds, which need no order.
//
// Invariants: a group that only its samples can tell in full (strings, NaN, infinities) is left to whoever asks;
// sums may differ from it in the last digits, nothing else.
// Not here: which selectors are folded (quick-reads.ts), where a group is read (query/tiers.ts).
import type { Column, Run } from '../../series/run.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import type { SummaryColumn, TierFigures, TierNeed } from '../../series/source.ts'
import { samplesOf } from '../cursor.ts'
import { isRawCheap, ROWS_PER_FIGURE } from '../raw-cost.ts'
import { noteGone, type Stretch } from '../tiers.ts'
import { emptySeries, type GridSeries, hasAny } from './grid.ts'
import { PLAIN_FUNCTIONS } from './range-functions.ts'
import type { Reading, SelectedGroup } from './selection.ts'
import { spanOf, type WindowFunction, type Windows } from './stepper.ts'
import { SUM_MAX } from './tier-functions.ts'

/** What the windows of a series come to, by step. Sums are compensated as in KahanSum. */
class Totals {
  readonly counts: Float64Array
  readonly mins: Float64Array
  readonly maxs: Float64Array
  private readonly sums: Float64Array
  private readonly rests: Float64Array

  constructor(steps: number) {
    this.counts = new Float64Array(steps)
    this.mins = new Float64Array(steps)
    this.maxs = new Float64Array(steps)
    this.sums = new Float64Array(steps)
    this.rests = new Float64Array(steps)
  }

  /** As of no samples. */
  clear(): void {
    this.counts.fill(0)
    this.mins.fill(Number.POSITIVE_INFINITY)
    this.maxs.fill(Number.NEGATIVE_INFINITY)
    this.sums.fill(0)
    this.rests.fill(0)
  }

  sum(step: number): number {
    return this.sums[step]! + this.rests[step]!
  }

  /** False when it is not of finite numbers alone, and nothing was added. */
  addSummary(step: number, { kind, nans, count, sum, min, max }: SummaryColumn): boolean {
    if (kind >= KIND.string || nans > 0 || !Number.isFinite(sum)) return false
    this.counts[step]! += count
    this.add(step, sum, min, max)
    return true
  }

  /** Adds the sample at the start of a tier's window, or what the window says of the others; false as addSummary(). */
  addFigure(step: number, count: number, sum: number, min: number, max: number): boolean {
    if (!(Math.abs(sum) <= SUM_MAX) || !(min <= max)) return false
    this.counts[step]! += count
    this.add(step, sum, min, max)
    return true
  }

  /** Adds values [from, to) of one window; false when one is not finite. */
  addValues(step: number, values: Float64Array, from: number, to: number): boolean {
    let sum = 0
    let rest = 0
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    for (let i = from; i < to; i++) {
      const value = values[i]!
      const next = sum + value
      rest += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
      sum = next
      if (value < min) min = value
      if (value > max) max = value
    }
    this.counts[step]! += to - from
    this.add(step, sum, min, max)
    this.rests[step]! += rest
    return Number.isFinite(sum)
  }

  private add(step: number, value: number, min: number, max: number): void {
    const sum = this.sums[step]!
    const next = sum + value
    this.rests[step]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    this.sums[step] = next
    if (min < this.mins[step]!) this.mins[step] = min
    if (max > this.maxs[step]!) this.maxs[step] = max
  }
}

/** What a function says of a window with samples. */
type Say = (totals: Totals, step: number) => number

/** What is folded, and what of a tier's windows that needs. */
interface Folding {
  readonly say: Say
  readonly needs: readonly TierNeed[]
}

const FOLDS: ReadonlyMap<WindowFunction, Folding> = new Map<WindowFunction, Folding>([
  [PLAIN_FUNCTIONS.count_over_time!, { say: ({ counts }, i) => counts[i]!, needs: [] }],
  [PLAIN_FUNCTIONS.present_over_time!, { say: () => 1, needs: [] }],
  [PLAIN_FUNCTIONS.sum_over_time!, { say: (totals, i) => totals.sum(i), needs: ['sum'] }],
  [PLAIN_FUNCTIONS.avg_over_time!, { say: (totals, i) => totals.sum(i) / totals.counts[i]!, needs: ['sum'] }],
  [PLAIN_FUNCTIONS.min_over_time!, { say: ({ mins }, i) => mins[i]!, needs: ['extremes'] }],
  [PLAIN_FUNCTIONS.max_over_time!, { say: ({ maxs }, i) => maxs[i]!, needs: ['extremes'] }]
])

/** How the windows of a function are folded; null when they cannot be. */
export function foldOf(reading: Reading, fn: WindowFunction, windows: Windows): Fold | null {
  const { grid, rangeUs, atUs, isClosed } = windows
  const isApart = grid.steps === 1 || (atUs === null && !isClosed && grid.stepUs === rangeUs)
  const folding = FOLDS.get(fn)
  return isApart && folding !== undefined ? new Fold(reading, windows, folding) : null
}

/** Windows that do not overlap, of one function. */
export class Fold {
  private readonly reading: Reading
  private readonly windows: Windows
  private readonly folding: Folding
  private readonly fromUs: number
  private readonly toUs: number
  /** Windows are these long and follow each other from here. */
  private readonly lengthUs: number
  private readonly originUs: number
  /** Used again for each group. */
  private readonly spare: Totals[] = []

  constructor(reading: Reading, windows: Windows, folding: Folding) {
    this.reading = reading
    this.windows = windows
    this.folding = folding
    const [firstUs, lastUs] = spanOf(windows)
    ;[this.fromUs, this.toUs] = clamped(windows)
    this.originUs = firstUs
    this.lengthUs = windows.grid.steps === 1 ? lastUs - firstUs + 1 : windows.grid.stepUs
  }

  /** Whether the samples are there, and read as fast as windows of a tier. @param stepUs  of the tier */
  isCheap(group: number, stepUs: number): boolean {
    const { fromUs, toUs, lengthUs, originUs } = this
    return isRawCheap(this.reading.source, group, fromUs, toUs, lengthUs, originUs, stepUs, ROWS_PER_FIGURE)
  }

  /**
   * The series of a group; null when only its samples can tell.
   * @param plan  where it is read; left out: from the samples
   */
  series({ group, labels }: SelectedGroup, plan?: readonly Stretch[]): GridSeries[] | null {
    const totals = this.totals(group, [...labels.keys()].sort(ascending), plan)
    if (totals === null) return null
    const found: GridSeries[] = []
    for (const [field, own] of labels) {
      const total = totals.get(field)!
      const out = emptySeries(own, this.windows.grid.steps)
      for (let step = 0; step < out.values.length; step++) {
        if (total.counts[step] === 0) continue
        out.present[step] = 1
        out.values[step] = this.folding.say(total, step)
      }
      if (hasAny(out.present)) found.push(out)
    }
    return found
  }

  private totals(
    group: number,
    fields: readonly number[],
    plan: readonly Stretch[] = [{ tier: null, fromUs: this.fromUs, toUs: this.toUs + 1 }]
  ): Map<number, Totals> | null {
    const { steps } = this.windows.grid
    this.reading.budget.held(fields.length * steps * 40)
    const totals = new Map<number, Totals>()
    for (const [i, field] of fields.entries()) {
      const total = (this.spare[i] ??= new Totals(steps))
      total.clear()
      totals.set(field, total)
    }
    for (const stretch of plan) {
      const isTold =
        stretch.tier === null
          ? this.addSamples(group, fields, stretch, totals)
          : this.addWindows(group, fields, stretch, totals)
      if (!isTold) return null
    }
    return totals
  }

  private addSamples(
    group: number,
    fields: readonly number[],
    stretch: Stretch,
    totals: ReadonlyMap<number, Totals>
  ): boolean {
    const { source, budget, log } = this.reading
    const { lengthUs, originUs } = this
    const [fromUs, toUs] = [Math.max(stretch.fromUs, this.fromUs), Math.min(stretch.toUs - 1, this.toUs)]
    if (fromUs > toUs) return true
    const blocksBefore = source.blocksRead
    let samples = 0
    noteGone(source, group, fromUs, toUs + 1, budget.notes)
    for (const part of source.folds(group, fields, fromUs, toUs, lengthUs, false, originUs)) {
      const found = samplesOf(part)
      samples += found
      budget.scanned(found)
      for (const column of part.columns) {
        if (column.count === 0) continue
        const total = totals.get(column.field)!
        const isAdded =
          'times' in part
            ? foldRun(part, column as Column, total, originUs, lengthUs)
            : total.addSummary(Math.floor((part.firstUs - originUs) / lengthUs), column as SummaryColumn)
        if (!isAdded) return false
      }
    }
    log?.add('raw', { fromUs, toUs: toUs + 1 }, source.blocksRead - blocksBefore, 0, samples)
    return true
  }

  private addWindows(
    group: number,
    fields: readonly number[],
    { tier, fromUs, toUs }: Stretch,
    totals: ReadonlyMap<number, Totals>
  ): boolean {
    const { budget, log } = this.reading
    const { blocksRead: blocksBefore, damagesMet } = tier!
    let windows = 0
    let samples = 0
    for (const figures of tier!.figures(group, fields, fromUs, toUs, this.folding.needs)) {
      if (!('rows' in figures)) return false
      budget.scanned(figures.rows)
      const found = this.addFigures(figures, totals.get(figures.field)!)
      if (found < 0) return false
      windows += figures.rows
      samples += found
    }
    // The samples may be sound.
    if (tier!.damagesMet > damagesMet) return false
    log?.add(tier!.name, { fromUs, toUs }, tier!.blocksRead - blocksBefore, windows, samples)
    return true
  }

  /** Returns how many samples they stand for; -1 when only the samples can tell. */
  private addFigures({ rows, starts, counts, sums, mins, maxs, ats }: TierFigures, total: Totals): number {
    const { originUs, lengthUs } = this
    const { steps } = this.windows.grid
    let samples = 0
    for (let row = 0; row < rows; row++) {
      const startUs = starts[row]!
      const at = ats === null ? Number.NaN : ats[row]!
      if (!Number.isNaN(at)) {
        const step = Math.floor((startUs - originUs) / lengthUs)
        if (step >= 0 && step < steps) {
          if (!total.addFigure(step, 1, at, at, at)) return -1
          samples++
        }
      }
      const count = counts[row]!
      if (count === 0) continue
      // What follows the start lies in one step: no edge cuts the window.
      const step = Math.floor((startUs + 1 - originUs) / lengthUs)
      if (step < 0 || step >= steps) continue
      const [sum, min, max] = [sums?.[row] ?? 0, mins?.[row] ?? 0, maxs?.[row] ?? 0]
      if (!total.addFigure(step, count, sum, min, max)) return -1
      samples += count
    }
    return samples
  }
}

/** Adds a column of a run to its windows; false when it is not of finite numbers alone. */
function foldRun(run: Run, column: Column, total: Totals, originUs: number, lengthUs: number): boolean {
  const { numbers, present } = column
  if (numbers === null) return false
  let value = 0
  for (let row = 0; row < run.rows; ) {
    const step = Math.floor((run.times[row]! - originUs) / lengthUs)
    const endUs = originUs + (step + 1) * lengthUs
    const from = value
    for (; row < run.rows && run.times[row]! < endUs; row++)
      if (present === null || present[row] === 1) value++
    if (value > from && !total.addValues(step, numbers, from, value)) return false
  }
  return true
}

/** The times that samples of the windows may have. */
export function clamped(windows: Windows): [fromUs: number, toUs: number] {
  const [fromUs, toUs] = spanOf(windows)
  return [Math.max(fromUs, TIME_MIN_US), Math.min(toUs, TIME_MAX_US)]
}

function ascending(a: number, b: number): number {
  return a - b
}

// Selectors that need not see every sample: the newest value of each series at one time, and windows that do
// not overlap, whose count, sum and bounds are in the heads of chunks.
//
// Invariants: a group that only its samples can tell (strings, NaN, infinities) is read sample by sample, by
// the same sink as every other selector; sums may differ from it in the last digits, nothing else.
// Not here: reading samples (selection.ts), the functions over them (range-functions.ts).
import type { Matcher } from '../../series/matcher.ts'
import type { Column, Run } from '../../series/run.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import type { SummaryColumn } from '../../series/source.ts'
import { samplesOf } from '../cursor.ts'
import { isRawCheap } from '../raw-cost.ts'
import { noteGone } from '../tiers.ts'
import { emptySeries, type GridSeries, hasAny } from './grid.ts'
import { PLAIN_FUNCTIONS } from './range-functions.ts'
import { openSelection, type Reading, type SampleSink, type SelectedGroup, VALUE_LABEL } from './selection.ts'
import { spanOf, type WindowFunction, type Windows } from './stepper.ts'

type Open = (labels: GridSeries['labels']) => SampleSink<GridSeries>

/** The newest values at the one step of a grid. */
export function* readNewest(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  open: Open
): Generator<GridSeries> {
  const { source, budget, log } = reading
  const [fromUs, toUs] = clamped(windows)
  const selection = openSelection(reading, matchers, open)
  if (fromUs > toUs) return
  const asksStates = matchers.some(({ name }) => name === VALUE_LABEL)
  for (const { group, labels } of selection.groups()) {
    const blocksBefore = source.blocksRead
    const found = asksStates ? null : source.last(group, [...labels.keys()].sort(ascending), toUs)
    if (found === null || found.some(({ kind, value }) => kind >= KIND.string || Number.isNaN(value))) {
      yield* selection.read(group, labels, fromUs, toUs)
      continue
    }
    budget.scanned(found.length)
    noteGone(source, group, fromUs, toUs + 1, budget.notes)
    log?.add('raw', { fromUs, toUs: toUs + 1 }, source.blocksRead - blocksBefore, 0, found.length)
    for (const { field, timeUs, value } of found) {
      if (timeUs < fromUs) continue
      const values = Float64Array.of(Number(value))
      yield { labels: labels.get(field)!, values, present: Uint8Array.of(1) }
    }
  }
}

function ascending(a: number, b: number): number {
  return a - b
}

/** What the windows of a series come to, by step. Sums are compensated as in KahanSum. */
class Totals {
  readonly counts: Float64Array
  readonly mins: Float64Array
  readonly maxs: Float64Array
  private readonly sums: Float64Array
  private readonly rests: Float64Array

  constructor(steps: number) {
    this.counts = new Float64Array(steps)
    this.mins = new Float64Array(steps).fill(Number.POSITIVE_INFINITY)
    this.maxs = new Float64Array(steps).fill(Number.NEGATIVE_INFINITY)
    this.sums = new Float64Array(steps)
    this.rests = new Float64Array(steps)
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

const FOLDS: ReadonlyMap<WindowFunction, Say> = new Map<WindowFunction, Say>([
  [PLAIN_FUNCTIONS.count_over_time!, ({ counts }, i) => counts[i]!],
  [PLAIN_FUNCTIONS.present_over_time!, () => 1],
  [PLAIN_FUNCTIONS.sum_over_time!, (totals, i) => totals.sum(i)],
  [PLAIN_FUNCTIONS.avg_over_time!, (totals, i) => totals.sum(i) / totals.counts[i]!],
  [PLAIN_FUNCTIONS.min_over_time!, ({ mins }, i) => mins[i]!],
  [PLAIN_FUNCTIONS.max_over_time!, ({ maxs }, i) => maxs[i]!]
])

/** How the windows of a function are folded; null when they cannot be. */
export function foldOf(reading: Reading, fn: WindowFunction, windows: Windows): Fold | null {
  const { grid, rangeUs, atUs, isClosed } = windows
  const isApart = grid.steps === 1 || (atUs === null && !isClosed && grid.stepUs === rangeUs)
  const say = FOLDS.get(fn)
  return isApart && say !== undefined ? new Fold(reading, windows, say) : null
}

/** The selected series by what a fold says of each window. */
export function* readFolded(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  fold: Fold,
  open: Open
): Generator<GridSeries> {
  const [fromUs, toUs] = clamped(windows)
  const selection = openSelection(reading, matchers, open)
  if (fromUs > toUs) return
  const asksStates = matchers.some(({ name }) => name === VALUE_LABEL)
  for (const one of selection.groups()) {
    const found = asksStates ? null : fold.series(one)
    if (found === null) yield* selection.read(one.group, one.labels, fromUs, toUs)
    else yield* found
  }
}

/** Windows that do not overlap, of one function. */
export class Fold {
  private readonly reading: Reading
  private readonly windows: Windows
  private readonly say: Say
  private readonly fromUs: number
  private readonly toUs: number
  /** Windows are these long and follow each other from here. */
  private readonly lengthUs: number
  private readonly originUs: number

  constructor(reading: Reading, windows: Windows, say: Say) {
    this.reading = reading
    this.windows = windows
    this.say = say
    const [firstUs, lastUs] = spanOf(windows)
    ;[this.fromUs, this.toUs] = clamped(windows)
    this.originUs = firstUs
    this.lengthUs = windows.grid.steps === 1 ? lastUs - firstUs + 1 : windows.grid.stepUs
  }

  /** Whether the samples are there, and read as fast as windows of a tier. @param stepUs  of the tier */
  isCheap(group: number, stepUs: number): boolean {
    const { fromUs, toUs, lengthUs, originUs } = this
    return isRawCheap(this.reading.source, group, fromUs, toUs, lengthUs, originUs, stepUs)
  }

  /** The series of a group; null when only its samples can tell. */
  series({ group, labels }: SelectedGroup): GridSeries[] | null {
    const totals = this.totals(group, [...labels.keys()].sort(ascending))
    if (totals === null) return null
    const found: GridSeries[] = []
    for (const [field, own] of labels) {
      const total = totals.get(field)!
      const out = emptySeries(own, this.windows.grid.steps)
      for (let step = 0; step < out.values.length; step++) {
        if (total.counts[step] === 0) continue
        out.present[step] = 1
        out.values[step] = this.say(total, step)
      }
      if (hasAny(out.present)) found.push(out)
    }
    return found
  }

  private totals(group: number, fields: readonly number[]): Map<number, Totals> | null {
    const { source, budget, log } = this.reading
    const { fromUs, toUs, lengthUs, originUs } = this
    const { steps } = this.windows.grid
    budget.held(fields.length * steps * 40)
    const totals = new Map(fields.map(field => [field, new Totals(steps)]))
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
        if (!isAdded) return null
      }
    }
    log?.add('raw', { fromUs, toUs: toUs + 1 }, source.blocksRead - blocksBefore, 0, samples)
    return totals
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

function clamped(windows: Windows): [fromUs: number, toUs: number] {
  const [fromUs, toUs] = spanOf(windows)
  return [Math.max(fromUs, TIME_MIN_US), Math.min(toUs, TIME_MAX_US)]
}

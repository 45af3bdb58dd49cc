// The calls of a SELECT over the series of one tag set: reads each series once for all calls, puts values into
// windows, and gives the results of each call by time, filled where windows are empty.
//
// Invariants: a window exists where it has a value; empty ones are made as rows are asked for.
// Not here: what a function computes (reduce.ts, transform.ts), rows of several columns (select.ts).
import type { Fill } from '../../influxql/ast.ts'
import type { Run, Column as RunColumn } from '../../series/run.ts'
import { KIND } from '../../series/sample.ts'
import type { Order, SeriesSource, TierNeed, TierSource, TierSpan, TierWindow } from '../../series/source.ts'
import type { Cell } from '../answer.ts'
import { columnValue, samplesOf } from '../cursor.ts'
import type { Budget } from '../limits.ts'
import { type CutTier, Distrust, noteGone, planExact, type Stretch } from '../tiers.ts'
import type { PlannedCall } from './columns.ts'
import { REDUCERS, type Reducer } from './reduce.ts'
import { memberRows, mergedRows, type Reading, type RowsWanted } from './rows.ts'
import { addWindow, isTelling, neededBy, nestedTiers } from './tier-windows.ts'
import { type Point, TRANSFORMS } from './transform.ts'
import type { TimeWindows } from './zone.ts'

export interface CallResult {
  readonly timeUs: number
  readonly value: Cell
}

export interface AggregateFacts {
  readonly calls: readonly PlannedCall[]
  /** Null: one window over everything. */
  readonly windows: TimeWindows | null
  readonly fill: Fill
  readonly fromUs: number
  readonly toUs: number
  /** Whether WHERE gave the lower bound: without one, windows begin at the first value. */
  readonly isBounded: boolean
  readonly order: Order
  /** A single selector without windows tells the time of its value. */
  readonly hasOwnTime: boolean
  /** Fields of conditions, read beside those of the calls. */
  readonly conditionFields: readonly string[]
}

const REDUCER_BYTES = 250
/** Windows between looks at the clock. */
const LOOK_WINDOWS = 4096

/** The results of each call, in the order of times. */
export function callResults(
  source: SeriesSource,
  readings: readonly Reading[],
  facts: AggregateFacts,
  budget: Budget
): Iterable<CallResult>[] {
  const folding = new Folding(source, facts, budget)
  if (facts.calls.some(({ reducer }) => reducer !== null)) folding.read(readings)
  return facts.calls.map((call, i) => {
    if (call.reducer !== null) return folding.results(i)
    const { fromUs, toUs, order, conditionFields } = facts
    const fields = [...new Set([call.field, ...conditionFields])]
    const rows = mergedRows(source, readings, { fields, fromUs, toUs, order }, budget)
    return transformed(call, numbersOf(rows, 0))
  })
}

function* numbersOf(
  rows: Iterable<{ timeUs: number; cells: readonly Cell[] }>,
  slot: number
): Generator<Point> {
  for (const { timeUs, cells } of rows) {
    const value = cells[slot]
    if (typeof value === 'number') yield { timeUs, value }
  }
}

function transformed({ transform }: PlannedCall, points: Iterable<Point>): Iterable<CallResult> {
  const { name, parameter } = transform!
  return TRANSFORMS[name]!(points, { parameter })
}

/** Field -> calls that want it, by their index. */
type CallsByField = ReadonlyMap<number, readonly number[]>

class Folding {
  private readonly source: SeriesSource
  private readonly facts: AggregateFacts
  private readonly budget: Budget
  /** For each call, window start -> reducer. */
  private readonly reducers: Map<number, Reducer>[]
  /** For each call, the span that it reads: transforms look one window back. */
  private readonly spans: { fromUs: number; toUs: number }[]
  /** What is needed of tiers' windows; null: they do not tell. */
  private readonly needs: readonly TierNeed[] | null
  private readonly tiers: readonly CutTier[]
  private readonly distrust = new Distrust()
  private bytes = 0

  constructor(source: SeriesSource, facts: AggregateFacts, budget: Budget) {
    this.source = source
    this.facts = facts
    this.budget = budget
    this.reducers = facts.calls.map(() => new Map())
    this.spans = facts.calls.map(({ transform }) => {
      const needsMore = transform !== null && transform.name !== 'cumulative_sum'
      const moreUs = needsMore ? (facts.windows?.stepUs ?? 0) : 0
      return facts.order === 'asc'
        ? { fromUs: Math.max(0, facts.fromUs - moreUs), toUs: facts.toUs }
        : { fromUs: facts.fromUs, toUs: facts.toUs + moreUs }
    })
    this.needs = source.tiers.length === 0 ? null : neededBy(facts.calls, facts.hasOwnTime)
    this.tiers = this.needs === null ? [] : nestedTiers(source.tiers, facts.windows, this.spans)
  }

  read(readings: readonly Reading[]): void {
    while (!this.readAll(readings)) {
      for (const byStart of this.reducers) byStart.clear()
      this.bytes = 0
    }
  }

  /** False when a tier was found damaged that is to be read last: what was read is not used. */
  private readAll(readings: readonly Reading[]): boolean {
    const fromUs = Math.min(...this.spans.map(span => span.fromUs))
    const toUs = Math.max(...this.spans.map(span => span.toUs))
    return readings.every(reading => {
      if (reading.test === true) return this.readColumns(reading, fromUs, toUs)
      this.readRows(reading, fromUs, toUs)
      return true
    })
  }

  /** The short way: no condition on fields. False as readAll(). */
  private readColumns({ member }: Reading, fromUs: number, toUs: number): boolean {
    const byField: Map<number, number[]> = new Map()
    this.facts.calls.forEach(({ reducer, field }, i) => {
      const index = member.fields.get(field)
      if (reducer === null || index === undefined) return
      byField.set(index, [...(byField.get(index) ?? []), i])
    })
    if (byField.size === 0) return true
    const { group } = member
    for (const { tier, ...stretch } of this.plan(group, fromUs, toUs)) {
      if (tier === null) {
        this.readRuns(group, byField, stretch)
        continue
      }
      const { damagesMet } = tier
      this.readWindows(group, byField, stretch, tier)
      if (tier.damagesMet === damagesMet) continue
      if (this.distrust.add(group, tier)) return false
      this.budget.notes.readDamaged(tier)
    }
    return true
  }

  private plan(group: number, fromUs: number, toUs: number): readonly Stretch[] {
    return this.needs === null
      ? [{ tier: null, fromUs, toUs: toUs + 1 }]
      : planExact(this.source, group, fromUs, toUs + 1, this.tiers, this.distrust.of(group))
  }

  private readRuns(group: number, byField: CallsByField, { fromUs, toUs }: TierSpan): void {
    const fields = [...byField.keys()].sort((a, b) => a - b)
    noteGone(this.source, group, fromUs, toUs, this.budget.notes)
    for (const run of this.source.runs(group, fields, fromUs, toUs - 1)) {
      this.budget.scanned(samplesOf(run))
      for (const column of run.columns)
        for (const call of byField.get(column.field)!) this.addColumn(call, run, column)
      this.budget.held(this.bytes)
    }
  }

  /** Reads windows of a tier, and raw those that do not tell. */
  private readWindows(
    group: number,
    byField: CallsByField,
    { fromUs, toUs }: TierSpan,
    tier: TierSource
  ): void {
    const fields = [...byField.keys()].sort((a, b) => a - b)
    let read = 0
    for (const window of tier.windows(group, fields, fromUs, toUs, this.needs!)) {
      if (++read % 1024 === 0) this.budget.scanned(1024)
      const { field, startUs } = window
      const calls = byField.get(field)!
      if (isTelling(window)) for (const call of calls) this.addWindow(call, window)
      else this.readRuns(group, new Map([[field, calls]]), { fromUs: startUs, toUs: startUs + tier.stepUs })
    }
    this.budget.scanned(read % 1024)
    this.budget.held(this.bytes)
  }

  private addWindow(call: number, window: TierWindow): void {
    const { fromUs, toUs } = this.spans[call]!
    const { startUs } = window
    if (startUs < fromUs || startUs > toUs) return
    const { windows, calls } = this.facts
    const reducer = this.reducer(call, windows === null ? 0 : windows.startOf(startUs))
    addWindow(reducer, calls[call]!.reducer!, window)
  }

  private addColumn(call: number, run: Run, column: RunColumn): void {
    const { fromUs, toUs } = this.spans[call]!
    const { windows } = this.facts
    const numbers = column.kind === KIND.number ? column.numbers : null
    let startUs = 0
    let endUs = Number.NEGATIVE_INFINITY
    let reducer: Reducer | null = null
    let index = 0
    for (let row = 0; row < run.rows; row++) {
      if (column.present !== null && column.present[row] === 0) continue
      const at = index++
      const timeUs = run.times[row]!
      if (timeUs < fromUs || timeUs > toUs) continue
      if (reducer === null || timeUs >= endUs) {
        startUs = windows === null ? 0 : windows.startOf(timeUs)
        endUs = windows === null ? Number.POSITIVE_INFINITY : windows.beside(startUs, 1)
        reducer = this.reducer(call, startUs)
      }
      reducer.add(timeUs, numbers === null ? columnValue(column, at)! : numbers[at]!)
      this.bytes += reducer.heldBytes
    }
  }

  private readRows(reading: Reading, fromUs: number, toUs: number): void {
    const { calls, windows, conditionFields } = this.facts
    const fields = [...new Set([...conditionFields, ...calls.map(({ field }) => field)])]
    const slots = calls.map(({ field }) => fields.indexOf(field))
    const wanted: RowsWanted = { fields, fromUs, toUs, order: 'asc' }
    const held = () => this.budget.held(this.bytes)
    noteGone(this.source, reading.member.group, fromUs, toUs + 1, this.budget.notes)
    for (const { timeUs, cells } of memberRows(this.source, reading, wanted, this.budget, held)) {
      const startUs = windows === null ? 0 : windows.startOf(timeUs)
      for (let i = 0; i < calls.length; i++) {
        const value = cells[slots[i]!]!
        const span = this.spans[i]!
        if (value === null || calls[i]!.reducer === null || timeUs < span.fromUs || timeUs > span.toUs)
          continue
        const reducer = this.reducer(i, startUs)
        reducer.add(timeUs, value)
        this.bytes += reducer.heldBytes
      }
    }
  }

  private reducer(call: number, startUs: number): Reducer {
    const known = this.reducers[call]!.get(startUs)
    if (known !== undefined) return known
    const { reducer, percentile } = this.facts.calls[call]!
    const made = REDUCERS[reducer!]!(percentile)
    this.reducers[call]!.set(startUs, made)
    this.bytes += REDUCER_BYTES
    return made
  }

  results(call: number): Iterable<CallResult> {
    const { calls, windows } = this.facts
    const planned = calls[call]!
    if (windows === null) return this.whole(call)
    const results = this.facts.fill === 'none' ? this.present(call) : this.filled(call, windows)
    if (planned.transform === null) return results
    const points = (function* () {
      for (const { timeUs, value } of results) if (typeof value === 'number') yield { timeUs, value }
    })()
    return transformed(planned, points)
  }

  private *whole(call: number): Generator<CallResult> {
    for (const { timeUs, value } of this.reducers[call]!.get(0)?.results() ?? []) {
      yield { timeUs: this.facts.hasOwnTime && timeUs !== null ? timeUs : 0, value }
    }
  }

  /** Windows with values, in order. */
  private *present(call: number): Generator<CallResult> {
    const starts = Float64Array.from(this.reducers[call]!.keys()).sort()
    if (this.facts.order === 'desc') starts.reverse()
    for (const timeUs of starts) {
      for (const { value } of this.reducers[call]!.get(timeUs)!.results()) yield { timeUs, value }
    }
  }

  /** All windows from the first to the last bound; nothing when no window has a value. */
  private *filled(call: number, windows: TimeWindows): Generator<CallResult> {
    const { order, isBounded } = this.facts
    const { fromUs, toUs } = this.spans[call]!
    let made = 0
    const by = order === 'asc' ? 1 : -1
    const found = this.present(call)
    let next = found.next()
    if (next.done) return
    const first = next.value
    const begin =
      order === 'desc' ? windows.startOf(toUs) : isBounded ? windows.startOf(fromUs) : first.timeUs
    const end = order === 'asc' ? windows.startOf(toUs) : isBounded ? windows.startOf(fromUs) : null
    const isCount = ['count', 'count distinct'].includes(this.facts.calls[call]!.reducer!)
    let before: CallResult | null = null
    for (let timeUs = begin; ; timeUs = windows.beside(timeUs, by)) {
      // Whoever asks may take windows without giving a row, so the clock is looked at here.
      if (++made % LOOK_WINDOWS === 0) this.budget.check()
      if (next.done && (end === null || (timeUs - end) * by > 0)) return
      if (next.done || next.value.timeUs !== timeUs) {
        if (end !== null && (timeUs - end) * by > 0) return
        const after: CallResult | null = next.done ? null : next.value
        yield { timeUs, value: emptyValue(this.facts.fill, isCount, first.value, before, after, timeUs) }
        continue
      }
      while (!next.done && next.value.timeUs === timeUs) {
        before = next.value
        yield before
        next = found.next()
      }
    }
  }
}

/**
 * The value of a window without one. @param first  any value of the call: a number fills in as what it is
 */
function emptyValue(
  fill: Fill,
  isCount: boolean,
  first: Cell,
  before: CallResult | null,
  after: CallResult | null,
  timeUs: number
): Cell {
  if (typeof fill === 'object') {
    if (typeof first === 'boolean') return false
    return typeof first === 'string' ? '' : isCount ? Math.trunc(fill.value) : fill.value
  }
  if (fill === 'null') return isCount ? 0 : null
  if (before === null) return null
  if (fill === 'previous') return before.value
  if (after === null || typeof before.value !== 'number' || typeof after.value !== 'number') return null
  const slope = (after.value - before.value) / (after.timeUs - before.timeUs)
  const value = before.value + slope * (timeUs - before.timeUs)
  return isCount ? Math.trunc(value) : value
}

// Reads the series that a selector names and feeds each to a stepper. All series of one group are read
// together, since they share their times.
//
// Strings and booleans have no values in PromQL, so they are shown by this rule: a boolean is 0 or 1; a
// string is a series of its own with the label `value` = the string and the value 1. While a series says
// "on", name{value="on"} is 1 and no other of its strings is there: where the state changes, the state
// before ends at once, as with a stale mark; a number ends a string and the other way round. The empty
// string is no state. Matchers on `value` are tested on these labels. Bytes are not shown.
// Not here: what is computed (stepper.ts and its functions).
import { VarveError } from '../../base/errors.ts'
import { type Labels, labelValue } from '../../series/label.ts'
import { compileMatcher, type Matcher } from '../../series/matcher.ts'
import type { Column, Run } from '../../series/run.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US, textValue } from '../../series/sample.ts'
import type { SeriesSource } from '../../series/source.ts'
import { samplesOf } from '../cursor.ts'
import type { Budget } from '../limits.ts'
import { noteGone } from '../tiers.ts'
import type { ReadLog } from './explain.ts'
import type { GridSeries } from './grid.ts'
import { withLabel, withName } from './label-set.ts'
import { spanOf, type Windows } from './stepper.ts'

/** The label that shows a string. */
export const VALUE_LABEL = 'value'

/** What takes the samples of one series. */
export interface SampleSink<T> {
  push(times: Float64Array, values: Float64Array, n: number): void
  pushStale(timeUs: number): void
  finish(): T | null
}

export interface Reading {
  readonly source: SeriesSource
  readonly budget: Budget
  /** Told of what is read; null: nobody asks. */
  readonly log: ReadLog | null
}

/** The series of one group that a selector names: field -> labels, the name among them. */
export interface SelectedGroup {
  readonly group: number
  readonly labels: ReadonlyMap<number, Labels>
}

/** What a selector names, and how it is read. */
export interface OpenSelection<T> {
  groups(): Iterable<SelectedGroup>
  /** What the sinks make of the samples of some of a group's series. */
  read(group: number, labels: ReadonlyMap<number, Labels>, fromUs: number, toUs: number): Generator<T>
}

/** The series that the matchers select, each as its sink made it; in the order of the catalog. */
export function* readSelected(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  open: (labels: Labels) => SampleSink<GridSeries>
): Generator<GridSeries> {
  const [fromUs, toUs] = spanOf(windows)
  yield* readSpan(reading, matchers, fromUs, toUs, open)
}

/** The same for any span of times. */
export function* readSpan<T>(
  reading: Reading,
  matchers: readonly Matcher[],
  fromUs: number,
  toUs: number,
  open: (labels: Labels) => SampleSink<T>
): Generator<T> {
  const selection = openSelection(reading, matchers, open)
  const from = Math.max(fromUs, TIME_MIN_US)
  const to = Math.min(toUs, TIME_MAX_US)
  if (from > to) return
  for (const { group, labels } of selection.groups()) yield* selection.read(group, labels, from, to)
}

/** @throws {VarveError} VARVE_QUERY_SERIES when more series are named, or shown, than may be */
export function openSelection<T>(
  { source, budget, log }: Reading,
  matchers: readonly Matcher[],
  open: (labels: Labels) => SampleSink<T>
): OpenSelection<T> {
  budget.check()
  const stored = matchers.filter(({ name }) => name !== VALUE_LABEL)
  const tests = matchers.filter(({ name }) => name === VALUE_LABEL).map(compileMatcher)
  const isShown = (labels: Labels) => tests.every(test => test(labelValue(labels, VALUE_LABEL)))
  const max = budget.limits.seriesMax
  const ids = source.select(stored, null, max)
  let shown = 0
  const opened = (labels: Labels) => {
    if (!isShown(labels)) return null
    if (++shown > max) {
      throw new VarveError(
        'VARVE_QUERY_SERIES',
        `Cannot select series: more than ${max} match; narrow the selectors`
      )
    }
    return open(labels)
  }
  return {
    *groups() {
      for (let i = 0; i < ids.length; ) {
        const { group } = source.place(ids[i]!)
        const labels = new Map<number, Labels>()
        for (; i < ids.length; i++) {
          if (source.place(ids[i]!).group !== group) break
          const series = source.series(ids[i]!)
          labels.set(series.field, withName(series.name, series.labels))
        }
        yield { group, labels }
      }
    },
    *read(group, labels, fromUs, toUs) {
      const fields = new Map(Array.from(labels, ([field, own]) => [field, new States(own, opened)]))
      const wanted = [...fields.keys()].sort((a, b) => a - b)
      const blocksBefore = source.blocksRead
      noteGone(source, group, fromUs, toUs + 1, budget.notes)
      let samples = 0
      for (const run of source.runs(group, wanted, fromUs, toUs)) {
        const found = samplesOf(run)
        samples += found
        budget.scanned(found)
        addRun(run, fields)
      }
      log?.add('raw', { fromUs, toUs: toUs + 1 }, source.blocksRead - blocksBefore, 0, samples)
      for (const states of fields.values()) yield* states.finish()
    }
  }
}

function addRun(run: Run, fields: ReadonlyMap<number, States<unknown>>): void {
  for (let i = 0; i < run.columns.length; ) {
    const { field } = run.columns[i]!
    const columns: Column[] = []
    for (; run.columns[i]?.field === field; i++) {
      if (run.columns[i]!.kind !== KIND.bytes && run.columns[i]!.count > 0) columns.push(run.columns[i]!)
    }
    fields.get(field)?.add(run, columns)
  }
}

/** The numbers of one series and each of its strings. */
class States<T> {
  private readonly labels: Labels
  private readonly open: (labels: Labels) => SampleSink<T> | null
  private readonly sinks = new Map<string | null, SampleSink<T> | null>()
  /** The string it says now; null: a number, or nothing yet. */
  private state: string | null = null
  private readonly time = new Float64Array(1)
  private readonly value = new Float64Array(1)

  constructor(labels: Labels, open: (labels: Labels) => SampleSink<T> | null) {
    this.labels = labels
    this.open = open
  }

  /** Adds the columns of this series, one for each kind that a run has. */
  add(run: Run, columns: readonly Column[]): void {
    const [only] = columns
    if (columns.length === 1 && only!.numbers !== null && this.state === null) {
      this.sink(null)?.push(timesOf(run, only!), only!.numbers, only!.count)
      return
    }
    const indexes = columns.map(() => 0)
    for (let row = 0; row < run.rows; row++) {
      for (let i = 0; i < columns.length; i++) {
        const column = columns[i]!
        if (column.present !== null && column.present[row] === 0) continue
        this.one(run.times[row]!, column, indexes[i]!++)
      }
    }
  }

  private one(timeUs: number, column: Column, index: number): void {
    const state = column.texts === null ? null : stringAt(column, index)
    if (state !== this.state) {
      this.sinks.get(this.state)?.pushStale(timeUs)
      this.state = state
    }
    if (state === '') return
    const sink = this.sink(state)
    if (sink === null) return
    this.time[0] = timeUs
    if (column.numbers === null) this.value[0] = 1
    else this.value.set(column.numbers.subarray(index, index + 1))
    sink.push(this.time, this.value, 1)
  }

  private sink(state: string | null): SampleSink<T> | null {
    let sink = this.sinks.get(state)
    if (sink === undefined) {
      sink = this.open(state === null ? this.labels : withLabel(this.labels, VALUE_LABEL, state))
      this.sinks.set(state, sink)
    }
    return sink
  }

  *finish(): Generator<T> {
    for (const sink of this.sinks.values()) {
      const made = sink?.finish() ?? null
      if (made !== null) yield made
    }
  }
}

function stringAt({ texts, kind }: Column, index: number): string {
  const { bytes, offsets } = texts!
  return String(textValue(bytes, offsets[index]!, offsets[index + 1]!, kind))
}

/** The times of a column's values. */
function timesOf(run: Run, { present, count }: Column): Float64Array {
  if (present === null) return run.times
  const times = new Float64Array(count)
  let n = 0
  for (let row = 0; row < run.rows; row++) if (present[row] !== 0) times[n++] = run.times[row]!
  return times
}

// Folds runs of raw rows into the rows of a tier. Pure: runs in, one run out.
//
// NaN: a sample that is NaN counts, makes the sum NaN, and is passed over by min and max unless all are
// NaN; first and last are what they are. These are the rules of Prometheus' *_over_time functions.
// Booleans count as 0 and 1; strings and bytes are only counted.
//
// Invariants: windows ascend; a window without a sample has no row.
// Not here: which windows (rollup-job.ts), columns (tier.ts).
import type { Column, Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import { AGGREGATES, COLUMNS_PER_FIELD } from './tier.ts'

const [COUNT, SUM, MIN, MAX, FIRST, LAST, OTHERS] = [0, 1, 2, 3, 4, 5, 6] as const
/** Behind the aggregates: the kinds of first and last. */
const [FIRST_KIND, LAST_KIND, STRIDE] = [7, 8, 9] as const

/** The windows of one field, growing; slot a of window w is values[w * STRIDE + a]. */
interface FieldWindows {
  starts: number[]
  values: number[]
}

/**
 * Rolls up the runs of one group.
 * @param runs    ascending and not overlapping, all rows of every window they touch
 * @param stepUs  the window
 * @returns       a run in the columns of tier.ts, or null when there is no row
 */
export function rollUp(runs: Iterable<Run>, stepUs: number): Run | null {
  const fields = new Map<number, FieldWindows>()
  for (const run of runs) {
    for (let i = 0; i < run.columns.length; ) {
      const { field } = run.columns[i]!
      let end = i + 1
      while (run.columns[end]?.field === field) end++
      let windows = fields.get(field)
      if (windows === undefined) fields.set(field, (windows = { starts: [], values: [] }))
      foldField(run, run.columns.slice(i, end), stepUs, windows)
      i = end
    }
  }
  return fields.size === 0 ? null : layOut(fields)
}

/** Folds the columns of one field, of different kinds; a row has a value in at most one of them. */
function foldField(run: Run, columns: readonly Column[], stepUs: number, into: FieldWindows): void {
  const { times } = run
  const { starts, values } = into
  const next = new Uint32Array(columns.length)
  let at = (starts.length - 1) * STRIDE
  let end = starts.length === 0 ? Number.NEGATIVE_INFINITY : starts.at(-1)! + stepUs
  for (let row = 0; row < run.rows; row++) {
    for (let c = 0; c < columns.length; c++) {
      const { present, numbers, kind } = columns[c]!
      if (present !== null && present[row] === 0) continue
      const i = next[c]!++
      const time = times[row]!
      if (time >= end) {
        const start = Math.floor(time / stepUs) * stepUs
        end = start + stepUs
        at = (starts.push(start) - 1) * STRIDE
        values.push(0, 0, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 0, KIND.number, KIND.number)
      }
      if (numbers === null) values[at + OTHERS]!++
      else foldValue(values, at, numbers[i]!, kind)
    }
  }
}

function foldValue(values: number[], at: number, value: number, kind: number): void {
  if (values[at + COUNT]!++ === 0) {
    values[at + SUM] = value
    values[at + FIRST] = value
    values[at + FIRST_KIND] = kind
  } else values[at + SUM]! += value
  if (value < values[at + MIN]! || Number.isNaN(values[at + MIN]!)) values[at + MIN] = value
  if (value > values[at + MAX]! || Number.isNaN(values[at + MAX]!)) values[at + MAX] = value
  values[at + LAST] = value
  values[at + LAST_KIND] = kind
}

function layOut(fields: ReadonlyMap<number, FieldWindows>): Run {
  const all = new Set<number>()
  for (const { starts } of fields.values()) for (const start of starts) all.add(start)
  const times = Float64Array.from(all).sort()
  const rowOf = new Map<number, number>()
  for (let row = 0; row < times.length; row++) rowOf.set(times[row]!, row)
  const columns: Column[] = []
  for (const [field, { starts, values }] of [...fields].sort(([a], [b]) => a - b)) {
    const rows = Uint32Array.from(starts, start => rowOf.get(start)!)
    for (let a = 0; a < AGGREGATES.length; a++) {
      const ofAll = a === COUNT || a === OTHERS
      const kindAt = a === FIRST ? FIRST_KIND : a === LAST ? LAST_KIND : -1
      for (const kind of [KIND.number, KIND.boolean] as const) {
        const has = (i: number) =>
          (ofAll || values[i * STRIDE + COUNT]! > 0) &&
          (kindAt < 0 ? KIND.number : values[i * STRIDE + kindAt]) === kind
        const column = pick(rows, times.length, values, a, has)
        if (column !== null) columns.push({ field: field * COLUMNS_PER_FIELD + a, kind, ...column })
      }
    }
  }
  return { rows: times.length, times, columns }
}

/** One aggregate of those windows that `has` lets through, window i at row rows[i]; null when none. */
function pick(
  rows: Uint32Array,
  rowsAll: number,
  values: readonly number[],
  aggregate: number,
  has: (i: number) => boolean
): Pick<Column, 'present' | 'count' | 'numbers' | 'texts'> | null {
  const present = new Uint8Array(rowsAll)
  const numbers = new Float64Array(rows.length)
  let count = 0
  for (let i = 0; i < rows.length; i++) {
    if (!has(i)) continue
    present[rows[i]!] = 1
    numbers[count++] = values[i * STRIDE + aggregate]!
  }
  if (count === 0) return null
  return { present: count === rowsAll ? null : present, count, numbers, texts: null }
}

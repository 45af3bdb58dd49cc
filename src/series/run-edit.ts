// Cutting and merging runs. Both keep the invariants of run.ts; both copy only what they must.
//
// Invariants: in merge() the later run wins field by field where times are equal, and the kind of its
// value wins with it. Not here: which runs meet (reader.ts), the shape of a run (run.ts).
import type { Column, Run, Texts } from './run.ts'
import { KIND } from './sample.ts'

/** The first row with a time of at least timeUs; `rows` when there is none. */
export function lowerBound(times: Float64Array, rows: number, timeUs: number): number {
  let low = 0
  let high = rows
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < timeUs) low = middle + 1
    else high = middle
  }
  return low
}

/** The rows with fromUs <= time <= toUs, sharing memory with the run; null when there are none. */
export function clip(run: Run, fromUs: number, toUs: number): Run | null {
  const start = lowerBound(run.times, run.rows, fromUs)
  const end = lowerBound(run.times, run.rows, toUs + 1)
  return start === 0 && end === run.rows ? run : slice(run, start, end)
}

/** Rows [start, end) of a run, sharing memory with it; null when there are none. */
export function slice(run: Run, start: number, end: number): Run | null {
  if (start >= end) return null
  const columns: Column[] = []
  for (const column of run.columns) {
    const first = valuesBefore(column, start)
    const count = valuesBefore(column, end) - first
    if (count === 0) continue
    columns.push({
      field: column.field,
      kind: column.kind,
      present: column.present === null || count === end - start ? null : column.present.subarray(start, end),
      count,
      numbers: column.numbers === null ? null : column.numbers.subarray(first, first + count),
      texts: column.texts === null ? null : textsSlice(column.texts, first, first + count)
    })
  }
  return { rows: end - start, times: run.times.subarray(start, end), columns }
}

function valuesBefore(column: Column, row: number): number {
  if (column.present === null) return row
  let count = 0
  for (let i = 0; i < row; i++) count += column.present[i]!
  return count
}

function textsSlice(texts: Texts, start: number, end: number): Texts {
  return { bytes: texts.bytes, offsets: texts.offsets.subarray(start, end + 1) }
}

/** The same rows in memory of their own, so that they outlast the reading of the next run. */
export function copied({ rows, times, columns }: Run): Run {
  return {
    rows,
    times: times.slice(0, rows),
    columns: columns.map(column => ({ ...column, numbers: column.numbers?.slice(0, column.count) ?? null }))
  }
}

/** Both runs as one; `later` wins where both have a value at the same time. */
export function merge(earlier: Run, later: Run): Run {
  const { times, rows, rowOfEarlier, rowOfLater } = mergeTimes(earlier, later)
  const keys = new Set<number>()
  for (const column of earlier.columns) keys.add(column.field * 4 + column.kind)
  for (const column of later.columns) keys.add(column.field * 4 + column.kind)
  const columns: Column[] = []
  for (const key of [...keys].sort((a, b) => a - b)) {
    const field = key >>> 2
    const column = mergeColumn(
      find(earlier, key),
      find(later, key),
      later.columns.filter(other => other.field === field && other.kind !== (key & 3)),
      rows,
      rowOfEarlier,
      rowOfLater
    )
    if (column !== null) columns.push(column)
  }
  return { rows, times, columns }
}

function mergeTimes(a: Run, b: Run) {
  const times = new Float64Array(a.rows + b.rows)
  const rowOfEarlier = new Uint32Array(a.rows)
  const rowOfLater = new Uint32Array(b.rows)
  let i = 0
  let j = 0
  let rows = 0
  while (i < a.rows || j < b.rows) {
    const left = i < a.rows ? a.times[i]! : Number.POSITIVE_INFINITY
    const right = j < b.rows ? b.times[j]! : Number.POSITIVE_INFINITY
    times[rows] = left < right ? left : right
    if (left <= right) rowOfEarlier[i++] = rows
    if (right <= left) rowOfLater[j++] = rows
    rows++
  }
  return { times: times.subarray(0, rows), rows, rowOfEarlier, rowOfLater }
}

function find(run: Run, key: number): Column | undefined {
  return run.columns.find(column => column.field * 4 + column.kind === key)
}

function mergeColumn(
  earlier: Column | undefined,
  later: Column | undefined,
  otherKinds: readonly Column[],
  rows: number,
  rowOfEarlier: Uint32Array,
  rowOfLater: Uint32Array
): Column | null {
  // from[row] is 1 + the value's index: of `later` as it is, of `earlier` negated; 0 is absent.
  const from = new Int32Array(rows)
  if (earlier !== undefined) scatter(earlier, rowOfEarlier, from, -1)
  for (const other of otherKinds) scatter(other, rowOfLater, from, 0)
  if (later !== undefined) scatter(later, rowOfLater, from, 1)
  let count = 0
  for (let row = 0; row < rows; row++) if (from[row] !== 0) count++
  if (count === 0) return null
  const present = count === rows ? null : new Uint8Array(rows)
  const order = new Int32Array(count)
  let next = 0
  for (let row = 0; row < rows; row++) {
    if (from[row] === 0) continue
    order[next++] = from[row]!
    if (present !== null) present[row] = 1
  }
  const { field, kind } = (earlier ?? later)!
  const isNumber = kind === KIND.number || kind === KIND.boolean
  return {
    field,
    kind,
    present,
    count,
    numbers: isNumber ? pickNumbers(order, earlier?.numbers, later?.numbers) : null,
    texts: isNumber ? null : pickTexts(order, earlier?.texts, later?.texts)
  }
}

function scatter(column: Column, rowOf: Uint32Array, from: Int32Array, sign: number): void {
  let value = 0
  for (let i = 0; i < rowOf.length; i++) {
    if (column.present !== null && column.present[i] === 0) continue
    value++
    from[rowOf[i]!] = sign * value
  }
}

type Maybe<T> = T | null | undefined

function pickNumbers(
  order: Int32Array,
  earlier: Maybe<Float64Array>,
  later: Maybe<Float64Array>
): Float64Array {
  const numbers = new Float64Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const index = order[i]!
    numbers[i] = index > 0 ? later![index - 1]! : earlier![-index - 1]!
  }
  return numbers
}

function pickTexts(order: Int32Array, earlier: Maybe<Texts>, later: Maybe<Texts>): Texts {
  const offsets = new Uint32Array(order.length + 1)
  for (let i = 0; i < order.length; i++) {
    const index = order[i]!
    const { offsets: from } = index > 0 ? later! : earlier!
    const value = Math.abs(index) - 1
    offsets[i + 1] = offsets[i]! + from[value + 1]! - from[value]!
  }
  const bytes = new Uint8Array(offsets[order.length]!)
  for (let i = 0; i < order.length; i++) {
    const index = order[i]!
    const { bytes: source, offsets: from } = index > 0 ? later! : earlier!
    const value = Math.abs(index) - 1
    bytes.set(source.subarray(from[value]!, from[value + 1]!), offsets[i]!)
  }
  return { bytes, offsets }
}

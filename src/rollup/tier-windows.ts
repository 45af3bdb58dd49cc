// The windows of a field out of the rows of a tier's segments, one by one or in columns, and which columns that
// takes.
// Not here: the columns (tier.ts), which windows can be trusted (tier-reader.ts).
import { ByteReader } from '../base/bytes.ts'
import type { Column, Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import { Sketch } from '../series/sketch.ts'
import type { TierFigures, TierNeed, TierWindow } from '../series/source.ts'
import { COLUMN, COLUMNS_PER_FIELD, MARK, type TierColumn, tierField } from './tier.ts'

const ALWAYS: readonly TierColumn[] = [COLUMN.count, COLUMN.marks, COLUMN.others, COLUMN.stales, COLUMN.at]
const OF_GROUP: readonly number[] = [tierField(0, COLUMN.groupFirstUs), tierField(0, COLUMN.groupLastUs)]
const COLUMNS_OF: Readonly<Record<TierNeed, readonly TierColumn[]>> = {
  sum: [COLUMN.sum],
  extremes: [COLUMN.min, COLUMN.max],
  ends: [COLUMN.first, COLUMN.last, COLUMN.firstUs, COLUMN.lastUs],
  dropped: [COLUMN.dropped],
  // Few and equal values have no sketch.
  sketch: [COLUMN.sketch, COLUMN.sum, COLUMN.min, COLUMN.max, COLUMN.first, COLUMN.last]
}

/** Fields of a tier's segments, ascending. */
export function neededColumns(fields: readonly number[], needs: readonly TierNeed[]): number[] {
  const columns = [...ALWAYS, ...needs.flatMap(need => COLUMNS_OF[need])]
  const wanted = new Set(fields.flatMap(field => columns.map(column => tierField(field, column))))
  if (needs.includes('ends')) for (const column of OF_GROUP) wanted.add(column)
  return [...wanted].sort((a, b) => a - b)
}

/** The windows of a field in some rows of a tier. */
export function* windowsOf(run: Run, field: number): Generator<TierWindow> {
  const columns = run.columns.filter(
    column => OF_GROUP.includes(column.field) || Math.floor(column.field / COLUMNS_PER_FIELD) === field
  )
  const next = new Uint32Array(columns.length)
  const values = new Float64Array(COLUMNS_PER_FIELD)
  /** Whether first, last and the value at the start are booleans. */
  const isBoolean = new Uint8Array(COLUMNS_PER_FIELD)
  const said = (column: TierColumn) =>
    isBoolean[column] === 1 ? values[column] === 1 : (values[column] as number)
  for (let row = 0; row < run.rows; row++) {
    values.fill(0)
    let sketch: Sketch | null = null
    let some = false
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]!
      if (column.present !== null && column.present[row] === 0) continue
      const slot = column.field % COLUMNS_PER_FIELD
      const i = next[c]!++
      if (!OF_GROUP.includes(column.field)) some = true
      if (column.numbers === null) sketch = sketchAt(column, i)
      else {
        values[slot] = column.numbers[i]!
        isBoolean[slot] = column.kind === KIND.boolean ? 1 : 0
      }
    }
    if (!some) continue
    const marks = values[COLUMN.marks]!
    const startUs = run.times[row]!
    yield {
      field,
      startUs,
      count: values[COLUMN.count]!,
      sum: values[COLUMN.sum]!,
      min: values[COLUMN.min]!,
      max: values[COLUMN.max]!,
      first: said(COLUMN.first),
      last: said(COLUMN.last),
      firstUs: startUs + values[marks & MARK.firstUs ? COLUMN.firstUs : COLUMN.groupFirstUs]!,
      lastUs: startUs + values[marks & MARK.lastUs ? COLUMN.lastUs : COLUMN.groupLastUs]!,
      dropped: marks & MARK.noCounter ? null : marks & MARK.dropped ? values[COLUMN.dropped]! : 0,
      sketch: marks & MARK.sketch ? sketch : null,
      at: marks & MARK.at ? said(COLUMN.at) : null,
      others: marks & MARK.others ? values[COLUMN.others]! : 0,
      stales: marks & MARK.stales ? values[COLUMN.stales]! : 0,
      hasBooleans: (marks & MARK.booleans) > 0
    }
  }
}

/** Marks that say of a window nothing which its count, sum, min, max and the sample at its start do not. */
const PLAIN_MARKS = MARK.dropped | MARK.noCounter | MARK.at | MARK.sketch | MARK.firstUs | MARK.lastUs

/**
 * The same in columns, which share memory with the run; null when not all windows can be told so.
 * @param needs  'sum' and 'extremes', or less
 */
export function figuresOf(run: Run, field: number, needs: readonly TierNeed[]): TierFigures | null {
  /** The numbers of a column that every row has; null: not all of them do. */
  const whole = (wanted: TierColumn): Float64Array | null => {
    const columns = run.columns.filter(column => column.field === tierField(field, wanted))
    const [only] = columns
    return columns.length === 1 && only!.present === null && only!.kind === KIND.number ? only!.numbers : null
  }
  const counts = whole(COLUMN.count)
  const marks = whole(COLUMN.marks)
  if (counts === null || marks === null) return null
  let all = 0
  for (let row = 0; row < run.rows; row++) all |= marks[row]!
  if ((all & ~PLAIN_MARKS) !== 0) return null
  const ats = all & MARK.at ? atsOf(run, field, marks) : null
  if (all & MARK.at && ats === null) return null
  const sums = needs.includes('sum') ? whole(COLUMN.sum) : null
  const mins = needs.includes('extremes') ? whole(COLUMN.min) : null
  const maxs = needs.includes('extremes') ? whole(COLUMN.max) : null
  if (needs.includes('sum') && sums === null) return null
  if (needs.includes('extremes') && (mins === null || maxs === null)) return null
  return { field, rows: run.rows, starts: run.times, counts, sums, mins, maxs, ats }
}

/** The samples at the starts of windows, NaN where there is none; null when one of them is NaN or no number. */
function atsOf(run: Run, field: number, marks: Float64Array): Float64Array | null {
  const columns = run.columns.filter(column => column.field === tierField(field, COLUMN.at))
  const [only] = columns
  if (columns.length !== 1 || only!.kind !== KIND.number) return null
  const { present, numbers } = only!
  const ats = new Float64Array(run.rows).fill(Number.NaN)
  let next = 0
  for (let row = 0; row < run.rows; row++) {
    if (present !== null && present[row] === 0) continue
    const value = numbers![next++]!
    if ((marks[row]! & MARK.at) === 0) continue
    if (Number.isNaN(value)) return null
    ats[row] = value
  }
  return ats
}

function sketchAt({ texts }: Column, i: number): Sketch {
  const { bytes, offsets } = texts!
  return Sketch.decode(new ByteReader(bytes, offsets[i]!, offsets[i + 1]!))
}

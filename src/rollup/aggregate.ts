// Folds the rows of one group, and the windows of finer tiers, into the rows of a tier. Pure: runs in, one
// run out.
//
// Invariants: windows ascend; a window without a sample has no row.
// Not here: which windows (rollup-job.ts), the fold of one field (window-fold.ts).
import { ByteWriter } from '../base/bytes.ts'
import type { Column, Run } from '../series/run.ts'
import { KIND, type Kind } from '../series/sample.ts'
import type { TierWindow } from '../series/source.ts'
import { isStale } from '../series/stale.ts'
import { COLUMN, MARK, type TierColumn, tierField } from './tier.ts'
import { WindowFold } from './window-fold.ts'

/** The windows of all fields of one group. What is added follows in time. */
export class GroupFold {
  private readonly stepUs: number
  private readonly level: number | null
  private readonly fields = new Map<number, WindowFold>()

  /** @param level  of the sketches; null for none */
  constructor(stepUs: number, level: number | null) {
    this.stepUs = stepUs
    this.level = level
  }

  addRun(run: Run): void {
    for (let i = 0; i < run.columns.length; ) {
      const { field } = run.columns[i]!
      let end = i + 1
      while (run.columns[end]?.field === field) end++
      foldField(run, run.columns.slice(i, end), this.field(field))
      i = end
    }
  }

  addWindow(window: TierWindow): void {
    this.field(window.field).addWindow(window)
  }

  /** A run in the columns of tier.ts, or null when there is no row. */
  finish(): Run | null {
    const windows = [...this.fields].sort(([a], [b]) => a - b).map(([, fold]) => fold.windows())
    return windows.length === 0 ? null : layOut(windows)
  }

  private field(field: number): WindowFold {
    let fold = this.fields.get(field)
    if (fold === undefined) this.fields.set(field, (fold = new WindowFold(field, this.stepUs, this.level)))
    return fold
  }
}

/** Folds the columns of one field, of different kinds; a row has a value in at most one of them. */
function foldField(run: Run, columns: readonly Column[], into: WindowFold): void {
  const { times } = run
  const next = new Uint32Array(columns.length)
  const bits = columns.map(({ numbers }) =>
    numbers === null ? null : new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2)
  )
  for (let row = 0; row < run.rows; row++) {
    for (let c = 0; c < columns.length; c++) {
      const { present, numbers, kind } = columns[c]!
      if (present !== null && present[row] === 0) continue
      const i = next[c]!++
      const timeUs = times[row]!
      if (numbers === null) into.addOther(timeUs)
      else if (Number.isNaN(numbers[i]!) && isStale(bits[c]!, i)) into.addStale(timeUs)
      else into.add(timeUs, numbers[i]!, kind)
    }
  }
}

/** Where the windows of a field lie among all rows. */
interface Placed {
  readonly windows: readonly TierWindow[]
  readonly rows: Uint32Array
  readonly rowsAll: number
  readonly ends: Ends
}

/** When the first and the last samples of a group were, by row; of rows without numbers infinite. */
interface Ends {
  readonly firstUs: Float64Array
  readonly lastUs: Float64Array
}

function layOut(fields: readonly (readonly TierWindow[])[]): Run {
  const starts = new Set<number>()
  for (const windows of fields) for (const { startUs } of windows) starts.add(startUs)
  const times = Float64Array.from(starts).sort()
  const rowOf = new Map<number, number>()
  for (let row = 0; row < times.length; row++) rowOf.set(times[row]!, row)
  const rowsAll = times.length
  const ends: Ends = {
    firstUs: new Float64Array(rowsAll).fill(Number.POSITIVE_INFINITY),
    lastUs: new Float64Array(rowsAll).fill(Number.NEGATIVE_INFINITY)
  }
  const all = fields.map(windows => {
    const rows = Uint32Array.from(windows, ({ startUs }) => rowOf.get(startUs)!)
    for (const [i, { count, firstUs, lastUs }] of windows.entries()) {
      const row = rows[i]!
      if (count === 0) continue
      ends.firstUs[row] = Math.min(ends.firstUs[row]!, firstUs)
      ends.lastUs[row] = Math.max(ends.lastUs[row]!, lastUs)
    }
    return { windows, rows, rowsAll, ends }
  })
  const columns = [...all.flatMap(fieldColumns), ...groupColumns(times, ends)]
  return { rows: rowsAll, times, columns: columns.sort((a, b) => a.field - b.field || a.kind - b.kind) }
}

function groupColumns(times: Float64Array, ends: Ends): Column[] {
  const present = Uint8Array.from(ends.firstUs, us => (Number.isFinite(us) ? 1 : 0))
  const count = present.reduce((sum, one) => sum + one, 0)
  if (count === 0) return []
  return ([COLUMN.groupFirstUs, COLUMN.groupLastUs] as const).map(column => {
    const from = column === COLUMN.groupFirstUs ? ends.firstUs : ends.lastUs
    const numbers = from.map((us, row) => us - times[row]!).filter((_, row) => present[row] === 1)
    return {
      field: tierField(0, column),
      kind: KIND.number,
      present: count === times.length ? null : present,
      count,
      numbers,
      texts: null
    }
  })
}

function marksOf(window: TierWindow, row: number, ends: Ends): number {
  const { dropped, at, others, stales, hasBooleans, sketch } = window
  return (
    (hasOwn(window.firstUs, ends.firstUs[row]!, window) ? MARK.firstUs : 0) |
    (hasOwn(window.lastUs, ends.lastUs[row]!, window) ? MARK.lastUs : 0) |
    (dropped === null ? MARK.noCounter : dropped === 0 ? 0 : MARK.dropped) |
    (others > 0 ? MARK.others : 0) |
    (stales > 0 ? MARK.stales : 0) |
    (at === null ? 0 : MARK.at) |
    (hasBooleans ? MARK.booleans : 0) |
    (sketch === null ? 0 : MARK.sketch)
  )
}

type SayOf = (window: TierWindow, row: number, ends: Ends) => number | boolean | null

const positive = (value: number | null) => (value === 0 ? null : value)
const counted = (of: (window: TierWindow) => number | boolean) => (window: TierWindow) =>
  window.count > 0 ? of(window) : null

/** What each column but the sketch says of a window; null: nothing. */
const VALUES: readonly [TierColumn, SayOf][] = [
  [COLUMN.count, ({ count }) => count],
  [COLUMN.sum, counted(({ sum }) => sum)],
  [COLUMN.min, counted(({ min }) => min)],
  [COLUMN.max, counted(({ max }) => max)],
  [COLUMN.first, counted(({ first }) => first)],
  [COLUMN.last, counted(({ last }) => last)],
  [
    COLUMN.firstUs,
    (window, row, ends) =>
      hasOwn(window.firstUs, ends.firstUs[row]!, window) ? window.firstUs - window.startUs : null
  ],
  [
    COLUMN.lastUs,
    (window, row, ends) =>
      hasOwn(window.lastUs, ends.lastUs[row]!, window) ? window.lastUs - window.startUs : null
  ],
  [COLUMN.dropped, ({ dropped }) => positive(dropped)],
  [COLUMN.marks, marksOf],
  [COLUMN.others, ({ others }) => positive(others)],
  [COLUMN.stales, ({ stales }) => positive(stales)],
  [COLUMN.at, ({ at }) => at]
]

/** Whether a window has another first or last time than its group. */
function hasOwn(us: number, groupUs: number, { count }: TierWindow): boolean {
  return count > 0 && us !== groupUs
}

/** The columns of one field, in their order. */
function fieldColumns(placed: Placed): Column[] {
  const { field } = placed.windows[0]!
  const columns: Column[] = []
  const add = (column: TierColumn, sayOf: SayOf): void => {
    for (const kind of [KIND.number, KIND.boolean] as const) {
      const picked = pick(placed, kind, sayOf)
      if (picked !== null) columns.push({ field: tierField(field, column), kind, ...picked })
    }
  }
  for (const [column, sayOf] of VALUES) add(column, sayOf)
  const sketches = sketchColumn(placed)
  if (sketches !== null) columns.push({ field: tierField(field, COLUMN.sketch), ...sketches })
  return columns
}

type Picked = Pick<Column, 'present' | 'count' | 'numbers' | 'texts'>

/** What windows have in a column, of one kind; null when none has something. */
function pick({ windows, rows, rowsAll, ends }: Placed, kind: Kind, sayOf: SayOf): Picked | null {
  const present = new Uint8Array(rowsAll)
  const numbers = new Float64Array(windows.length)
  let count = 0
  for (const [i, window] of windows.entries()) {
    const value = sayOf(window, rows[i]!, ends)
    if (value === null || (typeof value === 'boolean') !== (kind === KIND.boolean)) continue
    present[rows[i]!] = 1
    numbers[count++] = Number(value)
  }
  if (count === 0) return null
  return { present: count === rowsAll ? null : present, count, numbers, texts: null }
}

function sketchColumn({ windows, rows, rowsAll }: Placed): (Picked & { kind: Kind }) | null {
  const present = new Uint8Array(rowsAll)
  const bytes = new ByteWriter(1024)
  const ends = [0]
  for (const [i, { sketch }] of windows.entries()) {
    if (sketch === null) continue
    present[rows[i]!] = 1
    sketch.encode(bytes)
    ends.push(bytes.length)
  }
  const count = ends.length - 1
  if (count === 0) return null
  const texts = { bytes: bytes.copy(), offsets: Uint32Array.from(ends) }
  return { kind: KIND.bytes, present: count === rowsAll ? null : present, count, numbers: null, texts }
}

// Walks the rows of a run up or down and reads the value that a field has there. Columns are dense, so the
// place of a value follows from how many rows before it have one: a cursor must see every row in order.
import type { Column, Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import type { Order, Summary } from '../series/source.ts'
import type { Cell } from './answer.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** The value at an index of a column (not of a row). Bytes are copied. */
export function columnValue(column: Column, index: number): Cell {
  if (column.texts !== null) {
    const { bytes, offsets } = column.texts
    const view = bytes.subarray(offsets[index]!, offsets[index + 1]!)
    return column.kind === KIND.string ? utf8.decode(view) : view.slice()
  }
  const number = column.numbers![index]!
  return column.kind === KIND.boolean ? number === 1 : number
}

/** Reads one column row by row. */
export class ColumnCursor {
  readonly column: Column
  private index: number
  private readonly by: 1 | -1

  constructor(column: Column, order: Order) {
    this.column = column
    this.by = order === 'asc' ? 1 : -1
    this.index = order === 'asc' ? 0 : column.count - 1
  }

  /** The value at a row, or null when it has none. Call once for each row, in the cursor's order. */
  at(row: number): Cell {
    const present = this.column.present
    if (present !== null && present[row] === 0) return null
    const cell = columnValue(this.column, this.index)
    this.index += this.by
    return cell
  }
}

/** Rows of a run in an order: row numbers from `first`, `by` further, `rows` times. */
export function rowsOf(run: Run, order: Order): { first: number; by: 1 | -1 } {
  return order === 'asc' ? { first: 0, by: 1 } : { first: run.rows - 1, by: -1 }
}

/** How many samples a run or its summary speaks of. */
export function samplesOf(run: Pick<Run, 'columns'> | Summary): number {
  let samples = 0
  for (const column of run.columns) samples += column.count
  return samples
}

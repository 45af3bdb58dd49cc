// The rows of some series as cells: one for each field that a statement speaks of, merged by time where there
// are several series.
//
// Invariants: a row and its cells are used again when the next is asked for; runs of all series are open at
// once, within the bound on held memory.
import type { Order, SeriesSource } from '../../series/source.ts'
import type { Cell } from '../answer.ts'
import { ColumnCursor, rowsOf, samplesOf } from '../cursor.ts'
import { mergeByTime, runBytes } from '../held-runs.ts'
import type { Budget } from '../limits.ts'
import type { RowTest } from './condition.ts'
import type { Member } from './measurements.ts'

/** One series with what its rows must fulfil. */
export interface Reading {
  readonly member: Member
  readonly test: true | RowTest
}

export interface Row {
  timeUs: number
  readonly reading: Reading
  /** One for each field asked for. */
  readonly cells: Cell[]
}

export interface RowsWanted {
  /** Names of fields; the order of cells. */
  readonly fields: readonly string[]
  readonly fromUs: number
  readonly toUs: number
  readonly order: Order
}

/** Rows in which any of the fields has a value and that fulfil their condition, by time. */
export function mergedRows(
  source: SeriesSource,
  readings: readonly Reading[],
  wanted: RowsWanted,
  budget: Budget
): Iterable<Row> {
  const open = new Map<Reading, number>()
  let bytes = 0
  const held = (reading: Reading, now: number) => {
    bytes += now - (open.get(reading) ?? 0)
    open.set(reading, now)
    budget.held(bytes)
  }
  const sequences = readings.map(reading =>
    memberRows(source, reading, wanted, budget, now => held(reading, now))
  )
  return sequences.length === 1 ? sequences[0]! : mergeByTime(sequences, wanted.order)
}

/** Rows of one series. @param held  told of the bytes of each run */
export function* memberRows(
  source: SeriesSource,
  reading: Reading,
  { fields, fromUs, toUs, order }: RowsWanted,
  budget: Budget,
  held: (bytes: number) => void
): Generator<Row> {
  const { member, test } = reading
  const slots = new Map<number, number>()
  for (const [slot, name] of fields.entries()) {
    const field = member.fields.get(name)
    if (field !== undefined) slots.set(field, slot)
  }
  const indexes = [...slots.keys()].sort((a, b) => a - b)
  const row: Row = { timeUs: 0, reading, cells: fields.map(() => null) }
  const { cells } = row
  for (const run of source.runs(member.group, indexes, fromUs, toUs, order)) {
    budget.scanned(samplesOf(run))
    held(runBytes(run))
    const cursors = run.columns.map(column => new ColumnCursor(column, order))
    const into = run.columns.map(({ field }) => slots.get(field)!)
    const { first, by } = rowsOf(run, order)
    for (let i = 0, at = first; i < run.rows; i++, at += by) {
      cells.fill(null)
      let found = false
      for (let c = 0; c < cursors.length; c++) {
        const cell = cursors[c]!.at(at)
        if (cell === null) continue
        cells[into[c]!] = cell
        found = true
      }
      if (!found || (test !== true && !test(cells))) continue
      row.timeUs = run.times[at]!
      yield row
    }
  }
  held(0)
}

// The samples of each series in a span, as they were stored. One series after the other, so that memory
// holds one run whatever the span.
// Not here: windows over samples (range-windows.ts).
import type { Order, SeriesSource } from '../series/source.ts'
import type { Answer, Part, Row } from './answer.ts'
import { ColumnCursor, rowsOf, samplesOf } from './cursor.ts'
import type { Budget } from './limits.ts'
import { labelNames, selectSeries } from './list.ts'
import type { RangeRequest } from './request.ts'

/** Series without a sample in the span are left out. */
export function rawRange(source: SeriesSource, request: RangeRequest, budget: Budget): Answer {
  const ids = selectSeries(source, request.select, budget)
  function* parts(): Iterable<Part> {
    for (const id of ids) {
      const { name, labels, group, field } = source.series(id)
      const rows = seriesRows(source, group, field, request, budget)
      const first = rows.next()
      if (first.done) continue
      yield { name, labels, rows: rejoined(first.value, rows) }
    }
  }
  return {
    is: 'rows',
    single: false,
    columns: ['value'],
    labelNames: () => labelNames(source, ids),
    parts: parts()
  }
}

function* rejoined(first: Row, rest: Generator<Row>): Generator<Row> {
  yield first
  yield* rest
}

interface Wanted {
  readonly fromUs: number
  readonly toUs: number
  readonly order: Order
  readonly limit: number | null
}

function* seriesRows(
  source: SeriesSource,
  group: number,
  field: number,
  wanted: Wanted,
  budget: Budget
): Generator<Row> {
  let left = wanted.limit ?? Number.POSITIVE_INFINITY
  const row: Row = { timeUs: 0, cells: [null] }
  for (const run of source.runs(group, [field], wanted.fromUs, wanted.toUs, wanted.order)) {
    budget.scanned(samplesOf(run))
    const cursors = run.columns.map(column => new ColumnCursor(column, wanted.order))
    const { first, by } = rowsOf(run, wanted.order)
    for (let i = 0, at = first; i < run.rows; i++, at += by) {
      for (const cursor of cursors) {
        const cell = cursor.at(at)
        if (cell === null) continue
        budget.row()
        row.timeUs = run.times[at]!
        row.cells[0] = cell
        yield row
        if (--left <= 0) return
      }
    }
  }
}

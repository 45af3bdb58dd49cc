// The newest sample of each series at or before a time. A group is asked once for all its fields; series
// without a sample that old are left out.
import { KIND_NAMES } from '../series/sample.ts'
import type { Last, SeriesSource } from '../series/source.ts'
import type { Answer, Part, Row } from './answer.ts'
import type { Budget } from './limits.ts'
import { labelNames, selectSeries } from './list.ts'
import type { LastRequest } from './request.ts'

export function lastValues(source: SeriesSource, request: LastRequest, budget: Budget): Answer {
  const ids =
    request.series === undefined
      ? selectSeries(source, request.select, budget)
      : Uint32Array.from(request.series)
  function* parts(): Iterable<Part> {
    let left = request.limit ?? Number.POSITIVE_INFINITY
    let group = -1
    const byField = new Map<number, Last>()
    const row: Row = { timeUs: 0, cells: [null, null] }
    for (const [at, id] of ids.entries()) {
      const series = source.series(id)
      if (series.group !== group) {
        group = series.group
        byField.clear()
        for (const last of source.last(group, fieldsOf(source, ids, at), request.toUs))
          byField.set(last.field, last)
        budget.scanned(byField.size)
      }
      const last = byField.get(series.field)
      if (last === undefined) continue
      if (left-- <= 0) return
      budget.row()
      row.timeUs = last.timeUs
      row.cells[0] = last.value
      row.cells[1] = KIND_NAMES[last.kind]
      yield { name: series.name, labels: series.labels, rows: [row] }
    }
  }
  return {
    is: 'rows',
    single: true,
    columns: ['value', 'kind'],
    labelNames: () => labelNames(source, ids),
    parts: parts()
  }
}

/** The fields that are asked of the group of ids[at] from there on, as far as its ids lie together. */
function fieldsOf(source: SeriesSource, ids: Uint32Array, at: number): number[] {
  const { group, field } = source.place(ids[at]!)
  const fields = [field]
  for (let i = at + 1; i < ids.length; i++) {
    const next = source.place(ids[i]!)
    if (next.group !== group) break
    fields.push(next.field)
  }
  return fields
}

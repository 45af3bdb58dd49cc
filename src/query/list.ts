// Which series a request is about, and the answer that lists them.
import { VarveError } from '../base/errors.ts'
import type { SeriesSource } from '../series/source.ts'
import type { Answer, Part } from './answer.ts'
import type { Budget } from './limits.ts'
import type { Selection, SeriesRequest } from './request.ts'

/**
 * Ids of the selected series, ascending, none twice.
 * @throws {VarveError} VARVE_QUERY_SERIES when there are more than the limit
 */
export function selectSeries(source: SeriesSource, select: Selection, budget: Budget): Uint32Array {
  const max = budget.limits.seriesMax
  const selectors = select.selectors.length === 0 ? [[]] : select.selectors
  const found = new Set<number>()
  for (const matchers of selectors) {
    budget.check()
    const ids = source.select(matchers, select.topic, max)
    if (selectors.length === 1) return ids
    for (const id of ids) found.add(id)
    if (found.size > max) {
      throw new VarveError(
        'VARVE_QUERY_SERIES',
        `Cannot select series: more than ${max} match; narrow the selectors`
      )
    }
  }
  return Uint32Array.from(found).sort()
}

/** The series themselves, by id. */
export function listSeries(source: SeriesSource, request: SeriesRequest, budget: Budget): Answer {
  const selected = selectSeries(source, request.select, budget)
  const ids = request.limit === null ? selected : selected.subarray(0, request.limit)
  function* parts(): Iterable<Part> {
    for (const id of ids) {
      budget.row()
      const { name, labels } = source.series(id)
      yield { name, labels, rows: [] }
    }
  }
  return { is: 'series', labelNames: () => labelNames(source, ids), parts: parts() }
}

/** Names of all labels that some series have, sorted. */
export function labelNames(source: SeriesSource, ids: Uint32Array): string[] {
  return source.names.labelNames(ids).sort()
}

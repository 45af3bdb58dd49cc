// Series, label names, values of a label and metadata, as Prometheus' API lists them. All but series cost their
// distinct values and a pass over numbers (series/catalog-names.ts).
//
// A span narrows the list to series whose group has a row in it; over more than groupsReadMax groups it
// narrows nothing, since that would read the store for a drop-down (Prometheus narrows by blocks of two
// hours or more, which is as rough). Strings are listed without the label `value` that shows them, since
// which strings there are is only known by reading the samples: a selector with a matcher on `value`, and one
// whose values of `value` are asked for, read those of the span.
import { VarveError } from '../../base/errors.ts'
import type { Labels } from '../../series/label.ts'
import { labelValue } from '../../series/label.ts'
import { type Matcher, NAME_LABEL } from '../../series/matcher.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'
import type { PromqlListRequest } from '../request.ts'
import { compareLabels, withName } from './label-set.ts'
import { readPromql } from './read.ts'
import { readSpan, type SampleSink, VALUE_LABEL } from './selection.ts'

const groupsReadMax = 2000

/** The value of `data`, and whether the limit cut it. */
export function listOf(
  source: SeriesSource,
  request: PromqlListRequest,
  budget: Budget
): { value: unknown; isCut: boolean } {
  const { kind, limit } = request
  if (kind === 'promql-metadata') return metadata(source, request, budget)
  const { ids, strings } = selected(source, request, budget)
  if (kind === 'promql-series') {
    const listed = new Map<string, Labels>()
    for (const id of ids) {
      const { name, labels } = source.series(id)
      const named = withName(name, labels)
      listed.set(JSON.stringify(named), named)
    }
    for (const labels of strings) listed.set(JSON.stringify(labels), labels)
    const shown = cut([...listed.values()].sort(compareLabels), limit)
    return { value: shown.value.map(labels => Object.fromEntries(labels)), isCut: shown.isCut }
  }
  const found = new Set<string>()
  if (kind === 'promql-labels') {
    if (ids.length > 0) found.add(NAME_LABEL)
    for (const name of source.names.labelNames(ids)) found.add(name)
    for (const labels of strings) for (const [name] of labels) found.add(name)
  } else {
    for (const value of source.names.labelValues(request.name, ids)) found.add(value)
    for (const labels of strings) found.add(labelValue(labels, request.name))
    found.delete('')
  }
  return cut([...found].sort(), limit)
}

function cut<T>(all: readonly T[], limit: number | null): { value: readonly T[]; isCut: boolean } {
  const isCut = limit !== null && all.length > limit
  return { value: isCut ? all.slice(0, limit) : all, isCut }
}

/** The matchers of a selector. @throws {PromqlError} VARVE_PROMQL when the text is none */
function readSelector(text: string): readonly Matcher[] {
  const node = readPromql(text)
  if (node.is !== 'vector' || node.hasOffset || node.atMs !== null) {
    throw new VarveError(
      'VARVE_PROMQL',
      `1:1: parse error: ${JSON.stringify(text.slice(0, 80))} is no series selector`
    )
  }
  return node.matchers
}

/** The series that are asked for, and the labels of those that show strings; one may be among both. */
function selected(
  source: SeriesSource,
  request: PromqlListRequest,
  budget: Budget
): { ids: Uint32Array; strings: Labels[] } {
  const { match, startUs, endUs } = request
  const selectors = match.length === 0 ? [[]] : match.map(readSelector)
  const found: Uint32Array[] = []
  const strings: Labels[] = []
  for (const matchers of selectors) {
    budget.check()
    if (isOfStrings(matchers, request)) {
      strings.push(...readSpan({ source, budget, log: null }, matchers, startUs, endUs, seen))
    } else found.push(source.select(matchers, null, budget.limits.seriesMax))
  }
  const ids = found.length === 1 ? found[0]! : union(found)
  const isNarrow = startUs > TIME_MIN_US || endUs < TIME_MAX_US
  const live = isNarrow ? liveGroups(source, ids, request, budget) : null
  return { ids: live === null ? ids : ids.filter(id => live.has(source.series(id).group)), strings }
}

function union(all: readonly Uint32Array[]): Uint32Array {
  return Uint32Array.from(new Set(all.flatMap(ids => [...ids]))).sort()
}

/** Whether the strings of a selector decide what is listed. */
function isOfStrings(matchers: readonly Matcher[], { kind, name }: PromqlListRequest): boolean {
  if (matchers.some(matcher => matcher.name === VALUE_LABEL)) return true
  return kind === 'promql-values' && name === VALUE_LABEL && matchers.length > 0
}

/** Takes samples for nothing but that there are some. */
function seen(labels: Labels): SampleSink<Labels> {
  let isSeen = false
  return {
    push: () => {
      isSeen = true
    },
    pushStale: () => {},
    finish: () => (isSeen ? labels : null)
  }
}

/** The groups with a row in the span, or null when there are too many to look. */
function liveGroups(
  source: SeriesSource,
  ids: Uint32Array,
  { startUs, endUs }: PromqlListRequest,
  budget: Budget
): ReadonlySet<number> | null {
  const groups = new Set(source.names.groupsOf(ids))
  if (groups.size > groupsReadMax) return null
  for (const group of groups) {
    budget.check()
    const from = Math.max(startUs, TIME_MIN_US)
    const to = Math.min(endUs, TIME_MAX_US)
    const [run] = from > to ? [] : source.runs(group, [], from, to, 'desc')
    if (run === undefined) groups.delete(group)
  }
  return groups
}

/**
 * No sender tells us types, so the name does: OpenMetrics ends the names of counters in _total, and a
 * histogram's parts in _bucket, _count and _sum.
 */
function metadata(source: SeriesSource, { name, limit }: PromqlListRequest, budget: Budget) {
  const matchers: Matcher[] = name === '' ? [] : [{ name: NAME_LABEL, op: '=', value: name }]
  const names = source.names.labelValues(NAME_LABEL, source.select(matchers, null, budget.limits.seriesMax))
  const shown = cut(names.sort(), limit)
  const entry = (text: string) => [
    { type: /_(?:total|bucket|count|sum)$/.test(text) ? 'counter' : 'unknown', help: '', unit: '' }
  ]
  return { value: Object.fromEntries(shown.value.map(text => [text, entry(text)])), isCut: shown.isCut }
}

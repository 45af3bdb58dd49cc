// The store as InfluxQL sees it. A measurement is a group name, its tags are labels, its fields fields. Groups
// without a name (MQTT) show each field as a measurement of its own with the field `value`: then the series
// that PromQL calls `temperature` is `SELECT value FROM temperature`, whichever way its samples came.
//
// Measurements are ids of series; what they are called is asked of distinct names and values (SeriesNames), and
// series are looked at one by one (Member) only where each is read or listed.
// Not here: rows (rows.ts), what conditions say of tags (condition.ts).
import type { Source } from '../../influxql/ast.ts'
import type { Labels } from '../../series/label.ts'
import { type Matcher, NAME_LABEL } from '../../series/matcher.ts'
import { KIND, type Kind, TIME_MAX_US } from '../../series/sample.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'
import type { RegexTests } from './regex-tests.ts'

/** One series as InfluxDB counts them: the fields of one group that are part of a measurement. */
export interface Member {
  readonly group: number
  readonly labels: Labels
  /** Name of the field -> its index in the group. */
  readonly fields: Map<string, number>
}

export interface Measurement {
  readonly name: string
  /** Of series, ascending. */
  readonly ids: Uint32Array
}

/** More series than any store has: whoever reads them counts those that are left. */
const NO_BOUND = 2 ** 31

/**
 * The measurements of some sources, all when there are none; by name.
 * @throws {VarveError} VARVE_REGEX
 */
export function findMeasurements(
  source: SeriesSource,
  sources: readonly Source[],
  regexes: RegexTests,
  budget: Budget
): Measurement[] {
  budget.check()
  const tests = sources.map(wanted =>
    'name' in wanted ? (name: string) => name === wanted.name : regexes.of(wanted.regex)
  )
  return [...source.names.byGroupName()]
    .filter(([name]) => tests.length === 0 || tests.some(test => test(name)))
    .map(([name, ids]) => ({ name, ids }))
    .sort((a, b) => compare(a.name, b.name))
}

/** The part of a measurement whose tags match. @throws {VarveError} VARVE_REGEX, VARVE_REGEX_COST */
export function narrowed(
  source: SeriesSource,
  { name, ids }: Measurement,
  tags: readonly Matcher[]
): Measurement {
  return tags.length === 0 ? { name, ids } : { name, ids: source.select(tags, null, NO_BOUND, ids) }
}

/** The series of a measurement one by one, in the order of the catalog. */
export function* members(source: SeriesSource, { name, ids }: Measurement): Generator<Member> {
  const seen = new Map<number, Member>()
  for (const id of ids) {
    const series = source.series(id)
    let member = seen.get(series.group)
    if (member === undefined) {
      member = { group: series.group, labels: series.labels, fields: new Map() }
      seen.set(series.group, member)
    }
    member.fields.set(fieldOf(name, series.name), series.field)
  }
  yield* seen.values()
}

/** The same in the order of their labels. */
export function sortedMembers(source: SeriesSource, measurement: Measurement): Member[] {
  return [...members(source, measurement)].sort(byLabels)
}

/** The field that a series' name says within a measurement. */
function fieldOf(measurement: string, name: string): string {
  return name === measurement ? 'value' : name.slice(measurement.length + 1)
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byLabels({ labels: a }: Member, { labels: b }: Member): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compare(a[i]![0], b[i]![0]) || compare(a[i]![1], b[i]![1])
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Names of all fields of a measurement, sorted. */
export function fieldNames(source: SeriesSource, { name, ids }: Measurement): string[] {
  return source.names
    .labelValues(NAME_LABEL, ids)
    .map(series => fieldOf(name, series))
    .sort()
}

/** Names of all tags of some measurements, sorted. */
export function tagNames(source: SeriesSource, measurements: readonly Measurement[]): string[] {
  return [...new Set(measurements.flatMap(({ ids }) => source.names.labelNames(ids)))].sort()
}

/** The kind of each field: of the newest value in the first series that has one. */
export function fieldKinds(
  source: SeriesSource,
  measurement: Measurement,
  budget: Budget
): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  const open = new Set(fieldNames(source, measurement))
  for (const { group, fields } of members(source, measurement)) {
    const wanted = [...fields].filter(([name]) => open.has(name)).sort(([, a], [, b]) => a - b)
    if (wanted.length === 0) continue
    budget.check()
    const newest = source.last(
      group,
      wanted.map(([, field]) => field),
      TIME_MAX_US
    )
    for (const [name, field] of wanted) {
      const last = newest.find(one => one.field === field)
      if (last === undefined) continue
      kinds.set(name, last.kind)
      open.delete(name)
    }
    if (open.size === 0) break
  }
  return kinds
}

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  [KIND.number]: 'float',
  [KIND.boolean]: 'boolean',
  [KIND.string]: 'string',
  [KIND.bytes]: 'string'
}

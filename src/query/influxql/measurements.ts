// The store as InfluxQL sees it. A measurement is a group name, its tags are labels, its fields fields. Groups
// without a name (MQTT) show each field as a measurement of its own with the field `value`: then the series
// that PromQL calls `temperature` is `SELECT value FROM temperature`, whichever way its samples came.
//
// Not here: rows (rows.ts), what conditions say of tags (condition.ts).
import type { Source } from '../../influxql/ast.ts'
import type { Labels } from '../../series/label.ts'
import { type Matcher, NAME_LABEL } from '../../series/matcher.ts'
import { Regex } from '../../series/regex.ts'
import { KIND, type Kind, TIME_MAX_US } from '../../series/sample.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'

/** One series as InfluxDB counts them: the fields of one group that are part of a measurement. */
export interface Member {
  readonly group: number
  readonly labels: Labels
  /** Name of the field -> its index in the group. */
  readonly fields: Map<string, number>
}

export interface Measurement {
  readonly name: string
  /** In the order of their labels. */
  readonly members: Member[]
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
  budget: Budget
): Measurement[] {
  const found = new Map<string, Map<number, Member>>()
  for (const wanted of sources.length === 0 ? [{ regex: '' }] : sources) {
    budget.check()
    const isWanted = 'name' in wanted ? (name: string) => name === wanted.name : nameTest(wanted.regex)
    const byName: Matcher[] =
      'name' in wanted ? [{ name: NAME_LABEL, op: '=~', value: `${escaped(wanted.name)}(?s:_.*)?` }] : []
    for (const id of source.select(byName, null, NO_BOUND)) {
      addSeries(source, id, isWanted, found)
    }
  }
  return [...found]
    .map(([name, members]) => ({ name, members: [...members.values()].sort(byLabels) }))
    .sort((a, b) => compare(a.name, b.name))
}

function addSeries(
  source: SeriesSource,
  id: number,
  isWanted: (name: string) => boolean,
  found: Map<string, Map<number, Member>>
): void {
  const { group, field } = source.series(id)
  const { name, labels, fields } = source.group(group)
  const measurement = name === '' ? fields[field]! : name
  if (!isWanted(measurement)) return
  let members = found.get(measurement)
  if (members === undefined) found.set(measurement, (members = new Map()))
  let member = members.get(group)
  if (member === undefined) members.set(group, (member = { group, labels, fields: new Map() }))
  member.fields.set(name === '' ? 'value' : fields[field]!, field)
}

function nameTest(regex: string): (name: string) => boolean {
  const matches = regexTest(regex)
  const known = new Map<string, boolean>()
  return name => {
    let isWanted = known.get(name)
    if (isWanted === undefined) known.set(name, (isWanted = matches(name)))
    return isWanted
  }
}

/** Tests for an expression anywhere in a text, as InfluxQL does. @throws {VarveError} VARVE_REGEX */
export function regexTest(source: string): (text: string) => boolean {
  if (source === '') return () => true
  const regex = new Regex(`(?s:.*)(?:${source})(?s:.*)`)
  return text => regex.test(text)
}

function escaped(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
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
export function fieldNames({ members }: Measurement): string[] {
  const names = new Set<string>()
  for (const { fields } of members) for (const name of fields.keys()) names.add(name)
  return [...names].sort()
}

/** Names of all tags of some measurements, sorted. */
export function tagNames(measurements: readonly Measurement[]): string[] {
  const names = new Set<string>()
  for (const { members } of measurements)
    for (const { labels } of members) for (const [name] of labels) names.add(name)
  return [...names].sort()
}

/** The kind of each field: of the newest value in the first series that has one. */
export function fieldKinds(
  source: SeriesSource,
  measurement: Measurement,
  budget: Budget
): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  const open = new Set(fieldNames(measurement))
  for (const { group, fields } of measurement.members) {
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

// What a key of a TS command names: a series. A key that was given labels (TS.CREATE, TS.ADD ... LABELS) stands for
// its name with those; any other is read as a selector, so that every series of varve can be asked for, such as
// temperature{topic="site1/dev7"}.
//
//   namespace redis.series   key := key, value := CBOR array of [label, value]
// Not here: commands (series-commands.ts).
import { decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { NativeRequest, Selection } from '../query/request.ts'
import { type Matcher, NAME_LABEL } from '../series/matcher.ts'
import { parseSelector } from '../series/selector.ts'
import type { Hub } from './hub.ts'
import { fail } from './reply-error.ts'

const DEFINED = 'redis.series'

export type LabelPairs = readonly (readonly [name: string, value: string])[]

export interface SeriesKey {
  readonly name: string
  readonly labels: LabelPairs
}

/** The labels that a key was given; null: none were. @param key  a byte string */
export function definedLabels(hub: Hub, key: string): LabelPairs | null {
  const entry = hub.space.get(DEFINED, key)
  return entry === undefined ? null : (decodeCbor(entry.value) as LabelPairs)
}

export function defineLabels(hub: Hub, key: string, labels: LabelPairs): void {
  hub.space.put(DEFINED, key, encodeCbor(labels))
}

/** Which series a key names; for writing, so it must be one. @throws {ReplyError} */
export function seriesOf(hub: Hub, key: string): SeriesKey {
  const text = utf8(key)
  const labels = definedLabels(hub, key)
  if (labels !== null) return { name: text, labels }
  const matchers = matchersOf(text)
  const name = matchers.find(one => one.name === NAME_LABEL)
  if (name === undefined || matchers.some(({ op }) => op !== '=')) {
    return fail('ERR TSDB: the key names more than one series')
  }
  const pairs = matchers.filter(one => one !== name).map(one => [one.name, one.value] as const)
  return { name: name.value, labels: pairs }
}

/** The series that a key selects. @throws {ReplyError} */
export function selectionOf(hub: Hub, key: string): Selection {
  const labels = definedLabels(hub, key)
  const text = utf8(key)
  const matchers =
    labels === null
      ? matchersOf(text)
      : [equal(NAME_LABEL, text), ...labels.map(([name, value]) => equal(name, value))]
  return { selectors: [matchers], topic: null }
}

/** What names a series in a reply: the key that it was created by, or its selector. */
export function keyOf(hub: Hub, { name, labels }: SeriesKey): string {
  const defined = definedLabels(hub, Buffer.from(name).toString('latin1'))
  if (defined !== null && same(defined, labels)) return name
  if (labels.length === 0) return name
  return `${name}{${labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`
}

function same(a: LabelPairs, b: LabelPairs): boolean {
  const text = (labels: LabelPairs) => JSON.stringify([...labels].sort(([x], [y]) => (x < y ? -1 : 1)))
  return text(a) === text(b)
}

function matchersOf(text: string): Matcher[] {
  // A name that is no selector, with blanks say, stands for itself.
  return /[{]/.test(text) ? [...parseSelector(text)] : [equal(NAME_LABEL, text)]
}

function equal(name: string, value: string): Matcher {
  return { name, op: '=', value }
}

function utf8(key: string): string {
  return Buffer.from(key, 'latin1').toString()
}

/** label=value, label!=value, label=(a,b), label= (none), label!= (some). @throws {ReplyError} */
export function filterOf(words: readonly string[]): Selection {
  if (words.length === 0) fail('ERR TSDB: missing FILTER argument')
  const matchers = words.map(word => {
    const found = /^([^=!]+)(!?=)(.*)$/s.exec(utf8(word))
    if (found === null) return fail('ERR TSDB: failed parsing labels')
    const [, name, op, value] = found as unknown as [string, string, '=' | '!=', string]
    if (!value.startsWith('(') || !value.endsWith(')')) return { name, op, value }
    const values = value
      .slice(1, -1)
      .split(',')
      .map(one => one.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return { name, op: op === '=' ? ('=~' as const) : ('!~' as const), value: values.join('|') }
  })
  if (!matchers.some(({ op, value }) => op.startsWith('=') && value !== '')) {
    fail('ERR TSDB: please provide at least one matcher')
  }
  return { selectors: [matchers], topic: null }
}

/** One series of an answer. */
export interface AnsweredSeries extends SeriesKey {
  readonly rows: readonly (readonly unknown[])[]
}

interface AnswerPart {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly rows?: readonly (readonly unknown[])[]
  readonly time_us?: number
  readonly value?: unknown
}

/** Asks, and reads the answer: rows are [us, value ...]. */
export async function ask(hub: Hub, request: NativeRequest): Promise<AnsweredSeries[]> {
  const { series } = (await hub.series!.ask(request)) as { series: AnswerPart[] }
  return series.map(({ name, labels, rows, time_us: timeUs, value }) => ({
    name,
    labels: Object.entries(labels),
    rows: rows ?? (timeUs === undefined ? [] : [[timeUs, value]])
  }))
}

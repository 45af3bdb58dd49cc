// The commands of Redis' module of series, over the series of varve: what a device published by MQTT can be read here,
// and what is added here by every other face.
//
// Retention, rollups and encoding are the store's own affair (varve.toml), and the later of two samples at one time
// wins: options that ask for anything else are refused. Times are milliseconds.
// Not here: what a key names (series-key.ts), the options of ranges (series-range.ts).

import { TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family, type Later } from './command.ts'
import type { Hub } from './hub.ts'
import { doubleOf, integerOf } from './numbers.ts'
import { printDouble, type Reply } from './reply.ts'
import { fail } from './reply-error.ts'
import {
  type AnsweredSeries,
  ask,
  definedLabels,
  defineLabels,
  filterOf,
  keyOf,
  type LabelPairs,
  selectionOf,
  seriesOf
} from './series-key.ts'
import { pairsOf, type RangeOptions, rangeRequest, readRange } from './series-range.ts'

const EXISTS = 'ERR TSDB: key already exists'
const NO_KEY = 'ERR TSDB: the key does not exist'

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString()
}

/** Options of TS.ADD and TS.CREATE. @returns the labels; null: none are stated @throws {ReplyError} */
function readOptions(args: Args, from: number): LabelPairs | null {
  for (let i = from; i < args.count; i += 2) {
    const word = args.upper(i)
    if (word === 'LABELS') return readLabels(args, i + 1)
    if (i + 1 >= args.count) fail(`ERR TSDB: Couldn't parse ${word}`)
    const value = args.upper(i + 1)
    if (word === 'RETENTION') {
      if (value !== '0') fail('ERR TSDB: retention is set in varve.toml, for all faces')
    } else if (word === 'ON_DUPLICATE' || word === 'DUPLICATE_POLICY') {
      if (value !== 'LAST')
        fail('ERR TSDB: the later of two samples at one time wins: LAST is the only policy')
    } else if (word !== 'ENCODING' && word !== 'CHUNK_SIZE')
      fail(`ERR TSDB: ${args.text(i)} is not known here`)
  }
  return null
}

function readLabels(args: Args, from: number): LabelPairs {
  if ((args.count - from) % 2 === 1) fail("ERR TSDB: Couldn't parse LABELS")
  const labels: [string, string][] = []
  for (let i = from; i < args.count; i += 2) labels.push([utf8(args.text(i)), utf8(args.text(i + 1))])
  return labels
}

/** Appends one sample. @returns its time in ms */
function addOne(hub: Hub, key: string, time: string, value: string, given: LabelPairs | null): number {
  const nowUs = hub.clock.nowUs()
  const timeUs = time === '*' ? nowUs : integerOf(time, 'ERR TSDB: invalid timestamp') * 1000
  if (timeUs < TIME_MIN_US || timeUs > TIME_MAX_US) fail('ERR TSDB: invalid timestamp')
  const number = doubleOf(value, 'ERR TSDB: invalid value')
  // The sample goes first: the labels of a key whose sample is refused would stay.
  const labels = definedLabels(hub, key) ?? given
  const name = labels === null ? seriesOf(hub, key) : { name: utf8(key), labels }
  const group = hub.series!.append({ ...name, timeUs, value: number })
  if (group > hub.space.wait) hub.space.wait = group
  if (given !== null && definedLabels(hub, key) === null) defineLabels(hub, key, given)
  return Math.floor(timeUs / 1000)
}

function add(client: Client, args: Args) {
  const labels = readOptions(args, 4)
  client.out.int(addOne(client.hub, args.text(1), args.text(2), args.text(3), labels))
}

function addMany(client: Client, args: Args) {
  if ((args.count - 1) % 3 !== 0) fail("ERR wrong number of arguments for 'ts.madd' command")
  client.out.array((args.count - 1) / 3)
  for (let i = 1; i < args.count; i += 3) {
    try {
      client.out.int(addOne(client.hub, args.text(i), args.text(i + 1), args.text(i + 2), null))
    } catch (error) {
      // Each sample has its own reply.
      if (!(error instanceof Error && 'code' in error)) throw error
      client.out.error(error.message.startsWith('ERR') ? error.message : `ERR TSDB: ${error.message}`)
    }
  }
}

function create(client: Client, args: Args) {
  const key = args.text(1)
  const labels = readOptions(args, 2) ?? []
  if (definedLabels(client.hub, key) !== null) fail(EXISTS)
  defineLabels(client.hub, key, labels)
  client.out.ok()
}

function writePair(out: Reply, [ms, value]: readonly [number, number]): void {
  out.array(2)
  out.int(ms)
  if (out.protocol === 3) out.double(value)
  else out.simple(printDouble(value))
}

function writePairs(out: Reply, pairs: readonly [number, number][]): void {
  out.array(pairs.length)
  for (const pair of pairs) writePair(out, pair)
}

/** The one series of an answer. @throws {ReplyError} */
function only(found: readonly AnsweredSeries[]): AnsweredSeries {
  if (found.length === 0) fail(NO_KEY)
  if (found.length > 1) fail(`ERR TSDB: the key names ${found.length} series`)
  return found[0]!
}

function range(isReverse: boolean) {
  return async (client: Client, args: Args): Later => {
    const { hub } = client
    const options = readRange(args, 2, false)
    const select = selectionOf(hub, args.text(1))
    const isDefined = definedLabels(hub, args.text(1)) !== null
    const found = await ask(hub, rangeRequest(select, options, isReverse))
    const rows = found.length === 0 && isDefined ? [] : only(found).rows
    return out => writePairs(out, pairsOf(rows, options))
  }
}

function writeSeries(
  hub: Hub,
  out: Reply,
  series: AnsweredSeries,
  labels: RangeOptions['labels'],
  writeRows: () => void
): void {
  out.array(3)
  out.utf8(keyOf(hub, series))
  const shown =
    labels === 'all'
      ? series.labels
      : (labels ?? []).map(name => [name, series.labels.find(([is]) => is === name)?.[1]])
  out.array(shown.length)
  for (const [name, value] of shown) {
    out.array(2)
    out.utf8(name!)
    if (value === undefined) out.nil()
    else out.utf8(value)
  }
  writeRows()
}

function rangeMany(isReverse: boolean) {
  return async (client: Client, args: Args): Later => {
    const { hub } = client
    const options = readRange(args, 1, true)
    const found = await ask(hub, rangeRequest(filterOf(options.filter), options, isReverse))
    return out => {
      out.array(found.length)
      for (const series of found) {
        writeSeries(hub, out, series, options.labels, () => writePairs(out, pairsOf(series.rows, options)))
      }
    }
  }
}

const EVERYTHING: RangeOptions = {
  fromUs: TIME_MIN_US,
  toUs: TIME_MAX_US,
  count: null,
  stepUs: null,
  aggregate: null,
  low: Number.NEGATIVE_INFINITY,
  high: Number.POSITIVE_INFINITY,
  labels: null,
  filter: []
}

async function get(client: Client, args: Args): Later {
  const { hub } = client
  const select = selectionOf(hub, args.text(1))
  const isDefined = definedLabels(hub, args.text(1)) !== null
  const found = await ask(hub, {
    kind: 'last',
    select,
    format: 'cbor',
    time: 'us',
    limit: null,
    toUs: TIME_MAX_US
  })
  const rows = found.length === 0 && isDefined ? [] : only(found).rows
  return out => {
    const [pair] = pairsOf(rows, EVERYTHING)
    if (pair === undefined) out.array(0)
    else writePair(out, pair)
  }
}

async function getMany(client: Client, args: Args): Later {
  const { hub } = client
  // The same words as a range has, without its times.
  const words = Args.of(['TS.MRANGE', '-', '+', ...args.texts(1)])
  const { labels, filter } = readRange(words, 1, true)
  const select = filterOf(filter)
  const found = await ask(hub, {
    kind: 'last',
    select,
    format: 'cbor',
    time: 'us',
    limit: null,
    toUs: TIME_MAX_US
  })
  return out => {
    out.array(found.length)
    for (const series of found) {
      const [pair] = pairsOf(series.rows, EVERYTHING)
      writeSeries(hub, out, series, labels, () => (pair === undefined ? out.array(0) : writePair(out, pair)))
    }
  }
}

async function queryIndex(client: Client, args: Args): Later {
  const { hub } = client
  const select = filterOf(args.texts(1))
  const found = await ask(hub, { kind: 'series', select, format: 'cbor', time: 'us', limit: null })
  return out => {
    out.set(found.length)
    for (const series of found) out.utf8(keyOf(hub, series))
  }
}

async function info(client: Client, args: Args): Later {
  const { hub } = client
  const select = selectionOf(hub, args.text(1))
  const windows = {
    stepUs: TIME_MAX_US,
    functions: ['count' as const],
    by: null,
    tier: 'raw',
    explain: false
  }
  const request = { ...rangeRequest(select, EVERYTHING, false), windows } as ReturnType<typeof rangeRequest>
  const counted = only(await ask(hub, request))
  const [first] = await ask(hub, rangeRequest(select, { ...EVERYTHING, count: 1 }, false))
  const [last] = await ask(hub, rangeRequest(select, { ...EVERYTHING, count: 1 }, true))
  const ms = (series: AnsweredSeries | undefined) => Math.floor(Number(series?.rows[0]?.[0] ?? 0) / 1000)
  return out => {
    out.map(4)
    for (const [name, value] of [
      ['totalSamples', counted.rows.reduce((sum, row) => sum + Number(row[1]), 0)],
      ['firstTimestamp', ms(first)],
      ['lastTimestamp', ms(last)]
    ] as const) {
      out.text(name)
      out.int(value)
    }
    out.text('labels')
    out.array(counted.labels.length)
    for (const [name, value] of counted.labels) {
      out.array(2)
      out.utf8(name)
      out.utf8(value)
    }
  }
}

export const seriesCommands = family('timeseries', [
  command('ts.create', -2, 'wf', 'one', 'Gives a key labels.', create),
  command('ts.add', -4, 'w', 'one', 'Adds a sample.', add),
  command('ts.madd', -4, 'w', [1, -1, 3], 'Adds samples.', addMany),
  command('ts.range', -4, 'r', 'one', 'Returns the samples of a span.', range(false), ['no_multi']),
  command('ts.revrange', -4, 'r', 'one', 'The same backwards.', range(true), ['no_multi']),
  command('ts.mrange', -4, 'r', 'none', 'Returns the samples of many series.', rangeMany(false), [
    'no_multi'
  ]),
  command('ts.mrevrange', -4, 'r', 'none', 'The same backwards.', rangeMany(true), ['no_multi']),
  command('ts.get', -2, 'r', 'one', 'Returns the newest sample.', get, ['no_multi']),
  command('ts.mget', -3, 'r', 'none', 'Returns the newest samples of many series.', getMany, ['no_multi']),
  command('ts.info', -2, 'r', 'one', 'Tells of a series.', info, ['no_multi']),
  command('ts.queryindex', -2, 'r', 'none', 'Returns which series there are.', queryIndex, ['no_multi'])
])

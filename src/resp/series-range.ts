// The options of TS.RANGE and TS.MRANGE, and what they ask of the query layer.
//
// Aggregations are those that varve's windows know; windows begin at multiples of their length since 1970, which is
// what Redis does without ALIGN. What cannot be done is refused, never left out.
import type { NativeRequest, Selection, WindowFunction } from '../query/request.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import type { Args } from './args.ts'
import { doubleOf, integerOf } from './numbers.ts'
import { fail } from './reply-error.ts'

export interface RangeOptions {
  readonly fromUs: number
  readonly toUs: number
  count: number | null
  stepUs: number | null
  aggregate: WindowFunction | 'range' | null
  low: number
  high: number
  /** Labels in the reply: all, those named, or none. */
  labels: 'all' | readonly string[] | null
  filter: readonly string[]
}

const FUNCTIONS: readonly string[] = ['avg', 'sum', 'min', 'max', 'count', 'first', 'last', 'range']

function timeOf(text: string, open: string, openUs: number): number {
  if (text === open) return openUs
  const ms = integerOf(text, 'ERR TSDB: wrong fromTimestamp')
  return Math.min(Math.max(ms * 1000, TIME_MIN_US), TIME_MAX_US)
}

/** @param at  the word that states the beginning @throws {ReplyError} */
export function readRange(args: Args, at: number, isMany: boolean): RangeOptions {
  const options: RangeOptions = {
    fromUs: timeOf(args.text(at), '-', TIME_MIN_US),
    // A millisecond holds all its microseconds.
    toUs: Math.min(timeOf(args.text(at + 1), '+', TIME_MAX_US) + 999, TIME_MAX_US),
    count: null,
    stepUs: null,
    aggregate: null,
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
    labels: null,
    filter: []
  }
  for (let i = at + 2; i < args.count; ) i = readOption(args, i, options, isMany)
  return options
}

/** @returns the place of the next option */
function readOption(args: Args, i: number, options: RangeOptions, isMany: boolean): number {
  const word = args.upper(i)
  const has = (n: number): boolean => i + n < args.count
  if (word === 'LATEST') return i + 1
  if (word === 'COUNT' && has(1)) {
    options.count = integerOf(args.text(i + 1), "ERR TSDB: Couldn't parse COUNT")
    if (options.count < 1) fail('ERR TSDB: Invalid COUNT value')
    return i + 2
  }
  if (word === 'FILTER_BY_VALUE' && has(2)) {
    options.low = doubleOf(args.text(i + 1), "ERR TSDB: Couldn't parse MIN")
    options.high = doubleOf(args.text(i + 2), "ERR TSDB: Couldn't parse MAX")
    return i + 3
  }
  if (word === 'AGGREGATION' && has(2)) {
    const name = args.text(i + 1).toLowerCase()
    if (!FUNCTIONS.includes(name)) fail(`ERR TSDB: aggregation ${name} is not known here`)
    options.aggregate = name as RangeOptions['aggregate']
    const ms = integerOf(args.text(i + 2), "ERR TSDB: Couldn't parse AGGREGATION")
    if (ms < 1) fail('ERR TSDB: bucketDuration must be greater than zero')
    options.stepUs = ms * 1000
    return i + 3
  }
  if (isMany && word === 'WITHLABELS') {
    options.labels = 'all'
    return i + 1
  }
  if (isMany && (word === 'SELECTED_LABELS' || word === 'FILTER')) {
    let end = i + 1
    while (end < args.count && !isKeyword(args.upper(end))) end++
    if (word === 'FILTER') options.filter = args.texts(i + 1).slice(0, end - i - 1)
    else options.labels = args.texts(i + 1).slice(0, end - i - 1)
    return end
  }
  return fail(`ERR TSDB: ${args.text(i)} is not known here`)
}

function isKeyword(word: string): boolean {
  return [
    'FILTER',
    'WITHLABELS',
    'SELECTED_LABELS',
    'COUNT',
    'AGGREGATION',
    'LATEST',
    'GROUPBY',
    'FILTER_BY_VALUE'
  ].includes(word)
}

/** The question; without windows, rows beyond a value filter are read too, so that the count holds after it. */
export function rangeRequest(select: Selection, options: RangeOptions, isReverse: boolean): NativeRequest {
  const { fromUs, toUs, count, stepUs, aggregate, low, high } = options
  const isFiltered = low > Number.NEGATIVE_INFINITY || high < Number.POSITIVE_INFINITY
  if (isFiltered && stepUs !== null) fail('ERR TSDB: FILTER_BY_VALUE with AGGREGATION is not known here')
  const functions: WindowFunction[] =
    aggregate === 'range' ? ['max', 'min'] : aggregate === null ? [] : [aggregate]
  return {
    kind: 'range',
    select,
    format: 'cbor',
    time: 'us',
    limit: isFiltered ? null : count,
    fromUs,
    toUs,
    order: isReverse ? 'desc' : 'asc',
    windows: stepUs === null ? null : { stepUs, functions, by: null, tier: 'auto', explain: false }
  }
}

/** Rows as [ms, number]: what is no number is left out, since Redis has none. */
export function pairsOf(
  rows: readonly (readonly unknown[])[],
  options: RangeOptions
): [ms: number, value: number][] {
  const pairs: [number, number][] = []
  for (const [timeUs, first, second] of rows) {
    const value = options.aggregate === 'range' ? Number(first) - Number(second) : first
    // CBOR brings large integers as BigInt.
    const number = typeof value === 'boolean' || typeof value === 'bigint' ? Number(value) : value
    if (typeof number !== 'number' || number < options.low || number > options.high) continue
    pairs.push([Math.floor(Number(timeUs) / 1000), number])
    if (pairs.length === options.count) break
  }
  return pairs
}

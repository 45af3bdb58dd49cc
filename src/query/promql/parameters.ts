// Reads the requests of Prometheus' API from named parameters. As there, unknown parameters are passed over
// (clients add their own), times are seconds or RFC 3339, and messages name the parameter.
//
//   query       query, time, timeout, limit, lookback_delta      query_range   and start, end, step
//   series, labels, values   match[], start, end, limit          metadata      metric, limit
//
// Our own: rules=2 asks for ranges closed at their start, as in Prometheus 2; 3 is what is done else. tier=raw
// reads no rollups; explain=1 says what was read.
// Not here: HTTP (http/routes-prometheus.ts), reading the PromQL itself (read.ts).
import { VarveError } from '../../base/errors.ts'
import { quoted } from '../../promql/error.ts'
import { readDuration } from '../../promql/literal.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import type {
  PromqlFormatRequest,
  PromqlInstantRequest,
  PromqlListRequest,
  PromqlRangeRequest
} from '../request.ts'
import { parseTime } from '../time-text.ts'

export type ApiParameters = ReadonlyMap<string, readonly string[]>

/** What holds where a client says nothing. */
export interface PromqlOptions {
  readonly lookbackUs: number
  readonly subqueryStepUs: number
  readonly rules: '2' | '3'
  /** Steps of a range query. */
  readonly pointsMax: number
}

export const DEFAULT_PROMQL_OPTIONS: PromqlOptions = {
  lookbackUs: 300_000_000,
  subqueryStepUs: 60_000_000,
  rules: '3',
  pointsMax: 11_000
}

/** Seconds that Go's durations hold. */
const SECONDS_MAX = 2 ** 63 / 1e9
/** Times beyond this are no times: Prometheus' own bounds, about 292 million years. */
const TIME_SECONDS_MAX = 9.2e15
const MATCH_MAX = 64

/** A request that cannot be understood, in Prometheus' words. */
export class ApiParameterError extends VarveError {
  override readonly name = 'ApiParameterError'
  constructor(message: string) {
    super('VARVE_PARAMETER', message)
  }
}

function bad(name: string, why: string): ApiParameterError {
  return new ApiParameterError(`invalid parameter ${quoted(name)}: ${why}`)
}

function given(parameters: ApiParameters, name: string): string {
  return parameters.get(name)?.[0] ?? ''
}

/** us, rounded to ms. */
function time(parameters: ApiParameters, name: string, nowUs: number, other?: number): number {
  const text = given(parameters, name)
  if (text === '' && other !== undefined) return other
  const seconds = readFloat(text)
  if (seconds !== null && Math.abs(seconds) < TIME_SECONDS_MAX) return Math.round(seconds * 1000) * 1000
  try {
    if (/^[-+]?\d{4,}-\d\d-\d\dT/.test(text)) {
      if (text.startsWith('-292273086')) return TIME_MIN_US
      if (text.startsWith('292277025')) return TIME_MAX_US
      return parseTime(text, nowUs)
    }
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
  }
  throw bad(name, `cannot parse ${quoted(text)} to a valid timestamp`)
}

function readFloat(text: string): number | null {
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text) ? Number(text) : null
}

/** us, as a number of seconds or a duration. */
function span(parameters: ApiParameters, name: string): number {
  const text = given(parameters, name)
  const seconds = readFloat(text)
  if (seconds !== null) {
    if (Math.abs(seconds) <= SECONDS_MAX) return Math.trunc(seconds * 1e6)
    throw bad(name, `cannot parse ${quoted(text)} to a valid duration. It overflows int64`)
  }
  const ms = readDuration(text)
  if (ms === null) throw bad(name, `cannot parse ${quoted(text)} to a valid duration`)
  return ms * 1000
}

function limit(parameters: ApiParameters): number | null {
  const text = given(parameters, 'limit')
  if (text === '') return null
  if (!/^[-+]?\d{1,15}$/.test(text)) {
    throw bad('limit', `strconv.Atoi: parsing ${quoted(text)}: invalid syntax`)
  }
  if (Number(text) < 0) throw bad('limit', 'limit must be non-negative')
  return Number(text) === 0 ? null : Number(text)
}

function question(parameters: ApiParameters, options: PromqlOptions) {
  const rules = given(parameters, 'rules')
  if (rules !== '' && rules !== '2' && rules !== '3')
    throw bad('rules', `${quoted(rules)} is neither 2 nor 3`)
  const lookbackUs = given(parameters, 'lookback_delta') === '' ? 0 : span(parameters, 'lookback_delta')
  const timeoutUs = given(parameters, 'timeout') === '' ? null : span(parameters, 'timeout')
  return {
    query: given(parameters, 'query'),
    lookbackUs: lookbackUs > 0 ? lookbackUs : options.lookbackUs,
    subqueryStepUs: options.subqueryStepUs,
    rules: rules === '' ? options.rules : rules,
    secondsMax: timeoutUs === null ? null : Math.max(0, timeoutUs / 1e6),
    limit: limit(parameters),
    tier: choice(parameters, 'tier', ['auto', 'raw']),
    explain: choice(parameters, 'explain', ['0', '1']) === '1'
  }
}

/** @param known  the first is what is done else */
function choice<T extends string>(
  parameters: ApiParameters,
  name: string,
  known: readonly [T, ...(readonly T[])]
): T {
  const text = given(parameters, name)
  const found = text === '' ? known[0] : known.find(one => one === text)
  if (found === undefined) throw bad(name, `${quoted(text)} is neither ${known.join(' nor ')}`)
  return found
}

/** /api/v1/query. @throws {ApiParameterError} */
export function readInstantRequest(
  parameters: ApiParameters,
  nowUs: number,
  options: PromqlOptions
): PromqlInstantRequest {
  const nowMs = Math.floor(nowUs / 1000)
  const timeUs = time(parameters, 'time', nowUs, nowMs * 1000)
  return { kind: 'promql-instant', timeUs, ...question(parameters, options) }
}

/** /api/v1/query_range. @throws {ApiParameterError} */
export function readRangeRequest(
  parameters: ApiParameters,
  nowUs: number,
  options: PromqlOptions
): PromqlRangeRequest {
  const startUs = time(parameters, 'start', nowUs)
  const endUs = time(parameters, 'end', nowUs)
  if (endUs < startUs) throw bad('end', 'end timestamp must not be before start time')
  const given = span(parameters, 'step')
  if (given <= 0) {
    throw bad(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer'
    )
  }
  // Prometheus steps by whole milliseconds.
  const stepUs = Math.max(1000, Math.floor(given / 1000) * 1000)
  if ((endUs - startUs) / stepUs > options.pointsMax) {
    const points = options.pointsMax.toLocaleString('en')
    throw new ApiParameterError(
      `exceeded maximum resolution of ${points} points per timeseries. Try decreasing the query resolution (?step=XX)`
    )
  }
  return { kind: 'promql-range', startUs, endUs, stepUs, ...question(parameters, options) }
}

/** /api/v1/format_query. */
export function readFormatRequest(parameters: ApiParameters): PromqlFormatRequest {
  return { kind: 'promql-format', query: given(parameters, 'query') }
}

/**
 * /api/v1/series, labels, label/<name>/values and metadata.
 * @param name  the label whose values are asked for
 * @throws {ApiParameterError}
 */
export function readListRequest(
  kind: PromqlListRequest['kind'],
  parameters: ApiParameters,
  nowUs: number,
  name = ''
): PromqlListRequest {
  const match = parameters.get('match[]') ?? []
  if (kind === 'promql-series' && match.length === 0) {
    throw new ApiParameterError('no match[] parameter provided')
  }
  if (match.length > MATCH_MAX) throw bad('match[]', `more than ${MATCH_MAX} selectors`)
  return {
    kind,
    match,
    name: kind === 'promql-metadata' ? given(parameters, 'metric') : name,
    startUs: time(parameters, 'start', nowUs, TIME_MIN_US),
    endUs: time(parameters, 'end', nowUs, TIME_MAX_US),
    limit: limit(parameters)
  }
}

/** A label name as it comes in a path: U__ marks one whose odd characters are written _<hex>_. */
export function decodeLabelName(text: string): string {
  if (!text.startsWith('U__')) return text
  return text.slice(3).replace(/__|_([0-9a-fA-F]{1,6})_/g, (whole, hex?: string) => {
    if (hex === undefined) return '_'
    const code = Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

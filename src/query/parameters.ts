// Reads a request from named parameters: those of a URL, a form, a JSON object or the command line. Every
// parameter is known and checked here, so that a misspelt one is an error and not an answer to another
// question.
//
//   all       match (or match[]; may repeat, any of them), topic (MQTT filter), format, time, limit
//   last      to
//   range     from, to, order, step; with step: fn, by, tier (auto, raw or the name of a rollup tier),
//             explain (1: say what was read instead of the answer)
//   history   from, to, order; topic is needed
//
// from and to are both part of the span; without them it has no end. limit counts rows: of each series for
// a range, of the whole answer else.
// Not here: HTTP (http/routes-query.ts).
import { reason, VarveError } from '../base/errors.ts'
import { parseDuration } from '../base/units.ts'
import { type Matcher, NAME_LABEL } from '../series/matcher.ts'
import { Regex } from '../series/regex.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import { parseSelector, SelectorError } from '../series/selector.ts'
import type { Order } from '../series/source.ts'
import { checkTopicFilter } from '../series/topic-filter.ts'
import {
  FORMATS,
  type NativeRequest,
  type QueryKind,
  type Selection,
  TIME_STYLES,
  WINDOW_FUNCTIONS,
  type WindowFunction,
  type WindowRequest
} from './request.ts'
import { parseTime } from './time-text.ts'

/** The values of each parameter, in the order given. */
export type Parameters = ReadonlyMap<string, readonly string[]>

/** A request that cannot be understood. `where` names the parameter. */
export class ParameterError extends VarveError {
  override readonly name = 'ParameterError'
  readonly where: string
  constructor(where: string, why: string, options?: ErrorOptions) {
    super('VARVE_PARAMETER', `Cannot read parameter ${where}: ${why}`, options)
    this.where = where
  }
}

const COMMON = ['match', 'match[]', 'topic', 'format', 'time', 'limit']
const KNOWN: Readonly<Record<QueryKind, readonly string[]>> = {
  series: COMMON,
  last: [...COMMON, 'to'],
  range: [...COMMON, 'from', 'to', 'order', 'step', 'fn', 'by', 'tier', 'explain'],
  history: [...COMMON, 'from', 'to', 'order']
}
const ORDERS = ['asc', 'desc'] as const
const LIMITS = { selectorsMax: 64, byMax: 32 } as const

/** @throws {ParameterError} naming the parameter that is unknown, missing or wrong */
export function readRequest(kind: QueryKind, given: Parameters, nowUs: number): NativeRequest {
  for (const name of given.keys()) {
    if (!KNOWN[kind].includes(name)) {
      throw new ParameterError(
        name.slice(0, 60),
        `/v1/${kind} does not know it; it knows ${KNOWN[kind].join(', ')}`
      )
    }
  }
  const question = {
    select: selection(given),
    format: choice(given, 'format', FORMATS, 'json'),
    time: choice(given, 'time', TIME_STYLES, 'us'),
    limit: limit(given)
  }
  const toUs = time(given, 'to', nowUs) ?? TIME_MAX_US
  if (kind === 'series') return { kind, ...question }
  if (kind === 'last') return { kind, ...question, toUs }
  const fromUs = time(given, 'from', nowUs) ?? TIME_MIN_US
  if (fromUs > toUs) throw new ParameterError('from', 'it is later than to')
  const order: Order = choice(given, 'order', ORDERS, 'asc')
  if (kind === 'range') return { kind, ...question, fromUs, toUs, order, windows: windows(given) }
  if (question.select.topic === null) throw new ParameterError('topic', '/v1/history needs a topic or filter')
  return { kind, ...question, fromUs, toUs, order }
}

/** The only value of a parameter, or null when it is not given or empty. */
function single(given: Parameters, name: string): string | null {
  const values = given.get(name) ?? []
  if (values.length > 1) throw new ParameterError(name, `it is given ${values.length} times`)
  return values[0] === undefined || values[0] === '' ? null : values[0]
}

function choice<T extends string>(given: Parameters, name: string, known: readonly T[], other: T): T {
  const text = single(given, name)
  if (text === null) return other
  const found = known.find(value => value === text)
  if (found === undefined) {
    throw new ParameterError(name, `${JSON.stringify(text.slice(0, 40))} is not one of ${known.join(', ')}`)
  }
  return found
}

function limit(given: Parameters): number | null {
  const text = single(given, 'limit')
  if (text === null) return null
  if (!/^\d{1,15}$/.test(text) || Number(text) < 1) {
    throw new ParameterError('limit', `${JSON.stringify(text.slice(0, 40))} is not a whole number from 1`)
  }
  return Number(text)
}

function time(given: Parameters, name: string, nowUs: number): number | null {
  const text = single(given, name)
  return text === null ? null : reading(name, () => parseTime(text, nowUs))
}

/** Turns what a parser below threw into an error that names the parameter. */
function reading<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof VarveError)) throw cause
    const place = cause instanceof SelectorError ? `${where}:${cause.position}` : where
    throw new ParameterError(place, reason(cause), { cause })
  }
}

function selection(given: Parameters): Selection {
  const selectors: Matcher[][] = []
  for (const name of ['match', 'match[]']) {
    for (const text of given.get(name) ?? []) {
      if (selectors.length >= LIMITS.selectorsMax) {
        throw new ParameterError(name, `more than ${LIMITS.selectorsMax} selectors`)
      }
      selectors.push(
        reading(name, () => {
          const matchers = parseSelector(text)
          for (const { op, value } of matchers) if (op.endsWith('~')) new Regex(value)
          return matchers
        })
      )
    }
  }
  const topic = single(given, 'topic')
  if (topic !== null) reading('topic', () => checkTopicFilter(topic))
  return { selectors, topic }
}

function windows(given: Parameters): WindowRequest | null {
  const step = single(given, 'step')
  if (step === null) {
    for (const name of ['fn', 'by', 'tier', 'explain'] as const) {
      if (given.has(name)) throw new ParameterError(name, 'it needs step')
    }
    return null
  }
  const stepUs = reading('step', () => parseDuration(step)) * 1000
  if (stepUs < 1000 || stepUs > TIME_MAX_US) throw new ParameterError('step', 'it must be from 1ms to 285y')
  const functions = list(given, 'fn').map(name => {
    const found = /^p(?:100|\d{1,2}(?:\.\d{1,3})?)$/.test(name)
      ? (name as WindowFunction)
      : WINDOW_FUNCTIONS.find(known => known === name)
    if (found === undefined) {
      const known = [...WINDOW_FUNCTIONS, 'p0 to p100 (such as p99.9)'].join(', ')
      throw new ParameterError('fn', `${JSON.stringify(name.slice(0, 40))} is not one of ${known}`)
    }
    return found
  })
  if (new Set(functions).size < functions.length) throw new ParameterError('fn', 'a function is given twice')
  const by = given.has('by') ? list(given, 'by') : null
  if (by !== null && by.length > LIMITS.byMax)
    throw new ParameterError('by', `more than ${LIMITS.byMax} labels`)
  if (by?.includes(NAME_LABEL)) throw new ParameterError('by', 'series of different names are never combined')
  return {
    stepUs,
    functions: functions.length === 0 ? ['avg'] : functions,
    by: by && [...new Set(by)].sort(),
    tier: single(given, 'tier') ?? 'auto',
    explain: choice(given, 'explain', ['0', '1'], '0') === '1'
  }
}

/** Values separated by commas, in one parameter or several. */
function list(given: Parameters, name: string): string[] {
  return (given.get(name) ?? [])
    .flatMap(text => text.split(','))
    .map(text => text.trim())
    .filter(text => text !== '')
}

// From a request to the bytes of its answer: the one entry, in a worker as in a command.
import type { Clock } from '../base/clock.ts'
import type { SeriesSource } from '../series/source.ts'
import type { Answer } from './answer.ts'
import { damageMember, withDamage } from './damage-note.ts'
import { encodeCbor } from './encode-cbor.ts'
import { encodeCsv } from './encode-csv.ts'
import { encodeJson, encodeJsonLines } from './encode-json.ts'
import { exportRows } from './export.ts'
import { history } from './history.ts'
import { answerInfluxql } from './influxql/answer.ts'
import { lastValues } from './last.ts'
import { Budget, type QueryLimits } from './limits.ts'
import { listSeries } from './list.ts'
import { answerPromql } from './promql/answer.ts'
import { answerRemoteRead } from './promql/remote-read.ts'
import { rawRange } from './range.ts'
import { windowedRange } from './range-windows.ts'
import type { Format, NativeRequest, PromqlRequest, QueryRequest, TimeStyle } from './request.ts'

/** What a query runs under. */
export interface QueryContext {
  readonly limits: QueryLimits
  readonly clock: Clock
  /** Asked between runs and pieces; true ends the query with VARVE_QUERY_CANCELLED. */
  isCancelled(): boolean
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  cbor: 'application/cbor'
}

const ENCODERS: Readonly<Record<Format, (answer: Answer, style: TimeStyle) => Iterable<Uint8Array>>> = {
  json: encodeJson,
  ndjson: encodeJsonLines,
  csv: encodeCsv,
  cbor: encodeCbor
}

/**
 * The bytes of the answer, in pieces of about 64 KiB that the caller owns. The source stays open: whoever
 * opened it closes it, also when the iteration is left early.
 * @throws {VarveError} VARVE_QUERY_* when a limit is crossed (also after some pieces were given),
 * VARVE_REGEX_COST, and what reading from the source throws
 */
export function* answer(
  source: SeriesSource,
  request: QueryRequest,
  context: QueryContext
): Generator<Uint8Array, void, void> {
  const limits = isPromql(request) ? narrowed(context.limits, request) : context.limits
  const budget = new Budget(limits, context.clock, () => context.isCancelled())
  const member = damageMember(request)
  const own = piecesOf(source, request, budget)
  const pieces =
    member === null
      ? own
      : withDamage(own, member, () => ({
          damage: source.damage ?? [],
          missing: budget.notes.missing(source),
          notes: budget.notes.texts
        }))
  for (const piece of pieces) {
    if (piece.length === 0) continue
    budget.sent(piece.length)
    budget.check()
    budget.pause()
    yield piece
    budget.resume()
  }
}

function piecesOf(source: SeriesSource, request: QueryRequest, budget: Budget): Iterable<Uint8Array> {
  if (isPromql(request)) return answerPromql(source, request, budget)
  if (request.kind === 'export') return exportRows(source, request, budget)
  if (request.kind === 'influxql') return answerInfluxql(source, request, budget)
  if (request.kind === 'remote-read') return answerRemoteRead(source, request, budget)
  return ENCODERS[request.format](evaluate(source, request, budget), request.time)
}

function isPromql(request: QueryRequest): request is PromqlRequest {
  return request.kind.startsWith('promql-')
}

/** A client may ask for less time than there is. */
function narrowed(limits: QueryLimits, request: PromqlRequest): QueryLimits {
  const wanted = 'secondsMax' in request ? request.secondsMax : null
  return wanted === null ? limits : { ...limits, secondsMax: Math.min(limits.secondsMax, wanted) }
}

/** The answer before it is encoded: selection is done, rows are read as they are asked for. */
export function evaluate(source: SeriesSource, request: NativeRequest, budget: Budget): Answer {
  switch (request.kind) {
    case 'series':
      return listSeries(source, request, budget)
    case 'last':
      return lastValues(source, request, budget)
    case 'range':
      return request.windows === null
        ? rawRange(source, request, budget)
        : windowedRange(source, request, request.windows, budget)
    case 'history':
      return history(source, request, budget)
  }
}

// From an error to what a client is told: one table from codes to HTTP status, and the shape that each face
// gives it. What is not in the table is 500: our fault until shown otherwise.
//
// Statuses say what a client may do: 4xx give up (Telegraf drops such a batch), 5xx try again. So what may
// be different a minute later, a full medium or a store that refuses, must be 5xx.
import { reason, VarveError } from '../base/errors.ts'
import { jsonReply, type Reply } from './exchange.ts'

const STATUS: Readonly<Record<string, number>> = {
  VARVE_PARAMETER: 400,
  VARVE_EXPORT_PLACE: 409,
  VARVE_QUERY_TIER: 400,
  VARVE_SELECTOR: 400,
  VARVE_REGEX: 400,
  VARVE_TOPIC_FILTER: 400,
  VARVE_TIME: 400,
  VARVE_UNIT: 400,
  VARVE_LABEL: 400,
  VARVE_JOB: 404,
  VARVE_BACKUP: 409,
  VARVE_LOCKED: 409,
  VARVE_CHANGED: 503,
  VARVE_PROMQL: 400,
  VARVE_PROMQL_TYPE: 400,
  VARVE_INFLUXQL: 400,
  VARVE_INFLUXQL_EVAL: 400,
  VARVE_HTTP_REQUEST: 400,
  VARVE_HTTP_BODY: 400,
  VARVE_SNAPPY: 400,
  VARVE_REMOTE_WRITE: 400,
  VARVE_REMOTE_READ: 400,
  VARVE_HTTP_UNAUTHORIZED: 401,
  VARVE_HTTP_FORBIDDEN: 403,
  VARVE_HTTP_PATH: 404,
  VARVE_HTTP_METHOD: 405,
  VARVE_HTTP_TIMEOUT: 408,
  VARVE_HTTP_TOO_LARGE: 413,
  VARVE_HTTP_ENCODING: 415,
  VARVE_HTTP_CONTENT_TYPE: 415,
  VARVE_HTTP_HEADERS: 431,
  VARVE_PROMQL_EVAL: 422,
  VARVE_REGEX_COST: 422,
  VARVE_QUERY_SERIES: 422,
  VARVE_QUERY_SAMPLES: 422,
  VARVE_QUERY_ROWS: 422,
  VARVE_QUERY_BYTES: 422,
  VARVE_QUERY_MEMORY: 422,
  VARVE_QUERY_SECONDS: 503,
  VARVE_QUERY_CANCELLED: 503,
  VARVE_QUERY_BUSY: 503,
  VARVE_SERIES_LIMIT: 422,
  VARVE_STORE_FAILED: 503,
  VARVE_SYNC_FAILED: 503,
  VARVE_MEMORY: 503,
  VARVE_WAL_FULL: 503,
  VARVE_READ_ONLY: 503,
  VARVE_CLOSED: 503,
  VARVE_KEY: 400,
  VARVE_NAMESPACE: 400,
  VARVE_EXPIRY: 400,
  VARVE_COUNTER: 400,
  VARVE_PATCH: 422,
  VARVE_BATCH: 413,
  VARVE_VALUE: 413,
  VARVE_KV_RESERVED: 403,
  VARVE_KV_ABSENT: 404,
  VARVE_CONFLICT: 412,
  VARVE_WATCH_OLD: 410,
  VARVE_LEASE: 400,
  VARVE_LEASE_FREE: 404,
  VARVE_LEASE_HELD: 409,
  VARVE_LEASE_LOST: 409,
  VARVE_LEASE_LIMIT: 503,
  VARVE_QUEUE: 400,
  VARVE_QUEUE_TOKEN: 409,
  VARVE_QUEUE_FULL: 503,
  VARVE_BUSY: 503,
  VARVE_TAIL_CLIENTS: 503,
  VARVE_DISK_FULL: 507
}

/** What went wrong, for a client. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: string
  /** The parameter, header or line, where it is known. */
  readonly where: string | null
  /** True when the operator should hear of it too. */
  readonly isOurs: boolean
}

/** An error of HTTP itself, with its place. */
export class HttpError extends VarveError {
  override readonly name = 'HttpError'
  readonly where: string | null
  constructor(code: string, message: string, where: string | null = null) {
    super(code, message)
    this.where = where
  }
}

/** Inner errors are not told to clients: they may hold paths; the log has them under the request's id. */
export function problemOf(error: unknown, requestId: string): Problem {
  if (!(error instanceof VarveError)) {
    return {
      status: 500,
      code: 'VARVE_INTERNAL',
      message: `Cannot answer request ${requestId}: internal error, the log says more`,
      where: null,
      isOurs: true
    }
  }
  const status = Object.hasOwn(STATUS, error.code) ? STATUS[error.code]! : 500
  const where = 'where' in error && typeof error.where === 'string' ? error.where : null
  return { status, code: error.code, message: reason(error), where, isOurs: status >= 500 }
}

/** How a face tells a problem. */
export type Face = (problem: Problem) => Reply

/** {"code","message","where"}: the native face. */
export function varveFace({ status, code, message, where }: Problem): Reply {
  return jsonReply(status, where === null ? { code, message } : { code, message, where }, moreHeaders(status))
}

/** InfluxDB 1.x: {"error": message}, the message also in a header. */
export function influx1Face({ status, message }: Problem): Reply {
  return jsonReply(
    status,
    { error: message },
    { 'x-influxdb-error': headerText(message), 'x-influxdb-version': INFLUX_VERSION, ...moreHeaders(status) }
  )
}

/** Plain text, which Prometheus logs as it is. */
export function textFace({ status, message }: Problem): Reply {
  const headers = { 'content-type': 'text/plain; charset=utf-8', ...moreHeaders(status) }
  return { status, headers, body: `${message}\n` }
}

const PROMETHEUS_TYPES: Readonly<Record<number, string>> = {
  400: 'bad_data',
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'not_found',
  405: 'bad_data',
  413: 'bad_data',
  415: 'bad_data',
  422: 'execution',
  503: 'timeout'
}

/** {"status":"error","errorType","error"}, with the statuses that Prometheus gives. */
export function prometheusFace({ status, code, message }: Problem): Reply {
  const errorType = code === 'VARVE_QUERY_CANCELLED' ? 'canceled' : (PROMETHEUS_TYPES[status] ?? 'internal')
  return jsonReply(
    status,
    { status: 'error', errorType, error: message },
    status === 503 ? { 'retry-after': '1' } : {}
  )
}

const INFLUX2_CODES: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  413: 'request too large',
  415: 'invalid',
  422: 'unprocessable entity',
  503: 'unavailable',
  507: 'unavailable'
}

/** InfluxDB 2.x: {"code","message"} with its own words for codes. */
export function influx2Face({ status, message }: Problem): Reply {
  return jsonReply(
    status,
    { code: INFLUX2_CODES[status] ?? 'internal error', message },
    { 'x-platform-error-code': INFLUX2_CODES[status] ?? 'internal error', ...moreHeaders(status) }
  )
}

/** The InfluxDB whose write and query faces are followed. */
export const INFLUX_VERSION = '1.8.10'

function moreHeaders(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Basic realm="varve"' }
  return status === 503 || status === 507 ? { 'retry-after': '1' } : {}
}

/** A message as a header may hold it. */
function headerText(message: string): string {
  return message.replace(/[^\x20-\x7e]/g, '?').slice(0, 500)
}

/** Faces of what no route serves, by the beginning of its path; the native one elsewhere. */
const FACES: readonly (readonly [string, Face])[] = [
  ['/api/v1/', prometheusFace],
  ['/api/v2/', influx2Face],
  ['/query', influx1Face],
  ['/write', influx1Face],
  ['/ping', influx1Face]
]

/** The face of a path, so that a client is refused in the shape that it reads. */
export function faceOfPath(path: string): Face {
  return FACES.find(([beginning]) => path.startsWith(beginning))?.[1] ?? varveFace
}

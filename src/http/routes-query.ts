// The native reading paths: /v1/series, /v1/last, /v1/range, /v1/history and /v1/export. Parameters come in the URL, and
// with POST in a form or a JSON object too (values are strings, numbers, or arrays of them).
// Not here: what parameters there are (query/parameters.ts), evaluation (the runner).
import type { Clock } from '../base/clock.ts'
import { CONTENT_TYPES } from '../query/evaluate.ts'
import { readExport, readRequest } from '../query/parameters.ts'
import { FORMATS, type Format, type QueryKind } from '../query/request.ts'
import { bodyOf, type QueryRunner } from '../query/runner.ts'
import type { Exchange, Route } from './exchange.ts'
import { HttpError, varveFace } from './problem.ts'

/** Parameters are short; a thousand selectors fit. */
const PARAMETERS_BYTES_MAX = 1024 ** 2
const KINDS: readonly QueryKind[] = ['series', 'last', 'range', 'history']

export function queryRoutes(runner: QueryRunner, clock: Clock): Route[] {
  const exporting: Route = {
    methods: ['GET', 'POST'],
    path: '/v1/export',
    roles: ['read'],
    face: varveFace,
    async handle(exchange) {
      const request = readExport(await readParameters(exchange), clock.nowUs())
      return {
        status: 200,
        headers: { 'content-type': CONTENT_TYPES.ndjson, 'cache-control': 'no-store' },
        body: bodyOf(runner, request, exchange.signal)
      }
    }
  }
  const asking = KINDS.map(
    (kind): Route => ({
      methods: ['GET', 'POST'],
      path: `/v1/${kind}`,
      roles: ['read'],
      face: varveFace,
      async handle(exchange) {
        const parameters = await readParameters(exchange)
        if (!parameters.has('format')) parameters.set('format', [acceptedFormat(exchange)])
        const request = readRequest(kind, parameters, clock.nowUs())
        return {
          status: 200,
          headers: { 'content-type': CONTENT_TYPES[request.format], 'cache-control': 'no-store' },
          body: bodyOf(runner, request, exchange.signal)
        }
      }
    })
  )
  return [...asking, exporting]
}

/** Parameters that only say who asks (auth.ts). */
const CREDENTIALS = ['u', 'p']

/**
 * The parameters of the URL, then those of the body.
 * @throws {HttpError} VARVE_HTTP_CONTENT_TYPE, VARVE_HTTP_BODY, and what reading the body throws
 */
export async function readParameters(exchange: Exchange): Promise<Map<string, string[]>> {
  const parameters = new Map<string, string[]>()
  const add = (name: string, value: string) => {
    if (CREDENTIALS.includes(name)) return
    const values = parameters.get(name)
    if (values === undefined) parameters.set(name, [value])
    else values.push(value)
  }
  for (const [name, value] of exchange.query) add(name, value)
  if (exchange.method !== 'POST') return parameters
  const bytes = await exchange.body.bytes(PARAMETERS_BYTES_MAX)
  if (bytes.length === 0) return parameters
  const type = (exchange.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') {
    for (const [name, value] of new URLSearchParams(bytes.toString())) add(name, value)
  } else if (type === 'application/json') addJson(bytes.toString(), add)
  else {
    throw new HttpError(
      'VARVE_HTTP_CONTENT_TYPE',
      `Cannot read body: content type ${JSON.stringify(type.slice(0, 60))} is neither a form nor JSON`,
      'content-type'
    )
  }
  return parameters
}

function addJson(text: string, add: (name: string, value: string) => void): void {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new HttpError('VARVE_HTTP_BODY', `Cannot read body: not JSON, ${error.message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HttpError('VARVE_HTTP_BODY', 'Cannot read body: it is not a JSON object')
  }
  for (const [name, given] of Object.entries(value)) {
    for (const item of Array.isArray(given) ? given : [given]) {
      if (typeof item !== 'string' && typeof item !== 'number') {
        throw new HttpError('VARVE_HTTP_BODY', 'Cannot read body: a value is neither string nor number', name)
      }
      add(name, String(item))
    }
  }
}

/** The format that the header Accept asks for; JSON when it names none of ours. */
function acceptedFormat(exchange: Exchange): Format {
  for (const item of (exchange.headers.accept ?? '').split(',')) {
    const type = item.split(';')[0]!.trim().toLowerCase()
    const found = FORMATS.find(format => CONTENT_TYPES[format].split(';')[0] === type)
    if (found !== undefined) return found
  }
  return 'json'
}

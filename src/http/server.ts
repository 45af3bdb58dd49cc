// The HTTP server: owns the library, connections and their time-outs, and the way of every request from
// token to reply. One handler for all routes reads nothing but what a route asks for.
//
// Every wait has an end: headers (headersMs), the whole request (requestMs), a client that takes nothing of
// its answer or sends nothing (idleMs), a kept connection without requests (keepAliveMs), closing (graceMs).
//
// Not here: what paths do (routes-*.ts), limits of bodies (each route), TLS.
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { AssertionError } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { reason } from '../base/errors.ts'
import type { Auth } from './auth.ts'
import { RequestBody } from './body.ts'
import { keepRoom } from './connection-room.ts'
import type { Exchange, Reply, Route } from './exchange.ts'
import { type Face, faceOfPath, HttpError, problemOf, varveFace } from './problem.ts'
import { sendReply, takesGzip } from './send.ts'

export interface HttpServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly routes: readonly Route[]
  readonly auth: Auth
  readonly clock: Clock
  readonly limits?: Partial<HttpLimits>
  /** Told of every request that ended: for counters and the log. Must not throw. */
  readonly onRequest?: (facts: RequestFacts) => void
}

export interface HttpLimits {
  readonly connectionsMax: number
  readonly headersMs: number
  readonly requestMs: number
  readonly idleMs: number
  readonly keepAliveMs: number
  readonly graceMs: number
}

export interface RequestFacts {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly ms: number
  /** What went wrong; on our side where `isOurs`. */
  readonly error: unknown
  readonly isOurs: boolean
}

export const HTTP_LIMITS: HttpLimits = {
  connectionsMax: 1024,
  headersMs: 10_000,
  requestMs: 300_000,
  idleMs: 60_000,
  keepAliveMs: 30_000,
  graceMs: 5_000
}

const HEADER_BYTES_MAX = 32_768
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export class HttpServer {
  readonly host: string
  readonly port: number
  private readonly app: FastifyInstance
  private readonly clock: Clock
  private readonly graceMs: number

  private constructor(app: FastifyInstance, options: HttpServerOptions, limits: HttpLimits) {
    const address = app.server.address() as AddressInfo
    this.host = address.address
    this.port = address.port
    this.app = app
    this.clock = options.clock
    this.graceMs = limits.graceMs
  }

  /** Listens. @throws the system's error when the port is taken or not allowed */
  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const limits = { ...HTTP_LIMITS, ...options.limits }
    const app = fastify({
      logger: false,
      exposeHeadRoutes: false,
      bodyLimit: Number.MAX_SAFE_INTEGER, // routes bound their bodies as they stream
      connectionTimeout: limits.idleMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      forceCloseConnections: 'idle',
      clientErrorHandler: refuseConnection,
      frameworkErrors: (error, request, reply) => refuseEarly(error, request, reply),
      http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: limits.headersMs }
    })
    keepRoom(app.server, limits.connectionsMax)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    // InfluxDB's command line sends an empty content type with its lines.
    app.addHook('onRequest', ({ raw }, _reply, done) => {
      if (raw.headers['content-type'] === '') delete raw.headers['content-type']
      done()
    })
    app.setErrorHandler((error, request, reply) => refuseEarly(error, request, reply))
    addRoutes(app, options)
    await app.listen({ host: options.host, port: options.port })
    return new HttpServer(app, options, limits)
  }

  /** Refuses new requests, lets running ones end for graceMs, then breaks them off. */
  async close(): Promise<void> {
    const cancel = this.clock.after(this.graceMs, () => this.app.server.closeAllConnections())
    await this.app.close()
    cancel()
  }
}

/** Answers what the library refuses before a route sees it. */
function refuseEarly(error: unknown, { raw }: FastifyRequest, reply: FastifyReply): void {
  const isType = error instanceof Error && 'statusCode' in error && error.statusCode === 415
  const refusal = isType
    ? new HttpError('VARVE_HTTP_CONTENT_TYPE', 'Cannot read body: its content type is none', 'content-type')
    : new HttpError('VARVE_HTTP_REQUEST', reason(error))
  const face = faceOfPath(raw.url ?? '/')
  const { status, headers, body } = face(problemOf(refusal, 'unread'))
  reply.hijack()
  reply.raw.writeHead(status, headers).end(body)
}

function addRoutes(app: FastifyInstance, options: HttpServerOptions): void {
  const served = new Map<string, { methods: string[]; face: Face }>()
  const serve = requestServer(options)
  for (const route of options.routes) {
    const methods = [...(served.get(route.path)?.methods ?? []), ...route.methods]
    served.set(route.path, { methods, face: route.face })
    for (const method of route.methods) {
      app.route({ method, url: route.path, handler: (request, reply) => serve(route, request, reply) })
    }
  }
  const refusal = (
    error: HttpError,
    path: string,
    of: Face,
    headers: Record<string, string> = {}
  ): Route => ({
    methods: [],
    path,
    roles: null,
    face: problem => {
      const reply = of(problem)
      return { ...reply, headers: { ...reply.headers, ...headers } }
    },
    handle() {
      throw error
    }
  })
  for (const [path, { methods, face }] of served) {
    const others = METHODS.filter(method => !methods.includes(method))
    const allowed = methods.join(', ')
    const error = new HttpError('VARVE_HTTP_METHOD', `Cannot use ${path} so: it takes ${allowed}`)
    const route = refusal(error, path, face, { allow: allowed })
    if (others.length > 0) {
      app.route({ method: [...others], url: path, handler: (request, reply) => serve(route, request, reply) })
    }
  }
  const unknown = new HttpError('VARVE_HTTP_PATH', 'Cannot find this path: nothing is served here')
  app.setNotFoundHandler((request, reply) =>
    serve(refusal(unknown, '*', faceOfPath(request.raw.url ?? '/')), request, reply)
  )
}

type ServeRequest = (route: Route, request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** What is done with every request: token, route, reply, and the facts of it all. */
function requestServer({ auth, clock, onRequest }: HttpServerOptions): ServeRequest {
  let requests = 0
  return async (route, request, reply) => {
    reply.hijack()
    const begun = clock.monotonicMs()
    const response = reply.raw
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    const id = `r${(++requests).toString(36)}`
    response.setHeader('x-request-id', id)
    const exchange = exchangeOf(request, id, gone.signal)
    const isGzip = takesGzip(request.headers)
    let failure: unknown = null
    let isOurs = false
    try {
      auth.check(route.roles, exchange.headers, exchange.query)
      const answer = await route.handle(exchange)
      await send(response, answer, isGzip, exchange)
    } catch (error) {
      failure = error
      if (error instanceof AssertionError) rethrowOutside(error)
      isOurs = await refuse(route, error, response, isGzip, exchange)
    }
    const { method, path } = exchange
    const ms = clock.monotonicMs() - begun
    onRequest?.({ id, method, path, status: response.statusCode, ms, error: failure, isOurs })
  }
}

/** Tells the client of an error while it can be told. Returns whether the error is ours. */
async function refuse(
  route: Route,
  error: unknown,
  response: ServerResponse,
  isGzip: boolean,
  exchange: Exchange
): Promise<boolean> {
  const problem = problemOf(error, exchange.id)
  if (response.headersSent || exchange.signal.aborted) {
    response.destroy()
    return problem.isOurs && !exchange.signal.aborted
  }
  try {
    await send(response, route.face(problem), isGzip, exchange)
  } catch {
    response.destroy() // the client went while it was told; `error` is what is reported
  }
  return problem.isOurs
}

async function send(
  response: ServerResponse,
  reply: Reply,
  isGzip: boolean,
  exchange: Exchange
): Promise<void> {
  const isKept = await exchange.body.drain()
  await sendReply(response, reply, isGzip, !isKept, exchange.signal)
}

/** A broken invariant of ours ends the process: it is thrown where nothing catches it. */
function rethrowOutside(error: AssertionError): void {
  queueMicrotask(() => {
    throw error
  })
}

function exchangeOf(request: FastifyRequest, id: string, signal: AbortSignal): Exchange {
  const url = request.raw.url ?? '/'
  const mark = url.indexOf('?')
  return {
    id,
    method: request.method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers: request.headers,
    body: new RequestBody(request.raw),
    signal
  }
}

/** Answers what is not even HTTP, or came too slowly, and closes. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'VARVE_HTTP_HEADERS'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'VARVE_HTTP_TIMEOUT'
        : 'VARVE_HTTP_REQUEST'
  const problem = problemOf(new HttpError(code, `Cannot read request: ${reason(error)}`), 'unread')
  const body = String(varveFace(problem).body)
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\nconnection: close\r\n` +
        `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    )
  }
  socket.destroySoon()
}

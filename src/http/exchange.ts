// What a route sees of HTTP: a request, and the reply it gives. Routes are plain data, so that they know
// nothing of the library that serves them (server.ts owns it) and a test can call one directly.
import type { IncomingHttpHeaders } from 'node:http'
import type { Role } from './auth.ts'
import type { RequestBody } from './body.ts'
import type { Face } from './problem.ts'

export interface Exchange {
  /** Names this request in the log and in the header x-request-id. */
  readonly id: string
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: RequestBody
  /** Aborted when the client is gone before the reply was sent. */
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** An iteration is sent piece by piece as the client takes them, and left when the client goes. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

export interface Route {
  readonly methods: readonly ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[]
  readonly path: string
  /** A client must hold one of these; null: open to all. */
  readonly roles: readonly Role[] | null
  /** How errors look here. */
  readonly face: Face
  /** @throws {VarveError} which the face turns into a reply */
  handle(exchange: Exchange): Reply | Promise<Reply>
}

/** A reply of JSON. */
export function jsonReply(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: `${JSON.stringify(value)}\n`
  }
}

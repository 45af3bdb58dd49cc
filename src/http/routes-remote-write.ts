// Prometheus remote write 1.0: POST /api/v1/write takes a snappy block of protobuf and answers 204 when its
// samples are on the medium. Prometheus sends a body again on 5xx for as long as it takes, and drops it on
// 4xx: 400 is for data that can never be stored, and says which.
//
// Whole bodies, since snappy copies from what is out already: each bounded as it is sent and by the length that
// its block states, before room is made for it.
// Not here: snappy and protobuf (ingest), remote write 2.0, which has another content type.
import type { Exchange, Route } from './exchange.ts'
import { HttpError, textFace } from './problem.ts'

export interface RemoteWriteSink {
  /**
   * Stores a body.
   * @returns samples stored, and null or what a client is told of those refused
   * @throws {VarveError} VARVE_SNAPPY, VARVE_REMOTE_WRITE for what cannot be read, VARVE_HTTP_TOO_LARGE,
   * and when the store refuses (failed, full)
   */
  store(body: Uint8Array): { readonly samples: number; readonly message: string | null }
  /** Resolves when all that was stored before the call is on the medium. @throws {VarveError} when it never will be */
  synced(): Promise<void>
  /** Null, or what resolves when the store can take more: back-pressure. */
  ready(): Promise<void> | null
}

/** @param bodyBytesMax  bytes of a body as it is sent */
export function remoteWriteRoute(sink: RemoteWriteSink, bodyBytesMax: number): Route {
  return {
    methods: ['POST'],
    path: '/api/v1/write',
    roles: ['write'],
    face: textFace,
    async handle(exchange) {
      checkHeaders(exchange)
      const body = await exchange.body.bytes(bodyBytesMax, 'snappy')
      const waiting = sink.ready()
      if (waiting !== null) await waiting
      const { samples, message } = sink.store(body)
      if (samples > 0) await sink.synced()
      if (message !== null) throw new HttpError('VARVE_HTTP_BODY', message, 'body')
      return { status: 204 }
    }
  }
}

/** @throws {HttpError} VARVE_HTTP_CONTENT_TYPE for what is not protobuf of remote write 1 */
function checkHeaders({ headers }: Exchange): void {
  const type = (headers['content-type'] ?? '').toLowerCase().replaceAll(' ', '')
  const isOurs =
    type === 'application/x-protobuf' || type === 'application/x-protobuf;proto=prometheus.writerequest'
  if (!isOurs) {
    throw new HttpError(
      'VARVE_HTTP_CONTENT_TYPE',
      `Cannot read remote write: content type ${JSON.stringify(type.slice(0, 80))} is not application/x-protobuf of version 1`,
      'content-type'
    )
  }
  const version = String(headers['x-prometheus-remote-write-version'] ?? '0.1.0')
  if (!/^[01]\./.test(version)) {
    throw new HttpError(
      'VARVE_HTTP_CONTENT_TYPE',
      `Cannot read remote write: version ${JSON.stringify(version.slice(0, 20))} is not 0.1 or 1.0`,
      'x-prometheus-remote-write-version'
    )
  }
}

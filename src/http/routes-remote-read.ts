// Prometheus remote read: POST /api/v1/read, so that a Prometheus answers its own queries from varve's history.
// Samples are given, never streamed chunks: every Prometheus takes them.
// Not here: protobuf and evaluation (query/promql/remote-read.ts).
import { snappyLength, undoSnappy } from '../ingest/snappy.ts'
import { readRemoteRequest } from '../query/promql/remote-read.ts'
import type { QueryRunner } from '../query/runner.ts'
import type { Route } from './exchange.ts'
import { HttpError, textFace } from './problem.ts'

/** A thousand matchers fit. */
const REQUEST_BYTES_MAX = 1024 ** 2

export function remoteReadRoute(runner: QueryRunner): Route {
  return {
    methods: ['POST'],
    path: '/api/v1/read',
    roles: ['read'],
    face: textFace,
    async handle({ body, signal }) {
      const block = await body.bytes(REQUEST_BYTES_MAX, 'snappy')
      const bytes = snappyLength(block)
      if (bytes > REQUEST_BYTES_MAX) {
        throw new HttpError(
          'VARVE_HTTP_TOO_LARGE',
          `Cannot read body: it is longer than ${REQUEST_BYTES_MAX} bytes`
        )
      }
      const room = new Uint8Array(bytes)
      undoSnappy(block, room)
      return {
        status: 200,
        headers: {
          'content-type': 'application/x-protobuf',
          'content-encoding': 'snappy',
          'cache-control': 'no-store'
        },
        body: runner.run(readRemoteRequest(room), signal)
      }
    }
  }
}

// GET /v1/tail: the rows that match, as they become durable, as server-sent events.
//
//   data: {"time_us":..,"name":..,"labels":{..},"fields":{..}}        a row (transfer/ndjson.ts), `id` its number
//   event: dropped / data: {"rows":N}                                  so many were left out before the next row
//   : still here                                                      every 15 s without a row
//
// Parameters: match, topic, as of the queries. A client that does not keep up loses rows beyond what is held for it and
// is told how many; rows from before it came, or while it was away, are those of /v1/range and /v1/export.
// Not here: who is told what (daemon/tail.ts).
import { readTail } from '../query/parameters.ts'
import type { Selection } from '../query/request.ts'
import type { Route } from './exchange.ts'
import { varveFace } from './problem.ts'
import { readParameters } from './routes-query.ts'

export interface TailSource {
  /**
   * Pieces of the event stream, until the signal.
   * @throws {VarveError} VARVE_TAIL_CLIENTS when there are too many
   */
  follow(select: Selection, signal: AbortSignal): AsyncIterable<Uint8Array>
}

export function tailRoute(source: TailSource): Route {
  return {
    methods: ['GET'],
    path: '/v1/tail',
    roles: ['read'],
    face: varveFace,
    async handle(exchange) {
      const select = readTail(await readParameters(exchange))
      return {
        status: 200,
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
        body: source.follow(select, exchange.signal)
      }
    }
  }
}

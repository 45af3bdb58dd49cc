// Queues over HTTP.
//
//   GET    /v1/queues                                             their names
//   GET    /v1/queues/{name}                                      how many messages are in which state
//   POST   /v1/queues/{name}[?priority=&delay=&attempts=]         sends the body, any bytes; 201 with its id
//   POST   /v1/queues/{name}/receive[?max=&visibility=&wait=]     takes messages
//   POST   /v1/queues/{name}/ack?id=&token=                       done with it
//   POST   /v1/queues/{name}/nack?id=&token=[&delay=]             gives it back
//   POST   /v1/queues/{name}/extend?id=&token=&visibility=        needs longer
//   DELETE /v1/queues/{name}                                      removes every message
// Not here: what a queue promises (kv/queue.ts).
import type { Delivery, Queues } from '../kv/queue.ts'
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { textOrBase64 } from './kv-listing.ts'
import { durationOf, given, onlyKnown, pathAfter, wholeOf } from './parameters.ts'
import { HttpError, varveFace } from './problem.ts'

export interface QueueSource {
  readonly queues: Queues
  /** Resolves when WAL group g is on the medium. @throws {VarveError} VARVE_SYNC_FAILED */
  synced(group: number): Promise<void>
}

const PREFIX = '/v1/queues/'
const WAIT_MS_MAX = 60_000
const BODY_BYTES_MAX = 16 * 2 ** 20

export function queueRoutes(source: QueueSource): Route[] {
  const { queues, synced } = source
  const face = varveFace
  const path = `${PREFIX}*`
  const nameOf = (exchange: Exchange) => pathAfter(exchange.path, PREFIX).join('/')
  return [
    {
      ...{ methods: ['GET'], path: '/v1/queues', roles: ['read'], face },
      handle: () => jsonReply(200, { queues: [...queues.names()] })
    },
    {
      ...{ methods: ['GET'], path, roles: ['read'], face },
      handle: exchange => jsonReply(200, queues.states(nameOf(exchange)))
    },
    {
      ...{ methods: ['DELETE'], path, roles: ['write'], face },
      async handle(exchange) {
        await synced(queues.clear(nameOf(exchange)))
        return { status: 204 }
      }
    },
    { ...{ methods: ['POST'], path, roles: ['write'], face }, handle: exchange => act(source, exchange) }
  ]
}

async function act(source: QueueSource, exchange: Exchange): Promise<Reply> {
  const parts = pathAfter(exchange.path, PREFIX)
  if (parts.length === 1) return send(source, parts[0]!, exchange)
  const [name, act] = [parts.slice(0, -1).join('/'), parts.at(-1)!]
  const { query } = exchange
  const { queues, synced } = source
  if (act === 'receive') return receive(source, name, exchange)
  const proof = () => [given('id', wholeOf(query, 'id')), given('token', wholeOf(query, 'token'))] as const
  const acts: Record<string, () => number> = {
    ack: () => queues.ack(name, ...proof()),
    nack: () => queues.nack(name, ...proof(), durationOf(query, 'delay') ?? 0),
    extend: () => queues.extend(name, ...proof(), given('visibility', durationOf(query, 'visibility')))
  }
  const chosen = Object.hasOwn(acts, act) ? acts[act]! : null
  if (chosen === null) {
    throw new HttpError(
      'VARVE_HTTP_PATH',
      `Cannot ${act.slice(0, 40)} messages: receive, ack, nack and extend are known`
    )
  }
  onlyKnown(query, ['id', 'token', 'delay', 'visibility'])
  await synced(chosen())
  return { status: 204 }
}

async function send(
  { queues, synced }: QueueSource,
  name: string,
  { query, body }: Exchange
): Promise<Reply> {
  onlyKnown(query, ['priority', 'delay', 'attempts'])
  const [priority, delayMs, attemptsMax] = [
    wholeOf(query, 'priority'),
    durationOf(query, 'delay'),
    wholeOf(query, 'attempts')
  ]
  const { id, group } = queues.send(name, await body.bytes(BODY_BYTES_MAX), {
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(attemptsMax === undefined ? {} : { attemptsMax })
  })
  await synced(group)
  return jsonReply(201, { id })
}

async function receive({ queues }: QueueSource, name: string, { query, signal }: Exchange): Promise<Reply> {
  onlyKnown(query, ['max', 'visibility', 'wait'])
  const [max, visibilityMs] = [wholeOf(query, 'max'), durationOf(query, 'visibility')]
  const options = {
    ...(max === undefined ? {} : { max }),
    ...(visibilityMs === undefined ? {} : { visibilityMs })
  }
  const waitMs = Math.min(durationOf(query, 'wait') ?? 0, WAIT_MS_MAX)
  const deliveries = await queues.receiveWithin(name, options, waitMs, signal)
  return jsonReply(200, { messages: deliveries.map(deliveryBody) })
}

function deliveryBody({ id, token, priority, attempts, origin, body }: Delivery): object {
  return {
    id,
    token,
    priority,
    attempts,
    ...(origin === '' ? {} : { origin }),
    ...textOrBase64('body', body)
  }
}

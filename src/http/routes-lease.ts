// Leases over HTTP: who holds a name, with a fencing token.
//
//   GET    /v1/leases                                all that are held
//   GET    /v1/leases/{name}                         who holds it; 404 when nobody does
//   POST   /v1/leases/{name}?owner=&ttl=[&wait=]     acquires: 200 with the token, or 409
//   PUT    /v1/leases/{name}?token=&ttl=             renews
//   DELETE /v1/leases/{name}?token=                  releases
// Not here: what a lease promises (kv/lease.ts).
import type { Lease, Leases } from '../kv/lease.ts'
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { durationOf, given, onlyKnown, pathAfter, wholeOf } from './parameters.ts'
import { HttpError, varveFace } from './problem.ts'

export interface LeaseSource {
  readonly leases: Leases
  /** Resolves when WAL group g is on the medium. @throws {VarveError} VARVE_SYNC_FAILED */
  synced(group: number): Promise<void>
}

const PREFIX = '/v1/leases/'
const WAIT_MS_MAX = 60_000

export function leaseRoutes({ leases, synced }: LeaseSource): Route[] {
  const route = (
    method: Route['methods'][number],
    roles: Route['roles'],
    handle: (name: string, exchange: Exchange) => Reply | Promise<Reply>
  ): Route => ({
    methods: [method],
    path: `${PREFIX}*`,
    roles,
    face: varveFace,
    handle: exchange => handle(pathAfter(exchange.path, PREFIX).join('/'), exchange)
  })
  return [
    {
      methods: ['GET'],
      path: '/v1/leases',
      roles: ['read'],
      face: varveFace,
      handle: () => jsonReply(200, { leases: Array.from(leases.all(), leaseBody) })
    },
    route('GET', ['read'], name => {
      const lease = leases.get(name)
      if (lease === null)
        throw new HttpError('VARVE_LEASE_FREE', `Cannot show lease ${name}: nobody holds it`)
      return jsonReply(200, leaseBody(lease))
    }),
    route('POST', ['write'], async (name, { query, signal }) => {
      onlyKnown(query, ['owner', 'ttl', 'wait'])
      const owner = given('owner', query.get('owner'))
      const ttlMs = given('ttl', durationOf(query, 'ttl'))
      const waitMs = Math.min(durationOf(query, 'wait') ?? 0, WAIT_MS_MAX)
      const acquired = await leases.acquireWithin(name, owner, ttlMs, waitMs, signal)
      if (acquired === null) {
        const holder = leases.get(name)
        throw new HttpError(
          'VARVE_LEASE_HELD',
          `Cannot acquire lease ${name}: ${holder?.owner ?? 'another'} holds it`
        )
      }
      await synced(acquired.group)
      return jsonReply(200, leaseBody(acquired.lease))
    }),
    route('PUT', ['write'], async (name, { query }) => {
      onlyKnown(query, ['token', 'ttl'])
      const token = given('token', wholeOf(query, 'token'))
      const group = leases.renew(name, token, given('ttl', durationOf(query, 'ttl')))
      if (group > 0) await synced(group)
      return jsonReply(200, leaseBody(leases.get(name)!))
    }),
    route('DELETE', ['write'], async (name, { query }) => {
      onlyKnown(query, ['token'])
      await synced(leases.release(name, given('token', wholeOf(query, 'token'))))
      return { status: 204 }
    })
  ]
}

function leaseBody({ name, owner, token, leftMs }: Lease): object {
  return { name, owner, token, left_ms: Math.ceil(leftMs) }
}

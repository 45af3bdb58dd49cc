// The key-value store over HTTP.
//
//   GET, HEAD, PUT, DELETE /v1/kv/{namespace}/{key}     a key may hold slashes; its value is the body, any bytes
//   PATCH  /v1/kv/{namespace}/{key}                     changes a JSON or CBOR value in part: RFC 7396
//   POST   /v1/kv/{namespace}/{key}?add=N               adds to a counter
//   GET    /v1/kv/{namespace}                           lists: prefix, from, to, limit, cursor, reverse
//   GET    /v1/kv/{namespace}?watch=VERSION             changes after it, as server-sent events
//   POST   /v1/kv                                       a batch, all of it or nothing
//   GET    /v1/kv                                       sizes and counts of the store
// ETags are versions. If-Match and If-None-Match make a write conditional (412 when it does not hold); `ttl`
// (30s) or the header x-varve-ttl lets an entry expire. What is answered with 2xx is on the medium.
//
// Invariant: namespaces of the daemon's own, and those that others keep (kv/foreign.ts), are read here and never
// written.
// Not here: pages and events (kv-listing.ts), leases and queues (routes-lease.ts, routes-queue.ts), the store (kv).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import { type ForeignNamespaces, refuseForeign } from '../kv/foreign.ts'
import type { Notation } from '../kv/merge-patch.ts'
import type { KvStore } from '../kv/store.ts'
import { type Condition, ConflictError } from '../kv/write.ts'
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { readBatch } from './kv-batch.ts'
import { list, watch } from './kv-listing.ts'
import { durationOf, onlyKnown, pathAfter } from './parameters.ts'
import { HttpError, varveFace } from './problem.ts'

/** The store, and how to wait until its writes are on the medium. */
export interface KvSource {
  readonly store: KvStore
  readonly clock: Clock
  /** Namespaces that others keep. */
  readonly foreign: ForeignNamespaces
  /** Resolves when WAL group g is on the medium. @throws {VarveError} VARVE_SYNC_FAILED */
  synced(group: number): Promise<void>
}

const PREFIX = '/v1/kv/'
const BODY_BYTES_MAX = 32 * 2 ** 20
/** Namespaces of the daemon's own. */
const RESERVED = /^(\$|mqtt\.|ingest\.)/

/** Whether nobody may write to a namespace but the daemon. */
export function isReserved(ns: string): boolean {
  return RESERVED.test(ns)
}

export function kvRoutes(source: KvSource): Route[] {
  const face = varveFace
  return [
    { methods: ['GET', 'HEAD'], path: `${PREFIX}*`, roles: ['read'], face, handle: one => read(source, one) },
    { methods: ['PUT'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => put(source, one) },
    { methods: ['PATCH'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => patch(source, one) },
    { methods: ['POST'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => add(source, one) },
    { methods: ['DELETE'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => remove(source, one) },
    { methods: ['POST'], path: '/v1/kv', roles: ['write'], face, handle: one => batch(source, one) },
    {
      ...{ methods: ['GET'], path: '/v1/kv', roles: ['read'], face },
      handle: () => jsonReply(200, source.store.statistics())
    }
  ]
}

/**
 * Makes a write, waits for its sync and gives what it gave with its version. So does a condition that does not hold:
 * what made it fail may not be on the medium yet, and who is told of it may act on it.
 */
async function landed<T extends { readonly group: number }>(
  { store, synced }: KvSource,
  write: () => T
): Promise<T & { version: number }> {
  try {
    const done = write()
    const version = store.lastVersion
    await synced(done.group)
    return { ...done, version }
  } catch (error) {
    if (error instanceof ConflictError) await synced(store.lastGroup)
    throw error
  }
}

/** The namespace and, unless the path ends with it, the key. */
function placeOf({ path }: Exchange): { ns: string; key: string | null } {
  const [ns, ...rest] = pathAfter(path, PREFIX)
  return { ns: ns!, key: rest.length === 0 ? null : rest.join('/') }
}

function writablePlace({ foreign }: KvSource, exchange: Exchange): { ns: string; key: string } {
  const { ns, key } = placeOf(exchange)
  if (key === null) throw new HttpError('VARVE_PARAMETER', 'Cannot write: the path has no key', 'path')
  checkWritable(ns, foreign)
  return { ns, key }
}

function checkWritable(ns: string, foreign: ForeignNamespaces): void {
  if (foreign.has(ns)) throw refuseForeign(ns)
  if (isReserved(ns)) {
    throw new VarveError('VARVE_KV_RESERVED', `Cannot write to namespace ${ns}: it is the daemon's own`)
  }
}

async function read(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = placeOf(exchange)
  const { store, clock } = source
  const foreign = source.foreign.get(ns)
  if (key === null) {
    if (!exchange.query.has('watch')) return list(store, foreign, ns, exchange)
    if (foreign === undefined) return watch(store, clock, ns, exchange)
    throw new HttpError('VARVE_PARAMETER', `Cannot watch ${ns}: the store does not keep it`, 'watch')
  }
  onlyKnown(exchange.query, [])
  const entry = foreign === undefined ? store.get(ns, key) : await foreign.get(key, exchange.signal)
  if (entry === undefined) throw new VarveError('VARVE_KV_ABSENT', `Cannot get ${ns}/${key}: there is none`)
  const headers = { ...versionHeaders(entry.version), 'content-type': 'application/octet-stream' }
  const expires = entry.expiresUs === 0 ? {} : { 'x-varve-expires-us': String(entry.expiresUs) }
  if (matches(exchange.headers['if-none-match'], entry.version)) return { status: 304, headers }
  const body = exchange.method === 'HEAD' ? {} : { body: entry.value }
  return { status: 200, headers: { ...headers, ...expires }, ...body }
}

async function put(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(source, exchange)
  onlyKnown(exchange.query, ['ttl'])
  const expiresUs = expiryOf(source.clock, exchange)
  const condition = conditionOf(exchange)
  const value = await exchange.body.bytes(BODY_BYTES_MAX)
  const isNew = !source.store.has(ns, key)
  const options = { ...condition, expiresUs, urgency: 2 as const }
  const { version } = await landed(source, () => ({ group: source.store.put(ns, key, value, options) }))
  return { status: isNew ? 201 : 204, headers: versionHeaders(version) }
}

/** By the type of the body; a patch of plain JSON is taken for a merge patch too. */
const PATCH_TYPES: Readonly<Record<string, Notation>> = {
  'application/merge-patch+json': 'json',
  'application/json': 'json',
  'application/cbor': 'cbor'
}

async function patch(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(source, exchange)
  onlyKnown(exchange.query, ['ttl'])
  const type = (exchange.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const notation = Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type]! : null
  if (notation === null) {
    throw new HttpError(
      'VARVE_HTTP_CONTENT_TYPE',
      `Cannot patch ${ns}/${key}: the body is ${Object.keys(PATCH_TYPES).join(', ')}`
    )
  }
  const condition = conditionOf(exchange)
  const change = await exchange.body.bytes(BODY_BYTES_MAX)
  const expiresUs = expiryOf(source.clock, exchange)
  const options = { ...condition, ...(expiresUs === 0 ? {} : { expiresUs }), urgency: 2 as const }
  const { value, version } = await landed(source, () =>
    source.store.patch(ns, key, change, notation, options)
  )
  const headers = { ...versionHeaders(version), 'content-type': `application/${notation}` }
  return { status: 200, headers, body: value }
}

async function add(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(source, exchange)
  onlyKnown(exchange.query, ['add'])
  const by = Number(exchange.query.get('add') ?? 'none')
  if (!Number.isSafeInteger(by)) {
    throw new HttpError('VARVE_PARAMETER', 'Cannot read parameter add: it is a whole number', 'add')
  }
  const { value, version } = await landed(source, () => source.store.add(ns, key, by, 2))
  return jsonReply(200, { value }, versionHeaders(version))
}

async function remove(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(source, exchange)
  onlyKnown(exchange.query, [])
  if (!source.store.has(ns, key)) {
    throw new VarveError('VARVE_KV_ABSENT', `Cannot delete ${ns}/${key}: there is none`)
  }
  const options = { ...conditionOf(exchange), urgency: 2 as const }
  await landed(source, () => ({ group: source.store.delete(ns, key, options) }))
  return { status: 204 }
}

/** The condition that the headers make. @throws {HttpError} VARVE_PARAMETER */
function conditionOf({ headers }: Exchange): Condition {
  const [match, none] = [headers['if-match'], headers['if-none-match']]
  if (none !== undefined) {
    if (none.trim() === '*') return { ifAbsent: true }
    throw new HttpError('VARVE_PARAMETER', 'Cannot read If-None-Match: a write takes * only', 'if-none-match')
  }
  if (match === undefined) return {}
  const version = /^"(\d{1,16})"$/.exec(match.trim())?.[1]
  if (version === undefined) {
    throw new HttpError(
      'VARVE_PARAMETER',
      'Cannot read If-Match: it is one ETag of ours, such as "7"',
      'if-match'
    )
  }
  return { ifVersion: Number(version) }
}

function expiryOf(clock: Clock, { query, headers }: Exchange): number {
  const header = headers['x-varve-ttl']
  const given =
    query.has('ttl') || header === undefined ? query : new URLSearchParams({ ttl: String(header) })
  const ttlMs = durationOf(given, 'ttl')
  return ttlMs === undefined ? 0 : clock.nowUs() + ttlMs * 1000
}

async function batch(source: KvSource, exchange: Exchange): Promise<Reply> {
  onlyKnown(exchange.query, [])
  const text = (await exchange.body.bytes(BODY_BYTES_MAX)).toString('utf8')
  const writes = readBatch(text, source.clock, ns => checkWritable(ns, source.foreign))
  const { version } = await landed(source, () => ({ group: source.store.batch(writes, 2) }))
  return jsonReply(200, { version, writes: writes.length })
}

function versionHeaders(version: number): Record<string, string> {
  return { etag: `"${version}"`, 'x-varve-version': String(version), 'cache-control': 'no-cache' }
}

function matches(header: string | undefined, version: number): boolean {
  return header?.split(',').some(tag => ['*', `"${version}"`].includes(tag.trim())) ?? false
}

// The key-value store over HTTP.
//
//   GET, HEAD, PUT, DELETE /v1/kv/{namespace}/{key}     a key may hold slashes; its value is the body, any bytes
//   POST   /v1/kv/{namespace}/{key}?add=N               adds to a counter
//   GET    /v1/kv/{namespace}                           lists: prefix, from, to, limit, cursor, reverse
//   GET    /v1/kv/{namespace}?watch=VERSION             changes after it, as server-sent events
//   POST   /v1/kv                                       a batch, all of it or nothing
// ETags are versions. If-Match and If-None-Match make a write conditional (412 when it does not hold); `ttl`
// (30s) or the header x-varve-ttl lets an entry expire. What is answered with 2xx is on the medium.
//
// Invariant: namespaces of the daemon's own are read here and never written.
// Not here: leases and queues (routes-lease.ts, routes-queue.ts), the store (kv).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { Entry } from '../kv/entry.ts'
import type { KvStore } from '../kv/store.ts'
import { cursorOf } from '../kv/view.ts'
import type { Condition, Write } from '../kv/write.ts'
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { durationOf, onlyKnown, pathAfter, wholeOf } from './parameters.ts'
import { HttpError, varveFace } from './problem.ts'

/** The store, and how to wait until its writes are on the medium. */
export interface KvSource {
  readonly store: KvStore
  readonly clock: Clock
  /** Resolves when WAL group g is on the medium. @throws {VarveError} VARVE_SYNC_FAILED */
  synced(group: number): Promise<void>
}

const PREFIX = '/v1/kv/'
const LIST = { usual: 100, max: 1000 } as const
const BODY_BYTES_MAX = 32 * 2 ** 20
/** Namespaces of the daemon's own. */
const RESERVED = /^(\$|mqtt\.|ingest\.)/
/** Whether nobody may write to a namespace but the daemon. */
export function isReserved(ns: string): boolean {
  return RESERVED.test(ns)
}
const EVERY_MS = 15_000

export function kvRoutes(source: KvSource): Route[] {
  const face = varveFace
  return [
    { methods: ['GET', 'HEAD'], path: `${PREFIX}*`, roles: ['read'], face, handle: one => read(source, one) },
    { methods: ['PUT'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => put(source, one) },
    { methods: ['POST'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => add(source, one) },
    { methods: ['DELETE'], path: `${PREFIX}*`, roles: ['write'], face, handle: one => remove(source, one) },
    { methods: ['POST'], path: '/v1/kv', roles: ['write'], face, handle: one => batch(source, one) }
  ]
}

/** The namespace and, unless the path ends with it, the key. */
function placeOf({ path }: Exchange): { ns: string; key: string | null } {
  const [ns, ...rest] = pathAfter(path, PREFIX)
  return { ns: ns!, key: rest.length === 0 ? null : rest.join('/') }
}

function writablePlace(exchange: Exchange): { ns: string; key: string } {
  const { ns, key } = placeOf(exchange)
  if (key === null) throw new HttpError('VARVE_PARAMETER', 'Cannot write: the path has no key', 'path')
  checkWritable(ns)
  return { ns, key }
}

function checkWritable(ns: string): void {
  if (isReserved(ns)) {
    throw new VarveError('VARVE_KV_RESERVED', `Cannot write to namespace ${ns}: it is the daemon's own`)
  }
}

function read(source: KvSource, exchange: Exchange): Reply {
  const { ns, key } = placeOf(exchange)
  if (key === null)
    return exchange.query.has('watch') ? watch(source, exchange, ns) : list(source, exchange, ns)
  onlyKnown(exchange.query, [])
  const entry = source.store.get(ns, key)
  if (entry === undefined) throw new VarveError('VARVE_KV_ABSENT', `Cannot get ${ns}/${key}: there is none`)
  const headers = { ...versionHeaders(entry.version), 'content-type': 'application/octet-stream' }
  const expires = entry.expiresUs === 0 ? {} : { 'x-varve-expires-us': String(entry.expiresUs) }
  if (matches(exchange.headers['if-none-match'], entry.version)) return { status: 304, headers }
  const body = exchange.method === 'HEAD' ? {} : { body: entry.value }
  return { status: 200, headers: { ...headers, ...expires }, ...body }
}

function list({ store }: KvSource, { query }: Exchange, ns: string): Reply {
  onlyKnown(query, ['prefix', 'from', 'to', 'limit', 'cursor', 'reverse'])
  const limit = wholeOf(query, 'limit') ?? LIST.usual
  if (limit < 1 || limit > LIST.max) {
    throw new HttpError('VARVE_PARAMETER', `Cannot read parameter limit: it is 1 to ${LIST.max}`, 'limit')
  }
  const options: Record<string, string | boolean | number> = { limit: limit + 1 }
  for (const name of ['prefix', 'from', 'to', 'cursor']) {
    const value = query.get(name)
    if (value !== null) options[name] = value
  }
  if (query.has('reverse')) options.reverse = query.get('reverse') !== 'false'
  const found = [...store.scan(ns, options)]
  const entries = found.slice(0, limit)
  const cursor = found.length > limit ? cursorOf(entries.at(-1)!) : null
  return jsonReply(200, { entries: entries.map(entryBody), cursor, version: store.lastVersion })
}

function watch({ store, clock }: KvSource, { query, signal }: Exchange, ns: string): Reply {
  onlyKnown(query, ['watch', 'prefix'])
  const after = query.get('watch') === '' ? store.lastVersion : (wholeOf(query, 'watch') ?? 0)
  const prefix = query.get('prefix')
  const watched = store.watch(ns, { after, ...(prefix === null ? {} : { prefix }) })
  signal.addEventListener('abort', () => watched.close())
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    body: events(watched, clock)
  }
}

/** Each change as an event; a comment now and then, so that a client that is gone is noticed. */
async function* events(
  watched: AsyncIterable<Entry> & { readonly version: number; close(): void },
  clock: Clock
): AsyncGenerator<Uint8Array> {
  const changes = watched[Symbol.asyncIterator]()
  let next = changes.next()
  yield Buffer.from(`: watching from version ${watched.version}\n\n`)
  try {
    for (;;) {
      const pause = Promise.withResolvers<null>()
      const cancel = clock.after(EVERY_MS, () => pause.resolve(null))
      const found = await Promise.race([next, pause.promise]).finally(cancel)
      if (found === null) {
        yield Buffer.from(': still here\n\n')
        continue
      }
      if (found.done) return
      const entry = found.value
      const kind = entry.deleted ? 'delete' : 'put'
      yield Buffer.from(`event: ${kind}\nid: ${entry.version}\ndata: ${JSON.stringify(entryBody(entry))}\n\n`)
      next = changes.next()
    }
  } finally {
    watched.close()
  }
}

async function put(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(exchange)
  onlyKnown(exchange.query, ['ttl'])
  const expiresUs = expiryOf(source.clock, exchange)
  const condition = conditionOf(exchange)
  const value = await exchange.body.bytes(BODY_BYTES_MAX)
  const isNew = !source.store.has(ns, key)
  const group = source.store.put(ns, key, value, { ...condition, expiresUs, urgency: 2 })
  const { lastVersion } = source.store
  await source.synced(group)
  return { status: isNew ? 201 : 204, headers: versionHeaders(lastVersion) }
}

async function add(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(exchange)
  onlyKnown(exchange.query, ['add'])
  const by = Number(exchange.query.get('add') ?? 'none')
  if (!Number.isSafeInteger(by)) {
    throw new HttpError('VARVE_PARAMETER', 'Cannot read parameter add: it is a whole number', 'add')
  }
  const { value, group } = source.store.add(ns, key, by, 2)
  const { lastVersion } = source.store
  await source.synced(group)
  return jsonReply(200, { value }, versionHeaders(lastVersion))
}

async function remove(source: KvSource, exchange: Exchange): Promise<Reply> {
  const { ns, key } = writablePlace(exchange)
  onlyKnown(exchange.query, [])
  if (!source.store.has(ns, key)) {
    throw new VarveError('VARVE_KV_ABSENT', `Cannot delete ${ns}/${key}: there is none`)
  }
  await source.synced(source.store.delete(ns, key, { ...conditionOf(exchange), urgency: 2 }))
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

interface BatchWrite {
  readonly op?: unknown
  readonly ns?: unknown
  readonly key?: unknown
  readonly value?: unknown
  readonly value_base64?: unknown
  readonly ttl_ms?: unknown
  readonly if_version?: unknown
  readonly if_absent?: unknown
}

async function batch(source: KvSource, exchange: Exchange): Promise<Reply> {
  onlyKnown(exchange.query, [])
  const text = (await exchange.body.bytes(BODY_BYTES_MAX)).toString('utf8')
  let found: { writes?: unknown }
  try {
    found = JSON.parse(text)
  } catch {
    throw new HttpError('VARVE_PARAMETER', 'Cannot read batch: it is not JSON', 'body')
  }
  if (!Array.isArray(found?.writes)) throw badWrite(-1, 'it needs a list "writes"')
  const writes = found.writes.map((write, i) => writeOf(write as BatchWrite, i, source.clock))
  const group = source.store.batch(writes, 2)
  const { lastVersion } = source.store
  await source.synced(group)
  return jsonReply(200, { version: lastVersion, writes: writes.length })
}

function badWrite(i: number, why: string): HttpError {
  const where = i < 0 ? 'body' : `writes[${i}]`
  return new HttpError(
    'VARVE_PARAMETER',
    `Cannot read ${i < 0 ? 'batch' : `write ${i} of batch`}: ${why}`,
    where
  )
}

function writeOf(write: BatchWrite, i: number, clock: Clock): Write {
  const { op, ns, key } = write ?? {}
  if (typeof ns !== 'string' || typeof key !== 'string') throw badWrite(i, 'ns and key are texts')
  checkWritable(ns)
  const condition: Condition = {}
  if (write.if_absent === true) condition.ifAbsent = true
  if (write.if_version !== undefined) {
    if (!Number.isSafeInteger(write.if_version)) throw badWrite(i, 'if_version is a version')
    condition.ifVersion = write.if_version as number
  }
  if (op === 'delete') return { op, ns, key, ...condition }
  if (op !== 'put') throw badWrite(i, 'op is put or delete')
  const { value, value_base64: coded, ttl_ms: ttlMs = 0 } = write
  if (!Number.isSafeInteger(ttlMs) || (ttlMs as number) < 0) throw badWrite(i, 'ttl_ms is a whole number')
  const expiresUs = ttlMs === 0 ? 0 : clock.nowUs() + (ttlMs as number) * 1000
  if (typeof value === 'string') return { op, ns, key, value: Buffer.from(value), expiresUs, ...condition }
  if (typeof coded !== 'string') throw badWrite(i, 'it needs value or value_base64, a text')
  return { op, ns, key, value: Buffer.from(coded, 'base64'), expiresUs, ...condition }
}

function versionHeaders(version: number): Record<string, string> {
  return { etag: `"${version}"`, 'x-varve-version': String(version), 'cache-control': 'no-cache' }
}

function matches(header: string | undefined, version: number): boolean {
  return header?.split(',').some(tag => ['*', `"${version}"`].includes(tag.trim())) ?? false
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Bytes as text under a name, or as base64 under that name with `_base64`, where they are none. */
export function textOrBase64(name: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [name]: utf8.decode(bytes) }
  } catch {
    return { [`${name}_base64`]: Buffer.from(bytes).toString('base64') }
  }
}

function entryBody(entry: Entry): object {
  const expires = entry.expiresUs === 0 ? {} : { expires_us: entry.expiresUs }
  const value = entry.deleted ? {} : textOrBase64('value', entry.value)
  return { ...textOrBase64('key', entry.key), version: entry.version, ...expires, ...value }
}

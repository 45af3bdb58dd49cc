// What a namespace holds, over HTTP: pages of its entries, and its changes as server-sent events.
// Not here: the routes (routes-kv.ts), what a watch promises (kv/watch.ts).
import { isUtf8 } from 'node:buffer'
import type { Clock } from '../base/clock.ts'
import type { Entry } from '../kv/entry.ts'
import type { ForeignNamespace } from '../kv/foreign.ts'
import type { KvStore } from '../kv/store.ts'
import { cursorOf, type ScanOptions } from '../kv/view.ts'
import { type Exchange, jsonReply, type Reply } from './exchange.ts'
import { onlyKnown, wholeOf } from './parameters.ts'
import { HttpError } from './problem.ts'

const LIST = { usual: 100, max: 1000 } as const
/** Values of a page: it ends with the entry that reaches this, whatever its limit. */
const PAGE_BYTES_MAX = 4 * 2 ** 20
const EVERY_MS = 15_000

/** A page of entries, and the cursor of the next one. @param foreign  who keeps them, unless the store does */
export async function list(
  store: KvStore,
  foreign: ForeignNamespace | undefined,
  ns: string,
  { query, signal }: Exchange
): Promise<Reply> {
  onlyKnown(query, ['prefix', 'from', 'to', 'limit', 'cursor', 'reverse'])
  const limit = wholeOf(query, 'limit') ?? LIST.usual
  if (limit < 1 || limit > LIST.max) {
    throw new HttpError('VARVE_PARAMETER', `Cannot read parameter limit: it is 1 to ${LIST.max}`, 'limit')
  }
  const options: ScanOptions = { limit: limit + 1 }
  for (const name of ['prefix', 'from', 'to', 'cursor'] as const) {
    const value = query.get(name)
    if (value !== null) options[name] = value
  }
  if (query.has('reverse')) options.reverse = query.get('reverse') !== 'false'
  if (!/^[\w-]*$/.test(options.cursor ?? '')) {
    throw new HttpError(
      'VARVE_PARAMETER',
      'Cannot read parameter cursor: it is none that a page gave',
      'cursor'
    )
  }
  const entries: Entry[] = []
  let [bytes, hasMore] = [0, false]
  const isFull = (entry: Entry): boolean => {
    hasMore = entries.length === limit || bytes >= PAGE_BYTES_MAX
    if (hasMore) return true
    entries.push(entry)
    bytes += entry.value.length
    return false
  }
  // What the store gives is read in one turn: nothing changes meanwhile.
  if (foreign === undefined) {
    for (const entry of store.scan(ns, options)) if (isFull(entry)) break
  } else {
    for await (const entry of foreign.scan(options, signal)) if (isFull(entry)) break
  }
  const cursor = hasMore ? cursorOf(entries.at(-1)!) : null
  const version = foreign === undefined ? store.lastVersion : Math.max(0, ...entries.map(one => one.version))
  return jsonReply(200, { entries: entries.map(entryBody), cursor, version })
}

/** The changes of a namespace as events. */
export function watch(store: KvStore, clock: Clock, ns: string, { query, signal }: Exchange): Reply {
  onlyKnown(query, ['watch', 'prefix'])
  const after = query.get('watch') === '' ? store.lastVersion : (wholeOf(query, 'watch') ?? 0)
  if (after > store.lastVersion) {
    throw new HttpError(
      'VARVE_PARAMETER',
      `Cannot watch ${ns} from version ${after}: the newest is ${store.lastVersion}, so it is of another store`,
      'watch'
    )
  }
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

/** Bytes as text under a name, or as base64 under that name with `_base64`, where they are none. */
export function textOrBase64(name: string, bytes: Uint8Array): Record<string, string> {
  return isUtf8(bytes) && !hasControls(bytes)
    ? { [name]: utf8.decode(bytes) }
    : { [`${name}_base64`]: Buffer.from(bytes).toString('base64') }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Bytes that no text has, and that JSON would take six bytes for. */
function hasControls(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return true
  }
  return false
}

function entryBody(entry: Entry): object {
  const expires = entry.expiresUs === 0 ? {} : { expires_us: entry.expiresUs }
  const value = entry.deleted ? {} : textOrBase64('value', entry.value)
  return { ...textOrBase64('key', entry.key), version: entry.version, ...expires, ...value }
}

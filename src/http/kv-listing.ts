// What a namespace holds, over HTTP: pages of its entries, and its changes as server-sent events.
// Not here: the routes (routes-kv.ts), what a watch promises (kv/watch.ts).
import type { Clock } from '../base/clock.ts'
import type { Entry } from '../kv/entry.ts'
import type { ForeignNamespace } from '../kv/foreign.ts'
import type { KvStore } from '../kv/store.ts'
import { cursorOf, type ScanOptions } from '../kv/view.ts'
import { type Exchange, jsonReply, type Reply } from './exchange.ts'
import { onlyKnown, wholeOf } from './parameters.ts'
import { HttpError } from './problem.ts'

const LIST = { usual: 100, max: 1000 } as const
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
  const found: Entry[] = []
  if (foreign === undefined) found.push(...store.scan(ns, options))
  else for await (const entry of foreign.scan(options, signal)) found.push(entry)
  const entries = found.slice(0, limit)
  const cursor = found.length > limit ? cursorOf(entries.at(-1)!) : null
  const version = foreign === undefined ? store.lastVersion : Math.max(0, ...found.map(one => one.version))
  return jsonReply(200, { entries: entries.map(entryBody), cursor, version })
}

/** The changes of a namespace as events. */
export function watch(store: KvStore, clock: Clock, ns: string, { query, signal }: Exchange): Reply {
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

// The key-value store over MQTT: `$kv/{namespace}/{key}`, where the key may hold slashes.
//
//   PUBLISH                       puts the payload; QoS 1 is acknowledged after the sync
//   PUBLISH, retain, no payload   deletes
//   SUBSCRIBE                     delivers the current values as retained messages, then each change as it becomes
//                                 durable: the value, or an empty payload for a delete
// Filters may have wildcards in place of the namespace too. A change is told whichever face made it.
//
// How nothing is missed or told twice: one position for all subscribers, which moves with every sync. A new one gets as
// retained messages only versions up to the position, and all later ones as changes. A subscriber that cannot be given a change is
// disconnected: it never misses one while it is connected.
//
// The read-only namespace `last` is there where a filter names it (last-topics.ts); a wildcard in place of the namespace
// does not reach it, or `$kv/#` would be sent all telemetry.
//
// Not there: entries whose key is no topic (empty, not UTF-8, + or # or U+0000), those that expire (nothing is written
// when they do), namespaces of the daemon's own. An empty value looks like a delete.
// Not here: rights (broker/auth.ts, before a request gets here), the store (kv).
import { VarveError } from '../base/errors.ts'
import type { Feed, ServiceRequest, TopicService } from '../broker/service.ts'
import { type Message, messageOf } from '../broker/session.ts'
import { filterMatches, isTopic, type TopicLimits } from '../broker/topic.ts'
import { isReserved } from '../http/routes-kv.ts'
import type { Entry } from '../kv/entry.ts'
import { refuseForeign } from '../kv/foreign.ts'
import type { KvStore } from '../kv/store.ts'
import type { Watch } from '../kv/watch.ts'
import type { LastTopics } from './last-topics.ts'
import { LAST } from './last-values.ts'

const ROOT = '$kv'
const QOS = 1
/** Entries read at once for a new subscriber: no view of the store is held while it is slow. */
const ENTRIES_AT_ONCE = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is asked of the broker. */
export interface KvTopicsBroker {
  relayWhole(topic: string, payload: Uint8Array, qos: 0 | 1 | 2): void
  hasSubscribers(root: string): boolean
  readonly limits: TopicLimits
}

export class KvTopics implements TopicService {
  readonly root = ROOT
  private readonly kv: KvStore
  private readonly broker: KvTopicsBroker
  private readonly last: Pick<LastTopics, 'feed'>
  private readonly onError: (error: unknown) => void
  private watch: Watch | null = null

  /** @param onError  told when a change could not be read: then it was not told */
  constructor(
    kv: KvStore,
    broker: KvTopicsBroker,
    last: Pick<LastTopics, 'feed'>,
    onError: (error: unknown) => void
  ) {
    this.kv = kv
    this.broker = broker
    this.last = last
    this.onError = onError
  }

  request({ topic, payload, retain, qos }: ServiceRequest): number {
    const { ns, key } = placeOf(topic)
    if (ns === LAST) throw refuseForeign(ns)
    if (isReserved(ns)) {
      throw new VarveError('VARVE_KV_RESERVED', `Cannot write to namespace ${ns}: it is the daemon's own`)
    }
    const urgency = qos === 0 ? 0 : 1
    if (retain && payload.length === 0) return this.kv.delete(ns, key, { urgency })
    return this.kv.put(ns, key, payload, { urgency })
  }

  subscribing(filter: string): void {
    if (!isOfLast(filter)) this.watch ??= this.kv.watch(null)
  }

  feed(filter: string, wantsRetained: boolean, wake: () => void): Feed | null {
    return isOfLast(filter) ? this.last.feed(filter, wantsRetained, wake) : null
  }

  /** Something became durable: tells it, in the order of versions. */
  synced(): void {
    if (this.watch === null) return
    if (!this.broker.hasSubscribers(ROOT)) {
      this.watch.close()
      this.watch = null
      return
    }
    try {
      for (let entries = this.watch.take(); entries.length > 0; entries = this.watch.take()) {
        for (const entry of entries) this.tell(entry)
      }
    } catch (error) {
      this.watch.close()
      this.watch = null
      this.onError(error)
    }
  }

  retained(filter: string): Iterable<Message> {
    return this.sound(this.values(filter, this.watch?.version ?? this.kv.lastVersion))
  }

  /** Ends where the store cannot be read on: the subscriber is told of changes all the same. */
  private *sound(messages: Iterable<Message>): Generator<Message> {
    try {
      yield* messages
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      // No entry has a namespace that is none.
      if (error.code !== 'VARVE_NAMESPACE') this.onError(error)
    }
  }

  private tell(entry: Entry): void {
    const topic = this.topicOf(entry)
    if (topic !== null) this.broker.relayWhole(topic, entry.value, QOS)
  }

  /** Current entries under a filter that are not newer than a version. */
  private *values(filter: string, version: number): Generator<Message> {
    const level = filter.split('/')[1] ?? '#'
    const all = level === '+' || level === '#'
    for (const ns of all ? this.kv.namespaces() : [level]) {
      if (isHidden(ns)) continue
      for (let from = new Uint8Array(0); ; ) {
        const entries = [...this.kv.scan(ns, { prefix: prefixOf(filter), from, limit: ENTRIES_AT_ONCE })]
        for (const entry of entries) {
          const topic = this.topicOf(entry)
          if (topic === null || !filterMatches(filter, topic)) continue
          // What changed meanwhile is told as a change, and must not be followed by what was before.
          const now = this.kv.get(ns, entry.key)
          if (now === undefined || now.version !== entry.version || entry.version > version) continue
          yield messageOf(topic, entry.value)
        }
        if (entries.length < ENTRIES_AT_ONCE) break
        from = new Uint8Array([...entries.at(-1)!.key, 0])
      }
    }
  }

  /** Null when no topic can name it. */
  private topicOf(entry: Entry): string | null {
    const { namespace, key } = entry
    if (isHidden(namespace) || key.length === 0) return null
    try {
      const topic = `${ROOT}/${namespace}/${utf8.decode(key)}`
      return isTopic(topic, this.broker.limits) ? topic : null
    } catch {
      return null
    }
  }
}

function isOfLast(filter: string): boolean {
  return filter === `${ROOT}/${LAST}` || filter.startsWith(`${ROOT}/${LAST}/`)
}

/** Nobody is told of entries in it. */
function isHidden(ns: string): boolean {
  return isReserved(ns) || ns === LAST
}

/** @throws {VarveError} VARVE_TOPIC when the topic names no key */
function placeOf(topic: string): { ns: string; key: string } {
  const [, ns = '', ...key] = topic.split('/')
  if (ns === '' || key.join('/') === '') {
    throw new VarveError('VARVE_TOPIC', `Cannot put ${topic.slice(0, 80)}: it is ${ROOT}/{namespace}/{key}`)
  }
  return { ns, key: key.join('/') }
}

/** What all keys that a filter matches begin with. */
function prefixOf(filter: string): string {
  const levels = filter.split('/').slice(2)
  const wild = levels.findIndex(level => level === '+' || level === '#')
  if (wild < 0) return levels.join('/')
  // `a/#` matches `a` too.
  return levels.slice(0, wild).join('/')
}

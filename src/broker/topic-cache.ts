// Knows each topic by its bytes: a device publishes to the same few topics for ever, so decoding, checking
// and matching a topic is done once and found again by a hash of the bytes.
//
// Invariants: an entry is only made for a valid topic; at most topicCacheMax entries, after which all are
// forgotten and the live ones come back with their next message (holders of an entry may keep using it).
import { serviceOf, type TopicService } from './service.ts'
import type { Session } from './session.ts'
import type { Route, SubscriptionTrie } from './subscription-trie.ts'
import { decodeTopic, type TopicLimits } from './topic.ts'

export interface TopicEntry {
  readonly topic: string
  readonly bytes: Uint8Array
  readonly hash: number
  /** The next entry with this hash. */
  next: TopicEntry | undefined
  /** Subscribers as of `epoch`; read through TopicCache.routes(). */
  routes: readonly Route<Session>[]
  epoch: number
  /** The daemon's own, where it serves the topic itself (service.ts). */
  readonly service: TopicService | undefined
}

/** An entry with its text and bytes, for topics of about 40 bytes. */
const ENTRY_BYTES = 400

export class TopicCache {
  private readonly limits: TopicLimits & { topicCacheMax: number }
  private readonly trie: SubscriptionTrie<Session>
  private readonly entries = new Map<number, TopicEntry>()
  private size = 0
  private readonly services: readonly TopicService[]

  constructor(
    limits: TopicLimits & { topicCacheMax: number },
    trie: SubscriptionTrie<Session>,
    services: readonly TopicService[] = []
  ) {
    this.services = services
    this.limits = limits
    this.trie = trie
  }

  /** Memory held, in bytes, roughly. */
  get bytes(): number {
    return this.size * ENTRY_BYTES
  }

  /** The entry of the topic in bytes[start, end), or null when no PUBLISH may carry it. */
  find(bytes: Uint8Array, start: number, end: number): TopicEntry | null {
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    let entry = this.entries.get(hash)
    while (entry !== undefined) {
      if (isTopicOf(entry, bytes, start, end)) return entry
      entry = entry.next
    }
    return this.make(bytes, start, end, hash)
  }

  /** The entry of a topic known as text, or null when it is not valid. */
  named(topic: string): TopicEntry | null {
    const bytes = Buffer.from(topic)
    return this.find(bytes, 0, bytes.length)
  }

  /** Who receives the topic now. */
  routes(entry: TopicEntry): readonly Route<Session>[] {
    if (entry.epoch !== this.trie.epoch) {
      entry.routes = this.trie.match(entry.topic)
      entry.epoch = this.trie.epoch
    }
    return entry.routes
  }

  private make(bytes: Uint8Array, start: number, end: number, hash: number): TopicEntry | null {
    const topic = decodeTopic(bytes, start, end, this.limits)
    if (topic === null) return null
    if (this.size >= this.limits.topicCacheMax) {
      this.entries.clear()
      this.size = 0
    }
    const entry: TopicEntry = {
      topic,
      bytes: Uint8Array.prototype.slice.call(bytes, start, end),
      hash,
      next: this.entries.get(hash),
      routes: [],
      epoch: 0,
      service: serviceOf(this.services, topic)
    }
    this.entries.set(hash, entry)
    this.size++
    return entry
  }
}

/** True if bytes[start, end) is the entry's topic. */
export function isTopicOf(entry: TopicEntry, bytes: Uint8Array, start: number, end: number): boolean {
  const own = entry.bytes
  if (own.length !== end - start) return false
  for (let i = 0, at = start; at < end; i++, at++) if (own[i] !== bytes[at]) return false
  return true
}

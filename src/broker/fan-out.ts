// Takes one accepted message to every subscriber of its topic. A QoS 0 delivery is encoded once per protocol
// version (mostly not at all: the publisher's own packet is what subscribers get) and copied to each socket's
// outlet; a slow subscriber loses messages beyond its bound, counted, and never holds up the others.
// QoS 1 and 2 deliveries go to the session's bounded queue.
//
// Invariants: synchronous, so messages of one publisher reach a subscriber in their order; a subscriber gets
// a message once, with the lower of the message's and its own quality of service.
// Not here: matching (subscription-trie.ts), acknowledgements of subscribers (session.ts).
import { encodePublish } from './packet.ts'
import type { Message, Session } from './session.ts'
import type { BrokerStats } from './stats.ts'
import type { Route } from './subscription-trie.ts'
import type { TopicCache, TopicEntry } from './topic-cache.ts'

/** A message as it lies in a packet that is being handled: valid during the call only. */
export interface Publication {
  entry: TopicEntry
  bytes: Uint8Array
  /** The payload is bytes[start, end). */
  start: number
  end: number
  qos: 0 | 1 | 2
  retain: boolean
  /** MQTT 5 property bytes without their length; null: none. */
  properties: Uint8Array | null
  /** Relative to `properties`; -1: none. */
  expiryAt: number
  expirySeconds: number
  /** Start of the packet that ends at `end`, if a subscriber of `packetVersion` may get it as it is; -1: none. */
  packetStart: number
  packetVersion: 4 | 5
  /** The publisher's session; null: the broker itself. */
  from: Session | null
  clientId: string
}

/** A message that lies in no packet, of the broker itself. */
export function publicationOf(
  entry: TopicEntry,
  bytes: Uint8Array,
  qos: 0 | 1 | 2,
  retain: boolean
): Publication {
  return {
    entry,
    bytes,
    start: 0,
    end: bytes.length,
    qos,
    retain,
    properties: null,
    expiryAt: -1,
    expirySeconds: 0,
    packetStart: -1,
    packetVersion: 4,
    from: null,
    clientId: ''
  }
}

const notRetained = { qos: 0, retain: false, dup: false, id: 0 }

export class FanOut {
  private readonly topics: TopicCache
  private readonly stats: BrokerStats
  private readonly monotonicMs: () => number

  constructor(topics: TopicCache, stats: BrokerStats, monotonicMs: () => number) {
    this.topics = topics
    this.stats = stats
    this.monotonicMs = monotonicMs
  }

  /** Delivers to everyone who subscribed. Returns how many subscribers it was for. */
  route(publication: Publication): number {
    const routes = this.topics.routes(publication.entry)
    if (routes.length === 0) return 0
    let frame4: Buffer | null = null
    let frame5: Buffer | null = null
    let message: Message | null = null
    for (const route of routes) {
      if (route.noLocal && route.subscriber === publication.from) continue
      const qos = publication.qos < route.qos ? publication.qos : route.qos
      const retain = route.retainAsPublished && publication.retain
      if (qos > 0) {
        message ??= this.keep(publication)
        route.subscriber.deliver(message, qos, retain)
        continue
      }
      const link = route.subscriber.link
      if (link === null) continue
      const version = link.version === 5 ? 5 : 4
      let sent: boolean
      if (retain) {
        const frame = encode(publication, version, route)
        sent = link.offer(frame, 0, frame.length)
      } else if (publication.packetStart >= 0 && publication.packetVersion === version) {
        sent = link.offer(publication.bytes, publication.packetStart, publication.end)
      } else {
        const frame: Buffer =
          version === 5 ? (frame5 ??= encode(publication, 5)) : (frame4 ??= encode(publication, 4))
        sent = link.offer(frame, 0, frame.length)
      }
      if (sent) this.stats.delivered++
      else this.stats.droppedQos0++
    }
    return routes.length
  }

  /** As route(), and tells of each connected subscriber that could not be given it. */
  routeWhole(publication: Publication, onLost: (session: Session) => void): void {
    const message = this.keep(publication)
    for (const { subscriber, qos: own } of [...this.topics.routes(publication.entry)]) {
      const qos = publication.qos < own ? publication.qos : own
      const { link } = subscriber
      if (qos > 0) {
        if (!subscriber.deliver(message, qos, false) && link !== null) onLost(subscriber)
        continue
      }
      if (link === null) continue
      const frame = encode(publication, link.version === 5 ? 5 : 4)
      if (link.offer(frame, 0, frame.length)) this.stats.delivered++
      else onLost(subscriber)
    }
  }

  /** A copy of the publication that may be kept. */
  keep(publication: Publication): Message {
    const { entry, bytes, start, end, qos, properties, expiryAt, expirySeconds } = publication
    const payload = Buffer.from(bytes.subarray(start, end))
    return {
      topic: entry.topic,
      topicBytes: entry.bytes,
      qos,
      properties: properties === null ? null : Buffer.from(properties),
      bytes: payload,
      start: 0,
      end: payload.length,
      expiryAt,
      expiresMs: expiryAt < 0 ? Number.POSITIVE_INFINITY : this.monotonicMs() + expirySeconds * 1000
    }
  }
}

function encode(publication: Publication, version: 4 | 5, route?: Route<Session>): Buffer {
  const { entry, properties, bytes, start, end } = publication
  const flags = route === undefined ? notRetained : { ...notRetained, retain: true }
  return encodePublish({ topicBytes: entry.bytes, properties, bytes, start, end }, version, flags)
}

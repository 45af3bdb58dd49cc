// The state of one client that outlives its packets, and for persistent sessions its connection:
// subscriptions, QoS 1 and 2 messages on their way to it, and the ids of QoS 2 messages on their way from it.
// Kept in memory only: a restart forgets sessions, as a clean start does.
//
//   route -> outbox (bounded) -> inflight (window) -> PUBLISH ... PUBACK or PUBCOMP
//
// Invariants: outbox holds at most queueMax messages and queueBytesMax bytes, inflight at most the window;
// messages leave in the order they came; an id in inflight is not given again.
// Not here: QoS 0 deliveries (fan-out.ts), the handshake packets themselves (aedes answers them).
import type { BrokerLimits } from './limits.ts'
import { encodePublish, PUBREL, type PublishParts } from './packet.ts'
import type { Feed } from './service.ts'
import type { BrokerStats } from './stats.ts'
import type { Subscription, SubscriptionTrie } from './subscription-trie.ts'

/** A message kept for later delivery: its bytes are a copy. */
export interface Message extends PublishParts {
  qos: 0 | 1 | 2
  topic: string
  /** Monotonic ms after which it is not delivered any more; Infinity: never (MQTT 5 message expiry). */
  expiresMs: number
  /** Where the 4 bytes of the message expiry lie in `properties`; -1: none. */
  expiryAt: number
}

/** A message of the daemon's own, QoS 1. @param bytes  not copied */
export function messageOf(topic: string, bytes: Uint8Array): Message {
  return {
    topic,
    topicBytes: Buffer.from(topic),
    qos: 1,
    properties: null,
    bytes,
    start: 0,
    end: bytes.length,
    expiryAt: -1,
    expiresMs: Number.POSITIVE_INFINITY
  }
}

/** The connection of a session, as far as a session needs it. */
export interface SessionLink {
  readonly version: number
  /** Messages it lets us have unacknowledged. */
  readonly windowMax: number
  /** Longest packet it takes. */
  readonly packetBytesMax: number
  /** False while its socket has enough to write. */
  hasRoom(): boolean
  /** Writes one whole packet. */
  write(packet: Buffer): void
  /** Queues a copy of a QoS 0 packet unless the socket has too much to write: then false. */
  offer(bytes: Uint8Array, start: number, end: number): boolean
}

interface Outgoing {
  message: Message
  qos: 0 | 1 | 2
  retain: boolean
}

interface InFlight extends Outgoing {
  /** PUBREC came: only PUBREL is owed. */
  released: boolean
}

/** What all sessions share. */
export interface SessionContext {
  readonly limits: BrokerLimits
  readonly stats: BrokerStats
  readonly trie: SubscriptionTrie<Session>
  monotonicMs(): number
}

export class Session {
  readonly clientId: string
  readonly persistent: boolean
  readonly subscriptions = new Map<string, Subscription>()
  /** QoS 2 ids between PUBLISH and PUBREL, with the group that PUBREC waits for. */
  readonly incoming = new Map<number, number>()
  readonly inflight = new Map<number, InFlight>()
  link: SessionLink | null = null
  /** How long it outlives its connection, s; Infinity for ever (MQTT 5 session expiry). */
  expirySeconds = Number.POSITIVE_INFINITY
  /** The connection that opened it last, accepted or not yet: only its end is the session's. */
  owner: object | null = null
  /** Monotonic ms at which it lost its connection. */
  leftMs = 0
  private outbox: Outgoing[] = []
  private outboxBytes = 0
  private replays: Iterator<Message & { grantedQos: 0 | 1 | 2 }>[] = []
  /** By filter; null: it never had one, as nearly all. */
  private feeds: Map<string, { feed: Feed; qos: 0 | 1 | 2 }> | null = null
  private nextId = 1
  private readonly context: SessionContext
  private gone: (() => void)[] = []

  constructor(clientId: string, persistent: boolean, context: SessionContext) {
    this.clientId = clientId
    this.persistent = persistent
    this.context = context
  }

  /** Messages waiting to be sent. */
  get queued(): number {
    return this.outbox.length
  }

  subscribe(filter: string, subscription: Subscription): void {
    this.subscriptions.set(filter, subscription)
    this.context.trie.add(filter, this, subscription)
  }

  unsubscribe(filter: string): boolean {
    this.endFeed(filter)
    this.context.trie.remove(filter, this)
    return this.subscriptions.delete(filter)
  }

  /** Forgets everything: the session ends. */
  end(): void {
    for (const filter of [...this.subscriptions.keys()]) this.unsubscribe(filter)
    this.inflight.clear()
    this.incoming.clear()
    this.outbox = []
    this.outboxBytes = 0
    this.replays = []
  }

  /** The connection is open: what it had not acknowledged is sent again, then what waits. */
  attach(link: SessionLink): void {
    this.link = link
    for (const [id, out] of this.inflight) {
      if (out.released) {
        link.write(Buffer.from([(PUBREL << 4) | 2, 2, id >> 8, id & 0xff]))
      } else {
        link.write(
          encodePublish(out.message, link.version, { qos: out.qos, retain: out.retain, dup: true, id })
        )
      }
    }
    this.pump()
  }

  detach(link: SessionLink): void {
    if (this.link !== link) return
    this.link = null
    this.replays = []
    if (this.feeds !== null) for (const filter of [...this.feeds.keys()]) this.endFeed(filter)
    for (const callback of this.gone.splice(0)) callback()
  }

  /** Calls back once, when the connection ends. */
  onGone(callback: () => void): void {
    if (this.link === null) callback()
    else this.gone.push(callback)
  }

  /** Queues a QoS 1 or 2 delivery; false when the bounded queue is full and the message was dropped. */
  deliver(message: Message, qos: 0 | 1 | 2, retain: boolean): boolean {
    const bytes = message.end - message.start
    const { queueMax, queueBytesMax } = this.context.limits
    if (this.outbox.length >= queueMax || this.outboxBytes + bytes > queueBytesMax) {
      this.context.stats.droppedQueued++
      return false
    }
    this.outbox.push({ message, qos, retain })
    this.outboxBytes += bytes
    this.pump()
    return true
  }

  /** Sends retained messages as the connection takes them; the iterator is read lazily. */
  replay(messages: Iterator<Message & { grantedQos: 0 | 1 | 2 }>): void {
    this.replays.push(messages)
    this.pump()
  }

  /** Sends what the feed of a subscription has, as the connection takes it; one that the filter had before ends. */
  follow(filter: string, feed: Feed, qos: 0 | 1 | 2): void {
    this.endFeed(filter)
    this.feeds ??= new Map()
    this.feeds.set(filter, { feed, qos })
    this.pump()
  }

  private endFeed(filter: string): void {
    this.feeds?.get(filter)?.feed.close()
    this.feeds?.delete(filter)
  }

  /** The client acknowledged (PUBACK, PUBCOMP, or PUBREC with an error). */
  acknowledged(id: number): void {
    if (this.inflight.delete(id)) this.pump()
  }

  /** The client sent PUBREC. */
  received(id: number): void {
    const out = this.inflight.get(id)
    if (out !== undefined) out.released = true
  }

  /** Sends what window and socket take. */
  pump(): void {
    const link = this.link
    if (link === null) return
    const open = (): boolean => this.inflight.size < link.windowMax && link.hasRoom()
    while (this.replays.length > 0 && open()) {
      const next = this.replays[0]!.next()
      if (next.done === true) this.replays.shift()
      else this.send(link, { message: next.value, qos: next.value.grantedQos, retain: true })
    }
    let sent = 0
    while (sent < this.outbox.length && open()) {
      const out = this.outbox[sent++]!
      this.outboxBytes -= out.message.end - out.message.start
      this.send(link, out)
    }
    if (sent > 0) this.outbox.splice(0, sent)
    if (this.feeds === null) return
    for (const { feed, qos } of this.feeds.values()) {
      while (open()) {
        const next = feed.next()
        if (next === null) break
        const { message, retain } = next
        this.send(link, { message, qos: message.qos < qos ? message.qos : qos, retain })
      }
    }
  }

  private send(link: SessionLink, out: Outgoing): void {
    const message = aged(out.message, this.context.monotonicMs())
    if (message === null) return
    let id = 0
    if (out.qos > 0) {
      while (this.inflight.has(this.nextId)) this.nextId = (this.nextId % 65535) + 1
      id = this.nextId
      this.nextId = (this.nextId % 65535) + 1
    }
    const packet = encodePublish(message, link.version, { qos: out.qos, retain: out.retain, dup: false, id })
    if (packet.length > link.packetBytesMax) {
      this.context.stats.droppedQueued++
      return
    }
    if (id > 0) this.inflight.set(id, { ...out, released: false })
    this.context.stats.delivered++
    link.write(packet)
  }
}

/** The message with its expiry counted down, or null when it has expired. */
function aged(message: Message, nowMs: number): Message | null {
  if (message.expiryAt < 0) return message
  const left = message.expiresMs - nowMs
  if (left <= 0) return null
  const properties = Buffer.from(message.properties!)
  properties.writeUInt32BE(Math.ceil(left / 1000), message.expiryAt)
  return { ...message, properties }
}

/** All persistent sessions. */
export class SessionStore {
  private readonly sessions = new Map<string, Session>()
  private readonly context: SessionContext

  constructor(context: SessionContext) {
    this.context = context
  }

  get size(): number {
    return this.sessions.size
  }

  /** Sessions without a connection. */
  get away(): number {
    let away = 0
    for (const session of this.sessions.values()) if (session.link === null) away++
    return away
  }

  /** The stored session of a client id. */
  get(clientId: string): Session | undefined {
    return this.sessions.get(clientId)
  }

  /**
   * The session a client gets when it connects.
   * @param fresh       forget what was stored
   * @param persistent  keep it after the connection
   */
  open(clientId: string, fresh: boolean, persistent: boolean): { session: Session; resumed: boolean } {
    const stored = this.sessions.get(clientId)
    if (stored !== undefined && !fresh && !this.expired(stored)) return { session: stored, resumed: true }
    if (stored !== undefined) this.forget(stored)
    const session = new Session(clientId, persistent, this.context)
    if (persistent) this.sessions.set(clientId, session)
    return { session, resumed: false }
  }

  /** The connection is gone: the session stays if it is persistent, and then the oldest beyond the bound goes. */
  left(session: Session, owner: object): void {
    if (session.owner !== owner) return
    if (!session.persistent || session.expirySeconds === 0) {
      this.forget(session)
      return
    }
    if (this.sessions.get(session.clientId) !== session) return
    session.leftMs = this.context.monotonicMs()
    this.sessions.delete(session.clientId)
    this.sessions.set(session.clientId, session)
    this.sweep()
  }

  /** Forgets expired sessions and, beyond the bound, those longest away. */
  sweep(): void {
    let away = this.away
    for (const session of this.sessions.values()) {
      if (session.link !== null) continue
      if (away > this.context.limits.sessionsMax || this.expired(session)) {
        this.forget(session)
        away--
      }
    }
  }

  private expired(session: Session): boolean {
    return (
      session.link === null &&
      session.leftMs > 0 &&
      this.context.monotonicMs() - session.leftMs > session.expirySeconds * 1000
    )
  }

  private forget(session: Session): void {
    session.end()
    if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId)
  }
}

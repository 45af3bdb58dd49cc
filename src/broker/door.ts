// One connection: what stands between its socket and aedes. It reads the packets in the socket's own buffer
// and handles the frequent ones itself (PUBLISH QoS 0 and 1 without retain, acknowledgements of deliveries);
// the rest goes to aedes through an InnerStream in the original order, and aedes' answers come back through
// it. Both ways end in take(), so rights, limits, store, fan-out and acknowledgements are one.
//
//   socket -> PacketReader -> publish() -> take() -> Intake            fast path
//                          -> hand()    -> aedes -> hook -> take()     QoS 2, retained, all with fastPath off
//   aedes  -> fromAedes()  -> Outlet -> socket       CONNACK, SUBACK, UNSUBACK, PUBCOMP, PINGRESP
//
// Invariants:
//  - nothing follows CONNECT before aedes accepted it; nothing follows a handed PUBLISH, SUBSCRIBE or
//    UNSUBSCRIBE before aedes has taken it (the barrier), so order holds across both ways;
//  - PUBACK and PUBREC are written by AckQueue alone, after the sync; those of aedes are dropped;
//  - the socket is not read while too much of it waits for sync, for aedes or for its own reading.
// Not here: versions' packet forms (connect-, connack-, subscribe-packet.ts), hooks of aedes (server.ts).
import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { assert } from '../base/assert.ts'
import type { Rights } from './auth.ts'
import { encodeConnack, encodeDisconnect, type Terms } from './connack-packet.ts'
import {
  type ConnectPacket,
  connectRefusal,
  disconnectExpiry,
  encodeConnect,
  parseConnect,
  sessionExpiry,
  UNSUPPORTED_VERSION
} from './connect-packet.ts'
import type { DoorHost } from './door-host.ts'
import { InnerStream } from './inner-stream.ts'
import { Outlet } from './outlet.ts'
import * as mqtt from './packet.ts'
import { encodePublish, REASON } from './packet.ts'
import { PacketReader } from './packet-reader.ts'
import { propertyIds } from './properties.ts'
import { type PublishPacket, parsePublish, publishPacket } from './publish-packet.ts'
import { Publisher } from './publisher.ts'
import type { Message, Session, SessionLink } from './session.ts'
import * as subscribing from './subscribe-packet.ts'
import { isTopicOf, type TopicEntry } from './topic-cache.ts'

/** A PUBLISH on its way through aedes: what aedes does not keep. */
interface Handed {
  packet: PublishPacket
  entry: TopicEntry
}

const lingerMs = 2_000

export class Door implements SessionLink {
  readonly host: DoorHost
  readonly remote: string
  version = 4
  windowMax: number
  packetBytesMax = 0xfffffff
  connect: ConnectPacket | null = null
  clientId = ''
  rights: Rights | null = null
  session: Session | null = null
  isResumed = false
  isOpen = false
  isClosed = false
  /** Monotonic ms since when its socket takes nothing more; 0: it does. */
  stuckSinceMs = 0
  readonly publisher: Publisher
  readonly subscribes = new Map<number, subscribing.SubscribePacket>()
  readonly unsubscribes = new Map<number, { packet: subscribing.SubscribePacket; existed: boolean[] }>()
  private readonly handed: Handed[] = []
  private readonly wire: Duplex
  private readonly outlet: Outlet
  private readonly reader: PacketReader
  private inner: InnerStream | null = null
  private refreshKeepAlive: () => void = () => {}
  private barrier = false
  private isInnerFull = false
  private isReading = false
  private lastEntry: TopicEntry | null = null
  private readonly cancelTimeout: () => void

  constructor(wire: Duplex, remote: string, host: DoorHost) {
    this.wire = wire
    this.remote = remote
    this.host = host
    this.windowMax = host.limits.windowMax
    this.outlet = new Outlet(wire, host.flushList, host.stats)
    this.publisher = new Publisher(this, (bytes, start, end) => this.outlet.copy(bytes, start, end))
    const onPacket = (bytes: Uint8Array, start: number, body: number, end: number): void =>
      this.packet(bytes, start, body, end)
    this.reader = new PacketReader(
      { onPacket, mayRead: () => this.mayRead(), onBroken: reason => this.fail(reason) },
      host.limits.packetBytesMax
    )
    this.cancelTimeout = host.clock.after(host.limits.connectTimeoutMs, () => this.close())
    wire.on('data', (chunk: Buffer) => this.receive(chunk))
    wire.on('drain', () => this.drained())
    wire.on('end', () => this.close())
    wire.on('error', () => this.close())
    wire.on('close', () => this.close())
  }

  // ---- from the socket

  private receive(chunk: Buffer): void {
    this.host.stats.bytesIn += chunk.length
    if (this.isClosed) return
    this.turn(() => this.reader.read(chunk))
  }

  /** Goes on reading if what it waited for has come. */
  proceed(): void {
    if (this.isClosed || this.isReading || !this.reader.isHolding) return
    this.turn(() => this.reader.proceed())
    if (!this.isClosed && !this.reader.isHolding) this.wire.resume()
  }

  private turn(read: () => boolean): void {
    this.isReading = true
    this.publisher.nowMs = this.host.clock.monotonicMs()
    const more = read()
    this.isReading = false
    if (this.isClosed) return
    if (!more) this.wire.pause()
    if (this.isOpen) this.refreshKeepAlive()
    this.publisher.settle()
  }

  private mayRead(): boolean {
    const { limits, syncWatch } = this.host
    if (this.isClosed) return false
    if (!this.isOpen) return this.connect === null
    return !(
      this.barrier ||
      this.isInnerFull ||
      syncWatch.isBehind ||
      this.publisher.isFull ||
      this.outlet.queued >= limits.subscriberBytesMax
    )
  }

  private packet(bytes: Uint8Array, start: number, body: number, end: number): void {
    const type = bytes[start]! >> 4
    const flags = bytes[start]! & 15
    if (type === mqtt.PUBLISH && this.isOpen) {
      this.publish(bytes, start, body, end)
    } else if (!this.isOpen) {
      if (type === mqtt.CONNECT && flags === 0) this.begin(parseConnect(bytes, body, end))
      else this.fail(REASON.protocol)
    } else if (
      flags !== (type === mqtt.PUBREL || type === mqtt.SUBSCRIBE || type === mqtt.UNSUBSCRIBE ? 2 : 0)
    ) {
      this.fail(REASON.malformed)
    } else if (type >= mqtt.PUBACK && type <= mqtt.PUBCOMP) {
      this.acknowledgement(type, bytes, body, end)
    } else if (type === mqtt.SUBSCRIBE || type === mqtt.UNSUBSCRIBE) {
      this.subscribing(bytes, body, end, type === mqtt.SUBSCRIBE)
    } else if (type === mqtt.PINGREQ && body === end) {
      this.hand(bytes.subarray(start, end), false)
    } else if (type === mqtt.DISCONNECT) {
      this.leave(bytes, body, end)
    } else {
      this.fail(REASON.protocol)
    }
  }

  private begin(packet: ConnectPacket | number): void {
    const { limits } = this.host
    if (typeof packet === 'number') {
      if (packet === UNSUPPORTED_VERSION) this.outlet.share(encodeConnack(4, 1, false, this.terms()))
      this.fail(packet)
      return
    }
    this.connect = packet
    this.version = packet.version
    const { clientId, clean, properties } = packet
    const refusal = connectRefusal(packet, limits)
    if (refusal !== 0) {
      this.refuse(refusal)
      return
    }
    this.windowMax = Math.min(limits.windowMax, properties.get(propertyIds.receiveMaximum) ?? 65535)
    this.packetBytesMax = properties.get(propertyIds.packetSizeMaximum) ?? this.packetBytesMax
    this.clientId = clientId === '' ? `varve-${randomUUID()}` : clientId
    this.inner = new InnerStream({
      onPacket: answer => this.fromAedes(answer),
      onHungry: () => {
        this.isInnerFull = false
        if (this.reader?.isHolding) queueMicrotask(() => this.proceed())
      },
      onDestroyed: () => this.close()
    })
    this.refreshKeepAlive = this.host.introduce(this.inner, this)
    const isClean = clean && sessionExpiry(packet) === 0
    this.inner.give(encodeConnect(packet, this.clientId, isClean))
  }

  private terms(): Terms {
    const { limits } = this.host
    return {
      assignedClientId: this.connect?.clientId === '' ? this.clientId : null,
      packetBytesMax: limits.packetBytesMax,
      receiveMaximum: Math.min(65535, limits.unackedMax)
    }
  }

  /** Answers CONNECT with a version 4 return code and closes. */
  private refuse(returnCode: number): void {
    this.host.stats.connectsRefused++
    this.outlet.share(encodeConnack(this.version, returnCode, false, this.terms()))
    this.close()
  }

  private publish(bytes: Uint8Array, start: number, body: number, end: number): void {
    const packet = publishPacket
    const reason = parsePublish(bytes, start, body, end, this.version)
    if (reason !== 0) {
      this.fail(reason)
      return
    }
    let entry = this.lastEntry
    if (entry === null || !isTopicOf(entry, bytes, packet.topicStart, packet.topicEnd)) {
      entry = this.host.topics.find(bytes, packet.topicStart, packet.topicEnd)
      if (entry === null) {
        this.fail(REASON.topicInvalid)
        return
      }
      this.lastEntry = entry
    }
    if (this.host.fastPath && !packet.retain && packet.qos < 2) {
      this.host.stats.fastPath++
      this.take(packet, entry, bytes, packet.payloadStart, end, packet.isPlain ? start : -1)
      return
    }
    this.handed.push({ packet: { ...packet }, entry })
    if (this.version !== 5) {
      this.hand(bytes.subarray(start, end), true)
      return
    }
    const parts = { topicBytes: entry.bytes, properties: null, bytes, start: packet.payloadStart, end }
    this.hand(encodePublish(parts, 4, packet), true)
  }

  /** aedes' hook has the PUBLISH that was handed first: its payload is the one given. */
  takeHanded(payload: Uint8Array): void {
    const { packet, entry } = this.handed.shift()!
    this.publisher.nowMs = this.host.clock.monotonicMs()
    this.take(packet, entry, payload, 0, payload.length, -1)
    if (!this.isReading && !this.isClosed) this.publisher.settle()
    this.pass()
  }

  private take(
    packet: PublishPacket,
    entry: TopicEntry,
    bytes: Uint8Array,
    start: number,
    end: number,
    packetStart: number
  ): void {
    const { session, rights, publisher } = this
    const reason = publisher.take(packet, entry, session!, rights!, bytes, start, end, packetStart)
    if (reason !== 0) this.end(reason)
  }

  /** The group is on the medium. */
  synced(group: number): void {
    if (this.publisher.synced(group)) this.proceed()
  }

  /** PUBACK, PUBREC, PUBREL, PUBCOMP: all but PUBREL are about our deliveries, which aedes knows nothing of. */
  private acknowledgement(type: number, bytes: Uint8Array, body: number, end: number): void {
    if (end - body < 2 || (this.version !== 5 && end - body > 2)) {
      this.fail(REASON.malformed)
      return
    }
    const session = this.session!
    const id = (bytes[body]! << 8) | bytes[body + 1]!
    const isRefused = end - body > 2 && bytes[body + 2]! >= 0x80
    if (type === mqtt.PUBREL) {
      this.hand(Buffer.from([(mqtt.PUBREL << 4) | 2, 2, id >> 8, id & 0xff]), false)
    } else if (type === mqtt.PUBREC && !isRefused) {
      session.received(id)
      this.write(Buffer.from([(mqtt.PUBREL << 4) | 2, 2, id >> 8, id & 0xff]))
    } else {
      session.acknowledged(id)
    }
  }

  private subscribing(bytes: Uint8Array, body: number, end: number, isSubscribe: boolean): void {
    const { limits } = this.host
    const packet = subscribing.parseSubscribe(bytes, body, end, this.version, isSubscribe, limits)
    if (typeof packet === 'number') {
      this.fail(packet)
      return
    }
    if (isSubscribe) {
      this.subscribes.set(packet.id, packet)
    } else {
      const existed = packet.wanted.map(({ filter }) => this.session!.subscriptions.has(filter))
      this.unsubscribes.set(packet.id, { packet, existed })
    }
    this.hand(subscribing.encodeSubscribe(packet, isSubscribe), true)
  }

  private leave(bytes: Uint8Array, body: number, end: number): void {
    if (this.version !== 5 && end > body) {
      this.fail(REASON.malformed)
      return
    }
    const seconds = this.version === 5 ? disconnectExpiry(bytes, body, end) : null
    if (seconds !== null && this.session!.persistent) this.session!.expirySeconds = seconds
    // A reason other than 0 (version 5) keeps the will, which aedes sends when the connection just ends.
    if (end === body || bytes[body] === 0) this.hand(Buffer.from([mqtt.DISCONNECT << 4, 0]), true)
    else this.close()
  }

  private hand(packet: Uint8Array, waits: boolean): void {
    if (waits && this.host.fastPath) this.barrier = true
    if (!this.inner!.give(packet)) this.isInnerFull = true
  }

  /** aedes has taken the packet that the barrier stands behind. */
  pass(): void {
    this.barrier = false
    queueMicrotask(() => this.proceed())
  }

  // ---- to the socket

  private fromAedes(packet: Uint8Array): void {
    const type = packet[0]! >> 4
    const id = (packet[2]! << 8) | packet[3]!
    assert(type !== mqtt.PUBLISH, 'deliveries do not go through aedes')
    if (type === mqtt.PUBACK || type === mqtt.PUBREC) return
    if (type === mqtt.CONNACK) {
      const isAccepted = packet[3] === 0
      if (!isAccepted) this.host.stats.connectsRefused++
      this.outlet.share(encodeConnack(this.version, packet[3]!, this.isResumed, this.terms()))
    } else if (type === mqtt.SUBACK) {
      this.outlet.share(subscribing.encodeSuback(this.subscribes.get(id)!, packet.subarray(4), this.version))
    } else if (type === mqtt.UNSUBACK) {
      const { packet: asked, existed } = this.unsubscribes.get(id)!
      this.unsubscribes.delete(id)
      this.outlet.share(subscribing.encodeUnsuback(asked, existed, this.version))
    } else {
      this.outlet.copy(packet, 0, packet.length)
    }
  }

  hasRoom(): boolean {
    return this.outlet.queued < this.host.limits.subscriberBytesMax
  }

  write(packet: Buffer): void {
    this.outlet.share(packet)
  }

  offer(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > this.packetBytesMax) return false
    if (this.outlet.queued + (end - start) > this.host.limits.subscriberBytesMax) {
      if (this.stuckSinceMs === 0) this.stuckSinceMs = this.host.clock.monotonicMs()
      return false
    }
    this.outlet.copy(bytes, start, end)
    return true
  }

  private drained(): void {
    this.stuckSinceMs = 0
    this.session?.pump()
    this.proceed()
  }

  // ---- life

  /** The client may connect: it gets its session. */
  admitted(rights: Rights, clean: boolean): void {
    const seconds = sessionExpiry(this.connect!)
    this.rights = rights
    const { session, resumed } = this.host.sessions.open(this.clientId, clean, seconds > 0)
    session.owner = this
    session.expirySeconds = seconds
    this.session = session
    this.isResumed = resumed
  }

  /** aedes granted subscriptions: they hold from now on, and their retained messages follow. */
  subscribed(granted: ReadonlyMap<string, 0 | 1 | 2>, retained: (filter: string) => Iterable<Message>): void {
    const session = this.session!
    const [id, packet] = this.subscribes.entries().next().value!
    this.subscribes.delete(id)
    const options = new Map(packet.wanted.map(({ filter, subscription }) => [filter, subscription]))
    for (const [filter, asked] of options) {
      const qos = granted.get(filter)
      if (qos === undefined) continue
      const isNew = !session.subscriptions.has(filter)
      const isBridge = this.connect!.bridge
      session.subscribe(filter, {
        qos,
        noLocal: asked.noLocal || isBridge,
        retainAsPublished: asked.retainAsPublished || isBridge,
        retainHandling: asked.retainHandling
      })
      if (asked.retainHandling === 2 || (asked.retainHandling === 1 && !isNew)) continue
      session.replay(replayed(retained(filter), qos))
    }
  }

  /** aedes accepted CONNECT: the session and everything the client sent since are let through. */
  open(): void {
    if (this.isClosed) return
    this.isOpen = true
    this.cancelTimeout()
    this.host.settled(this)
    this.session!.attach(this)
    this.proceed()
  }

  /** The keep-alive of a client that we do not read is not its fault. */
  forgiveSilence(): void {
    if (this.isOpen && this.reader.isHolding) this.refreshKeepAlive()
  }

  /** The client broke the protocol or a bound: a version 5 client is told why, then closed. */
  fail(reason: number): void {
    if (this.isClosed) return
    this.host.stats.protocolErrors++
    this.end(reason)
  }

  /** Tells a version 5 client why and closes. */
  end(reason: number): void {
    if (this.isClosed) return
    if (this.version === 5 && this.isOpen) this.outlet.share(encodeDisconnect(reason))
    this.close()
  }

  /** Closes: what is written leaves first, within a bound. The will goes out unless the client took leave. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.cancelTimeout()
    this.reader.stop()
    this.inner?.destroy()
    this.outlet.flush()
    const { wire, host, session } = this
    this.publisher.forget()
    if (session !== null) {
      session.detach(this)
      host.sessions.left(session, this)
    }
    host.settled(this)
    host.closed(this)
    wire.resume()
    if (wire.writableLength > 64 * 1024) wire.destroy()
    else {
      wire.end()
      const cancel = host.clock.after(lingerMs, () => wire.destroy())
      wire.once('close', cancel)
    }
  }
}

function* replayed(
  messages: Iterable<Message>,
  qos: 0 | 1 | 2
): Generator<Message & { grantedQos: 0 | 1 | 2 }> {
  for (const message of messages) yield { ...message, grantedQos: message.qos < qos ? message.qos : qos }
}

// One connection: what stands between its socket and aedes. It reads the packets in the socket's own buffer
// and handles the frequent ones itself (PUBLISH QoS 0 and 1 without retain, acknowledgements of deliveries);
// the rest goes to aedes through an InnerStream in the original order, and aedes' answers come back through
// it. Both ways end in take(), so rights, limits, store, fan-out and acknowledgements are one.
//
//   socket -> PacketReader -> publish() -> take() -> Intake                fast path
//                          -> AedesLink -> aedes -> hook -> take()         QoS 2, retained, all with fastPath off
//   aedes  -> AedesLink    -> Outlet -> socket       CONNACK, SUBACK, UNSUBACK, PUBCOMP, PINGRESP
//
// Invariants:
//  - nothing follows CONNECT before aedes accepted it;
//  - PUBACK and PUBREC are written by AckQueue alone, after the sync;
//  - the socket is not read while too much of it waits for sync, for aedes or for its own reading, nor, if it
//    publishes, while a quick subscriber catches up (patience.ts).
// Not here: what else a client sends (rare-packets.ts), the way to aedes and back (aedes-link.ts), versions'
// packet forms (connect-, connack-, subscribe-packet.ts), hooks of aedes (handshakes.ts).
import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { LentSocket } from '../base/lent-socket.ts'
import { AedesLink } from './aedes-link.ts'
import type { Rights } from './auth.ts'
import { encodeConnack, encodeDisconnect, type Terms } from './connack-packet.ts'
import {
  type ConnectPacket,
  connectRefusal,
  parseConnect,
  sessionExpiry,
  UNSUPPORTED_VERSION
} from './connect-packet.ts'
import type { DoorHost } from './door-host.ts'
import { Outlet } from './outlet.ts'
import * as mqtt from './packet.ts'
import { REASON } from './packet.ts'
import { PacketReader } from './packet-reader.ts'
import { type PublishPacket, parsePublish, publishPacket } from './publish-packet.ts'
import { Publisher } from './publisher.ts'
import { takeRare } from './rare-packets.ts'
import type { Session } from './session.ts'
import { Subscriber } from './subscriber.ts'
import { isTopicOf, type TopicEntry } from './topic-cache.ts'

const lingerMs = 2_000

export class Door {
  readonly host: DoorHost
  readonly remote: string
  version = 4
  connect: ConnectPacket | null = null
  clientId = ''
  rights: Rights | null = null
  session: Session | null = null
  isResumed = false
  isOpen = false
  isClosed = false
  readonly subscriber: Subscriber
  readonly publisher: Publisher
  /** Its way to aedes; null before CONNECT. */
  aedes: AedesLink | null = null
  /** It waits for acknowledgements (sync-watch.ts). */
  isWaiting = false
  /** It is not read because a quick subscriber catches up (patience.ts). */
  isHeld = false
  private readonly wire: Duplex
  readonly outlet: Outlet
  private readonly reader: PacketReader
  private isReading = false
  /** What comes from the socket is valid during the call only (base/lent-socket.ts). */
  private readonly isLent: boolean
  private isPublisher = false
  private lastEntry: TopicEntry | null = null
  private readonly cancelTimeout: () => void

  constructor(wire: Duplex, remote: string, host: DoorHost) {
    this.wire = wire
    this.remote = remote
    this.host = host
    this.outlet = new Outlet(wire, host.outlets, host.stats)
    this.subscriber = new Subscriber(this.outlet, host)
    this.publisher = new Publisher(this, (bytes, start, end) => this.outlet.copy(bytes, start, end))
    const onPacket = (bytes: Uint8Array, start: number, body: number, end: number): void =>
      this.packet(bytes, start, body, end)
    this.reader = new PacketReader(
      { onPacket, mayRead: () => this.mayRead(), onBroken: reason => this.fail(reason) },
      host.limits.packetBytesMax
    )
    this.cancelTimeout = host.clock.after(host.limits.connectTimeoutMs, () => this.close())
    this.isLent = wire instanceof LentSocket
    if (wire instanceof LentSocket) {
      wire.onLent = (lent, length) => this.receive(lent, length)
      wire.resume()
    } else wire.on('data', (chunk: Buffer) => this.receive(chunk, chunk.length))
    wire.on('drain', () => this.drained())
    wire.on('end', () => this.close())
    wire.on('error', () => this.close())
    wire.on('close', () => this.close())
  }

  // ---- from the socket

  private receive(chunk: Uint8Array, length: number): void {
    this.host.stats.bytesIn += length
    if (this.isClosed) return
    this.turn(chunk, length)
  }

  /** Goes on reading if what it waited for has come. */
  proceed(): void {
    if (this.isClosed || this.isReading || !this.reader.isHolding) return
    this.turn(null, 0)
    if (!this.isClosed && !this.reader.isHolding) this.wire.resume()
  }

  /** Reads a chunk, or with null what was held. */
  private turn(chunk: Uint8Array | null, length: number): void {
    this.isReading = true
    this.publisher.nowMs = this.host.clock.monotonicMs()
    const more = chunk === null ? this.reader.proceed() : this.reader.read(chunk, length, this.isLent)
    this.isReading = false
    if (this.isClosed) return
    if (!more) {
      this.wire.pause()
      if (this.isPublisher && this.host.patience.isHolding) this.host.patience.hold(this)
    }
    if (this.isOpen) this.aedes!.keepAlive(this.publisher.nowMs)
    this.publisher.settle()
    // What waits for no sync (a refusal, a dead letter) was just acknowledged: no later sync wakes the reader.
    if (!more && this.mayRead()) setImmediate(() => this.proceed())
  }

  private mayRead(): boolean {
    const { limits, syncWatch, patience } = this.host
    if (this.isClosed) return false
    if (!this.isOpen) return this.connect === null
    return !(
      this.aedes!.isBlocked ||
      syncWatch.isBehind ||
      (this.isPublisher && patience.isHolding) ||
      this.publisher.isFull(this.aedes!.handedCount) ||
      this.outlet.queued >= limits.subscriberBytesMax
    )
  }

  private packet(bytes: Uint8Array, start: number, body: number, end: number): void {
    const type = bytes[start]! >> 4
    if (type === mqtt.PUBLISH && this.isOpen) {
      this.publish(bytes, start, body, end)
    } else if (this.isLent && !(type >= mqtt.PUBACK && type <= mqtt.PUBCOMP)) {
      // What is rare may be kept.
      const own = Buffer.from(bytes.subarray(start, end))
      this.rare(own, 0, body - start, own.length)
    } else this.rare(bytes, start, body, end)
  }

  private rare(bytes: Uint8Array, start: number, body: number, end: number): void {
    if (this.isOpen) takeRare(this, bytes, start, body, end)
    else if (bytes[start] === mqtt.CONNECT << 4) this.begin(parseConnect(bytes, body, end))
    else this.fail(REASON.protocol)
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
    const { clientId } = packet
    const refusal = connectRefusal(packet, limits)
    if (refusal !== 0) {
      this.refuse(refusal)
      return
    }
    this.subscriber.agree(packet)
    this.clientId = clientId === '' ? `varve-${randomUUID()}` : clientId
    this.aedes = new AedesLink(this, this.outlet, packet)
  }

  /** What CONNACK tells the client. */
  terms(): Terms {
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
    if (this.isLent) {
      const own = Buffer.from(bytes.subarray(start, end))
      parsePublish(own, 0, body - start, own.length, this.version)
      this.aedes!.handPublish(entry, own, 0, own.length)
    } else this.aedes!.handPublish(entry, bytes, start, end)
  }

  /** aedes' hook has the PUBLISH that was handed over first: its payload is the one given. */
  takeHanded(payload: Uint8Array): void {
    const { packet, entry } = this.aedes!.firstHanded()
    this.publisher.nowMs = this.host.clock.monotonicMs()
    this.take(packet, entry, payload, 0, payload.length, -1)
    if (!this.isReading && !this.isClosed) this.publisher.settle()
    this.aedes!.pass()
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
    this.isPublisher = true
    const reason = publisher.take(packet, entry, session!, rights!, bytes, start, end, packetStart)
    if (reason !== 0) this.end(reason)
  }

  /** The group is on the medium. */
  synced(group: number): void {
    if (this.publisher.synced(group)) this.proceed()
  }

  // ---- to the socket

  private drained(): void {
    if (this.isClosed) return
    this.subscriber.drained()
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

  /** aedes accepted CONNECT: the session and everything the client sent since are let through. */
  open(): void {
    if (this.isClosed) return
    this.isOpen = true
    this.cancelTimeout()
    this.host.settled(this)
    this.session!.attach(this.subscriber)
    this.proceed()
  }

  /** The keep-alive of a client that we do not read is not its fault. */
  forgiveSilence(): void {
    if (this.isOpen && this.reader.isHolding) this.aedes!.forgiveSilence(this.host.clock.monotonicMs())
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
    this.aedes?.destroy()
    this.subscriber.end()
    const { wire, host, session } = this
    this.publisher.forget()
    if (session !== null) {
      session.detach(this.subscriber)
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

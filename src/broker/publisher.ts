// The publishing side of one connection: every PUBLISH of the client, from the socket or from aedes' hook, is
// taken here, and its acknowledgement leaves here when its group is synced.
//
// Invariants: a QoS 2 id is taken once until PUBREL, over connections of the same session too; what the store
// refused is answered with a reason in version 5, and never acknowledged below it.
// Not here: reading packets (door.ts), when to sync early (urgency.ts), rights and store (intake.ts).
import { AckQueue } from './ack-queue.ts'
import type { Rights } from './auth.ts'
import type { Door } from './door.ts'
import type { DoorHost } from './door-host.ts'
import { publicationOf } from './fan-out.ts'
import { PUBACK, PUBREC, REASON } from './packet.ts'
import type { PublishPacket } from './publish-packet.ts'
import type { Session } from './session.ts'
import type { TopicEntry } from './topic-cache.ts'
import { EAGER, LAZY, Urgency } from './urgency.ts'

export class Publisher {
  readonly acks = new AckQueue()
  readonly urgency = new Urgency()
  private readonly door: Door
  private readonly host: DoorHost
  private readonly write: (bytes: Uint8Array, start: number, end: number) => void
  private notedLazy = 0
  private notedWaiting = 0
  private noteUrgency: 0 | 1 | 2 = LAZY
  /** Monotonic ms at which this turn began. */
  nowMs = 0

  /** @param write  queues bytes for the client's socket */
  constructor(door: Door, write: (bytes: Uint8Array, start: number, end: number) => void) {
    this.door = door
    this.host = door.host
    this.write = write
  }

  /**
   * True while it must not be read: too much of it waits for sync.
   * @param handed  messages on their way through aedes, which wait soon
   */
  isFull(handed: number): boolean {
    const { limits } = this.host
    return this.acks.count + handed >= limits.unackedMax || this.acks.payloadBytes >= limits.unackedBytesMax
  }

  /**
   * Takes a PUBLISH.
   * @param packetStart  start of the packet that ends at `end`, if subscribers may get it as it is; else -1
   * @returns 0, or the MQTT 5 reason why the connection must end
   */
  take(
    packet: PublishPacket,
    entry: TopicEntry,
    session: Session,
    rights: Rights,
    bytes: Uint8Array,
    start: number,
    end: number,
    packetStart: number
  ): number {
    const { intake, limits } = this.host
    const { qos, id } = packet
    if (qos === 2) {
      const before = session.incoming.get(id)
      if (before !== undefined) {
        this.queueAck(PUBREC, id, before, 0)
        return 0
      }
      if (session.incoming.size >= limits.incomingMax) return REASON.receiveMaximum
    }
    const p = publication
    p.entry = entry
    p.bytes = bytes
    p.start = start
    p.end = end
    p.qos = qos
    p.retain = packet.retain
    p.properties = packet.properties
    p.expiryAt = packet.expiryAt
    p.expirySeconds = packet.expirySeconds
    p.packetStart = packetStart
    p.packetVersion = this.door.version === 5 ? 5 : 4
    p.from = session
    p.clientId = this.door.clientId
    const reason = intake.accept(p, rights)
    if (reason !== 0) return this.refused(reason, qos, id)
    if (qos === 0) {
      this.notedLazy += end - start
      return 0
    }
    if (qos === 2) session.incoming.set(id, intake.group)
    this.queueAck(qos === 1 ? PUBACK : PUBREC, id, intake.group, end - start)
    const urgency = this.urgency.published(this.nowMs, this.acks.count)
    this.notedWaiting += end - start
    if (urgency > this.noteUrgency) this.noteUrgency = urgency
    return 0
  }

  /** A QoS 0 message that the store refuses is lost without closing anyone: it was promised nothing. */
  private refused(reason: number, qos: 0 | 1 | 2, id: number): number {
    if (this.door.version === 5) {
      if (qos > 0) this.queueAck(qos === 1 ? PUBACK : PUBREC, id, 0, 0, reason)
      return 0
    }
    return qos > 0 || reason === REASON.notAuthorized ? reason : 0
  }

  private queueAck(type: number, id: number, group: number, payloadBytes: number, reason = 0): void {
    this.acks.add(type, id, group, payloadBytes, reason)
    this.host.stats.unacked++
  }

  /** Ends a turn: tells the store what is pending and releases what is synced. */
  settle(): void {
    const { gate, syncWatch, stats } = this.host
    if (this.notedLazy > 0) gate.note(this.notedLazy, LAZY)
    if (this.noteUrgency > LAZY) {
      gate.note(this.notedWaiting, this.noteUrgency)
      if (this.noteUrgency === EAGER) stats.eager++
      else if (this.urgency.waits) syncWatch.watchQuiet(this.door)
    }
    if (this.notedLazy > 0 || this.noteUrgency > LAZY) syncWatch.noted()
    this.notedLazy = 0
    this.notedWaiting = 0
    this.noteUrgency = LAZY
    if (this.acks.count > 0) this.synced(gate.syncedGroup)
    if (this.acks.count > 0) syncWatch.add(this.door)
  }

  /** Writes the acknowledgements of groups up to this one; true if there were any. */
  synced(group: number): boolean {
    const before = this.acks.count
    const released = this.acks.release(group, this.write)
    if (released === 0) return false
    this.host.stats.acked += released
    this.host.stats.unacked -= released
    this.urgency.acked(this.host.clock.monotonicMs(), before)
    return true
  }

  /** The connection is gone: nothing is acknowledged any more. */
  forget(): void {
    this.host.stats.unacked -= this.acks.count
  }
}

/** The one publication in the making: accept() is synchronous and keeps nothing of it. */
const publication = publicationOf(
  {
    topic: '',
    bytes: new Uint8Array(0),
    hash: 0,
    next: undefined,
    routes: [],
    epoch: 0,
    service: undefined
  },
  new Uint8Array(0),
  0,
  false
)

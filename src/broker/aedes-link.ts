// One connection's way to aedes and back: rare packets go there through an InnerStream in their original
// order, and aedes' answers are put into the client's version of MQTT.
//
// Invariants:
//  - nothing follows a PUBLISH, SUBSCRIBE or UNSUBSCRIBE that was handed over before aedes has taken it (the
//    barrier), so order holds across both ways;
//  - PUBACK and PUBREC of aedes are dropped: AckQueue alone acknowledges, after the sync.
// Not here: which packets go this way (door.ts), what aedes is asked for (handshakes.ts).
import { assert } from '../base/assert.ts'
import { encodeConnack } from './connack-packet.ts'
import type { ConnectPacket } from './connect-packet.ts'
import { encodeConnect, sessionExpiry } from './connect-packet.ts'
import type { Door } from './door.ts'
import { InnerStream } from './inner-stream.ts'
import type { Outlet } from './outlet.ts'
import * as mqtt from './packet.ts'
import { encodePublish } from './packet.ts'
import { type PublishPacket, publishPacket } from './publish-packet.ts'
import type { Feed } from './service.ts'
import type { Message } from './session.ts'
import * as subscribing from './subscribe-packet.ts'
import type { TopicEntry } from './topic-cache.ts'

/** A PUBLISH on its way through aedes: what aedes does not keep. */
interface Handed {
  packet: PublishPacket
  entry: TopicEntry
}

/** What new subscriptions are sent beside messages to all. */
export interface SubscriptionSources {
  retained(filter: string): Iterable<Message>
  /** As TopicService.feed(). */
  feed(filter: string, wantsRetained: boolean, wake: () => void): Feed | null
}

export class AedesLink {
  private readonly door: Door
  private readonly outlet: Outlet
  private readonly stream: InnerStream
  private readonly handed: Handed[] = []
  private readonly subscribes = new Map<number, subscribing.SubscribePacket>()
  private readonly unsubscribes = new Map<
    number,
    { packet: subscribing.SubscribePacket; existed: boolean[] }
  >()
  private readonly restartKeepAlive: () => void
  private readonly keepAliveStepMs: number
  private keptAliveMs = 0
  private barrier = false
  private isFull = false

  /** Introduces the client to aedes and hands over its CONNECT. */
  constructor(door: Door, outlet: Outlet, connect: ConnectPacket) {
    this.door = door
    this.outlet = outlet
    this.stream = new InnerStream({
      onPacket: answer => this.answered(answer),
      onHungry: () => {
        this.isFull = false
        queueMicrotask(() => door.proceed())
      },
      onDestroyed: () => door.close()
    })
    // aedes waits one and a half times the keep-alive: an eighth of it is never missed.
    this.keepAliveStepMs = connect.keepAlive === 0 ? Number.POSITIVE_INFINITY : connect.keepAlive * 125
    this.restartKeepAlive = door.host.introduce(this.stream, door)
    const isClean = connect.clean && sessionExpiry(connect) === 0
    this.stream.give(encodeConnect(connect, door.clientId, isClean))
  }

  /** True while nothing more may be read: order, or aedes has enough. */
  get isBlocked(): boolean {
    return this.barrier || this.isFull
  }

  /** PUBLISH packets that aedes has not taken yet. */
  get handedCount(): number {
    return this.handed.length
  }

  /** The client was heard. Restarting aedes' timer costs more than reading a message: only now and then. */
  keepAlive(nowMs: number): void {
    if (nowMs - this.keptAliveMs >= this.keepAliveStepMs) this.forgiveSilence(nowMs)
  }

  /** The client's keep-alive starts anew. */
  forgiveSilence(nowMs: number): void {
    this.keptAliveMs = nowMs
    this.restartKeepAlive()
  }

  /** Hands over a packet whose bytes nobody changes; `waits` raises the barrier until pass(). */
  hand(packet: Uint8Array, waits: boolean): void {
    if (waits && this.door.host.fastPath) this.barrier = true
    if (!this.stream.give(packet)) this.isFull = true
  }

  /** Hands over the PUBLISH in bytes[start, end) that was parsed last, in version 4 form. */
  handPublish(entry: TopicEntry, bytes: Uint8Array, start: number, end: number): void {
    const packet = publishPacket
    this.handed.push({ packet: { ...packet }, entry })
    if (this.door.version !== 5) {
      this.hand(bytes.subarray(start, end), true)
      return
    }
    const parts = { topicBytes: entry.bytes, properties: null, bytes, start: packet.payloadStart, end }
    this.hand(encodePublish(parts, 4, packet), true)
  }

  /** What aedes' hook is about: the PUBLISH that was handed over first. */
  firstHanded(): Handed {
    return this.handed.shift()!
  }

  /** aedes has taken the packet that the barrier stands behind. */
  pass(): void {
    this.barrier = false
    queueMicrotask(() => this.door.proceed())
  }

  handSubscribe(packet: subscribing.SubscribePacket, isSubscribe: boolean): void {
    if (isSubscribe) {
      this.subscribes.set(packet.id, packet)
    } else {
      const { subscriptions } = this.door.session!
      this.unsubscribes.set(packet.id, {
        packet,
        existed: packet.wanted.map(({ filter }) => subscriptions.has(filter))
      })
    }
    this.hand(subscribing.encodeSubscribe(packet, isSubscribe), true)
  }

  /** aedes granted subscriptions: they hold from now on, and their retained messages follow. */
  subscribed(granted: ReadonlyMap<string, 0 | 1 | 2>, sources: SubscriptionSources): void {
    const session = this.door.session!
    const isBridge = this.door.connect!.bridge
    const [id, packet] = this.subscribes.entries().next().value!
    this.subscribes.delete(id)
    const options = new Map(packet.wanted.map(({ filter, subscription }) => [filter, subscription]))
    for (const [filter, asked] of options) {
      const qos = granted.get(filter)
      if (qos === undefined) continue
      const isNew = !session.subscriptions.has(filter)
      session.subscribe(filter, {
        qos,
        noLocal: asked.noLocal || isBridge,
        retainAsPublished: asked.retainAsPublished || isBridge,
        retainHandling: asked.retainHandling
      })
      const wantsRetained = asked.retainHandling === 0 || (asked.retainHandling === 1 && isNew)
      const feed = sources.feed(filter, wantsRetained, () => session.pump())
      if (feed !== null) session.follow(filter, feed, qos)
      else if (wantsRetained) session.replay(replayed(sources.retained(filter), qos))
    }
  }

  /** The connection is gone. */
  destroy(): void {
    this.stream.destroy()
  }

  private answered(packet: Uint8Array): void {
    const { door, outlet } = this
    const type = packet[0]! >> 4
    const id = (packet[2]! << 8) | packet[3]!
    assert(type !== mqtt.PUBLISH, 'deliveries do not go through aedes')
    if (type === mqtt.PUBACK || type === mqtt.PUBREC) return
    if (type === mqtt.CONNACK) {
      if (packet[3] !== 0) door.host.stats.connectsRefused++
      outlet.share(encodeConnack(door.version, packet[3]!, door.isResumed, door.terms()))
    } else if (type === mqtt.SUBACK) {
      outlet.share(subscribing.encodeSuback(this.subscribes.get(id)!, packet.subarray(4), door.version))
    } else if (type === mqtt.UNSUBACK) {
      const { packet: asked, existed } = this.unsubscribes.get(id)!
      this.unsubscribes.delete(id)
      outlet.share(subscribing.encodeUnsuback(asked, existed, door.version))
    } else {
      outlet.copy(packet, 0, packet.length)
    }
  }
}

function* replayed(
  messages: Iterable<Message>,
  qos: 0 | 1 | 2
): Generator<Message & { grantedQos: 0 | 1 | 2 }> {
  for (const message of messages) yield { ...message, grantedQos: message.qos < qos ? message.qos : qos }
}

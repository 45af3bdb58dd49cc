// Retained messages: the newest of each topic that was published with the retain flag, served to new
// subscribers. Held in memory within bounds; each change is handed to a durable store, whose group the
// publisher's acknowledgement waits for. Bit for bit: topic, payload, QoS and MQTT 5 properties.
//
// Invariants: memory and store change together; $SYS topics live in memory only.
// Not here: how the store keeps them (the daemon implements RetainedStore over kv).
import type { BrokerLimits } from './limits.ts'
import { parsePublishProperties } from './properties.ts'
import type { Message } from './session.ts'
import { filterMatches } from './topic.ts'

/** One retained message as the store keeps it. */
export interface RetainedMessage {
  topic: string
  payload: Uint8Array
  qos: 0 | 1 | 2
  /** The MQTT 5 property bytes of its PUBLISH without their length; null: none. */
  properties: Uint8Array | null
}

/** Durable home of retained messages. put() and delete() return the WAL group to wait for. */
export interface RetainedStore {
  load(): Iterable<RetainedMessage>
  put(message: RetainedMessage): number
  delete(topic: string): number
}

export class RetainedMessages {
  private readonly messages = new Map<string, Message>()
  private readonly limits: BrokerLimits
  private readonly store: RetainedStore | null
  /** Topic and payload bytes held. */
  bytes = 0

  /** @param nowMs  monotonic; a message expiry starts anew when loaded, since the time away is not known */
  constructor(limits: BrokerLimits, store: RetainedStore | null, nowMs: number) {
    this.limits = limits
    this.store = store
    if (store === null) return
    for (const { topic, payload, qos, properties } of store.load()) {
      const parsed = properties === null ? null : parsePublishProperties(properties, 0, properties.length)
      const expiryAt = parsed?.expiryAt ?? -1
      this.hold({
        topic,
        topicBytes: Buffer.from(topic),
        qos,
        properties,
        bytes: payload,
        start: 0,
        end: payload.length,
        expiresMs: expiryAt < 0 ? Number.POSITIVE_INFINITY : nowMs + parsed!.expirySeconds * 1000,
        expiryAt
      })
    }
  }

  get count(): number {
    return this.messages.size
  }

  /** True if a retained message of so many payload bytes fits the bounds. */
  hasRoom(topic: string, payloadBytes: number): boolean {
    if (payloadBytes === 0) return true
    const before = this.messages.get(topic)
    const freed = before === undefined ? 0 : before.end - before.start
    return (
      (before !== undefined || this.messages.size < this.limits.retainedMax) &&
      this.bytes - freed + payloadBytes <= this.limits.retainedBytesMax
    )
  }

  /**
   * Replaces the topic's retained message; one without payload removes it.
   * @returns the group that makes it durable; 0: nothing changed
   * @throws {VarveError} of the store; memory is unchanged then
   */
  set(message: Message): number {
    const held = this.messages.has(message.topic)
    if (message.end === message.start) {
      if (!held) return 0
      const group = this.store?.delete(message.topic) ?? 0
      this.drop(message.topic)
      return group
    }
    const { topic, qos, properties } = message
    const payload = message.bytes.subarray(message.start, message.end)
    const group = this.store?.put({ topic, payload, qos, properties }) ?? 0
    this.hold(message)
    return group
  }

  /** Sets a message that is never stored ($SYS). */
  setVolatile(message: Message): void {
    this.hold(message)
  }

  /** The retained messages a filter matches, read as the iterator advances. */
  *matching(filter: string): Generator<Message> {
    if (!filter.includes('+') && !filter.includes('#')) {
      const message = this.messages.get(filter)
      if (message !== undefined) yield message
      return
    }
    for (const message of this.messages.values()) if (filterMatches(filter, message.topic)) yield message
  }

  private hold(message: Message): void {
    this.drop(message.topic)
    this.messages.set(message.topic, message)
    this.bytes += message.topicBytes.length + message.end - message.start
  }

  private drop(topic: string): void {
    const before = this.messages.get(topic)
    if (before === undefined) return
    this.messages.delete(topic)
    this.bytes -= before.topicBytes.length + before.end - before.start
  }
}

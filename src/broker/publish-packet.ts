// Reads a PUBLISH where it lies. The fast path runs this for every message, so the result is one object that
// is overwritten: valid until the next call.
//
// Pure; outside bytes never throw. The grammar is in packet.ts. Not here: whether the topic is one
// (topic-cache.ts), rights and limits (intake.ts).
import { found, REASON, varint, varintBytes } from './packet.ts'
import { parsePublishProperties } from './properties.ts'

export interface PublishPacket {
  qos: 0 | 1 | 2
  retain: boolean
  dup: boolean
  topicStart: number
  topicEnd: number
  /** 0 for QoS 0. */
  id: number
  payloadStart: number
  /** MQTT 5 property bytes; null: none. */
  properties: Uint8Array | null
  expiryAt: number
  expirySeconds: number
  /** A subscriber may get these very bytes at QoS 0. */
  isPlain: boolean
}

export const publishPacket: PublishPacket = {
  qos: 0,
  retain: false,
  dup: false,
  topicStart: 0,
  topicEnd: 0,
  id: 0,
  payloadStart: 0,
  properties: null,
  expiryAt: -1,
  expirySeconds: 0,
  isPlain: false
}

/** Fills `publishPacket` from bytes[start, end), body at `body`: 0, or the MQTT 5 reason why it is not valid. */
export function parsePublish(
  bytes: Uint8Array,
  start: number,
  body: number,
  end: number,
  version: number
): number {
  const packet = publishPacket
  const first = bytes[start]!
  const qos = (first >> 1) & 3
  if (qos === 3 || (qos === 0 && (first & 8) !== 0) || body + 2 > end) return REASON.malformed
  const topicEnd = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!)
  let at = qos > 0 ? topicEnd + 2 : topicEnd
  if (at > end) return REASON.malformed
  packet.id = qos > 0 ? (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]! : 0
  if (qos > 0 && packet.id === 0) return REASON.protocol
  packet.qos = qos as 0 | 1 | 2
  packet.retain = (first & 1) !== 0
  packet.dup = (first & 8) !== 0
  packet.topicStart = body + 2
  packet.topicEnd = topicEnd
  packet.properties = null
  packet.expiryAt = -1
  packet.expirySeconds = 0
  packet.isPlain = (first & 15) === 0 && body - start - 1 === varintBytes(end - body)
  if (version === 5) {
    if (varint(bytes, at, end) !== 1) return REASON.malformed
    const from = found.next
    at = from + found.value
    if (at > end) return REASON.malformed
    if (at > from) {
      const properties = parsePublishProperties(bytes, from, at)
      if (properties === null) return REASON.malformed
      if (properties.hasAlias) return REASON.topicAlias
      packet.properties = bytes.subarray(from, at)
      packet.expiryAt = properties.expiryAt
      packet.expirySeconds = properties.expirySeconds
    }
  }
  packet.payloadStart = at
  return 0
}

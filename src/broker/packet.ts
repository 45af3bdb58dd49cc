// The bytes of MQTT packets that the broker reads and writes itself. Pure; outside bytes never throw: a
// malformed part gives -1.
//
//   packet := type << 4 | flags u8 | remaining length (LEB128, 1-4 bytes) | body
//   PUBLISH body := topic length u16 BE | topic | id u16 (QoS > 0) | properties (MQTT 5) | payload
//   properties := length (LEB128) | property*
// Example: QoS 1 PUBLISH of "hi" to "a/b", id 10 = 32 09 00 03 61 2f 62 00 0a 68 69; its PUBACK 40 02 00 0a
//
// Not here: CONNECT and the rest of MQTT 5 (connect-packet.ts, connack-packet.ts, properties.ts).

export const CONNECT = 1
export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBSCRIBE = 8
export const SUBACK = 9
export const UNSUBSCRIBE = 10
export const UNSUBACK = 11
export const PINGREQ = 12
export const PINGRESP = 13
export const DISCONNECT = 14

/** MQTT 5 reason codes we send (section 2.4). */
export const REASON = {
  unspecified: 0x80,
  malformed: 0x81,
  protocol: 0x82,
  notAuthorized: 0x87,
  keepAlive: 0x8d,
  taken: 0x8e,
  topicInvalid: 0x90,
  receiveMaximum: 0x93,
  topicAlias: 0x94,
  packetTooLarge: 0x95,
  quota: 0x97,
  shutdown: 0x8b
} as const

/** What varint() found. Valid until its next call. */
export const found = { value: 0, next: 0 }

/** Reads a LEB128 of at most 4 bytes into `found`: 1 read, 0 more bytes are needed, -1 malformed. */
export function varint(bytes: Uint8Array, at: number, end: number): 1 | 0 | -1 {
  let value = 0
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) return 0
    const byte = bytes[at + i]!
    value |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) {
      found.value = value
      found.next = at + i + 1
      return 1
    }
  }
  return -1
}

/** Bytes a LEB128 of the value takes. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4
}

/** Writes a LEB128; returns the index after it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

/** A PUBLISH to be written. Topic, properties and payload are copied by encodePublish(). */
export interface PublishParts {
  topicBytes: Uint8Array
  /** The MQTT 5 property bytes without their length; null: none. */
  properties: Uint8Array | null
  bytes: Uint8Array
  start: number
  end: number
}

/** The length of the PUBLISH that encodePublish() would write. */
export function publishBytes(parts: PublishParts, version: number, qos: number): number {
  const properties = version === 5 ? (parts.properties?.length ?? 0) : -1
  const body =
    2 +
    parts.topicBytes.length +
    (qos > 0 ? 2 : 0) +
    (properties < 0 ? 0 : varintBytes(properties) + properties) +
    (parts.end - parts.start)
  return 1 + varintBytes(body) + body
}

/** A whole PUBLISH packet in a new buffer. */
export function encodePublish(
  parts: PublishParts,
  version: number,
  flags: { readonly qos: number; readonly retain: boolean; readonly dup: boolean; readonly id: number }
): Buffer {
  const { topicBytes, bytes, start, end } = parts
  const total = publishBytes(parts, version, flags.qos)
  const out = Buffer.allocUnsafe(total)
  out[0] = (PUBLISH << 4) | (flags.dup ? 8 : 0) | (flags.qos << 1) | (flags.retain ? 1 : 0)
  // The body's length is what follows the length itself; its width is total - 1 - body.
  let width = 1
  while (varintBytes(total - 1 - width) !== width) width++
  let at = putVarint(out, 1, total - 1 - width)
  out[at++] = topicBytes.length >> 8
  out[at++] = topicBytes.length & 0xff
  out.set(topicBytes, at)
  at += topicBytes.length
  if (flags.qos > 0) {
    out[at++] = flags.id >> 8
    out[at++] = flags.id & 0xff
  }
  if (version === 5) {
    at = putVarint(out, at, parts.properties?.length ?? 0)
    if (parts.properties !== null) {
      out.set(parts.properties, at)
      at += parts.properties.length
    }
  }
  out.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at)
  return out
}

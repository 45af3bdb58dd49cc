// CONNECT as it comes from the wire, MQTT 3.1, 3.1.1 and 5, and as aedes understands it: aedes 1.2 answers
// protocol level 5 with "unacceptable protocol version", so a version 5 client is introduced to it as one of
// version 4, and what version 5 adds is kept by the door.
//
//   body := "MQTT" or "MQIsdp" | level u8 | flags u8 | keep alive u16 | properties (5) | client id
//           | will properties (5) | will topic | will payload | user name | password     (those flagged)
//
// Invariants: parseConnect() never throws; what it accepts is valid UTF-8 and uses every byte of the packet.
// Not here: whether the client may connect (auth.ts).
import { CONNECT, found, putVarint, REASON, varint } from './packet.ts'
import { type Properties, parseProperties, propertyIds } from './properties.ts'
import { decodeText, isTopic, type TopicLimits } from './topic.ts'

export interface ConnectPacket {
  /** 3, 4 or 5. */
  version: number
  /** A bridge in mosquitto's private mode: no own messages back, retain flags kept. */
  bridge: boolean
  clean: boolean
  keepAlive: number
  clientId: string
  will: { topic: string; payload: Uint8Array; qos: number; retain: boolean; properties: Uint8Array } | null
  username: string | null
  password: Uint8Array | null
  properties: Properties
}

class Malformed extends Error {}

class Fields {
  private readonly bytes: Uint8Array
  private readonly end: number
  at: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  number(width: 1 | 2): number {
    if (this.at + width > this.end) throw new Malformed()
    const high = this.bytes[this.at++]!
    return width === 1 ? high : (high << 8) | this.bytes[this.at++]!
  }

  binary(): Uint8Array {
    const length = this.number(2)
    if (this.at + length > this.end) throw new Malformed()
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  text(): string {
    const raw = this.binary()
    const text = decodeText(raw, 0, raw.length)
    if (text === null) throw new Malformed()
    return text
  }

  properties(): { raw: Uint8Array; parsed: Properties } {
    if (varint(this.bytes, this.at, this.end) !== 1) throw new Malformed()
    const start = found.next
    const end = start + found.value
    if (end > this.end) throw new Malformed()
    const parsed = parseProperties(this.bytes, start, end)
    if (parsed === null) throw new Malformed()
    this.at = end
    return { raw: this.bytes.subarray(start, end), parsed }
  }

  get left(): number {
    return this.end - this.at
  }
}

/** The packet in bytes[at, end) (body only), or an MQTT 5 reason code: malformed, or an unknown version. */
export function parseConnect(bytes: Uint8Array, at: number, end: number): ConnectPacket | number {
  try {
    return parse(new Fields(bytes, at, end))
  } catch (error) {
    if (error instanceof Malformed) return REASON.malformed
    throw error
  }
}

export const UNSUPPORTED_VERSION = 0x84

function parse(fields: Fields): ConnectPacket | number {
  const name = fields.text()
  const level = fields.number(1)
  const version = level & 0x7f
  if (name !== 'MQTT' && name !== 'MQIsdp') return REASON.malformed
  if (version !== 4 && version !== 5 && !(version === 3 && name === 'MQIsdp')) return UNSUPPORTED_VERSION
  const flags = fields.number(1)
  const willQos = (flags >> 3) & 3
  const hasWill = (flags & 4) !== 0
  if ((flags & 1) !== 0 || willQos === 3 || (!hasWill && (flags & 0x38) !== 0)) return REASON.malformed
  if (version !== 5 && (flags & 0x40) !== 0 && (flags & 0x80) === 0) return REASON.malformed
  const keepAlive = fields.number(2)
  const properties = version === 5 ? fields.properties().parsed : new Map<number, number>()
  const clientId = fields.text()
  let will: ConnectPacket['will'] = null
  if (hasWill) {
    const raw = version === 5 ? fields.properties().raw : new Uint8Array(0)
    const topic = fields.text()
    will = { topic, payload: fields.binary(), qos: willQos, retain: (flags & 0x20) !== 0, properties: raw }
  }
  const username = (flags & 0x80) !== 0 ? fields.text() : null
  const password = (flags & 0x40) !== 0 ? fields.binary() : null
  if (fields.left > 0) return REASON.malformed
  const bridge = level > 0x7f
  return {
    version,
    bridge,
    clean: (flags & 2) !== 0,
    keepAlive,
    clientId,
    will,
    username,
    password,
    properties
  }
}

/** The CONNECT that aedes gets: version 3 or 4, with our client id and cleanness. */
export function encodeConnect(packet: ConnectPacket, clientId: string, clean: boolean): Buffer {
  const { will, username, password } = packet
  const parts: Buffer[] = []
  const field = (value: string | Uint8Array): void => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    parts.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), Buffer.from(bytes))
  }
  const flags =
    (clean ? 2 : 0) |
    (will === null ? 0 : 4 | (will.qos << 3) | (will.retain ? 0x20 : 0)) |
    (username === null ? 0 : 0x80) |
    // Version 5 allows a password without a user name; aedes never sees such a password.
    (password === null || username === null ? 0 : 0x40)
  field(packet.version === 3 ? 'MQIsdp' : 'MQTT')
  parts.push(
    Buffer.from([packet.version === 3 ? 3 : 4, flags, packet.keepAlive >> 8, packet.keepAlive & 0xff])
  )
  field(clientId)
  if (will !== null) {
    field(will.topic)
    field(will.payload)
  }
  if (username !== null) {
    field(username)
    if (password !== null) field(password)
  }
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(5)
  header[0] = CONNECT << 4
  const at = putVarint(header, 1, body.length)
  return Buffer.concat([header.subarray(0, at), body])
}

/** The session expiry a CONNECT asks for, s: for ever and at once are what `clean` means below version 5. */
export function sessionExpiry(packet: ConnectPacket): number {
  if (packet.version !== 5) return packet.clean ? 0 : Number.POSITIVE_INFINITY
  const seconds = packet.properties.get(propertyIds.sessionExpiry) ?? 0
  return seconds === 0xffffffff ? Number.POSITIVE_INFINITY : seconds
}

/** The version 4 return code with which a CONNECT is refused whoever sends it; 0: it is not. */
export function connectRefusal(
  packet: ConnectPacket,
  limits: TopicLimits & { clientIdBytesMax: number }
): number {
  const { clientId, clean, will, properties, version } = packet
  if (clientId === '' && version !== 5 && (!clean || version === 3)) return 2
  if (Buffer.byteLength(clientId) > limits.clientIdBytesMax) return 2
  if (will !== null && !isTopic(will.topic, limits)) return 2
  return properties.has(propertyIds.authMethod) ? 4 : 0
}

/** The session expiry, s, that a version 5 DISCONNECT in bytes[body, end) sets; null: none. */
export function disconnectExpiry(bytes: Uint8Array, body: number, end: number): number | null {
  if (end <= body + 1 || varint(bytes, body + 1, end) !== 1) return null
  const start = found.next
  const properties = parseProperties(bytes, start, Math.min(end, start + found.value))
  const seconds = properties?.get(propertyIds.sessionExpiry) ?? null
  return seconds === 0xffffffff ? Number.POSITIVE_INFINITY : seconds
}

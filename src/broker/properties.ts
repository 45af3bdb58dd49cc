// MQTT 5 properties (section 2.2.2): walked to check them and to find the numbers the broker acts on. The
// rest (user properties, content type, response topic, correlation data) is passed on as bytes, untouched.
//
//   property := id u8 | value        value := u8, u16, u32 BE, LEB128, or one or two of (length u16 | bytes)
// Example: message expiry 60 s, content type "t" = 02 00 00 00 3c 03 00 01 74
//
// Pure; outside bytes never throw. Not here: which property may stand in which packet beyond PUBLISH.
import { found, varint } from './packet.ts'
import { decodeText } from './topic.ts'

export const propertyIds = {
  messageExpiry: 0x02,
  subscriptionId: 0x0b,
  responseTopic: 0x08,
  correlationData: 0x09,
  sessionExpiry: 0x11,
  assignedClientId: 0x12,
  authMethod: 0x15,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  packetSizeMaximum: 0x27,
  wildcardAvailable: 0x28,
  subscriptionIdAvailable: 0x29,
  sharedAvailable: 0x2a
} as const

/** Numeric properties by id; others are not kept. */
export type Properties = Map<number, number>

type Form = 'u8' | 'u16' | 'u32' | 'varint' | 'text' | 'binary' | 'pair'

const forms: ReadonlyMap<number, Form> = new Map<number, Form>([
  ...[0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a].map((id): [number, Form] => [id, 'u8']),
  ...[0x13, 0x21, 0x22, 0x23].map((id): [number, Form] => [id, 'u16']),
  ...[0x02, 0x11, 0x18, 0x27].map((id): [number, Form] => [id, 'u32']),
  ...[0x03, 0x08, 0x12, 0x15, 0x1a, 0x1c, 0x1f].map((id): [number, Form] => [id, 'text']),
  ...[0x09, 0x16].map((id): [number, Form] => [id, 'binary']),
  [0x0b, 'varint'],
  [0x26, 'pair']
])

const inPublish: ReadonlySet<number> = new Set([0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26])

/** The numeric properties in bytes[at, end), or null when malformed; one given twice is malformed. */
export function parseProperties(bytes: Uint8Array, at: number, end: number): Properties | null {
  const numbers: Properties = new Map()
  const seen = new Set<number>()
  while (at < end) {
    const id = bytes[at++]!
    const form = forms.get(id)
    if (form === undefined) return null
    if (seen.has(id) && form !== 'pair' && form !== 'varint') return null
    seen.add(id)
    const next = skip(bytes, at, end, form)
    if (next < 0) return null
    if (form === 'varint') numbers.set(id, found.value)
    else if (form === 'u8' || form === 'u16' || form === 'u32') numbers.set(id, bigEndian(bytes, at, next))
    else if (id === propertyIds.authMethod) numbers.set(id, 1)
    at = next
  }
  return numbers
}

/** What a PUBLISH's properties hold. */
export interface PublishProperties {
  /** Index of the 4 bytes of the message expiry, relative to the properties; -1: none. */
  expiryAt: number
  expirySeconds: number
  hasAlias: boolean
}

/** Checks the properties of a PUBLISH in bytes[at, end); null when malformed or not allowed there. */
export function parsePublishProperties(bytes: Uint8Array, at: number, end: number): PublishProperties | null {
  const start = at
  const result: PublishProperties = { expiryAt: -1, expirySeconds: 0, hasAlias: false }
  const seen = new Set<number>()
  while (at < end) {
    const id = bytes[at++]!
    const form = forms.get(id)
    if (form === undefined || !inPublish.has(id) || (seen.has(id) && form !== 'pair')) return null
    seen.add(id)
    const next = skip(bytes, at, end, form)
    if (next < 0) return null
    if (id === propertyIds.topicAlias) result.hasAlias = true
    if (id === propertyIds.messageExpiry) {
      result.expiryAt = at - start
      result.expirySeconds = bigEndian(bytes, at, next)
    }
    at = next
  }
  return result
}

/** Where the answer to a request goes, of properties that parsePublishProperties() found sound. */
export function parseRequestProperties(bytes: Uint8Array): {
  responseTopic: string | null
  correlation: Uint8Array | null
} {
  let responseTopic: string | null = null
  let correlation: Uint8Array | null = null
  for (let at = 0; at < bytes.length; ) {
    const id = bytes[at++]!
    const next = skip(bytes, at, bytes.length, forms.get(id)!)
    if (id === propertyIds.responseTopic) responseTopic = decodeText(bytes, at + 2, next)
    if (id === propertyIds.correlationData) correlation = bytes.slice(at + 2, next)
    at = next
  }
  return { responseTopic, correlation }
}

/** The property bytes that carry correlation data. */
export function correlationProperty(correlation: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(3 + correlation.length)
  bytes[0] = propertyIds.correlationData
  bytes[1] = correlation.length >> 8
  bytes[2] = correlation.length & 0xff
  bytes.set(correlation, 3)
  return bytes
}

function bigEndian(bytes: Uint8Array, at: number, end: number): number {
  let value = 0
  for (let i = at; i < end; i++) value = value * 256 + bytes[i]!
  return value
}

/** The index after a value, or -1. */
function skip(bytes: Uint8Array, at: number, end: number, form: Form): number {
  if (form === 'u8' || form === 'u16' || form === 'u32') {
    const next = at + (form === 'u8' ? 1 : form === 'u16' ? 2 : 4)
    return next <= end ? next : -1
  }
  if (form === 'varint') return varint(bytes, at, end) === 1 ? found.next : -1
  const next = skipField(bytes, at, end, form !== 'binary')
  return form === 'pair' && next >= 0 ? skipField(bytes, next, end, true) : next
}

function skipField(bytes: Uint8Array, at: number, end: number, isText: boolean): number {
  if (at + 2 > end) return -1
  const next = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
  if (next > end) return -1
  return isText && decodeText(bytes, at + 2, next) === null ? -1 : next
}

// SUBSCRIBE and UNSUBSCRIBE as they come from the wire, checked more strictly than aedes does (it takes "a+"
// and invalid UTF-8), given to aedes in version 4 form; and its answers brought back to what the client sent:
// one code per filter, also for a filter given twice, with the parts that version 5 adds.
//
//   SUBSCRIBE body := id u16 | properties (5) | (filter length u16 | filter | options u8)+
//   UNSUBSCRIBE body := id u16 | properties (5) | (filter length u16 | filter)+
//   options := retain handling << 4 | retain as published << 3 | no local << 2 | qos      (5; below it qos)
//
// Pure; outside bytes never throw. Not here: whether a client may subscribe (auth.ts).
import { found, putVarint, REASON, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, varint } from './packet.ts'
import { parseProperties, propertyIds } from './properties.ts'
import type { Subscription } from './subscription-trie.ts'
import { decodeText, isFilter, type TopicLimits } from './topic.ts'

export interface SubscribePacket {
  id: number
  /** In the order of the packet; a filter may come twice. */
  wanted: { filter: string; subscription: Subscription }[]
}

/** The filters of a SUBSCRIBE or UNSUBSCRIBE in bytes[at, end) (body only), or the MQTT 5 reason why not. */
export function parseSubscribe(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: number,
  hasOptions: boolean,
  limits: TopicLimits
): SubscribePacket | number {
  if (at + 2 > end) return REASON.malformed
  const id = (bytes[at]! << 8) | bytes[at + 1]!
  at += 2
  if (id === 0) return REASON.protocol
  if (version === 5) {
    if (varint(bytes, at, end) !== 1) return REASON.malformed
    at = found.next + found.value
    const properties = at <= end ? parseProperties(bytes, found.next, at) : null
    if (properties === null) return REASON.malformed
    if (properties.has(propertyIds.subscriptionId)) return 0xa1
  }
  const wanted: SubscribePacket['wanted'] = []
  while (at < end) {
    if (at + 2 > end) return REASON.malformed
    const next = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
    if (next + (hasOptions ? 1 : 0) > end) return REASON.malformed
    const filter = decodeText(bytes, at + 2, next)
    if (filter === null || !isFilter(filter, limits)) return REASON.malformed
    at = next
    const options = hasOptions ? bytes[at++]! : 0
    const qos = options & 3
    const retainHandling = (options >> 4) & 3
    if (qos === 3 || retainHandling === 3 || options > (version === 5 ? 0x3f : 2)) return REASON.malformed
    const subscription = {
      qos: qos as 0 | 1 | 2,
      noLocal: (options & 4) !== 0,
      retainAsPublished: (options & 8) !== 0,
      retainHandling
    }
    wanted.push({ filter, subscription })
  }
  return wanted.length === 0 ? REASON.protocol : { id, wanted }
}

/** The packet in version 4 form. */
export function encodeSubscribe(packet: SubscribePacket, hasOptions: boolean): Buffer {
  const parts: Buffer[] = [Buffer.from([packet.id >> 8, packet.id & 0xff])]
  for (const { filter, subscription } of packet.wanted) {
    const bytes = Buffer.from(filter)
    parts.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes)
    if (hasOptions) parts.push(Buffer.from([subscription.qos]))
  }
  return withHeader(((hasOptions ? SUBSCRIBE : UNSUBSCRIBE) << 4) | 2, Buffer.concat(parts))
}

/**
 * SUBACK for the client from the one aedes wrote, which has one code per different filter.
 * @param codes  body of aedes' SUBACK after the id
 */
export function encodeSuback(packet: SubscribePacket, codes: Uint8Array, version: number): Buffer {
  const different = [...new Set(packet.wanted.map(({ filter }) => filter))]
  const granted = packet.wanted.map(({ filter }) => {
    const code = codes[different.indexOf(filter)] ?? 0x80
    return version === 5 && code === 0x80 ? refusal(filter) : code
  })
  return answer(SUBACK, packet.id, version, granted)
}

/** UNSUBACK for the client: version 5 tells for each filter whether there was a subscription. */
export function encodeUnsuback(
  packet: SubscribePacket,
  existed: readonly boolean[],
  version: number
): Buffer {
  const codes = version === 5 ? existed.map(yes => (yes ? 0 : 0x11)) : []
  return answer(UNSUBACK, packet.id, version, codes)
}

function refusal(filter: string): number {
  return isShared(filter) ? 0x9e : REASON.notAuthorized
}

/** Shared subscriptions are not offered. */
export function isShared(filter: string): boolean {
  return filter === '$share' || filter.startsWith('$share/')
}

function answer(type: number, id: number, version: number, codes: readonly number[]): Buffer {
  const body = [id >> 8, id & 0xff, ...(version === 5 ? [0] : []), ...codes]
  return withHeader(type << 4, Buffer.from(body))
}

/** A packet from its first byte and body. */
export function withHeader(first: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5)
  header[0] = first
  return Buffer.concat([header.subarray(0, putVarint(header, 1, body.length)), body])
}

// What a connected client sends beside PUBLISH: acknowledgements of our deliveries, SUBSCRIBE, UNSUBSCRIBE,
// PINGREQ, PUBREL, DISCONNECT. Most of it is for aedes; a packet that does not belong there, or not now, ends
// the connection.
//
// Invariant: bytes that are handed on to aedes are the door's own (door.ts copies what was lent).
// Not here: PUBLISH and CONNECT (door.ts).
import { disconnectExpiry } from './connect-packet.ts'
import type { Door } from './door.ts'
import * as mqtt from './packet.ts'
import { REASON } from './packet.ts'
import { parseSubscribe } from './subscribe-packet.ts'

/** Takes the packet in bytes[start, end), its body from `body`. */
export function takeRare(door: Door, bytes: Uint8Array, start: number, body: number, end: number): void {
  const type = bytes[start]! >> 4
  const flags = bytes[start]! & 15
  if (flags !== (type === mqtt.PUBREL || type === mqtt.SUBSCRIBE || type === mqtt.UNSUBSCRIBE ? 2 : 0)) {
    door.fail(REASON.malformed)
  } else if (type >= mqtt.PUBACK && type <= mqtt.PUBCOMP) {
    takeAcknowledgement(door, type, bytes, body, end)
  } else if (type === mqtt.SUBSCRIBE || type === mqtt.UNSUBSCRIBE) {
    takeSubscribing(door, bytes, body, end, type === mqtt.SUBSCRIBE)
  } else if (type === mqtt.PINGREQ && body === end) {
    door.aedes!.hand(bytes.subarray(start, end), false)
  } else if (type === mqtt.DISCONNECT) {
    takeLeave(door, bytes, body, end)
  } else {
    door.fail(REASON.protocol)
  }
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP: all but PUBREL are about our deliveries, which aedes knows nothing of. */
function takeAcknowledgement(door: Door, type: number, bytes: Uint8Array, body: number, end: number): void {
  if (end - body < 2 || (door.version !== 5 && end - body > 2)) {
    door.fail(REASON.malformed)
    return
  }
  const session = door.session!
  const id = (bytes[body]! << 8) | bytes[body + 1]!
  const isRefused = end - body > 2 && bytes[body + 2]! >= 0x80
  const pubrel = () => Buffer.from([(mqtt.PUBREL << 4) | 2, 2, id >> 8, id & 0xff])
  if (type === mqtt.PUBREL) {
    door.aedes!.hand(pubrel(), false)
  } else if (type === mqtt.PUBREC && !isRefused) {
    session.received(id)
    door.outlet.share(pubrel())
  } else {
    session.acknowledged(id)
  }
}

function takeSubscribing(
  door: Door,
  bytes: Uint8Array,
  body: number,
  end: number,
  isSubscribe: boolean
): void {
  const packet = parseSubscribe(bytes, body, end, door.version, isSubscribe, door.host.limits)
  if (typeof packet === 'number') door.fail(packet)
  else door.aedes!.handSubscribe(packet, isSubscribe)
}

function takeLeave(door: Door, bytes: Uint8Array, body: number, end: number): void {
  if (door.version !== 5 && end > body) {
    door.fail(REASON.malformed)
    return
  }
  const seconds = door.version === 5 ? disconnectExpiry(bytes, body, end) : null
  if (seconds !== null && door.session!.persistent) door.session!.expirySeconds = seconds
  // A reason other than 0 (version 5) keeps the will, which aedes sends when the connection just ends.
  if (end === body || bytes[body] === 0) door.aedes!.hand(Buffer.from([mqtt.DISCONNECT << 4, 0]), true)
  else door.close()
}

// CONNACK and DISCONNECT as the client's version wants them: aedes answers in version 4 form.
// Pure. Not here: CONNECT (connect-packet.ts).
import { CONNACK, DISCONNECT } from './packet.ts'
import { propertyIds } from './properties.ts'
import { withHeader } from './subscribe-packet.ts'

/** MQTT 5 reason code of a version 3 or 4 return code. */
const reasons = [0, 0x84, 0x85, 0x88, 0x86, 0x87]

/** What a version 5 client is told when it is accepted. */
export interface Terms {
  /** Null: it brought its own. */
  assignedClientId: string | null
  packetBytesMax: number
  /** QoS 1 and 2 publishes it may have unacknowledged. */
  receiveMaximum: number
}

/** @param returnCode  of version 4: 0 accepted, 1 version, 2 identifier, 3 unavailable, 4 password, 5 not authorised */
export function encodeConnack(
  version: number,
  returnCode: number,
  sessionPresent: boolean,
  terms: Terms
): Buffer {
  const flags = returnCode === 0 && sessionPresent ? 1 : 0
  if (version !== 5) return Buffer.from([CONNACK << 4, 2, version === 3 ? 0 : flags, returnCode])
  const properties: number[] = []
  if (returnCode === 0) {
    const { packetBytesMax: size, receiveMaximum } = terms
    properties.push(propertyIds.receiveMaximum, receiveMaximum >> 8, receiveMaximum & 0xff)
    properties.push(
      propertyIds.packetSizeMaximum,
      size >>> 24,
      (size >> 16) & 0xff,
      (size >> 8) & 0xff,
      size & 0xff
    )
    properties.push(propertyIds.subscriptionIdAvailable, 0, propertyIds.sharedAvailable, 0)
    if (terms.assignedClientId !== null) {
      const id = Buffer.from(terms.assignedClientId)
      properties.push(propertyIds.assignedClientId, id.length >> 8, id.length & 0xff, ...id)
    }
  }
  return withHeader(
    CONNACK << 4,
    Buffer.from([flags, reasons[returnCode] ?? 0x80, properties.length, ...properties])
  )
}

/** DISCONNECT from the server, version 5 only. */
export function encodeDisconnect(reason: number): Buffer {
  return Buffer.from([DISCONNECT << 4, 1, reason])
}

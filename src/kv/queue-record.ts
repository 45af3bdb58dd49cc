// What a queue keeps in the store: its messages, and the deliveries that are not acknowledged yet.
//
//   key        := text queue as UTF-8 | 00 | u8 'm' or 'd' | u64 id, big-endian, so that keys sort by id
//   message    := u8 version 1 | u8 priority | varint attempts max | varint readyUs | text origin | body
//   delivery   := u8 version 1 | varint token | varint attempts | varint visibility, ms
// `readyUs` is the wall time before which it is not given out (0: at once), `origin` the queue that a dead letter
// comes from. A delivery of token 0 was given back: nobody holds it.
// Example: message of priority 5, 16 attempts, body "hi" = 01 05 10 00 00 68 69;
// Example: delivery of token 9, its second, for 30 s = 01 09 02 b0 ea 01
//
// Not here: which message is next (queue-index.ts), what is done with them (queue.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'

export const QUEUE_NAMESPACE = '$queue'
const VERSION = 1
const SUFFIX_BYTES = 10
const MESSAGE = 0x6d
const DELIVERY = 0x64

export interface StoredMessage {
  readonly priority: number
  /** Deliveries after which it is a dead letter; 0: never. */
  readonly attemptsMax: number
  readonly readyUs: number
  readonly origin: string
  readonly body: Uint8Array
}

export interface StoredDelivery {
  readonly token: number
  readonly attempts: number
  readonly visibilityMs: number
}

function keyOf(queue: string, kind: number, id: number): Uint8Array {
  const name = Buffer.from(queue, 'utf8')
  const key = Buffer.alloc(name.length + SUFFIX_BYTES)
  name.copy(key)
  key[name.length + 1] = kind
  key.writeBigUInt64BE(BigInt(id), name.length + 2)
  return key
}

export function messageKey(queue: string, id: number): Uint8Array {
  return keyOf(queue, MESSAGE, id)
}

export function deliveryKey(queue: string, id: number): Uint8Array {
  return keyOf(queue, DELIVERY, id)
}

/** Takes a key apart. */
export function parseQueueKey(key: Uint8Array): { queue: string; isMessage: boolean; id: number } {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  const end = bytes.length - SUFFIX_BYTES
  return {
    queue: bytes.toString('utf8', 0, end),
    isMessage: bytes[end + 1] === MESSAGE,
    id: Number(bytes.readBigUInt64BE(end + 2))
  }
}

export function encodeMessage(message: StoredMessage): Uint8Array {
  const out = new ByteWriter(message.body.length + 32)
  out.u8(VERSION)
  out.u8(message.priority)
  out.varint(message.attemptsMax)
  out.varint(message.readyUs)
  out.text(message.origin)
  out.raw(message.body)
  return out.copy()
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_FORMAT_NEWER */
export function decodeMessage(value: Uint8Array): StoredMessage {
  const from = reader(value, 'a message of a queue')
  const [priority, attemptsMax, readyUs, origin] = [from.u8(), from.varint(), from.varint(), from.text()]
  return { priority, attemptsMax, readyUs, origin, body: from.raw(from.left) }
}

export function encodeDelivery(delivery: StoredDelivery): Uint8Array {
  const out = new ByteWriter(24)
  out.u8(VERSION)
  out.varint(delivery.token)
  out.varint(delivery.attempts)
  out.varint(delivery.visibilityMs)
  return out.copy()
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_FORMAT_NEWER */
export function decodeDelivery(value: Uint8Array): StoredDelivery {
  const from = reader(value, 'a delivery of a queue')
  return { token: from.varint(), attempts: from.varint(), visibilityMs: from.varint() }
}

function reader(value: Uint8Array, what: string): ByteReader {
  const from = new ByteReader(value)
  const version = from.u8()
  if (version > VERSION) throw new FormatError(what, version, VERSION)
  return from
}

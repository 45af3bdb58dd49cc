// How values of a namespace are written: from what a program has to bytes, and back.
// Not here: keys (kv/key.ts), who uses them (namespace.ts, queue.ts).
import { decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { Notation } from '../kv/merge-patch.ts'

/** Turns values of one type into bytes and back. */
export interface Codec<T> {
  encode(value: T): Uint8Array
  /** @throws for bytes that are no such value */
  decode(bytes: Uint8Array): T
  /** Of structured values: what patch() may be used on. */
  readonly notation?: Notation
}

/** Plain values as JSON. The type is taken on trust: check what other programs may have written. */
export function json<T = unknown>(): Codec<T> {
  return {
    encode: value => Buffer.from(JSON.stringify(value)),
    decode: bytes => JSON.parse(asBuffer(bytes).toString()) as T,
    notation: 'json'
  }
}

/** Plain values as CBOR: smaller, and with bytes, dates and integers up to 2^64. */
export function cbor<T = unknown>(): Codec<T> {
  return { encode: encodeCbor, decode: bytes => decodeCbor(bytes) as T, notation: 'cbor' }
}

/** Text as UTF-8. */
export const text: Codec<string> = {
  encode: value => Buffer.from(value),
  decode: bytes => asBuffer(bytes).toString()
}

/**
 * Bytes as they are. Those that are read are the store's own, uncopied, perhaps in shared memory: never change them, and
 * copy what goes to an API that takes no shared memory, such as WebCrypto.
 */
export const bytes: Codec<Uint8Array> = { encode: value => value, decode: value => value }

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

// Keys: a namespace and some bytes become one byte string whose order is the order of the store: by
// namespace, then by key, bytes as unsigned. Text keys are their UTF-8, which sorts by code point.
//
//   stored key := namespace | 00 | key
//   namespace  := 1 to 64 of A-Z a-z 0-9 _ . $ -           never holds 00, so no namespace runs into another
//   key        := 0 to keyBytesMax bytes, any
// Example: namespace "cfg", key "net/ip" = 63 66 67 00 6e 65 74 2f 69 70
//
// In memory a stored key is a byte string: a JavaScript string with one byte in each code unit
// (engine/merge-iterator.ts says why).
// Not here: limits' defaults (store.ts), what is stored under a key (entry.ts).
import { VarveError } from '../base/errors.ts'
import { KeyBytes, type KeyStart, keyStartOf } from './key-bytes.ts'

const NAMESPACE = /^[A-Za-z0-9_.$-]{1,64}$/
const NAMESPACES_REMEMBERED_MAX = 1024

/** What bounds a scan: byte strings, low <= key < high. */
export interface KeyRange {
  readonly low: string
  readonly high: string
}

/** All keys of all namespaces: byte strings are below \u0100. */
export const EVERYTHING: KeyRange = { low: '', high: '\u0100' }

/** The bytes of a byte string. */
export function bytesOf(stored: string): Uint8Array {
  return Buffer.from(stored, 'latin1')
}

/** The byte string of some bytes. */
export function byteString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Where the key starts in a stored key, or 0 when it is none. */
export function keyStart(stored: string): number {
  return stored.indexOf('\0') + 1
}

/** The least byte string that is above every one that starts with the prefix. */
export function above(prefix: string): string {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--
  return prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1)
}

/** Makes stored keys, within the limits of one store. */
export class KeyMaker {
  private readonly keyBytesMax: number
  private readonly starts = new Map<string, KeyStart>()
  private readonly taken = new KeyBytes()

  constructor(keyBytesMax: number) {
    this.keyBytesMax = keyBytesMax
  }

  /** A stored key as a byte string. @throws {VarveError} VARVE_NAMESPACE, VARVE_KEY */
  stored(namespace: string, key: string | Uint8Array): string {
    return this.take(namespace, key).stored
  }

  /** A stored key, valid until the next one is taken. @throws as stored() */
  take(namespace: string, key: string | Uint8Array): KeyBytes {
    if (typeof key === 'string') {
      const start = this.start(namespace, key.length)
      if (this.taken.takeAscii(start, key)) return this.taken
    }
    const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key
    return this.takePart(namespace, bytes, 0, bytes.length)
  }

  /** The same for the key bytes[from, to). */
  takePart(namespace: string, bytes: Uint8Array, from: number, to: number): KeyBytes {
    this.taken.take(this.start(namespace, to - from), bytes, from, to)
    return this.taken
  }

  /** All keys of a namespace that start with prefix and lie in [from, to). @throws {VarveError} VARVE_NAMESPACE */
  range(
    namespace: string,
    prefix?: string | Uint8Array,
    from?: string | Uint8Array,
    to?: string | Uint8Array
  ): KeyRange {
    const start = this.start(namespace, 0).text
    let low = prefix === undefined ? start : start + asBytes(prefix)
    let high = above(low)
    if (from !== undefined) {
      const bound = start + asBytes(from)
      if (bound > low) low = bound
    }
    if (to !== undefined) {
      const bound = start + asBytes(to)
      if (bound < high) high = bound
    }
    return { low, high }
  }

  /**
   * The namespace as its stored keys start.
   * @param keyBytes  of the key that follows
   * @throws {VarveError} VARVE_NAMESPACE, VARVE_KEY
   */
  private start(namespace: string, keyBytes: number): KeyStart {
    if (keyBytes > this.keyBytesMax) {
      throw new VarveError(
        'VARVE_KEY',
        `Cannot use key in ${namespace}: ${keyBytes} bytes, the limit is ${this.keyBytesMax}`
      )
    }
    const known = this.starts.get(namespace)
    if (known !== undefined) return known
    if (!NAMESPACE.test(namespace)) {
      throw new VarveError(
        'VARVE_NAMESPACE',
        `Cannot use namespace ${JSON.stringify(namespace.slice(0, 80))}: 1 to 64 of A-Z a-z 0-9 _ . $ - are allowed`
      )
    }
    if (this.starts.size === NAMESPACES_REMEMBERED_MAX) this.starts.clear()
    const start = keyStartOf(`${namespace}\0`)
    this.starts.set(namespace, start)
    return start
  }
}

function asBytes(key: string | Uint8Array): string {
  return typeof key === 'string' ? textBytes(key) : byteString(key)
}

/** The UTF-8 of a text as a byte string: the text itself where it is ASCII. */
function textBytes(text: string): string {
  let i = 0
  while (i < text.length && text.charCodeAt(i) < 0x80) i++
  return i === text.length ? text : Buffer.from(text, 'utf8').toString('latin1')
}

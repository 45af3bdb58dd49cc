// An entry: what the store keeps under a key. A deleted key keeps an entry too, its tombstone, until
// nothing older can hold the key.
//
//   entry := head varint | [expires varint] | value             what is left of the bytes is the value
//   head  := version * 4 + expires? * 2 + tombstone?            a tombstone has no expires and no value
// Example: version 7, expires at 1000 us, value "hi" = 1e e8 07 68 69; tombstone of version 8 = 21
//
// Versions are numbers of the store, not of the key: each write takes the next, so that of two versions
// of anything the greater is the later, in this run of the program or in any before it.
// Invariants: a version is 1 .. VERSION_MAX; an expiry is 0 (never) or us since the Unix epoch.
// Not here: keys' order (key.ts), where entries lie (section.ts in the WAL, segment.ts on the medium).
import { ByteReader, type ByteWriter, varintBytes } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { byteString, bytesOf, keyStart } from './key.ts'

/** The greatest version: four of them fit where 2^53 does. At 1 M writes/s it is reached in 71 years. */
export const VERSION_MAX = 2 ** 51 - 1

const NOTHING = new Uint8Array(0)
const utf8 = new TextDecoder()

/**
 * One version of what is under a key. Its bytes are the store's own, and may be shared memory: never change them. Key
 * and value are made of them when they are asked for.
 */
export class Entry {
  readonly version: number
  /** Microseconds since the Unix epoch from which on it is not there any more; 0: never. */
  readonly expiresUs: number
  /** A tombstone. Reads of the store give none; changes seen by a watch may be. */
  readonly deleted: boolean
  /** Bytes of the value. */
  readonly size: number
  private storedText: string | null
  /** The value lies in these bytes, perhaps with others; where storedText is null, behind the key. */
  private readonly bytes: Uint8Array
  private readonly start: number
  private readonly keyBytes: number

  /** @param stored  namespace and key as one byte string (key.ts); null: they lie before the value @param value  null: a tombstone */
  constructor(stored: string, version: number, expiresUs: number, value: Uint8Array | null)
  /** An entry whose key of so many bytes lies in bytes from keyAt on, and its value behind it. */
  constructor(
    stored: null,
    version: number,
    expiresUs: number,
    bytes: Uint8Array,
    keyAt: number,
    keyBytes: number,
    size: number,
    deleted: boolean
  )
  constructor(
    stored: string | null,
    version: number,
    expiresUs: number,
    bytes: Uint8Array | null,
    keyAt = 0,
    keyBytes = 0,
    size = bytes === null ? 0 : bytes.length,
    deleted = bytes === null
  ) {
    this.storedText = stored
    this.version = version
    this.expiresUs = expiresUs
    this.deleted = deleted
    this.size = size
    this.bytes = bytes ?? NOTHING
    this.start = keyAt + keyBytes
    this.keyBytes = keyBytes
  }

  /** Namespace and key as one byte string (key.ts). */
  get stored(): string {
    this.storedText ??= byteString(this.bytes.subarray(this.start - this.keyBytes, this.start))
    return this.storedText
  }

  /** A view; empty in a tombstone. */
  get value(): Uint8Array {
    const { bytes, start, size } = this
    return size === bytes.length ? bytes : bytes.subarray(start, start + size)
  }

  get namespace(): string {
    return this.stored.slice(0, keyStart(this.stored) - 1)
  }

  get key(): Uint8Array {
    return bytesOf(this.stored.slice(keyStart(this.stored)))
  }

  /** The key as text; bytes that are not UTF-8 become U+FFFD. */
  get keyText(): string {
    return utf8.decode(this.key)
  }

  /** Whether a reader at that moment sees it. */
  visible(nowUs: number): boolean {
    return !this.deleted && (this.expiresUs === 0 || nowUs < this.expiresUs)
  }
}

function headOf({ version, expiresUs, deleted }: Entry): number {
  return version * 4 + (expiresUs === 0 ? 0 : 2) + (deleted ? 1 : 0)
}

/** How many bytes encodeEntry() writes. */
export function entryBytes(entry: Entry): number {
  const expires = entry.expiresUs === 0 ? 0 : varintBytes(entry.expiresUs)
  return varintBytes(headOf(entry)) + expires + entry.size
}

export function encodeEntry(entry: Entry, out: ByteWriter): void {
  out.varint(headOf(entry))
  if (entry.expiresUs !== 0) out.varint(entry.expiresUs)
  out.raw(entry.value)
}

/** @param bytes  of one entry; its value will be a view into them @throws {VarveError} VARVE_TRUNCATED, VARVE_ENTRY */
export function decodeEntry(stored: string, bytes: Uint8Array): Entry {
  const from = new ByteReader(bytes)
  const head = from.varint()
  const flags = head % 4
  const version = (head - flags) / 4
  const expiresUs = (flags & 2) === 0 ? 0 : from.varint()
  const deleted = (flags & 1) === 1
  if (version === 0 || (deleted && from.left > 0) || ((flags & 2) !== 0 && (deleted || expiresUs === 0))) {
    throw new VarveError('VARVE_ENTRY', `Cannot read entry: head ${head} with ${from.left} bytes of value`)
  }
  return new Entry(stored, version, expiresUs, deleted ? null : from.raw(from.left))
}

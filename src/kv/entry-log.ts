// Where the entries of a memtable lie: records one behind the other in slabs, so that a write makes no object that the
// garbage collector would have to walk, and costs the memory of its bytes.
//
//   record := key bytes | tombstone << 30 | expires << 31, u32 | value bytes u32 | version low u32 | high u32
//             | [expires low u32 | high u32] | stored key | value | 0 to 3 bytes of padding          little-endian
//   address := slab << 14 | word                             the record begins at that word of that slab
// A record that would take a good part of a slab gets one of its own, which goes when it is overwritten.
//
// Invariants: a record never changes; a slab lives as long as something points to it, so that whoever overwrites many
// small ones counts what is dead and copies the rest to another log (memtables.ts).
// Not here: finding a key (memtable.ts), what goes to the medium (section.ts, segment.ts).
import { assert } from '../base/assert.ts'
import { Entry } from './entry.ts'
import type { Look } from './hot-entries.ts'
import { KeyBytes } from './key-bytes.ts'

const WORD_BITS = 14
const SLAB_WORDS = 1 << WORD_BITS
const WORD_MASK = SLAB_WORDS - 1
const SLAB_BYTES = SLAB_WORDS * 4
/** A sixteenth of a slab: what is left of one at its end is wasted. */
const SHARED_BYTES_MAX = SLAB_BYTES / 16
const SLABS_MAX = 2 ** (31 - WORD_BITS)
/** What a slab costs beside its bytes. */
const SLAB_OBJECTS_BYTES = 200

const HEAD_BYTES = 16
const EXPIRY_BYTES = 8
const KEY_BYTES_MAX = 2 ** 24 - 1
const TOMBSTONE = 1 << 30
const EXPIRES = 1 << 31
const U32 = 2 ** 32

/** The value bytes[from, to) of a write; bytes null and from = to: a tombstone. */
export interface ValuePart {
  bytes: Uint8Array | null
  from: number
  to: number
}

const { copy } = Buffer.prototype

/** Some records, in memory that threads share: a flush reads them where they lie. */
export class EntrySlab {
  readonly bytes: Uint8Array
  /** The same, for what a Buffer does best. */
  readonly buffer: Buffer
  readonly words: Uint32Array
  readonly room: SharedArrayBuffer

  constructor(room: SharedArrayBuffer) {
    this.bytes = new Uint8Array(room)
    this.buffer = Buffer.from(room)
    this.words = new Uint32Array(room)
    this.room = room
  }

  put(word: number, key: KeyBytes, version: number, expiresUs: number, value: ValuePart): void {
    const { words, bytes } = this
    const isTimed = expiresUs !== 0
    const { bytes: source, from, to } = value
    words[word] = key.length | (source === null ? TOMBSTONE : 0) | (isTimed ? EXPIRES : 0)
    words[word + 1] = to - from
    words[word + 2] = version % U32
    words[word + 3] = Math.floor(version / U32)
    let at = word * 4 + HEAD_BYTES
    if (isTimed) {
      words[word + 4] = expiresUs % U32
      words[word + 5] = Math.floor(expiresUs / U32)
      at += EXPIRY_BYTES
    }
    const keyBytes = key.bytes
    for (let i = 0; i < key.length; i++) bytes[at++] = keyBytes[i]!
    if (source === null) return
    if (to - from === source.length) bytes.set(source, at)
    // A view of a part would cost more than its copy.
    else copy.call(source, this.buffer, at, from, to)
  }

  isTombstone(word: number): boolean {
    return (this.words[word]! & TOMBSTONE) !== 0
  }

  version(word: number): number {
    return this.words[word + 3]! * U32 + this.words[word + 2]!
  }

  /** us since the epoch; 0: never. */
  expiresUs(word: number): number {
    const { words } = this
    return (words[word]! & EXPIRES) === 0 ? 0 : words[word + 5]! * U32 + words[word + 4]!
  }

  keyLength(word: number): number {
    return this.words[word]! & KEY_BYTES_MAX
  }

  valueLength(word: number): number {
    return this.words[word + 1]!
  }

  /** The byte where the key begins. */
  keyAt(word: number): number {
    return word * 4 + HEAD_BYTES + ((this.words[word]! & EXPIRES) === 0 ? 0 : EXPIRY_BYTES)
  }

  /** The byte where the value begins. */
  valueAt(word: number): number {
    return this.keyAt(word) + this.keyLength(word)
  }

  recordBytes(word: number): number {
    return (this.valueAt(word) + this.valueLength(word) + 3 - word * 4) & ~3
  }

  isOf(word: number, key: KeyBytes): boolean {
    const { length } = key
    if (this.keyLength(word) !== length) return false
    const { bytes } = this
    const wanted = key.bytes
    const at = this.keyAt(word)
    for (let i = 0; i < length; i++) if (bytes[at + i] !== wanted[i]) return false
    return true
  }

  /** The key as a byte string. */
  stored(word: number): string {
    const at = this.keyAt(word)
    return this.buffer.toString('latin1', at, at + this.keyLength(word))
  }

  entry(word: number): Entry {
    return new Entry(
      null,
      this.version(word),
      this.expiresUs(word),
      this.bytes,
      this.keyAt(word),
      this.keyLength(word),
      this.valueLength(word),
      this.isTombstone(word)
    )
  }
}

const NO_SLAB = new EntrySlab(new SharedArrayBuffer(0))

export class EntryLog {
  /** Memory it takes, about. */
  bytes = 0
  private slabs: EntrySlab[] = []
  /** Numbers of slabs that were let go. */
  private readonly vacant: number[] = []
  /** The slab that several records share now, and the first free word of it. */
  private current = -1
  private free = SLAB_WORDS

  /** A log of slabs of another one, to be read. */
  static of(slabs: readonly SharedArrayBuffer[]): EntryLog {
    const log = new EntryLog()
    for (const room of slabs) log.slabs.push(new EntrySlab(room))
    return log
  }

  /** The log as it is now, to be read: what is let go later stays in it. */
  pin(): EntryLog {
    const log = new EntryLog()
    log.slabs = this.slabs.slice()
    return log
  }

  /** Lets a record go that has a slab of its own. @returns false where others lie beside it, and it stays */
  release(address: number): boolean {
    const size = this.recordBytes(address)
    if (size <= SHARED_BYTES_MAX) return false
    this.slabs[address >>> WORD_BITS] = NO_SLAB
    this.vacant.push(address >>> WORD_BITS)
    this.bytes -= size + SLAB_OBJECTS_BYTES
    return true
  }

  /** The memory of its slabs. */
  shared(): SharedArrayBuffer[] {
    return this.slabs.map(({ room }) => room)
  }

  /** Appends a record. @param value  copied @returns its address */
  append(key: KeyBytes, version: number, expiresUs: number, value: ValuePart): number {
    const address = this.room(bytesOf(key, expiresUs, value))
    this.slabOf(address).put(wordOf(address), key, version, expiresUs, value)
    return address
  }

  slabOf(address: number): EntrySlab {
    return this.slabs[address >>> WORD_BITS]!
  }

  isOf(address: number, key: KeyBytes): boolean {
    return this.slabOf(address).isOf(wordOf(address), key)
  }

  entry(address: number): Entry {
    return this.slabOf(address).entry(wordOf(address))
  }

  version(address: number): number {
    return this.slabOf(address).version(wordOf(address))
  }

  recordBytes(address: number): number {
    return this.slabOf(address).recordBytes(wordOf(address))
  }

  /** Bytes of key and value. */
  contentBytes(address: number): number {
    const slab = this.slabOf(address)
    const word = wordOf(address)
    return slab.keyLength(word) + slab.valueLength(word)
  }

  /** Takes a record as it is. @returns its address here */
  copy(from: EntryLog, address: number): number {
    const slab = from.slabOf(address)
    const word = wordOf(address)
    const size = slab.recordBytes(word)
    const to = this.room(size)
    this.slabOf(to).words.set(slab.words.subarray(word, word + (size >>> 2)), wordOf(to))
    return to
  }

  /** Says where a value lies. @returns false for a tombstone */
  look(address: number, into: Look): boolean {
    const slab = this.slabOf(address)
    const word = wordOf(address)
    into.bytes = slab.bytes
    into.at = slab.valueAt(word)
    into.length = slab.valueLength(word)
    into.version = slab.version(word)
    into.expiresUs = slab.expiresUs(word)
    return !slab.isTombstone(word)
  }

  /** The address of a record of so many bytes. */
  private room(size: number): number {
    this.bytes += size
    if (size > SHARED_BYTES_MAX) return this.addSlab(size) << WORD_BITS
    if (this.free + (size >>> 2) > SLAB_WORDS) {
      this.current = this.addSlab(SLAB_BYTES)
      this.free = 0
    }
    const address = (this.current << WORD_BITS) | this.free
    this.free += size >>> 2
    return address
  }

  private addSlab(size: number): number {
    const number = this.vacant.pop() ?? this.slabs.length
    assert(number < SLABS_MAX, 'an address fits 31 bits')
    this.slabs[number] = new EntrySlab(new SharedArrayBuffer(size))
    this.bytes += SLAB_OBJECTS_BYTES
    return number
  }
}

/** A slab with the record of an entry at its first word. */
export function slabOfOne(entry: Entry): EntrySlab {
  const { version, expiresUs } = entry
  const key = KeyBytes.of(entry.stored)
  const value = partOf(entry)
  const slab = new EntrySlab(new SharedArrayBuffer(bytesOf(key, expiresUs, value)))
  slab.put(0, key, version, expiresUs, value)
  return slab
}

/** The value of an entry that is written again. */
export function partOf({ deleted, value }: Entry): ValuePart {
  return { bytes: deleted ? null : value, from: 0, to: value.length }
}

function bytesOf(key: KeyBytes, expiresUs: number, { from, to }: ValuePart): number {
  const head = HEAD_BYTES + (expiresUs === 0 ? 0 : EXPIRY_BYTES)
  return (head + key.length + to - from + 3) & ~3
}

/** The word of its slab where a record begins. */
export function wordOf(address: number): number {
  return address & WORD_MASK
}

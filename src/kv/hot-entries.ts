// Entries that were read, packed one behind the other and kept up to a bound of bytes, so that a value that is asked
// for again costs one look into a table: no tree, no filter, no search in blocks, and no object that the collector
// walks. A write only forgets its key here.
//
//   chunk  := record*                                      ARENA_CHUNKS of them at most, filled in turn
//   record := head u32 | value bytes u32 | version low u32 | version high u32 | [expires low u32 | high u32]
//             | stored key | value | 0 to 3 bytes of padding                                      little-endian
//   head   := stored key bytes | used << 24 | expires? << 25
//   table  := bucket*      bucket := 8 slots, each the place of a record and 8 bits of its key's hash
//
// The oldest chunk is cleared for new records when all are full: what was used since the last time is moved to its
// start, up to half of it, and the rest goes (a clock that turns by chunks; F. J. Corbato, A paging experiment with
// the Multics system, 1968). A bucket that is full lets one of its own go, in the same way: no key makes a look longer
// than 8 slots.
//
// Invariants: what is kept is the newest version of its key, since every write of a key forgets it; what get() gives
// is a copy; what look() gives is true until the next call.
// Not here: blocks, which serve scans and what is read for the first time (block-cache.ts).
import { Entry } from './entry.ts'
import { hashOf, type KeyBytes } from './key-bytes.ts'

const ARENA_CHUNKS = 16
const SLOTS = 8
/** Of the arena, one slot: half of the slots are empty where records take 128 bytes. */
const BYTES_A_SLOT = 64
const SLOTS_MIN = 64
const HEAD_BYTES = 16
const EXPIRY_BYTES = 8
const KEY_BYTES_MAX = 2 ** 24 - 1
const USED = 1 << 24
const EXPIRES = 1 << 25
const U32 = 2 ** 32
/** Who keeps one entry that get() gave keeps its neighbours in memory. */
const COPIES_BYTES = 16 * 1024

const { copy } = Buffer.prototype

interface Chunk {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  filled: number
}

/** A value where it lies, bytes[at, at + length), with what else its entry says. */
export interface Look {
  bytes: Uint8Array
  at: number
  length: number
  version: number
  /** As of an entry: us since the epoch, 0: never. */
  expiresUs: number
}

export class HotEntries {
  hits = 0
  private readonly chunkBytes: number
  private readonly buckets: number
  private chunks: Chunk[] = []
  private current = -1
  /** Where records lie, in words, counted from 1; 0: an empty slot. */
  private places = new Int32Array(0)
  private tags = new Uint8Array(0)
  private count = 0
  private turn = 0
  /** Where what get() gives lies, and how much of it is used. */
  private copies = new Uint8Array(0)
  private copied = 0
  private readonly found: Look = { bytes: this.tags, at: 0, length: 0, version: 0, expiresUs: 0 }

  /** @param bytesMax  of the records; the table takes a twelfth of it beside them */
  constructor(bytesMax: number) {
    this.chunkBytes = Math.floor(bytesMax / ARENA_CHUNKS / 4) * 4
    this.buckets = 2 ** Math.ceil(Math.log2(Math.max(SLOTS_MIN, bytesMax / BYTES_A_SLOT) / SLOTS))
  }

  /** Memory that it takes. */
  get bytes(): number {
    return this.chunks.length * this.chunkBytes + this.places.byteLength + this.tags.byteLength
  }

  get(key: KeyBytes): Entry | undefined {
    const look = this.look(key)
    if (look === null) return undefined
    const { at, length, version, expiresUs } = look
    // Key and value lie together, here as there. One copy of many bytes is cheaper than an array of its own for each.
    const from = at - key.length
    const to = at + length
    if (this.copied + to - from > this.copies.length) {
      this.copies = new Uint8Array(Math.max(COPIES_BYTES, to - from))
      this.copied = 0
    }
    const { copies, copied } = this
    this.copied += to - from
    copy.call(look.bytes, copies, copied, from, to)
    return new Entry(null, version, expiresUs, copies, copied, key.length, length, false)
  }

  /** Finds a value without making anything for it. @returns always the same object */
  look(key: KeyBytes): Look | null {
    if (this.count === 0) return null
    const slot = this.slotOf(key)
    return slot < 0 ? null : this.read(this.places[slot]!)
  }

  /** Keeps a copy of what is under a key, if it is small enough. */
  put(key: KeyBytes, { version, expiresUs, value, deleted }: Entry): void {
    const head = HEAD_BYTES + (expiresUs === 0 ? 0 : EXPIRY_BYTES)
    const size = (head + key.length + value.length + 3) & ~3
    if (deleted || size > this.chunkBytes || key.length > KEY_BYTES_MAX) return
    this.forget(key)
    const chunk = this.room(size)
    const { bytes, words } = chunk
    const word = chunk.filled >>> 2
    const place = (this.current * this.chunkBytes) / 4 + word + 1
    words[word] = key.length | (expiresUs === 0 ? 0 : EXPIRES)
    words[word + 1] = value.length
    putU64(words, word + 2, version)
    if (expiresUs !== 0) putU64(words, word + 4, expiresUs)
    let at = chunk.filled + head
    for (let i = 0; i < key.length; i++) bytes[at++] = key.bytes[i]!
    bytes.set(value, at)
    chunk.filled += size
    this.insert(key.hash, place)
  }

  /** The key was written. */
  forget(key: KeyBytes): void {
    if (this.count === 0) return
    const slot = this.slotOf(key)
    if (slot < 0) return
    this.places[slot] = 0
    this.count--
  }

  clear(): void {
    this.chunks = []
    this.current = -1
    this.places = new Int32Array(0)
    this.tags = new Uint8Array(0)
    this.count = 0
  }

  private slotOf(key: KeyBytes): number {
    const { hash } = key
    const first = (hash & (this.buckets - 1)) * SLOTS
    for (let slot = first; slot < first + SLOTS; slot++) {
      const place = this.places[slot]!
      if (place !== 0 && this.tags[slot] === hash >>> 24 && this.isKey(place, key)) return slot
    }
    return -1
  }

  private isKey(place: number, key: KeyBytes): boolean {
    const { bytes, words } = this.chunkOf(place)
    const word = this.wordOf(place)
    const head = words[word]!
    const { length } = key
    if ((head & KEY_BYTES_MAX) !== length) return false
    const wanted = key.bytes
    const at = word * 4 + headBytes(head)
    for (let i = 0; i < length; i++) if (bytes[at + i] !== wanted[i]) return false
    return true
  }

  private read(place: number): Look {
    const { bytes, words } = this.chunkOf(place)
    const word = this.wordOf(place)
    const head = words[word]!
    if ((head & USED) === 0) words[word] = head | USED
    const { found } = this
    found.bytes = bytes
    found.at = word * 4 + headBytes(head) + (head & KEY_BYTES_MAX)
    found.length = words[word + 1]!
    found.version = u64(words, word + 2)
    found.expiresUs = (head & EXPIRES) === 0 ? 0 : u64(words, word + 4)
    this.hits++
    return found
  }

  private chunkOf(place: number): Chunk {
    return this.chunks[Math.floor(((place - 1) * 4) / this.chunkBytes)]!
  }

  /** The first word of a record within its chunk. */
  private wordOf(place: number): number {
    return (place - 1) % (this.chunkBytes >>> 2)
  }

  private insert(hash: number, place: number): void {
    if (this.places.length === 0) {
      this.places = new Int32Array(this.buckets * SLOTS)
      this.tags = new Uint8Array(this.buckets * SLOTS)
    }
    const first = (hash & (this.buckets - 1)) * SLOTS
    let slot = first
    while (slot < first + SLOTS && this.places[slot] !== 0) slot++
    if (slot < first + SLOTS) this.count++
    else slot = this.unused(first)
    this.places[slot] = place
    this.tags[slot] = hash >>> 24
  }

  /** The slot of a full bucket that goes: one whose record was not used since the last time it was passed. */
  private unused(first: number): number {
    for (;;) {
      const slot = first + (this.turn++ & (SLOTS - 1))
      const place = this.places[slot]!
      const { words } = this.chunkOf(place)
      const word = this.wordOf(place)
      if ((words[word]! & USED) === 0) return slot
      words[word]! &= ~USED
    }
  }

  /** A chunk with room for so many bytes. */
  private room(size: number): Chunk {
    const chunk = this.chunks[this.current]
    if (chunk !== undefined && chunk.filled + size <= this.chunkBytes) return chunk
    this.current = (this.current + 1) % ARENA_CHUNKS
    if (this.current === this.chunks.length) {
      const bytes = new Uint8Array(this.chunkBytes)
      this.chunks.push({ bytes, words: new Uint32Array(bytes.buffer), filled: 0 })
    } else this.turnOver(this.chunks[this.current]!)
    return this.room(size)
  }

  /** Lets go what was not used, and gives what was one more turn. */
  private turnOver(chunk: Chunk): void {
    const { bytes, words, filled } = chunk
    const base = (this.current * this.chunkBytes) / 4 + 1
    let to = 0
    for (let from = 0; from < filled; ) {
      const word = from >>> 2
      const head = words[word]!
      const size = (headBytes(head) + (head & KEY_BYTES_MAX) + words[word + 1]! + 3) & ~3
      const slot = this.slotAt(chunk, word, base + word)
      if (slot >= 0) {
        if ((head & USED) !== 0 && to + size <= this.chunkBytes / 2) {
          bytes.copyWithin(to, from, from + size)
          words[to >>> 2] = head & ~USED
          this.places[slot] = base + (to >>> 2)
          to += size
        } else {
          this.places[slot] = 0
          this.count--
        }
      }
      from += size
    }
    chunk.filled = to
  }

  /** The slot of a record; -1: its key was forgotten or has a later one. */
  private slotAt({ bytes, words }: Chunk, word: number, place: number): number {
    const head = words[word]!
    const from = word * 4 + headBytes(head)
    const to = from + (head & KEY_BYTES_MAX)
    const first = (hashOf(bytes, from, to) & (this.buckets - 1)) * SLOTS
    for (let slot = first; slot < first + SLOTS; slot++) if (this.places[slot] === place) return slot
    return -1
  }
}

function headBytes(head: number): number {
  return (head & EXPIRES) === 0 ? HEAD_BYTES : HEAD_BYTES + EXPIRY_BYTES
}

function putU64(words: Uint32Array, at: number, value: number): void {
  words[at] = value % U32
  words[at + 1] = Math.floor(value / U32)
}

function u64(words: Uint32Array, at: number): number {
  return words[at + 1]! * U32 + words[at]!
}

// A block of sorted keys with their values: the unit that is read, checked and cached. A key stores only
// what differs from the key before it, but for every RESTART_KEYS-th, which is whole: a search halves its
// way over those and then reads at most RESTART_KEYS keys.
//
//   block := pair* | restart u32[n] | n u32                                        little-endian
//   pair  := shared varint | tail bytes varint | value bytes varint | tail | value
// restart[i] is where pair i * 16 starts; its shared is 0. Keys are byte strings (merge-iterator.ts).
// Example: aa -> 01, ab -> (empty), b -> 02 03 =
//   00 02 01 61 61 01 01 01 00 62 00 01 02 62 02 03 00 00 00 00 01 00 00 00
//
// Invariants: keys ascend strictly; a reader throws VARVE_BLOCK for bytes that are not a block, and never
// reads outside them. Not here: checksums (the segment container), what values mean.
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

const RESTART_KEYS = 16

/** Collects pairs in key order. Reused: finish() starts it over. */
export class BlockWriter {
  private readonly out = new ByteWriter(16 * 1024)
  private restarts: number[] = []
  private last = ''
  /** Pairs in the block so far. */
  count = 0
  /** The first key of the block; '' while it is empty. */
  first = ''

  /** Bytes of the block were it finished now. */
  get bytes(): number {
    return this.out.length + 4 * (this.restarts.length + 1)
  }

  add(key: string, value: Uint8Array): void {
    assert(this.count === 0 || key > this.last, 'keys of a block ascend')
    const out = this.out
    let shared = 0
    if (this.count % RESTART_KEYS === 0) {
      this.restarts.push(out.length)
    } else {
      const most = Math.min(key.length, this.last.length)
      while (shared < most && key.charCodeAt(shared) === this.last.charCodeAt(shared)) shared++
    }
    if (this.count === 0) this.first = key
    const tail = key.length - shared
    out.varint(shared)
    out.varint(tail)
    out.varint(value.length)
    out.ensure(tail)
    const bytes = out.bytes
    let at = out.length
    for (let i = shared; i < key.length; i++) bytes[at++] = key.charCodeAt(i)
    out.length = at
    out.raw(value)
    this.last = key
    this.count++
  }

  /** The bytes of the block; a view that is valid until the next add(). */
  finish(): Uint8Array {
    for (const restart of this.restarts) this.out.u32(restart)
    this.out.u32(this.restarts.length)
    const bytes = this.out.written()
    this.out.reset()
    this.restarts = []
    this.last = ''
    this.first = ''
    this.count = 0
    return bytes
  }
}

/** A block that was read: where its pairs end and its restarts lie. Cheap to make; keeps no copy. */
export class BlockReader {
  readonly bytes: Uint8Array
  private readonly pairsEnd: number
  private readonly restarts: number
  /** Where the pair that was read last has its tail and its value. */
  private tailAt = 0
  private tailEnd = 0
  private shared = 0
  private valueAt = 0
  private valueEnd = 0

  /** @throws {VarveError} VARVE_BLOCK */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.restarts = bytes.length < 4 ? 0 : u32(bytes, bytes.length - 4)
    this.pairsEnd = bytes.length - 4 - 4 * this.restarts
    if (bytes.length < 4 || this.pairsEnd < 0) throw broken('its restarts do not fit')
  }

  /** The value of a key (a view into the block), or undefined. @throws {VarveError} VARVE_BLOCK */
  get(key: string): Uint8Array | undefined {
    let low = 0
    let high = this.restarts - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      this.read(this.restart(middle))
      if (this.shared !== 0) throw broken('a restart shares bytes')
      if (this.compare(key, 0) > 0) high = middle - 1
      else low = middle
    }
    if (this.restarts === 0) return undefined
    // `same` is how many leading bytes the key before this one has in common with the key sought: a pair
    // that shares more with its predecessor than that is smaller too, without looking at its tail.
    let same = 0
    for (let at = this.restart(low); at < this.pairsEnd; ) {
      at = this.read(at)
      if (this.shared > same) continue
      if (this.shared < same) return undefined
      const order = this.compare(key, same)
      if (order === 0) return this.bytes.subarray(this.valueAt, this.valueEnd)
      if (order > 0) return undefined
      same = this.matched
    }
    return undefined
  }

  /** All pairs. Values are views into the block. @throws {VarveError} VARVE_BLOCK */
  pairs(): { keys: string[]; values: Uint8Array[] } {
    const keys: string[] = []
    const values: Uint8Array[] = []
    const latin = Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    let key = ''
    for (let at = 0; at < this.pairsEnd; ) {
      at = this.read(at)
      if (this.shared > key.length) throw broken('a key shares more than there is')
      const next = key.slice(0, this.shared) + latin.toString('latin1', this.tailAt, this.tailEnd)
      if (keys.length > 0 && next <= key) throw broken('keys do not ascend')
      key = next
      keys.push(key)
      values.push(this.bytes.subarray(this.valueAt, this.valueEnd))
    }
    return { keys, values }
  }

  private matched = 0

  /** Compares the tail of the pair with key from byte `from` on: < 0 where the pair is before the key. */
  private compare(key: string, from: number): number {
    const bytes = this.bytes
    let at = this.tailAt
    let i = from
    const end = this.tailEnd
    while (at < end && i < key.length) {
      const order = bytes[at]! - key.charCodeAt(i)
      if (order !== 0) {
        this.matched = i
        return order
      }
      at++
      i++
    }
    this.matched = i
    return at < end ? 1 : i < key.length ? -1 : 0
  }

  private restart(i: number): number {
    return u32(this.bytes, this.pairsEnd + 4 * i)
  }

  /** Reads the pair at `at`. @returns where the next one starts */
  private read(at: number): number {
    this.cursor = at
    this.shared = this.varint()
    const tail = this.varint()
    const value = this.varint()
    this.tailAt = this.cursor
    this.tailEnd = this.tailAt + tail
    this.valueAt = this.tailEnd
    this.valueEnd = this.valueAt + value
    if (this.valueEnd > this.pairsEnd) throw broken(`the pair at ${at} does not fit`)
    return this.valueEnd
  }

  private cursor = 0

  private varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8 && this.cursor < this.pairsEnd; i++) {
      const byte = this.bytes[this.cursor++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
    throw broken(`no length at ${this.cursor}`)
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

function broken(why: string): VarveError {
  return new VarveError('VARVE_BLOCK', `Cannot read block: ${why}`)
}

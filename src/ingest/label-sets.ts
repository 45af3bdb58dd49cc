// Label sets seen before, by their bytes as a sender wrote them: what they are called in the store. A sender
// writes the same bytes for a series each time, so that a known one costs a hash and a comparison, and no
// text is made of it.
//
// Invariants: entries and their bytes are bounded; when either is full all are forgotten and made anew.
// Not here: what the bytes mean (remote-write.ts).
const ENTRIES_MAX = 1 << 17
const SLAB_BYTES_MAX = 32 * 1024 * 1024

export class LabelSets {
  private readonly entriesMax: number
  private slab = new Uint8Array(65_536)
  private used = 0
  private count = 0
  /** Open addressing: index of an entry + 1, 0 for none; twice as many as entries, a power of two. */
  private table = new Uint32Array(1024)
  private hashes = new Int32Array(512)
  private starts = new Uint32Array(512)
  private lengths = new Uint32Array(512)
  private shapes = new Uint32Array(512)

  constructor(entriesMax = ENTRIES_MAX) {
    this.entriesMax = entriesMax
  }

  /** The shape remembered for bytes[start, end), or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end)
    const mask = this.table.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.table[slot]! - 1
      if (entry < 0) return -1
      if (this.hashes[entry] === hash && this.equals(entry, bytes, start, end)) return this.shapes[entry]!
    }
  }

  /** Remembers a shape for bytes that find() does not know. */
  add(bytes: Uint8Array, start: number, end: number, shape: number): void {
    const length = end - start
    if (length > SLAB_BYTES_MAX) return
    if (this.count >= this.entriesMax || this.used + length > SLAB_BYTES_MAX) this.forget()
    if (this.count === this.hashes.length) this.grow()
    if (this.used + length > this.slab.length) {
      const slab = new Uint8Array(Math.max(this.used + length, this.slab.length * 2))
      slab.set(this.slab)
      this.slab = slab
    }
    this.slab.set(bytes.subarray(start, end), this.used)
    const entry = this.count++
    this.hashes[entry] = hashOf(bytes, start, end)
    this.starts[entry] = this.used
    this.lengths[entry] = length
    this.shapes[entry] = shape
    this.used += length
    this.place(entry)
  }

  private forget(): void {
    this.count = 0
    this.used = 0
    this.table.fill(0)
  }

  private grow(): void {
    const twice = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const room = new Uint32Array(old.length * 2)
      room.set(old)
      return room
    }
    this.starts = twice(this.starts)
    this.lengths = twice(this.lengths)
    this.shapes = twice(this.shapes)
    const hashes = new Int32Array(this.hashes.length * 2)
    hashes.set(this.hashes)
    this.hashes = hashes
    this.table = new Uint32Array(this.table.length * 2)
    for (let entry = 0; entry < this.count; entry++) this.place(entry)
  }

  private place(entry: number): void {
    const mask = this.table.length - 1
    let slot = this.hashes[entry]! & mask
    while (this.table[slot] !== 0) slot = (slot + 1) & mask
    this.table[slot] = entry + 1
  }

  private equals(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.lengths[entry] !== end - start) return false
    const { slab } = this
    const at = this.starts[entry]!
    for (let i = start, k = at; i < end; i++, k++) if (bytes[i] !== slab[k]) return false
    return true
  }
}

/** FNV-1a, its high bits folded in. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

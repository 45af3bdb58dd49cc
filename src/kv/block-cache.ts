// Blocks of segments kept in memory, up to a bound of bytes. Second chance: a block that was used since
// the hand passed it stays one round more. On a hit only a flag is set, where a list kept by last use
// would move an element at every read.
// Invariants: bytes <= bytesMax after every call; a block larger than an eighth of it is not kept.
// Not here: reading and checking blocks (segment.ts).

interface Kept {
  readonly bytes: Uint8Array
  used: boolean
}

/** What a kept block costs beyond its bytes. */
const OVERHEAD_BYTES = 200
/** Blocks of one segment are numbered below this. */
const BLOCKS_MAX = 2 ** 24

export class BlockCache {
  private readonly bytesMax: number
  private readonly kept = new Map<number, Kept>()
  bytes = 0
  hits = 0
  misses = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get(segment: number, block: number): Uint8Array | undefined {
    const found = this.kept.get(segment * BLOCKS_MAX + block)
    if (found === undefined) {
      this.misses++
      return undefined
    }
    this.hits++
    found.used = true
    return found.bytes
  }

  put(segment: number, block: number, bytes: Uint8Array): void {
    const cost = bytes.length + OVERHEAD_BYTES
    const key = segment * BLOCKS_MAX + block
    if (cost > this.bytesMax / 8 || this.kept.has(key)) return
    this.kept.set(key, { bytes, used: false })
    this.bytes += cost
    for (const [oldest, kept] of this.kept) {
      if (this.bytes <= this.bytesMax) break
      this.kept.delete(oldest)
      if (kept.used) {
        kept.used = false
        this.kept.set(oldest, kept)
      } else {
        this.bytes -= kept.bytes.length + OVERHEAD_BYTES
      }
    }
  }

  /** Forgets the blocks of a segment that is gone. */
  drop(segment: number): void {
    for (const [key, kept] of this.kept) {
      if (Math.floor(key / BLOCKS_MAX) !== segment) continue
      this.kept.delete(key)
      this.bytes -= kept.bytes.length + OVERHEAD_BYTES
    }
  }
}

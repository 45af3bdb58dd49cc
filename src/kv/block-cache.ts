// Blocks of segments kept in memory, up to a bound of bytes.
// Invariants: bytes <= bytesMax after every call; a block larger than an eighth of it is not kept.
// Not here: which goes first (base/second-chance.ts), reading and checking blocks (segment.ts).
import { SecondChance } from '../base/second-chance.ts'

/** What a kept block costs beyond its bytes. */
const OVERHEAD_BYTES = 200
/** Blocks of one segment are numbered below this. */
const BLOCKS_MAX = 2 ** 24

export class BlockCache {
  private readonly kept: SecondChance<number, Uint8Array>
  hits = 0
  misses = 0

  constructor(bytesMax: number) {
    this.kept = new SecondChance(bytesMax, 8)
  }

  get bytes(): number {
    return this.kept.weight
  }

  get(segment: number, block: number): Uint8Array | undefined {
    const found = this.kept.get(segment * BLOCKS_MAX + block)
    if (found === undefined) this.misses++
    else this.hits++
    return found
  }

  put(segment: number, block: number, bytes: Uint8Array): void {
    this.kept.put(segment * BLOCKS_MAX + block, bytes, bytes.length + OVERHEAD_BYTES)
  }

  /** Forgets the blocks of a segment that is gone. */
  drop(segment: number): void {
    this.kept.deleteWhere(key => Math.floor(key / BLOCKS_MAX) === segment)
  }
}

// A segment of the store: sorted entries in blocks, and a footer that finds them. The container (engine)
// frames and checksums blocks and footer; this file says what is in them.
//
//   block   := squeezed (squeeze.ts) pairs of stored key and entry (engine/block.ts, entry.ts)
//   footer  := 01 | facts | min key | max key | shadows varint (segment varint, keys varint)* |
//              blocks varint (first key, offset varint, length varint)* | bloom bytes varint | bloom
//   facts   := entries | tombstones | expiring bytes | expires least | expires greatest |
//              version least | version greatest                                         all varints
//   key     := bytes varint | bytes
// In memory stay the first key and place of each block and the filter: about 1.6 bytes a key of 16 bytes
// with 100 bytes of value. A read costs one block at most, and none where the filter says no.
//
// A shadow says how many keys of this segment an older segment may hold too: what is dead in the older
// one, estimated without reading it, for the compaction plan.
// Invariants: keys ascend through the whole segment; no key twice; the filter holds every key; a key that a damaged
// block may hold is never said to be absent.
// Not here: writing them (segment-writer.ts), a damaged footer (segment-rebuild.ts), which segments live (tables.ts).
import { ByteReader } from '../base/bytes.ts'
import { CorruptionError, VarveError } from '../base/errors.ts'
import { BlockReader } from '../engine/block.ts'
import { bloomHash, bloomMayHold, checkBloom } from '../engine/bloom.ts'
import type { SortedCursor } from '../engine/merge-iterator.ts'
import type { BlockCache } from './block-cache.ts'
import type { Hole } from './damage.ts'
import { decodeEntry, type Entry } from './entry.ts'
import type { SegmentIn } from './host.ts'
import { byteString } from './key.ts'
import { rebuildLayout } from './segment-rebuild.ts'
import { unsqueezed } from './squeeze.ts'

export const FOOTER_VERSION = 1
/** What a segment's footer says of it as a whole. */
export interface SegmentFacts {
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the entries that have an expiry. */
  readonly expiringBytes: number
  /** The least expiry in us, 0 where no entry has one. */
  readonly expiresMinUs: number
  readonly expiresMaxUs: number
  readonly versionMin: number
  readonly versionMax: number
  readonly keyMin: string
  readonly keyMax: string
  /** Older segment -> how many of our keys it may hold. */
  readonly shadows: ReadonlyMap<number, number>
}

/** What finds entries: facts, the first key and place of each block, the filter. */
export interface Layout {
  readonly facts: SegmentFacts
  readonly firsts: readonly string[]
  readonly offsets: ArrayLike<number>
  readonly lengths: ArrayLike<number>
  /** Null: any key of its range may be in it. */
  readonly bloom: Uint8Array | null
  /** No entry of a damaged block has a greater version. */
  readonly lostVersionMax: number
}

/** A finished segment. Its blocks are read when asked for; its index and filter stay in memory. */
export class KvSegment {
  readonly id: number
  /** What of its file is damaged that it was opened without. */
  readonly damage: readonly CorruptionError[]
  private readonly file: SegmentIn
  private readonly cache: BlockCache
  private readonly layout: Layout

  /** Where the footer is damaged all blocks are read. @throws {CorruptionError} where it is not one of ours */
  constructor(id: number, file: SegmentIn, cache: BlockCache) {
    this.id = id
    this.file = file
    this.cache = cache
    const { footer } = file
    const damage = [...file.damage]
    this.layout = footer === null ? rebuildLayout(file, damage) : readLayout(file.file, footer)
    this.damage = damage
  }

  /** Its file, as damage names it. */
  get path(): string {
    return this.file.file
  }

  get facts(): SegmentFacts {
    return this.layout.facts
  }

  /** Bytes of memory it holds while open, about. */
  get memoryBytes(): number {
    let bytes = this.layout.bloom?.length ?? 0
    for (const first of this.layout.firsts) bytes += first.length + 44
    return bytes
  }

  get blocks(): number {
    return this.layout.firsts.length
  }

  /** Whether the key may be in it; false is certain. @param hash  bloomHash of the key */
  mayHold(stored: string, hash: number): boolean {
    const { facts, bloom } = this.layout
    if (stored < facts.keyMin || stored > facts.keyMax) return false
    return bloom === null || bloomMayHold(bloom, hash)
  }

  /** The entry of a key, tombstones included. @throws {CorruptionError} */
  get(stored: string): Entry | undefined {
    const block = this.blockOf(stored)
    if (block < 0) return undefined
    const bytes = this.read(block)
    try {
      const found = new BlockReader(bytes).get(stored)
      return found && decodeEntry(stored, found)
    } catch (error) {
      throw damaged(this.file.file, this.layout.offsets[block]!, error)
    }
  }

  /**
   * The entries with low <= key < high, or backwards. Blocks are read as it goes.
   * @param onHole  told of each damaged block, before any key behind it is given; without it such a block throws
   */
  cursor(
    low: string,
    high: string | null,
    reverse: boolean,
    onHole?: (hole: Hole) => void
  ): SortedCursor<Entry> {
    return new SegmentCursor(this, low, high, reverse, onHole)
  }

  /** What is not known when a block cannot be read. */
  hole(block: number, error: CorruptionError): Hole {
    const high = this.layout.firsts[block + 1] ?? `${this.facts.keyMax}\0`
    const mayHold = (stored: string) => this.mayHold(stored, bloomHash(stored))
    return { error, low: this.layout.firsts[block]!, high, versionMax: this.layout.lostVersionMax, mayHold }
  }

  /** The block that would hold the key, or -1. */
  blockOf(stored: string): number {
    let low = 0
    let high = this.layout.firsts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (stored < this.layout.firsts[middle]!) high = middle
      else low = middle + 1
    }
    return low - 1
  }

  /** All pairs of a block. @throws {CorruptionError} */
  pairs(block: number): { keys: string[]; values: Uint8Array[] } {
    return this.pairsOf(this.read(block), block)
  }

  private pairsOf(bytes: Uint8Array, block: number): { keys: string[]; values: Uint8Array[] } {
    try {
      const pairs = new BlockReader(bytes).pairs()
      if (pairs.keys[0] !== this.layout.firsts[block])
        throw new VarveError('VARVE_BLOCK', "its first key is not the index's")
      return pairs
    } catch (error) {
      throw damaged(this.file.file, this.layout.offsets[block]!, error)
    }
  }

  /** Reads a block from the medium and decodes all of it. @returns its entries @throws {CorruptionError} */
  checkBlock(block: number): number {
    const { keys, values } = this.pairsOf(this.fromMedium(block), block)
    for (const [i, key] of keys.entries()) this.decode(key, values[i]!, block)
    return keys.length
  }

  /** Decodes the entry of a pair. @throws {CorruptionError} */
  decode(stored: string, bytes: Uint8Array, block: number): Entry {
    try {
      return decodeEntry(stored, bytes)
    } catch (error) {
      throw damaged(this.file.file, this.layout.offsets[block]!, error)
    }
  }

  close(): void {
    this.cache.drop(this.id)
    this.file.close()
  }

  private read(block: number): Uint8Array {
    const kept = this.cache.get(this.id, block)
    if (kept !== undefined) return kept
    const bytes = this.fromMedium(block)
    this.cache.put(this.id, block, bytes)
    return bytes
  }

  /** @throws {CorruptionError} */
  private fromMedium(block: number): Uint8Array {
    const offset = this.layout.offsets[block]!
    const bytes = this.file.block(offset, this.layout.lengths[block]!)
    try {
      return unsqueezed(bytes)
    } catch (error) {
      throw damaged(this.file.file, offset, error)
    }
  }
}

class SegmentCursor implements SortedCursor<Entry> {
  key: string | null = null
  private readonly segment: KvSegment
  private readonly low: string
  private readonly high: string | null
  private readonly step: 1 | -1
  private readonly onHole: ((hole: Hole) => void) | undefined
  private block: number
  private keys: string[] = []
  private values: Uint8Array[] = []
  private at = 0

  constructor(
    segment: KvSegment,
    low: string,
    high: string | null,
    reverse: boolean,
    onHole: ((hole: Hole) => void) | undefined
  ) {
    this.segment = segment
    this.onHole = onHole
    this.low = low
    this.high = high
    this.step = reverse ? -1 : 1
    const bound = reverse ? high : low
    this.block = bound === null ? segment.blocks - 1 : Math.max(segment.blockOf(bound), reverse ? -1 : 0)
    if (this.block >= 0 && this.block < segment.blocks) this.load()
    this.settle()
    while (this.key !== null && (reverse ? high !== null && this.key >= high : this.key < low)) this.move()
    this.bound()
  }

  value(): Entry {
    return this.segment.decode(this.key!, this.values[this.at]!, this.block)
  }

  next(): void {
    if (this.key === null) return
    this.move()
    this.bound()
  }

  private move(): void {
    this.at += this.step
    this.settle()
  }

  private bound(): void {
    const { key, high } = this
    if (key !== null && (key < this.low || (high !== null && key >= high))) this.key = null
  }

  private load(): void {
    this.keys = []
    this.values = []
    try {
      const { keys, values } = this.segment.pairs(this.block)
      this.keys = keys
      this.values = values
    } catch (error) {
      if (this.onHole === undefined || !(error instanceof CorruptionError)) throw error
      this.onHole(this.segment.hole(this.block, error))
    }
    this.at = this.step === 1 ? 0 : this.keys.length - 1
  }

  /** Moves on to a block that has a key, or to the end. */
  private settle(): void {
    while (this.at < 0 || this.at >= this.keys.length) {
      this.block += this.step
      if (this.block < 0 || this.block >= this.segment.blocks) {
        this.key = null
        return
      }
      this.load()
    }
    this.key = this.keys[this.at]!
  }
}

/** @throws {CorruptionError} where the footer is not one of ours */
function readLayout(file: string, footer: Uint8Array): Layout {
  const from = new ByteReader(footer)
  try {
    if (from.u8() !== FOOTER_VERSION) throw new VarveError('VARVE_TRUNCATED', 'its version is not known')
    const facts = readFacts(from)
    const blocks = from.varint()
    if (blocks > from.left) throw new VarveError('VARVE_TRUNCATED', `no room for ${blocks} blocks`)
    const firsts: string[] = []
    const offsets = new Float64Array(blocks)
    const lengths = new Uint32Array(blocks)
    for (let i = 0; i < blocks; i++) {
      const first = readKey(from)
      if (i > 0 && first <= firsts[i - 1]!) throw new VarveError('VARVE_TRUNCATED', 'keys do not ascend')
      firsts.push(first)
      offsets[i] = from.varint()
      lengths[i] = from.varint()
    }
    const bloom = new Uint8Array(checkBloom(from.raw(from.varint())))
    return { facts, firsts, offsets, lengths, bloom, lostVersionMax: facts.versionMax }
  } catch (error) {
    throw damaged(file, 0, error)
  }
}

function readFacts(from: ByteReader): SegmentFacts {
  const facts = {
    entries: from.varint(),
    tombstones: from.varint(),
    expiringBytes: from.varint(),
    expiresMinUs: from.varint(),
    expiresMaxUs: from.varint(),
    versionMin: from.varint(),
    versionMax: from.varint(),
    keyMin: readKey(from),
    keyMax: readKey(from)
  }
  const shadows = new Map<number, number>()
  for (let left = from.varint(); left > 0; left--) shadows.set(from.varint(), from.varint())
  return { ...facts, shadows }
}

function readKey(from: ByteReader): string {
  return byteString(from.raw(from.varint()))
}

/** What a parser threw, as damage of a place in a file; anything else is passed on. */
function damaged(file: string, offset: number, error: unknown): unknown {
  if (!(error instanceof VarveError) || error instanceof CorruptionError) return error
  return new CorruptionError(file, offset, error.message)
}

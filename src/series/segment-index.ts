// The index of a series segment: for each group in it, where its chunks lie and which times they span, so
// that a query touches only the blocks it needs.
//
//   index   := group*                                          group ids ascend
//   group   := varint (id - id before; the first: id) | varint chunks | chunk*
//   chunk   := varint (block offset - block offset before) | varint block length, when the first is not 0
//            | varint position in the block | varint length | varint rows
//            | signed (first time - last time of the chunk before, 0 at the start of a group)
//            | varint (last time - first time)
// "Before" is the chunk before it in the whole index; the first block offset counts from 0.
// Example: group 3 with one chunk, 40 bytes at 0 of block 32+512, 2 rows at 1 s and 2 s =
//   03 01 20 80 04 00 28 02 80 89 7a c0 84 3d
//
// Invariant: chunks of a group ascend in time and do not overlap.
// Not here: the blocks themselves (engine/segment-reader.ts), what is in a chunk (chunk.ts).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

/** Where one chunk lies. */
export interface ChunkPlace {
  readonly block: number
  readonly blockLength: number
  readonly at: number
  readonly length: number
  readonly rows: number
  readonly firstUs: number
  readonly lastUs: number
}

/** Builds the index while the chunks are written, in their order. */
export class IndexBuilder {
  private readonly out: ByteWriter
  private groupBefore = 0
  private blockBefore = 0

  constructor(out: ByteWriter) {
    this.out = out
  }

  group(id: number, chunks: readonly ChunkPlace[]): void {
    const { out } = this
    out.varint(id - this.groupBefore)
    this.groupBefore = id
    out.varint(chunks.length)
    let lastUs = 0
    for (const chunk of chunks) {
      out.varint(chunk.block - this.blockBefore)
      if (chunk.block !== this.blockBefore) out.varint(chunk.blockLength)
      this.blockBefore = chunk.block
      out.varint(chunk.at)
      out.varint(chunk.length)
      out.varint(chunk.rows)
      out.signed(chunk.firstUs - lastUs)
      out.varint(chunk.lastUs - chunk.firstUs)
      lastUs = chunk.lastUs
    }
  }
}

/** A damaged block whose chunks no index names: any of groups [low, high], at any time of the segment. */
export interface IndexHole {
  readonly low: number
  readonly high: number
  readonly place: ChunkPlace
}

/** How many groups and chunks an index has, where no footer says. @throws {VarveError} VARVE_TRUNCATED */
export function countIndex(from: ByteReader): { groups: number; chunks: number } {
  let groups = 0
  let chunks = 0
  for (; from.left > 0; groups++) {
    from.varint()
    const own = from.varint()
    for (let i = 0; i < own; i++) {
      if (from.varint() !== 0) from.varint()
      for (let part = 0; part < 5; part++) from.varint()
    }
    chunks += own
  }
  return { groups, chunks }
}

/** A decoded index, in typed arrays: 44 bytes a chunk. */
export class SegmentIndex {
  readonly groups: Uint32Array
  /** Chunks of groups[i] are [starts[i], starts[i + 1]). */
  private readonly starts: Uint32Array
  private readonly places: Float64Array
  private readonly parts: Uint32Array
  /** Blocks of which it is not known what they hold; only where the index was made anew. */
  holes: readonly IndexHole[] = []

  /**
   * @param shiftUs  added to all times (boots.ts)
   * @throws {VarveError} VARVE_INDEX or VARVE_TRUNCATED when the bytes are not an index
   */
  constructor(from: ByteReader, groups: number, chunks: number, shiftUs = 0) {
    this.groups = new Uint32Array(groups)
    this.starts = new Uint32Array(groups + 1)
    this.places = new Float64Array(chunks * 3)
    this.parts = new Uint32Array(chunks * 4)
    let id = 0
    let block = 0
    let blockLength = 0
    let next = 0
    for (let g = 0; g < groups; g++) {
      id += from.varint()
      this.groups[g] = id
      let left = from.varint()
      if (left > chunks - next)
        throw new VarveError('VARVE_INDEX', `Cannot read index: more than ${chunks} chunks`)
      let lastUs = 0
      for (; left > 0; left--, next++) {
        const step = from.varint()
        if (step !== 0) {
          block += step
          blockLength = from.varint()
        }
        this.parts[next * 4] = blockLength
        this.parts[next * 4 + 1] = from.varint()
        this.parts[next * 4 + 2] = from.varint()
        this.parts[next * 4 + 3] = from.varint()
        const firstUs = lastUs + from.signed()
        lastUs = firstUs + from.varint()
        this.places[next * 3] = block
        this.places[next * 3 + 1] = firstUs + shiftUs
        this.places[next * 3 + 2] = lastUs + shiftUs
      }
      this.starts[g + 1] = next
    }
    if (next !== chunks || from.left !== 0)
      throw new VarveError('VARVE_INDEX', 'Cannot read index: lengths differ')
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.groups.byteLength * 2 + this.places.byteLength + this.parts.byteLength
  }

  /** The chunks of a group that touch [fromUs, toUs], ascending in time. */
  chunks(group: number, fromUs: number, toUs: number): ChunkPlace[] {
    const found: ChunkPlace[] = []
    for (const { low, high, place } of this.holes) {
      if (group >= low && group <= high && place.lastUs >= fromUs && place.firstUs <= toUs) found.push(place)
    }
    const g = this.find(group)
    if (g < 0) return found
    for (let i = this.starts[g]!; i < this.starts[g + 1]!; i++) {
      const firstUs = this.places[i * 3 + 1]!
      const lastUs = this.places[i * 3 + 2]!
      if (lastUs < fromUs) continue
      if (firstUs > toUs) break
      found.push({
        block: this.places[i * 3]!,
        blockLength: this.parts[i * 4]!,
        at: this.parts[i * 4 + 1]!,
        length: this.parts[i * 4 + 2]!,
        rows: this.parts[i * 4 + 3]!,
        firstUs,
        lastUs
      })
    }
    return found
  }

  private find(group: number): number {
    let low = 0
    let high = this.groups.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const id = this.groups[middle]!
      if (id === group) return middle
      if (id < group) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

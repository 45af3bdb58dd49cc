// The end of a block of chunks: which group each of its chunks is of. Readers find chunks by the index and never
// look here; when the index is damaged it is made anew from what the sound blocks say of themselves.
//
//   directory := (group - group before varint | length varint)* | bytes u32          in the order of the chunks
// "Group before" is that of the chunk before in the block, 0 for the first; bytes are those of the pairs.
// Example: chunks of 40 and 300 bytes of group 3, one of 50 of group 5 = 03 28 00 ac 02 02 32 07 00 00 00
//
// Cost: 2 to 5 bytes a chunk. Not here: the index (segment-index.ts), making it anew (segment-rebuild.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

const TAIL_BYTES = 4

/** A chunk of a block. */
export interface OwnedChunk {
  readonly group: number
  readonly at: number
  readonly length: number
}

/** Collects the directory of the block that is being filled. */
export class BlockDirectory {
  private readonly pairs = new ByteWriter(256)
  private groupBefore = 0

  /** The next chunk; groups ascend. @param length  bytes of the chunk */
  add(group: number, length: number): void {
    this.pairs.varint(group - this.groupBefore)
    this.pairs.varint(length)
    this.groupBefore = group
  }

  /** Appends it to the chunks of the block and starts the next. */
  end(out: ByteWriter): void {
    out.raw(this.pairs.written())
    out.u32(this.pairs.length)
    this.pairs.reset()
    this.groupBefore = 0
  }
}

/** The chunks of a block. @throws {VarveError} VARVE_INDEX, VARVE_TRUNCATED when it has no directory */
export function readDirectory(block: Uint8Array): OwnedChunk[] {
  const pairsEnd = block.length - TAIL_BYTES
  const bytes = pairsEnd < 0 ? -1 : new ByteReader(block, pairsEnd).u32()
  const chunksEnd = pairsEnd - bytes
  if (bytes < 0 || chunksEnd < 0)
    throw new VarveError('VARVE_INDEX', 'Cannot read block: it has no directory')
  const from = new ByteReader(block, chunksEnd, pairsEnd)
  const chunks: OwnedChunk[] = []
  let [group, at] = [0, 0]
  while (from.left > 0) {
    group += from.varint()
    const length = from.varint()
    chunks.push({ group, at, length })
    at += length
  }
  if (at !== chunksEnd) throw new VarveError('VARVE_INDEX', 'Cannot read block: its directory is of others')
  return chunks
}

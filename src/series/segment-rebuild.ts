// The index of a segment of series whose footer or index is damaged: its blocks are found along their chain, and
// say themselves what is in them. So damage of what only says where things are costs nothing but this reading of
// the whole file, and a damaged block costs its own chunks: since nobody knows which these are, it stands for chunks of
// all groups between those of its neighbours, over all of the segment's time. So does what may have stood before the first
// block that is found, where the header does not say where blocks begin.
//
// Not here: the bytes (block-directory.ts, segment-index.ts), finding blocks (engine/segment-reader.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { SegmentReader } from '../engine/segment-reader.ts'
import type { BlockPlace } from '../engine/segment-writer.ts'
import { readDirectory } from './block-directory.ts'
import { ChunkView } from './chunk-view.ts'
import { BLOCK_CHUNKS, BLOCK_INDEX, BLOCK_NAMES } from './segment-build.ts'
import { type ChunkPlace, IndexBuilder, SegmentIndex } from './segment-index.ts'

/** Where the names and the index of a segment lie, found without its footer; null where there is none. */
export function findParts(file: SegmentReader): { names: BlockPlace | null; index: BlockPlace | null } {
  let names: BlockPlace | null = null
  let index: BlockPlace | null = null
  for (const { kind, offset, length } of file.blocks()) {
    if (kind === BLOCK_NAMES) names = { offset, length }
    else if (kind === BLOCK_INDEX) index = { offset, length }
  }
  return { names, index }
}

/**
 * The index of all chunks in sound blocks.
 * @param shiftUs  added to all times
 * @param span  the times of the segment as they are shown
 * @param onDamage  told of the blocks that are not
 */
export function rebuildIndex(
  file: SegmentReader,
  shiftUs: number,
  span: { readonly timeMinUs: number; readonly timeMaxUs: number },
  onDamage: (error: CorruptionError) => void
): SegmentIndex {
  const groups: { id: number; places: ChunkPlace[] }[] = []
  const holes: { low: number; high: number; place: ChunkPlace }[] = []
  // A group may go on behind a damaged block, and before it.
  const addHole = (block: number, blockLength: number): void => {
    const times = { firstUs: span.timeMinUs, lastUs: span.timeMaxUs }
    const place = { block, blockLength, at: 0, length: 0, rows: 0, ...times }
    holes.push({ low: groups.at(-1)?.id ?? 0, high: Number.POSITIVE_INFINITY, place })
  }
  if (!file.hasHeader) addHole(0, 0)
  let isPast = false
  for (const { kind, offset, length, payload, error } of file.blocks()) {
    // Chunks come before the names: what is damaged behind these is the index or the footer.
    isPast ||= kind === BLOCK_NAMES || kind === BLOCK_INDEX
    if (error !== null) onDamage(error)
    if (error !== null && !isPast) addHole(offset, length)
    if (payload === null || kind !== BLOCK_CHUNKS) continue
    for (const { group, at, length: bytes } of readDirectory(payload)) {
      const { rows, timeFirstUs, timeLastUs } = new ChunkView(new ByteReader(payload, at, at + bytes))
      const place = { block: offset, blockLength: length, at, length: bytes, rows }
      for (const hole of holes) hole.high = Math.min(hole.high, Math.max(hole.low, group))
      if (groups.at(-1)?.id !== group) groups.push({ id: group, places: [] })
      groups.at(-1)!.places.push({ ...place, firstUs: timeFirstUs, lastUs: timeLastUs })
    }
  }
  const out = new ByteWriter()
  const builder = new IndexBuilder(out)
  let before = -1
  for (const { id, places } of groups) {
    if (id <= before) throw new VarveError('VARVE_INDEX', 'Cannot make index: groups do not ascend')
    builder.group(id, places)
    before = id
  }
  const chunks = groups.reduce((sum, { places }) => sum + places.length, 0)
  const index = new SegmentIndex(new ByteReader(out.written()), groups.length, chunks, shiftUs)
  index.holes = holes
  return index
}

// Segments that are older than what is written, opened to ask which keys they may hold.
//
// Invariant: one of which nothing can be read may hold any key, so that no tombstone leaves because of it.
// Not here: what may leave (leaving.ts).
import { CorruptionError } from '../base/errors.ts'
import { BlockCache } from './block-cache.ts'
import type { SegmentFiles } from './host.ts'
import { KvSegment } from './segment.ts'
import { lostFile } from './segment-rebuild.ts'

/** Opens a segment, as one that may hold any key where nothing of it can be read. */
export function openedWhatever(files: SegmentFiles, id: number, cache: BlockCache): KvSegment {
  try {
    return new KvSegment(id, files.open(id), cache)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    return new KvSegment(id, lostFile(error), cache)
  }
}

/** Opens segments to ask for their keys. closeAll() them. */
export function openedForKeys(files: SegmentFiles, ids: readonly number[]): KvSegment[] {
  // No block of them is read twice.
  const cache = new BlockCache(0)
  return ids.map(id => openedWhatever(files, id, cache))
}

export function closeAll(segments: readonly KvSegment[]): void {
  for (const segment of segments) segment.close()
}

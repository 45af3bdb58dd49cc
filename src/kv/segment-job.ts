// Writes a segment from sorted entries, in slices: between them it gives way, so that on the main thread
// nothing waits for more than a slice. Flush and compaction both end here.
// Invariants: either a whole synced segment is left behind, or no file that the manifest would name.
// Not here: which entries (flush in store.ts, compaction-run.ts), the manifest.
import type { SegmentInfo } from '../engine/manifest.ts'
import type { SortedCursor } from '../engine/merge-iterator.ts'
import type { Entry } from './entry.ts'
import type { SegmentFiles } from './host.ts'
import type { KvSegment } from './segment.ts'
import { KvSegmentWriter } from './segment-writer.ts'

/** Bytes written between two pauses: about 2 ms of work on a Raspberry Pi 4. */
const SLICE_BYTES = 64 * 1024
/** Bytes read between two pauses when nothing of them is written. */
const SLICE_ENTRIES = 2000

/** Lets others run; resolves soon. */
export type Pause = () => Promise<void>

export const giveWay: Pause = () => new Promise(resolve => setImmediate(resolve))

export interface SegmentJob {
  readonly files: SegmentFiles
  readonly id: number
  readonly order: number
  readonly level: number
  readonly entries: SortedCursor<Entry>
  /** Live segments older than what is written. */
  readonly older: readonly KvSegment[]
  /** What is written for an entry; null: nothing. */
  readonly keep: (entry: Entry) => Entry | null
  readonly pause: Pause
}

/** @returns what the manifest has to know, or null where nothing was kept and so no file was made */
export async function writeSegment(job: SegmentJob): Promise<SegmentInfo | null> {
  const { entries, pause } = job
  const writer = new KvSegmentWriter(await job.files.create(job.id), job.older)
  try {
    let bytes = 0
    let seen = 0
    for (; entries.key !== null; entries.next()) {
      const kept = job.keep(entries.value())
      if (kept !== null) bytes += writer.add(kept)
      if (bytes < SLICE_BYTES && ++seen < SLICE_ENTRIES) continue
      bytes = 0
      seen = 0
      await writer.room()
      await pause()
    }
    if (writer.entries === 0) {
      await writer.abort()
      return null
    }
    return await writer.finish(job.order, job.level)
  } catch (error) {
    await writer.abort()
    throw error
  }
}

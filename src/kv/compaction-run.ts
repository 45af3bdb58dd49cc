// Does a compaction job: joins the inputs to one segment. Reads nothing but the files it is told, so it
// runs in a worker as well as inline. The caller commits the result to the manifest.
//
// What leaves: versions that a newer input overwrites; tombstones and expired entries, where no older
// segment can hold the key (range and filter say so for certain). Where one can, an expired entry becomes
// a tombstone: dropping it would bring back what it had overwritten.
//
// Invariants: for every key, reading (output, older) gives what reading (inputs, older) gave at nowUs and
// after. Versions are kept as they are. Not here: choosing (engine/compaction-plan.ts).

import { assert } from '../base/assert.ts'
import { bloomHash } from '../engine/bloom.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { MergeIterator } from '../engine/merge-iterator.ts'
import { Entry } from './entry.ts'
import type { SegmentFiles } from './host.ts'
import type { KvSegment } from './segment.ts'
import { giveWay, type Pause, writeSegment } from './segment-job.ts'

export interface CompactionRun {
  readonly files: SegmentFiles
  /** The number of the segment to write. */
  readonly id: number
  /** The place it takes: that of the newest input. */
  readonly order: number
  readonly level: number
  /** Newest first, neighbours in age. */
  readonly inputs: readonly KvSegment[]
  /** Every live segment older than the inputs. */
  readonly older: readonly KvSegment[]
  /** Wall time in us; 0 where the clock is not known: then nothing expires. */
  readonly nowUs: number
  readonly pause?: Pause
}

export interface CompactionResult {
  /** Null where nothing was left to write. */
  readonly written: SegmentInfo | null
  /** Tombstones and expired entries that left. */
  readonly dropped: number
}

/** @throws {CorruptionError} for an input that is damaged: it and the others stay as they are */
export async function runCompaction(run: CompactionRun): Promise<CompactionResult> {
  assert(run.inputs.length > 0, 'a compaction has inputs')
  let dropped = 0
  const keep = (entry: Entry): Entry | null => {
    const expired = entry.expiresUs !== 0 && entry.expiresUs <= run.nowUs
    if (!entry.deleted && !expired) return entry
    const hash = bloomHash(entry.stored)
    if (run.older.some(segment => segment.mayHold(entry.stored, hash))) {
      return entry.deleted ? entry : new Entry(entry.stored, entry.version, 0, null)
    }
    dropped++
    return null
  }
  const written = await writeSegment({
    files: run.files,
    id: run.id,
    order: run.order,
    level: run.level,
    entries: new MergeIterator(
      run.inputs.map(segment => segment.cursor('', null, false)),
      false
    ),
    older: run.older,
    keep,
    pause: run.pause ?? giveWay
  })
  return { written, dropped }
}

// Does a compaction: joins segments to one. Needs nothing but the files and the numbers of the task, so that it
// runs in a worker as well as inline. The caller commits the result to the manifest.
//
// What leaves: versions that a newer input overwrites, and what leaving.ts lets go.
// Invariants: for every key, reading (output, older) gives what reading (inputs, older) gave at nowUs and
// after. Versions are kept as they are. Not here: choosing (engine/compaction-plan.ts), committing (compaction.ts).
import { assert } from '../base/assert.ts'
import { CorruptionError } from '../base/errors.ts'
import { MergeIterator } from '../engine/merge-iterator.ts'
import { BlockCache } from './block-cache.ts'
import type { Entry } from './entry.ts'
import type { CompactionResult, CompactionTask, SegmentFiles } from './host.ts'
import { whatStays } from './leaving.ts'
import { closeAll, openedForKeys } from './older.ts'
import { KvSegment } from './segment.ts'
import { giveWay, type Pause, writeSegment } from './segment-job.ts'

/** Where an input is damaged, it and the others stay as they are. */
export async function runCompaction(
  files: SegmentFiles,
  task: CompactionTask,
  pause: Pause = giveWay
): Promise<CompactionResult> {
  assert(task.inputs.length > 0, 'a compaction has inputs')
  // Each block is read once: kept ones would only push out what readers want.
  const cache = new BlockCache(0)
  const opened: KvSegment[] = []
  let opening: number | null = null
  const open = (id: number) => {
    opening = id
    const segment = new KvSegment(id, files.open(id), cache)
    opened.push(segment)
    opening = null
    return segment
  }
  try {
    const inputs = task.inputs.map(open)
    const older = openedForKeys(files, task.older)
    opened.push(...older)
    let dropped = 0
    const keep = (entry: Entry) => {
      const stays = whatStays(entry, older, task.nowUs)
      if (stays === null) dropped++
      return stays
    }
    const entries = new MergeIterator(
      inputs.map(segment => segment.cursor('', null, false)),
      false
    )
    const { id, order, level } = task
    const written = await writeSegment({ files, id, order, level, entries, older, keep, pause })
    return { written, dropped, damaged: null }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const { file, offset, why } = error
    const id = opening ?? opened.find(({ path }) => path === file)?.id
    if (id === undefined || !task.inputs.includes(id)) throw error
    return { written: null, dropped: 0, damaged: { id, file, offset, why } }
  } finally {
    closeAll(opened)
  }
}

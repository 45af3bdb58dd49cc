// Does a flush: writes a memtable as a segment. Needs nothing but the files, the numbers of the task and the memtable's
// bytes, which are shared memory, so that it runs in a worker as well as inline. The caller commits the result to the
// manifest.
//
// Invariant: what is handed over never changes, since records and runs never do.
// Not here: when (upkeep.ts), committing (maintenance.ts), what may leave (leaving.ts).
import type { SegmentInfo } from '../engine/manifest.ts'
import type { Entry } from './entry.ts'
import { EntryLog } from './entry-log.ts'
import type { FlushTask, SegmentFiles } from './host.ts'
import { whatStays } from './leaving.ts'
import { MemtableView, PlacedEntries } from './memtable-view.ts'
import { closeAll, openedForKeys } from './older.ts'
import { giveWay, type Pause, writeSegment } from './segment-job.ts'

/** @returns null where nothing of it stays, and so no segment was written */
export async function runFlush(
  files: SegmentFiles,
  { id, order, slabs, addresses, runs, older: olderIds, nowUs }: FlushTask,
  pause: Pause = giveWay
): Promise<SegmentInfo | null> {
  const placed = new PlacedEntries(EntryLog.of(slabs), { at: place => addresses[place]! })
  const entries = new MemtableView(addresses.length, runs, placed).cursor('', null)
  const older = openedForKeys(files, olderIds)
  try {
    const keep = (entry: Entry) => whatStays(entry, older, nowUs)
    return await writeSegment({ files, id, order, level: 0, entries, older, keep, pause })
  } finally {
    closeAll(older)
  }
}

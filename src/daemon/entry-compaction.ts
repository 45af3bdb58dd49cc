// Compaction of entries, as a job: asks the store to join segments until its plan finds nothing worth the writing.
// Looked at each time a flush made a segment, so that reads never have many to go through, and by the clock, since
// entries also expire while nobody writes.
//
// Over the wear budget only what is urgent runs: the plan joins segments when they are twice as many as are wanted,
// whatever the budget says, since every read would pay.
// Invariant: a stop does not wait for a compaction; its thread is ended, and its inputs stay as they are.
// Not here: choosing (engine/compaction-plan.ts), joining (kv/compaction-run.ts, in a worker), series (maintenance.ts).
import type { Log } from '../base/log.ts'
import type { KvStore } from '../kv/store.ts'
import type { JobResult } from '../schedule/jobs.ts'
import type { WearPlan } from './wear-control.ts'

/** Compactions of one run of the job: the next run goes on. */
const COMPACTIONS_MAX = 16

export interface EntryCompactionParts {
  readonly kv: Pick<KvStore, 'compact'>
  readonly log: Pick<Log, 'info'>
  /** What the wear budget bears now. */
  plan(): Pick<WearPlan, 'mayMerge'>
}

export async function compactEntries(
  { kv, log, plan }: EntryCompactionParts,
  signal: AbortSignal
): Promise<JobResult> {
  let [compactions, bytesIn, bytesOut, dropped] = [0, 0, 0, 0]
  let why = ''
  const stopped = new Promise<null>(resolve => signal.addEventListener('abort', () => resolve(null)))
  while (compactions < COMPACTIONS_MAX && !signal.aborted) {
    const budgetBytes = plan().mayMerge ? Number.POSITIVE_INFINITY : 0
    const done = await Promise.race([kv.compact(budgetBytes), stopped])
    if (done === null) break
    why = done.why
    if (done.job === null) break
    log.info('entries compacted', {
      why,
      segments: done.job.inputs.length,
      bytes_in: done.bytesIn,
      bytes_out: done.bytesOut,
      dropped: done.dropped
    })
    compactions++
    bytesIn += done.bytesIn
    bytesOut += done.bytesOut
    dropped += done.dropped
  }
  return { compactions, bytes_in: bytesIn, bytes_out: bytesOut, dropped, why }
}

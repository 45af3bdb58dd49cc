// Runs the compaction that the plan chooses: the choice, the job, the manifest edit that makes its result live. The
// job itself may be in another thread; here is only what has to know the live segments.
//
// Invariants: inputs and everything older are pinned until the result lives, so that their files are there for whoever
// does the job; one manifest edit, so that a power cut leaves the state before or after it.
// Not here: choosing (engine/compaction-plan.ts), joining (compaction-run.ts), when (upkeep.ts and the daemon).
import { CorruptionError } from '../base/errors.ts'
import { type CompactionChoice, planCompaction } from '../engine/compaction-plan.ts'
import type { BlockCache } from './block-cache.ts'
import { weigh } from './dead-bytes.ts'
import type { KvJobs, KvManifest, SegmentFiles } from './host.ts'
import { openSegment } from './maintenance.ts'
import type { KvLimits } from './options.ts'
import type { LiveSegment, Tables } from './tables.ts'

/** What a compaction works on. */
export interface Compacted {
  readonly manifest: KvManifest
  readonly files: SegmentFiles
  readonly tables: Tables
  readonly cache: BlockCache
  readonly limits: KvLimits
  readonly jobs: KvJobs
  /** Segments that could not be read: they stay as they are until the next start. */
  readonly leftOut: Set<number>
  /** Told of them. */
  readonly onDamage: (error: CorruptionError) => void
}

/** What was chosen, why, and what came of it. */
export interface CompactionOutcome extends CompactionChoice {
  readonly bytesIn: number
  readonly bytesOut: number
  /** Tombstones and expired entries that left. */
  readonly dropped: number
}

/** Compactions since the store was opened. */
export interface CompactionCounts {
  readonly runs: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly dropped: number
  /** Why the last one ran, or why none did. */
  readonly why: string
}

export const NO_COMPACTIONS: CompactionCounts = { runs: 0, bytesIn: 0, bytesOut: 0, dropped: 0, why: '' }

const NOTHING_DONE = { job: null, bytesIn: 0, bytesOut: 0, dropped: 0 }

/**
 * @param budgetBytes  what may be written now
 * @param nowUs        wall time; 0 where the clock is not known
 */
export async function compactOnce(
  store: Compacted,
  budgetBytes: number,
  nowUs: number
): Promise<CompactionOutcome> {
  const { manifest, tables, limits } = store
  const pinned = tables.pin()
  try {
    const weights = weigh(pinned.segments.map(weighed), nowUs)
    const choice = planCompaction(weights, budgetBytes, limits.compaction, store.leftOut)
    if (choice.job === null) return { ...NOTHING_DONE, why: choice.why }
    const { inputs, older } = choice.job
    const joined = pinned.segments.filter(({ info }) => inputs.includes(info.id))
    const { written, dropped, damaged } = await store.jobs.compact({
      id: manifest.nextSegmentId(),
      order: joined[0]!.info.order,
      level: 1 + Math.max(...joined.map(({ info }) => info.level)),
      inputs,
      older,
      nowUs
    })
    if (damaged !== null) {
      const error = new CorruptionError(damaged.file, damaged.offset, damaged.why)
      store.leftOut.add(damaged.id)
      store.onDamage(error)
      return { ...NOTHING_DONE, why: `${error.message}; it is left out until the next start` }
    }
    const add = written === null ? [] : [written]
    const opened = add.map(info => openSegment(store, info))
    await manifest.commit({ add, remove: [...inputs] })
    tables.change(opened, inputs)
    const bytesIn = joined.reduce((sum, { info }) => sum + info.bytes, 0)
    return { ...choice, bytesIn, bytesOut: written?.bytes ?? 0, dropped }
  } finally {
    pinned.release()
  }
}

export function counted(counts: CompactionCounts, outcome: CompactionOutcome): CompactionCounts {
  return {
    runs: counts.runs + (outcome.job === null ? 0 : 1),
    bytesIn: counts.bytesIn + outcome.bytesIn,
    bytesOut: counts.bytesOut + outcome.bytesOut,
    dropped: counts.dropped + outcome.dropped,
    why: outcome.why
  }
}

function weighed({ info, segment }: LiveSegment) {
  return { id: info.id, order: info.order, bytes: info.bytes, facts: segment.facts }
}

// Chooses which sorted segments to join next. Pure: what is known of the live segments in, one job or a
// reason why none out, so that every choice is tested without a disk. A job rewrites bytes, and that
// wears flash, so it must bring something for them: fewer segments to look through, or bytes freed.
//
// Three grounds, the first that holds is taken:
//  - crowded: more than segmentsMax live: joins the cheapest neighbours; beyond twice that it does so
//    whatever the budget says, since every read would pay;
//  - tier: at least tierMin newest segments of like size: each byte is rewritten about
//    log(data / memtable) / log(tierMin) times over its life;
//  - reclaim: the newest k segments together hold dead bytes of gainMin of what rewriting them costs.
//
// Invariants:
//  - a job joins neighbours in age only: between its inputs lies no other segment, so that the result can
//    take their place and newest still wins;
//  - `older` names every live segment older than the job's inputs: a tombstone goes only when none of
//    them can hold its key;
//  - a segment that is left out (it is damaged) is no input, and no job reaches across it.
// Not here: doing it (kv/compaction-run.ts), estimating dead bytes (kv/dead-bytes.ts).

/** What the plan knows of a segment. */
export interface SegmentWeight {
  readonly id: number
  /** Greater is newer. */
  readonly order: number
  readonly bytes: number
  /** Bytes that newer segments overwrite or that have expired, estimated. */
  readonly deadBytes: number
  /** Bytes of tombstones: freed once the segment is in a job with the oldest. */
  readonly tombstoneBytes: number
}

export interface CompactionLimits {
  /** More live segments than this are joined. */
  readonly segmentsMax: number
  /** The least number of segments of like size that are worth joining. */
  readonly tierMin: number
  /** A segment is of like size when it is at most this many times what is newer in the job. */
  readonly tierRatio: number
  /** Least dead bytes for each byte rewritten. */
  readonly gainMin: number
}

/**
 * Chosen by bytes: of random overwrites of 1 M keys of 16 + 100 bytes, with a memtable of 70,000 of them, compactions
 * write 74 bytes for each put; 200 with segmentsMax 12, tierMin 6, tierRatio 1.5 and gainMin 1, and 116 where tierMin is
 * 12 (scripts/kv-plan.ts, which counts by this plan without writing). Dead bytes are at most one and a half times as
 * many as live ones, and a read asks at most 24 filters.
 */
export const COMPACTION_LIMITS: CompactionLimits = {
  segmentsMax: 24,
  tierMin: 20,
  tierRatio: 1,
  gainMin: 1.5
}

/** Join `inputs` (newest first) to one segment. */
export interface CompactionJob {
  readonly inputs: readonly number[]
  readonly older: readonly number[]
  /** Bytes it will write, about. */
  readonly costBytes: number
  /** Bytes it will free, about. */
  readonly gainBytes: number
}

/** A job or null, and why. */
export interface CompactionChoice {
  readonly job: CompactionJob | null
  readonly why: string
}

/**
 * Chooses the next job.
 * @param budgetBytes  what the wear budget lets a job write now
 * @param leftOut  segments that cannot be read
 */
export function planCompaction(
  live: readonly SegmentWeight[],
  budgetBytes: number,
  limits: CompactionLimits = COMPACTION_LIMITS,
  leftOut: ReadonlySet<number> = NONE
): CompactionChoice {
  const segments = [...live].sort((a, b) => b.order - a.order)
  let found: Found | null = null
  for (const stretch of stretches(segments, leftOut)) {
    found ??= crowded(stretch, limits) ?? tier(stretch, limits) ?? reclaim(stretch, limits)
  }
  if (found === null) return { job: null, why: `${segments.length} segments, none worth rewriting` }
  const { job, why } = found
  const urgent = segments.length > 2 * limits.segmentsMax
  if (job.costBytes > budgetBytes && !urgent) {
    return {
      job: null,
      why: `${why}; waits: costs ${job.costBytes} bytes, the budget has ${Math.floor(budgetBytes)}`
    }
  }
  return { job, why }
}

const NONE: ReadonlySet<number> = new Set()

/** Neighbours segments[from, to) of all, newest first. */
interface Stretch {
  readonly segments: readonly SegmentWeight[]
  readonly from: number
  readonly to: number
}

function stretches(segments: readonly SegmentWeight[], leftOut: ReadonlySet<number>): Stretch[] {
  const found: Stretch[] = []
  let from = 0
  for (let at = 0; at <= segments.length; at++) {
    if (at < segments.length && !leftOut.has(segments[at]!.id)) continue
    if (at > from) found.push({ segments, from, to: at })
    from = at + 1
  }
  return found
}

interface Found {
  readonly job: CompactionJob
  readonly why: string
}

function crowded({ segments, from, to }: Stretch, limits: CompactionLimits): Found | null {
  const over = segments.length - limits.segmentsMax
  if (over <= 0 || to - from < 2) return null
  const width = Math.min(over + 1, to - from)
  let best = jobOf(segments, from, from + width)
  for (let start = from + 1; start + width <= to; start++) {
    const job = jobOf(segments, start, start + width)
    if (job.costBytes < best.costBytes) best = job
  }
  return { job: best, why: `crowded: ${segments.length} segments, ${limits.segmentsMax} are wanted` }
}

function tier({ segments, from, to }: Stretch, limits: CompactionLimits): Found | null {
  let { bytes } = segments[from]!
  let end = from + 1
  while (end < to && segments[end]!.bytes <= limits.tierRatio * bytes) bytes += segments[end++]!.bytes
  if (end - from < limits.tierMin) return null
  return {
    job: jobOf(segments, from, end),
    why: `tier: the newest ${end - from} segments are of like size`
  }
}

function reclaim({ segments, from, to }: Stretch, limits: CompactionLimits): Found | null {
  let best: CompactionJob | null = null
  for (let end = from + 1; end <= to; end++) {
    const job = jobOf(segments, from, end)
    if (job.gainBytes < limits.gainMin * job.costBytes || job.gainBytes === 0) continue
    if (best === null || job.gainBytes * best.costBytes > best.gainBytes * job.costBytes) best = job
  }
  return best && { job: best, why: `reclaim: ${best.gainBytes} bytes freed for ${best.costBytes} written` }
}

/** The job that joins segments[start, end), newest first. */
function jobOf(segments: readonly SegmentWeight[], start: number, end: number): CompactionJob {
  const inputs = segments.slice(start, end)
  let bytes = 0
  let gain = 0
  for (const segment of inputs) {
    bytes += segment.bytes
    gain += segment.deadBytes + (end === segments.length ? segment.tombstoneBytes : 0)
  }
  const gainBytes = Math.floor(Math.min(gain, bytes))
  return {
    inputs: inputs.map(segment => segment.id),
    older: segments.slice(end).map(segment => segment.id),
    costBytes: bytes - gainBytes,
    gainBytes
  }
}

// Chooses which segments to merge next. Pure: live segments in, one job or null out, so that every choice
// is tested without a disk. A merge wears flash, so it must free mergeGainMin of what it writes.
//
// Late samples and early flushes leave a bucket with small segments: their chunks are short and compress
// badly, each file costs blocks and an open at query time. What a merge would save is estimated from the
// bucket itself: merged, its samples take the bytes a sample that its best segment reaches.
//
// Invariants:
//  - a job never mixes classes or buckets: an expired bucket must stay droppable whole; nor boots (boots.ts),
//    whose times are corrected apart: what was stored is merged, whether it is corrected yet or not;
//  - a job takes segments that are neighbours in order, so that "the later write wins" still holds;
//  - a segment that is left out (it is damaged) parts its bucket: those before it and those after it are not neighbours;
//  - an open bucket is left alone until it has segmentsMax segments.
// Not here: dropping (retention.ts), doing (merge-job.ts).
import type { SegmentInfo } from '../engine/manifest.ts'

export interface MergeLimits {
  /** Least share of the written bytes that a merge must save. */
  readonly gainMin: number
  /** More segments than this in one bucket are merged whatever it saves, for the sake of reads. */
  readonly segmentsMax: number
  /** Largest sum of inputs, in bytes: bounds the time and space of one job. */
  readonly inputBytesMax: number
}

export const MERGE_LIMITS: MergeLimits = { gainMin: 0.25, segmentsMax: 16, inputBytesMax: 256 * 1024 * 1024 }

export interface MergeJob {
  /** Neighbours in order, the oldest first. */
  readonly inputs: readonly SegmentInfo[]
  readonly bytesIn: number
  readonly bytesOutEstimate: number
  readonly why: string
}

const NONE: ReadonlySet<number> = new Set()
/** What a file costs beside its bytes: a partly used block and an inode, in bytes. */
const FILE_COST = 4096

/**
 * The merge that saves the largest share of what it writes, or null when none is worth its wear.
 * @param nowUs  buckets that end before it are closed: nothing but late samples will come
 * @param leftOut  ids of segments that cannot be merged
 */
export function planMerge(
  segments: Iterable<SegmentInfo>,
  nowUs: number,
  leftOut: ReadonlySet<number> = NONE,
  limits: MergeLimits = MERGE_LIMITS
): MergeJob | null {
  let best: MergeJob | null = null
  let bestScore = 0
  for (const bucket of neighbours(segments, leftOut)) {
    const isClosed = bucket[0]!.bucketUs + bucket[0]!.spanUs < nowUs
    const isCrowded = bucket.length > limits.segmentsMax
    if (bucket.length < 2 || !(isClosed || isCrowded)) continue
    const job = bestOfBucket(bucket, isCrowded, limits)
    if (job === null) continue
    const score = (job.bytesIn - job.bytesOutEstimate) / job.bytesOutEstimate + (isCrowded ? 1 : 0)
    if (score > bestScore) {
      best = job
      bestScore = score
    }
  }
  return best
}

/** Of each bucket those that may be merged with one another, in order. */
function* neighbours(
  segments: Iterable<SegmentInfo>,
  leftOut: ReadonlySet<number>
): Generator<SegmentInfo[]> {
  const buckets = new Map<string, SegmentInfo[]>()
  for (const segment of segments) {
    const key = `${segment.class}:${segment.bucketUs}:${segment.boot}`
    const bucket = buckets.get(key)
    if (bucket === undefined) buckets.set(key, [segment])
    else bucket.push(segment)
  }
  for (const bucket of buckets.values()) {
    let run: SegmentInfo[] = []
    for (const segment of bucket.sort((a, b) => a.order - b.order)) {
      if (!leftOut.has(segment.id)) run.push(segment)
      else {
        if (run.length > 0) yield run
        run = []
      }
    }
    if (run.length > 0) yield run
  }
}

/** The best run of neighbours; a bucket has few segments, so all runs are looked at. */
function bestOfBucket(
  bucket: readonly SegmentInfo[],
  isCrowded: boolean,
  limits: MergeLimits
): MergeJob | null {
  const density = Math.min(...bucket.map(segment => segment.bytes / segment.samples))
  let best: MergeJob | null = null
  let bestWorth = 0
  for (let first = 0; first < bucket.length - 1; first++) {
    let bytes = bucket[first]!.bytes
    let samples = bucket[first]!.samples
    for (let last = first + 1; last < bucket.length; last++) {
      bytes += bucket[last]!.bytes
      samples += bucket[last]!.samples
      if (bytes > limits.inputBytesMax) break
      const files = last - first
      const bytesOut = Math.max(1, Math.min(bytes, Math.ceil(samples * density)))
      const saved = bytes + files * FILE_COST - bytesOut
      const gain = saved / bytesOut
      if (gain < limits.gainMin && !isCrowded) continue
      // Crowded buckets shed files at the least cost: the cheapest run of half of them.
      const worth = isCrowded ? (files >= bucket.length / 2 ? 1 / bytesOut : 0) : saved
      if (worth <= bestWorth) continue
      bestWorth = worth
      best = {
        inputs: bucket.slice(first, last + 1),
        bytesIn: bytes,
        bytesOutEstimate: bytesOut,
        why: isCrowded ? `${bucket.length} segments in one bucket` : `saves about ${Math.round(gain * 100)} %`
      }
    }
  }
  return best
}

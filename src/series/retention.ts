// Which segments may go. Pure: live segments, classes and bounds in, ids out. A segment goes when its
// whole bucket is older than its class is kept; past a bound on size the oldest bucket of the class with
// the most to spare goes first, where "spare" is its age over how long the class is kept.
//
// Samples of a boot whose clock was never known (boots.ts) age from the moment when a later boot knew the time:
// their own times may be long before it.
//
// Invariants: whole segments only, nothing is rewritten; the bucket that is being written is never chosen
// for its size. Not here: deleting files (store.ts), free space of the disk (the daemon's disk guard).
import type { LiveSegment } from './boots.ts'

/** How long a class is kept, in us, by name; a class that is not listed is kept. */
export type KeepTimes = ReadonlyMap<string, number>

/** Ids of segments whose bucket ended longer ago than their class is kept. */
export function expired(segments: Iterable<LiveSegment>, keep: KeepTimes, nowUs: number): number[] {
  const ids: number[] = []
  for (const segment of segments) {
    const keepUs = keep.get(segment.class)
    const endUs = Math.max(segment.bucketUs + segment.spanUs, segment.notBeforeUs ?? 0)
    if (keepUs !== undefined && endUs + keepUs <= nowUs) ids.push(segment.id)
  }
  return ids
}

/** Ids of the segments to drop so that all together take at most bytesMax. */
export function overSize(
  segments: Iterable<LiveSegment>,
  keep: KeepTimes,
  bytesMax: number,
  nowUs: number
): number[] {
  const all = [...segments]
  let bytes = all.reduce((sum, segment) => sum + segment.bytes, 0)
  const ids: number[] = []
  const closed = all.filter(segment => segment.bucketUs + segment.spanUs <= nowUs)
  const spent = (segment: LiveSegment) =>
    (nowUs - segment.bucketUs) / (keep.get(segment.class) ?? YEARS_100_US)
  closed.sort((a, b) => spent(b) - spent(a) || a.bucketUs - b.bucketUs || a.id - b.id)
  for (let i = 0; i < closed.length && bytes > bytesMax; i++) {
    const { class: name, bucketUs } = closed[i]!
    // The whole bucket goes: half of one would be a hole.
    for (const segment of closed) {
      if (segment.class !== name || segment.bucketUs !== bucketUs || ids.includes(segment.id)) continue
      ids.push(segment.id)
      bytes -= segment.bytes
    }
  }
  return ids
}

const YEARS_100_US = 100 * 365.25 * 86_400 * 1e6

// Estimates what of a segment is dead, from footers alone: keys that newer segments may hold too (their
// shadows), and entries whose expiry has passed, taken as spread evenly between the least and the greatest.
// Pure; the estimate steers compaction only, never what a reader sees.
import type { SegmentWeight } from '../engine/compaction-plan.ts'
import type { SegmentFacts } from './segment.ts'

export interface WeighedSegment {
  readonly id: number
  readonly order: number
  readonly bytes: number
  readonly facts: SegmentFacts
}

/** Bytes of a tombstone on the medium beyond its key, about. */
const TOMBSTONE_BYTES = 24

/** @param nowUs  wall time; 0 where the clock is not known: nothing counts as expired */
export function weigh(segments: readonly WeighedSegment[], nowUs: number): SegmentWeight[] {
  const shadowed = new Map<number, number>()
  for (const { facts } of segments) {
    for (const [older, keys] of facts.shadows) shadowed.set(older, (shadowed.get(older) ?? 0) + keys)
  }
  return segments.map(({ id, order, bytes, facts }) => {
    // A segment of which nothing can be read has none.
    const entries = Math.max(1, facts.entries)
    const overwritten = (bytes * Math.min(shadowed.get(id) ?? 0, facts.entries)) / entries
    const deadBytes = Math.min(bytes, Math.floor(overwritten + expired(facts, nowUs)))
    const tombstoneBytes = Math.min(bytes, facts.tombstones * (facts.keyMin.length + TOMBSTONE_BYTES))
    return { id, order, bytes, deadBytes, tombstoneBytes }
  })
}

function expired(facts: SegmentFacts, nowUs: number): number {
  const { expiresMinUs, expiresMaxUs, expiringBytes } = facts
  if (expiresMinUs === 0 || nowUs < expiresMinUs) return 0
  if (nowUs >= expiresMaxUs) return expiringBytes
  return (expiringBytes * (nowUs - expiresMinUs)) / (expiresMaxUs - expiresMinUs)
}

// What may leave: a tombstone, or an entry that has expired, where no older segment can hold its key (range and
// filter say so for certain). Where one can, an expired entry becomes a tombstone: dropping it would bring back
// what it had overwritten. Pure; used wherever entries are written again: carrying, flush and compaction.
//
// Invariant: for every key, reading (what is kept, older) gives what reading (all, older) gave, at nowUs and after.
// Not here: when entries are written again (maintenance.ts, compaction.ts).
import { bloomHash } from '../engine/bloom.ts'
import { Entry } from './entry.ts'
import type { KvSegment } from './segment.ts'

/**
 * What stays of an entry; null: nothing.
 * @param older  every live segment that is older than what is written
 * @param nowUs  wall time; 0 where the clock is not known: then nothing expires
 */
export function whatStays(entry: Entry, older: readonly KvSegment[], nowUs: number): Entry | null {
  const isExpired = entry.expiresUs !== 0 && entry.expiresUs <= nowUs
  if (!entry.deleted && !isExpired) return entry
  const hash = bloomHash(entry.stored)
  for (const segment of older) {
    if (!segment.mayHold(entry.stored, hash)) continue
    return entry.deleted ? entry : new Entry(entry.stored, entry.version, 0, null)
  }
  return null
}

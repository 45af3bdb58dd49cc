// Sizes and counts of a store, for status and metrics. Pure.
// Not here: their names in metrics (the daemon).
import type { BlockCache } from './block-cache.ts'
import type { CompactionCounts } from './compaction.ts'
import type { History } from './history.ts'
import type { HotEntries } from './hot-entries.ts'
import type { Memtables } from './memtables.ts'
import type { Outgoing } from './outgoing.ts'
import type { LiveSegment } from './tables.ts'

export interface KvStatistics {
  readonly version: number
  readonly segments: number
  readonly segmentBytes: number
  readonly indexBytes: number
  /** Overwritten ones and tombstones too. */
  readonly entries: number
  readonly tombstones: number
  readonly memtableBytes: number
  readonly pendingBytes: number
  /** Hot entries and blocks in memory. */
  readonly cacheBytes: number
  readonly cacheHits: number
  /** Blocks that had to be read. */
  readonly cacheMisses: number
  /** The version that watches may begin after. */
  readonly watchFloor: number
  readonly compactions: CompactionCounts
}

export interface StatisticsParts {
  readonly segments: readonly LiveSegment[]
  readonly memtables: Memtables
  readonly pending: Outgoing
  readonly cache: BlockCache
  readonly hot: HotEntries
  readonly history: History
  readonly compactions: CompactionCounts
}

export function statisticsOf(parts: StatisticsParts): Omit<KvStatistics, 'version'> {
  const { segments, memtables, pending, cache, hot, history, compactions } = parts
  const sum = (of: (live: LiveSegment) => number) => segments.reduce((all, live) => all + of(live), 0)
  return {
    segments: segments.length,
    segmentBytes: sum(({ info }) => info.bytes),
    indexBytes: sum(({ segment }) => segment.memoryBytes),
    entries: sum(({ segment }) => segment.facts.entries) + memtables.activeSize,
    tombstones: sum(({ segment }) => segment.facts.tombstones),
    memtableBytes: memtables.weight,
    pendingBytes: pending.bytes,
    cacheBytes: cache.bytes + hot.bytes,
    cacheHits: cache.hits + hot.hits,
    cacheMisses: cache.misses,
    watchFloor: history.floor,
    compactions
  }
}

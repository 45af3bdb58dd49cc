// The options and limits of a store, each with its unit and its default. Checked once; nothing else has defaults.
import type { Clock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import { COMPACTION_LIMITS, type CompactionLimits } from '../engine/compaction-plan.ts'
import type { KvJobs } from './host.ts'

export interface KvLimits {
  /** Longest key in bytes, the namespace not counted. */
  readonly keyBytesMax: number
  /** Longest value in bytes. */
  readonly valueBytesMax: number
  /** Most bytes of keys and values in one batch. */
  readonly batchBytesMax: number
  /** Most bytes of writes that wait for the WAL; more are refused with VARVE_BUSY. */
  readonly pendingBytesMax: number
  /** Memory of the memtable at which it is flushed. Larger is less compaction, and so less wear. */
  readonly memtableBytesMax: number
  /** Memory of memtables at which writes are refused with VARVE_MEMORY, as a flush is behind. */
  readonly memtablesBytesMax: number
  /** A memtable up to this many bytes (keys and values) is repeated in the WAL instead of flushed. */
  readonly carryBytesMax: number
  /** Blocks of segments kept in memory. */
  readonly cacheBytesMax: number
  /** Entries of segments kept in memory because they were read. */
  readonly hotBytesMax: number
  /** Changes kept in memory for watches. */
  readonly historyBytesMax: number
  readonly compaction: CompactionLimits
}

export interface KvOptions {
  readonly clock: Clock
  readonly limits?: Partial<KvLimits>
  /** Writes and joins segments, in other threads say; without it, here, in slices. */
  readonly jobs?: KvJobs
  /** Told when a flush made a segment: it is a good time for compact(). */
  readonly onSegment?: () => void
  /** Told of what fails in the background: a flush, the removal of a file. */
  readonly onError: (error: unknown) => void
  /** Told once of each damaged place that a scan meets; without it such a scan throws. */
  readonly onDamage?: (error: CorruptionError) => void
}

export const KV_LIMITS: KvLimits = {
  keyBytesMax: 1024,
  valueBytesMax: 16 * 2 ** 20,
  batchBytesMax: 32 * 2 ** 20,
  pendingBytesMax: 48 * 2 ** 20,
  memtableBytesMax: 16 * 2 ** 20,
  memtablesBytesMax: 64 * 2 ** 20,
  carryBytesMax: 256 * 1024,
  cacheBytesMax: 8 * 2 ** 20,
  hotBytesMax: 16 * 2 ** 20,
  historyBytesMax: 4 * 2 ** 20,
  compaction: COMPACTION_LIMITS
}

/** @throws {VarveError} VARVE_LIMIT for limits that cannot hold together */
export function kvLimits(given: Partial<KvLimits>): KvLimits {
  const limits = { ...KV_LIMITS, ...given }
  const rules: [boolean, string][] = [
    [limits.keyBytesMax >= 1 && limits.keyBytesMax <= 2 ** 16, 'keyBytesMax must be 1 to 65536'],
    [limits.valueBytesMax <= limits.batchBytesMax, 'batchBytesMax must hold one value'],
    [limits.batchBytesMax <= limits.pendingBytesMax, 'pendingBytesMax must hold one batch'],
    [limits.memtableBytesMax <= limits.memtablesBytesMax, 'memtablesBytesMax must hold one memtable'],
    [
      limits.carryBytesMax <= limits.memtableBytesMax / 4,
      'carryBytesMax must be a quarter of a memtable at most'
    ]
  ]
  for (const [holds, why] of rules) {
    if (!holds) throw new VarveError('VARVE_LIMIT', `Cannot open store: ${why}`)
  }
  return limits
}

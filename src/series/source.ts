// What a query reads from: one face over the head's snapshot and the segments, so that evaluation knows
// neither. Implemented by the reader (in a worker, or over a directory) and by an array in tests.
//
// Invariants: runs of two iterations never share arrays; a column's arrays hold until the next run of the
// same iteration is asked for; nothing written after the source was opened is seen.
import type { CorruptionError } from '../base/errors.ts'
import type { Labels } from './label.ts'
import type { Matcher } from './matcher.ts'
import type { Run } from './run.ts'
import type { Kind, Value } from './sample.ts'

/** The newest sample of a field. */
export interface Last {
  /** Index of the field in its group. */
  readonly field: number
  readonly kind: Kind
  readonly timeUs: number
  readonly value: Value
}

export type Order = 'asc' | 'desc'

/** What a column of a stretch of rows comes to. min, max and sum are of the values that are not NaN. */
export interface SummaryColumn {
  readonly field: number
  readonly kind: Kind
  readonly count: number
  readonly nans: number
  readonly first: number
  readonly last: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

/** A stretch of rows of one window that was not decoded: its ends in time and the sums of its columns. */
export interface Summary {
  readonly firstUs: number
  readonly lastUs: number
  readonly columns: readonly SummaryColumn[]
}

/** A window of a field as a tier keeps it. */
export interface TierWindow {
  readonly field: number
  readonly startUs: number
  /** Numbers and booleans (as 0 and 1); the figures below speak of them, NaN as in rollup/aggregate.ts. */
  readonly count: number
  /** Strings and bytes: with some, first and last may not be those of all samples. */
  readonly others: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly first: number | boolean
  readonly last: number | boolean
}

/** The same series at a coarser step, written ahead of time. */
export interface TierSource {
  readonly name: string
  /** Windows begin at multiples of it since the epoch. */
  readonly stepUs: number
  /** The tier has the windows that begin in [fromUs, doneUs). */
  readonly fromUs: number
  readonly doneUs: number
  /**
   * The spans within [fromUs, toUs) in which the tier says of a group what its samples say: whole windows,
   * ascending, none that waits for late samples to be added.
   */
  exactSpans(group: number, fromUs: number, toUs: number): { fromUs: number; toUs: number }[]
  /** As SeriesSource. */
  readonly damage?: readonly CorruptionError[]
  /** The windows of fields that begin in [fromUs, toUs). */
  windows(group: number, fields: readonly number[], fromUs: number, toUs: number): Iterable<TierWindow>
}

/** Series and groups are named by dense integer ids. */
export interface SeriesSource {
  /** The coarsest first. */
  readonly tiers: readonly TierSource[]
  /** Samples of a group before this time may be gone by retention; 0 when none are. */
  rawFromUs(group: number): number
  /**
   * Ids, ascending, of the series that match all matchers and, when given, whose label `topic` matches the
   * MQTT filter.
   * @throws {VarveError} VARVE_QUERY_SERIES when there are more than `limit`; VARVE_REGEX, VARVE_REGEX_COST
   */
  select(matchers: readonly Matcher[], topicFilter: string | null, limit: number): Uint32Array
  series(id: number): { id: number; name: string; labels: Labels; group: number; field: number }
  group(id: number): { id: number; name: string; labels: Labels; fields: readonly string[] }
  /**
   * Rows of a group with fromUs <= time <= toUs. Runs come in the given order and do not overlap; within a
   * run times ascend in both orders. Duplicates are resolved. Reads happen as runs are asked for.
   * @param fields  indexes of fields, ascending; null for all, [] for the times alone
   */
  runs(
    group: number,
    fields: readonly number[] | null,
    fromUs: number,
    toUs: number,
    order?: Order
  ): Iterable<Run>
  /**
   * As runs(), for folding into windows of stepUs: rows of one window that nothing overlaps may come as
   * their summary instead.
   * @param ends  whether the first and the last value of each column and their times are needed
   */
  folds(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    stepUs: number,
    ends: boolean
  ): Iterable<Run | Summary>
  /** The newest value of each field of a group at or before toUs, by field. @param fields  null for all */
  last(group: number, fields: readonly number[] | null, toUs: number): Last[]
  /** What could not be read so far; a source that cannot be damaged leaves it out. */
  readonly damage?: readonly CorruptionError[]
  /** Releases what the snapshot pins. */
  close(): void
}

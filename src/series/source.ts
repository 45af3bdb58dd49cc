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
import type { Sketch } from './sketch.ts'

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
  /** Values: the rows that have one. */
  readonly count: number
  /** How many of the values are NaN. */
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

/**
 * A window of a field as a tier keeps it: a fold of the samples in (startUs, startUs + step), and beside it the
 * sample at startUs, so that whoever counts ranges open at their start or at their end finds both exactly.
 */
export interface TierWindow {
  readonly field: number
  readonly startUs: number
  /** Numbers and booleans (as 0 and 1) after startUs; what follows down to `dropped` and `sketch` speak of them. */
  readonly count: number
  /** NaN as in rollup/window-fold.ts. */
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly first: number | boolean
  readonly last: number | boolean
  readonly firstUs: number
  readonly lastUs: number
  /** Sum of the values that a smaller one followed: what a counter lost by resets. Null: not kept, no counter. */
  readonly dropped: number | null
  /** Null: not kept. Also where `count` is at most 2 or all are equal, and first, last, min say it all. */
  readonly sketch: Sketch | null
  /** The number or boolean at startUs. */
  readonly at: number | boolean | null
  /** Strings and bytes, stale marks: of the whole window, startUs included. */
  readonly others: number
  readonly stales: number
  /** Some of the values are booleans. */
  readonly hasBooleans: boolean
}

/**
 * Consecutive windows of a field as a tier keeps them, in columns, when they hold numbers and nothing else: no
 * booleans, strings and stale marks. What they say is what TierWindow says.
 */
export interface TierFigures {
  readonly field: number
  readonly rows: number
  readonly starts: Float64Array
  readonly counts: Float64Array
  /** Null when they are not asked for. */
  readonly sums: Float64Array | null
  readonly mins: Float64Array | null
  readonly maxs: Float64Array | null
  /** The samples at the starts, NaN where there is none; null when no window has one. */
  readonly ats: Float64Array | null
}

/** Parts of windows that cost reading; count, at, others, stales and hasBooleans are always there. */
export type TierNeed = 'sum' | 'extremes' | 'ends' | 'dropped' | 'sketch'

/** Stretches of a tier, ascending: [fromUs, toUs). */
export interface TierSpan {
  readonly fromUs: number
  readonly toUs: number
}

/** The same series at a coarser step, written ahead of time. */
export interface TierSource extends BlockCount {
  /** Its step as text; of a rule, with the rule's name in front. */
  readonly name: string
  /** Windows begin at multiples of it since the epoch. */
  readonly stepUs: number
  /** The tier has the windows that begin in [fromUs, doneUs). */
  readonly fromUs: number
  readonly doneUs: number
  /** How often a damaged place was met so far: what was read since may be without some windows. */
  readonly damagesMet: number
  /** Whether it keeps a group at any time. */
  keeps(group: number): boolean
  /**
   * The spans within [fromUs, toUs) in which the tier says of a group what its samples say: whole windows,
   * ascending, none that waits for late samples to be added.
   * @param level  sketches are needed, of this level or a finer one; null: they are not
   */
  exactSpans(group: number, fromUs: number, toUs: number, level?: number | null): TierSpan[]
  /** As SeriesSource. */
  readonly damage?: readonly CorruptionError[]
  /** The windows of fields that begin in [fromUs, toUs). Parts that are not needed are 0, false or null. */
  windows(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    needs: readonly TierNeed[]
  ): Iterable<TierWindow>
  /** The same in columns where that can be, for which needs may be 'sum' and 'extremes' alone. */
  figures(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    needs: readonly TierNeed[]
  ): Iterable<TierFigures | TierWindow>
}

/** How many blocks (chunks of segments) were read so far. */
export interface BlockCount {
  readonly blocksRead: number
}

/** What reading a stretch of a group costs. */
export interface ReadCost {
  /** Rows that are read one by one. */
  readonly rows: number
  /** Chunks that are read, were it but their heads. */
  readonly chunks: number
  /** From the first to the last row that is there, us. */
  readonly spanUs: number
}

/** What series are called, at the cost of their distinct names and values. Ids are those of series, ascending. */
export interface SeriesNames {
  /** The groups of series, none twice. */
  groupsOf(ids: Uint32Array): Uint32Array
  /** The values of a label that some of the series have, none twice, in no order; NAME_LABEL for their names. */
  labelValues(label: string, ids: Uint32Array): string[]
  /** The names of labels that some of the series have, none twice, in no order. */
  labelNames(ids: Uint32Array): string[]
  /** All series by the name of their group, or by that of their field where the group has none. */
  byGroupName(): ReadonlyMap<string, Uint32Array>
}

/** Series and groups are named by dense integer ids. */
export interface SeriesSource extends BlockCount {
  /** The coarsest first. */
  readonly tiers: readonly TierSource[]
  readonly names: SeriesNames
  /** Samples before this time may be gone by retention, of some groups; 0 when none are. */
  readonly goneUs: number
  /** The same of one group. */
  rawFromUs(group: number): number
  /**
   * Ids, ascending, of the series that match all matchers and, when given, whose label `topic` matches the
   * MQTT filter.
   * @param among  ids, ascending, of those that may be chosen; all when left out
   * @throws {VarveError} VARVE_QUERY_SERIES when there are more than `limit`; VARVE_REGEX, VARVE_REGEX_COST
   */
  select(
    matchers: readonly Matcher[],
    topicFilter: string | null,
    limit: number,
    among?: Uint32Array
  ): Uint32Array
  /** Where a series lies; cheaper than series(), which has its name and labels. */
  place(id: number): { group: number; field: number }
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
   * As runs(), for folding into windows of stepUs: rows of one window may come as their summaries instead,
   * which may overlap each other but never speak of one time twice.
   * @param ends      whether the first and the last value of each column and their times are needed
   * @param originUs  windows begin at multiples of stepUs from here; 0 when left out
   */
  folds(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    stepUs: number,
    ends: boolean,
    originUs?: number
  ): Iterable<Run | Summary>
  /**
   * What folds() would read of segments; rows in memory cost the same however windows are told.
   * @param rowsMax  beyond so many the count ends, and no more segments are opened for it
   */
  costOf(
    group: number,
    fromUs: number,
    toUs: number,
    stepUs: number,
    originUs: number,
    rowsMax: number
  ): ReadCost
  /** The newest value of each field of a group at or before toUs, by field. @param fields  null for all */
  last(group: number, fields: readonly number[] | null, toUs: number): Last[]
  /** What could not be read so far; a source that cannot be damaged leaves it out. */
  readonly damage?: readonly CorruptionError[]
  /** The same without what tiers could not tell, which samples may. */
  readonly sampleDamage?: readonly CorruptionError[]
  /** Releases what the snapshot pins. */
  close(): void
}

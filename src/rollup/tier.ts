// Rollup tiers: series at a coarser step, kept longer. A tier is a retention class of its own; its
// segments hold the same groups as the raw ones, one row a window (at the window's start), with seven
// columns for each field. So tiers need no catalog, no WAL and no reader of their own.
//
//   column of aggregate a of field f: field 8 * f + a,
//     a = count 0, sum 1, min 2, max 3, first 4, last 5, others 6
// count to last speak of numbers, and of booleans as 0 and 1; first and last keep the kind they had. others
// counts strings and bytes. count and others are in every row of the field, the columns from sum to last
// where count is not 0; elsewhere what they hold means nothing (an earlier form of the window).
//
// Invariants: windows are [start, start + step) with start a multiple of the step since the epoch.
// Not here: computing rows (aggregate.ts), how far a tier has come (progress.ts).
import { parseDuration } from '../base/units.ts'
import { spanFor } from '../series/bucket.ts'

/** The aggregates of a window, in the order of their columns. */
export const AGGREGATES = ['count', 'sum', 'min', 'max', 'first', 'last', 'others'] as const
export type Aggregate = (typeof AGGREGATES)[number]

/** Columns set aside for each field; one is free for an aggregate to come. */
export const COLUMNS_PER_FIELD = 8

export interface Tier {
  /** Its step as text, such as '1m': unique among tiers. */
  readonly name: string
  readonly stepUs: number
  /** How long its rows are kept, in us. */
  readonly keepUs: number
}

/** The retention class that holds a tier's segments. */
export function tierClass(tier: string): string {
  return `rollup/${tier}`
}

/** The column of an aggregate of a field in a tier's segments. */
export function tierField(field: number, aggregate: Aggregate): number {
  return field * COLUMNS_PER_FIELD + AGGREGATES.indexOf(aggregate)
}

/** Whether a class is that of a tier. */
export function isTierClass(name: string): boolean {
  return name.startsWith('rollup/')
}

/** The step that a tier's name stands for, in us. @throws {VarveError} VARVE_UNIT when it is not a time */
export function tierStepUs(name: string): number {
  return parseDuration(name) * 1000
}

/** The span of a tier's buckets: as for any class kept that long, in whole windows. */
export function tierSpanUs({ keepUs, stepUs }: Tier): number {
  return Math.ceil(spanFor(keepUs) / stepUs) * stepUs
}

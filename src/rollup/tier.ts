// Rollup tiers: series at a coarser step, kept longer. A tier is a retention class of its own; its
// segments hold the same groups as the raw ones, one row a window (at the window's start), with some columns
// for each field. So tiers need no catalog, no WAL and no reader of their own.
//
//   column c of field f: field 16 * f + c
//     count 0, sum 1, min 2, max 3, first 4, last 5     of numbers, and of booleans as 0 and 1
//     first_us 6, last_us 7                             from the window's start to the first and the last of them, where
//                                                       those are not the group's
//     dropped 8                                         sum of the values that a smaller one followed
//     marks 9                                           which of the columns behind it hold something
//     others 10                                         strings and bytes
//     stales 11                                         stale marks
//     at 12                                             the value at the window's start
//     sketch 13                                         series/sketch.ts, as bytes
//   marks := 1 dropped | 2 dropped is not known (no counter) | 4 others | 8 stales | 16 at | 32 booleans | 64 sketch
//          | 128 first_us | 256 last_us
//   columns 14 and 15 of field 0, whether it has a window or not: the least first_us and the greatest last_us of
//   all fields of the group. The fields of one message share its time, so nearly none has times of its own.
//
// A window is (start, start + step) and beside it the sample at start, if there is one: [start, start + step)
// is both together, (start, start + step] the window and the sample at the next one's start. So the ranges of
// PromQL, open at their start, and those of everybody else are answered by the same rows.
//
// Invariants: starts are multiples of the step since the epoch; count and marks are in every row of the field,
// the columns from sum to last where count is not 0, each other one where its mark is set; elsewhere what
// a column holds means nothing (an earlier form of the window). A row is written for all fields at once.
// Not here: computing rows (window-fold.ts, aggregate.ts), how far a tier has come (progress.ts).
import { parseDuration } from '../base/units.ts'
import { spanFor } from '../series/bucket.ts'
import type { Coverage } from './coverage.ts'

/** Columns set aside for each field. */
export const COLUMNS_PER_FIELD = 16

/** The columns of a field by what they hold; the last two are of the group, in field 0. */
export const COLUMN = {
  count: 0,
  sum: 1,
  min: 2,
  max: 3,
  first: 4,
  last: 5,
  firstUs: 6,
  lastUs: 7,
  dropped: 8,
  marks: 9,
  others: 10,
  stales: 11,
  at: 12,
  sketch: 13,
  groupFirstUs: 14,
  groupLastUs: 15
} as const
export type TierColumn = (typeof COLUMN)[keyof typeof COLUMN]

export const MARK = {
  dropped: 1,
  noCounter: 2,
  others: 4,
  stales: 8,
  at: 16,
  booleans: 32,
  sketch: 64,
  firstUs: 128,
  lastUs: 256
} as const

export interface Tier {
  /** Its step as text, such as '1m', behind the name of its rule and a dot if it has one: unique among tiers. */
  readonly name: string
  readonly stepUs: number
  /** How long its rows are kept, in us. */
  readonly keepUs: number
  /** Which groups it keeps from now on, and how finely their sketches. */
  readonly coverage: Coverage
}

/** The retention class that holds a tier's segments. */
export function tierClass(tier: string): string {
  return `rollup/${tier}`
}

/** The column of a field in a tier's segments. */
export function tierField(field: number, column: TierColumn): number {
  return field * COLUMNS_PER_FIELD + column
}

/** Whether a class is that of a tier. */
export function isTierClass(name: string): boolean {
  return name.startsWith('rollup/')
}

/** The step that a tier's name stands for, in us. @throws {VarveError} VARVE_UNIT when it is not a time */
export function tierStepUs(name: string): number {
  return parseDuration(name.slice(name.indexOf('.') + 1)) * 1000
}

/** The span of a tier's buckets: as for any class kept that long, in whole windows. */
export function tierSpanUs({ keepUs, stepUs }: Pick<Tier, 'keepUs' | 'stepUs'>): number {
  return Math.ceil(spanFor(keepUs) / stepUs) * stepUs
}

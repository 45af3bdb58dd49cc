// A run: consecutive rows of one group, in columns. It is the one shape in which samples travel between
// the head, the chunks, the reader, rollups and queries, so that each of them is a loop over typed arrays.
// A row is the samples of one group at one time (what one message brought).
//
// Invariants: times ascend strictly; a column is dense: its i-th value belongs to the i-th row in which
// `present` says 1 (null: all of them); column order is by field, then kind; a row of a field has at most
// one kind. A run of only some fields keeps the rows in which none of them has a value.
// Not here: packing (chunk.ts), merging two runs (run-edit.ts).
import type { Kind } from './sample.ts'

/** Strings or bytes, one after the other: value i is bytes[offsets[i], offsets[i + 1]). */
export interface Texts {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}

/** The samples of one series of one kind over the rows of a run. */
export interface Column {
  /** Index of the field in its group (catalog.ts). */
  readonly field: number
  readonly kind: Kind
  /** One byte a row, 1 where the row has a value here; null when every row has. */
  readonly present: Uint8Array | null
  /** How many values: the ones of `present`, or all rows. */
  readonly count: number
  /** The values of kinds number and boolean (0 or 1); at least `count` long. */
  readonly numbers: Float64Array | null
  /** The values of kinds string (UTF-8) and bytes. */
  readonly texts: Texts | null
}

/** Rows of one group. */
export interface Run {
  readonly rows: number
  /** Microseconds since the Unix epoch, strictly ascending; at least `rows` long. */
  readonly times: Float64Array
  readonly columns: readonly Column[]
}

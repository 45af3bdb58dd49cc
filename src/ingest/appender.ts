// What ingest writes rows into: the open columns of the series head, seen from here. The interface stands
// with its caller, so that a scanner is tested against a plain array and benchmarked against nothing.
//
// Invariants: between begin() and end() nothing else is called but text(); a row that was not ended is not
// there; the numbers of shapes stay good for the life of the process.
// Not here: the head that implements it (series).
import type { Labels } from '../series/label.ts'
import type { Kind } from '../series/sample.ts'

export interface Appender {
  /**
   * Interns a shape: the group of (name, labels) with these fields in this order. The same arguments give
   * the same number.
   * @param name   '' when series are named by field alone; else series are `${name}_${field}`
   * @param retentionClass  name of the class the group belongs to; '' for the default one
   * @throws {VarveError} VARVE_SERIES_LIMIT when there are too many series, VARVE_LABEL for bad labels
   */
  shape(
    name: string,
    labels: Labels,
    fields: readonly string[],
    kinds: readonly Kind[],
    retentionClass?: string
  ): number
  /**
   * Starts a row at `timeUs`. Then every field i of the shape is filled: slots[at + i] for a number or a
   * boolean (0 or 1), text() for a string or bytes; then end().
   * @param isArrival  the time is that of arrival, by the gateway's clock, and not a device's
   * @throws {VarveError} VARVE_STORE_FAILED or VARVE_MEMORY: the row cannot be kept
   */
  begin(shape: number, timeUs: number, isArrival: boolean): void
  /** Where the numbers of the begun row go; read again after every begin(). */
  readonly slots: Float64Array
  readonly at: number
  /** Copies bytes[start, end) as the value of field i. */
  text(i: number, source: Uint8Array, start: number, end: number): void
  end(): void
  /** The WAL group that will hold what was appended so far. */
  readonly pendingGroup: number
}

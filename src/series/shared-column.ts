// Memory that grows in place and that other threads read without a copy: bytes, and numbers by dense ids.
//
// Invariants: a view that a thread has of a buffer stays valid for ever; what is below the counts that a thread
// was told is there, since it was written before they were sent.
// Not here: what the numbers mean (catalog-table.ts, shape.ts).
import { VarveError } from '../base/errors.ts'

/** Address space set aside for a buffer, of which only what is used becomes memory. */
const RESERVED_BYTES = 2 ** 30

/** A buffer that sharedGrow() may lengthen. */
export function sharedBytes(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes, { maxByteLength: RESERVED_BYTES })
}

/** Makes a buffer at least so long, by a quarter at a time. @throws {VarveError} VARVE_SERIES_LIMIT */
export function sharedGrow(buffer: SharedArrayBuffer, bytes: number): void {
  const wanted = Math.max(bytes, Math.ceil(buffer.byteLength * 1.25))
  if (wanted > RESERVED_BYTES && bytes > RESERVED_BYTES) {
    throw new VarveError(
      'VARVE_SERIES_LIMIT',
      `Cannot add series: names of ${bytes} bytes, the limit is 1 GiB`
    )
  }
  buffer.grow(Math.min(RESERVED_BYTES, (wanted + 7) & ~7))
}

/** Numbers by dense ids. */
export class SharedColumn {
  readonly buffer: SharedArrayBuffer
  at: Uint32Array

  /** @param buffer  that of another thread's column, to read it */
  constructor(buffer = sharedBytes(1024)) {
    this.buffer = buffer
    this.at = new Uint32Array(buffer, 0, buffer.byteLength / 4)
  }

  set(id: number, value: number): void {
    if (id >= this.at.length) {
      sharedGrow(this.buffer, (id + 1) * 4)
      this.at = new Uint32Array(this.buffer, 0, this.buffer.byteLength / 4)
    }
    this.at[id] = value
  }
}

// The rows of one message before they are stored: kinds and values of their fields in flat arrays, reused
// from message to message. A message is stored whole or not at all, and the time of a row may come after
// its values, so nothing goes to the appender before all of it is read.
//
// Invariants: fields of a row are consecutive; texts are ranges of the message or, where `sides` is 1, of
// the tape's side bytes.
// Not here: names (they belong to a form or a flattened message), storing (variant.ts).
import type { Kind } from '../series/sample.ts'

/** The kind of a field that a message names and gives no value: JSON null. */
export const ABSENT = 255

export class Draft {
  kinds = new Uint8Array(64)
  sides = new Uint8Array(64)
  starts = new Int32Array(64)
  ends = new Int32Array(64)
  numbers = new Float64Array(64)
  /** Fields of all rows. */
  count = 0

  clear(): void {
    this.count = 0
  }

  /** Makes room for n fields in all; the arrays may be replaced. */
  ensure(n: number): void {
    if (n <= this.kinds.length) return
    const room = Math.max(n, this.kinds.length * 2)
    this.kinds = grown(this.kinds, new Uint8Array(room))
    this.sides = grown(this.sides, new Uint8Array(room))
    this.starts = grown(this.starts, new Int32Array(room))
    this.ends = grown(this.ends, new Int32Array(room))
    this.numbers = grown(this.numbers, new Float64Array(room))
  }

  /** Adds a number, a boolean (0 or 1) or an absent value; returns its index. */
  number(kind: Kind | typeof ABSENT, value: number): number {
    const i = this.count++
    this.ensure(this.count)
    this.kinds[i] = kind
    this.numbers[i] = value
    return i
  }

  /** Adds a string or bytes that lie in the message (side 0) or in the side bytes (side 1). */
  text(kind: Kind, start: number, end: number, side: number): number {
    const i = this.count++
    this.ensure(this.count)
    this.setText(i, kind, start, end, side)
    return i
  }

  setText(i: number, kind: Kind, start: number, end: number, side: number): void {
    this.kinds[i] = kind
    this.starts[i] = start
    this.ends[i] = end
    this.sides[i] = side
  }

  /** Field i becomes what field j is. */
  copy(i: number, j: number): void {
    this.kinds[i] = this.kinds[j]!
    this.numbers[i] = this.numbers[j]!
    this.setText(i, this.kinds[j]! as Kind, this.starts[j]!, this.ends[j]!, this.sides[j]!)
  }
}

function grown<T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}

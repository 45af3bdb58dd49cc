// The tape: a payload read into flat tokens, whatever format it came in. JSON, CBOR and plain text each
// write it; flatten.ts reads it. Reused from message to message, so reading makes no garbage.
//
//   tape   := value
//   value  := object (key value)* end | array value* end | scalar
// `next` of an object or array is the index after its `end`. `from`/`to` of a scalar are its bytes as
// written (quotes and all), which is what a form cuts out; `starts`/`ends` are its text without them.
//
// Invariants: texts are valid UTF-8 ranges of the message or, where `sides` is 1, of `side`; a tape with
// `failure` set is not read.
import { ByteWriter } from '../base/bytes.ts'
import type { FailureCode } from './limits.ts'
import { textOf } from './utf8.ts'

/** What a token is. `time` is a number of microseconds that the format itself marks as a time. */
export const TOKEN = {
  object: 0,
  array: 1,
  end: 2,
  key: 3,
  number: 4,
  boolean: 5,
  string: 6,
  bytes: 7,
  null: 8,
  time: 9
} as const
export type Token = (typeof TOKEN)[keyof typeof TOKEN]

export class Tape {
  count = 0
  tokens = new Uint8Array(256)
  starts = new Int32Array(256)
  ends = new Int32Array(256)
  from = new Int32Array(256)
  to = new Int32Array(256)
  sides = new Uint8Array(256)
  numbers = new Float64Array(256)
  /** The message being read: tokens are ranges of it. */
  message: Uint8Array = new Uint8Array(0)
  /** Texts that had to be rewritten, such as those with escapes. */
  readonly side = new ByteWriter(1024)
  failure: FailureCode | null = null
  /** False when what a value means depends on marks before it, such as the tags of CBOR. */
  plain = true
  failureReason = ''

  begin(message: Uint8Array): void {
    this.message = message
    this.count = 0
    this.failure = null
    this.plain = true
    this.side.reset()
  }

  /** Notes why the message cannot be read; always returns -1, so that scanners can return it. */
  fail(code: FailureCode, why: string): -1 {
    this.failure = code
    this.failureReason = why
    return -1
  }

  /** Adds a token without text; returns its index. */
  add(token: Token, from: number, to: number): number {
    const i = this.count++
    if (i === this.tokens.length) this.grow()
    this.tokens[i] = token
    this.from[i] = from
    this.to[i] = to
    return i
  }

  addNumber(token: Token, value: number, from: number, to: number): void {
    this.numbers[this.add(token, from, to)] = value
  }

  /** Adds a token whose text is [start, end) of the message or of the side bytes. */
  addText(token: Token, start: number, end: number, side: number, from: number, to: number): void {
    const i = this.add(token, from, to)
    this.starts[i] = start
    this.ends[i] = end
    this.sides[i] = side
  }

  /** Closes the object or array token at `open`. */
  close(open: number, at: number): void {
    this.add(TOKEN.end, at, at)
    this.ends[open] = this.count
  }

  /** The index after the value at i. */
  next(i: number): number {
    return this.tokens[i]! <= TOKEN.array ? this.ends[i]! : i + 1
  }

  /** The bytes that hold the text of token i. */
  bytesOf(i: number): Uint8Array {
    return this.sides[i] === 0 ? this.message : this.side.bytes
  }

  /** The text of token i as a string. */
  text(i: number): string {
    return textOf(this.bytesOf(i), this.starts[i]!, this.ends[i]!)
  }

  private grow(): void {
    const room = this.tokens.length * 2
    const ints = (from: Int32Array) => {
      const to = new Int32Array(room)
      to.set(from)
      return to
    }
    const bytes = (from: Uint8Array) => {
      const to = new Uint8Array(room)
      to.set(from)
      return to
    }
    this.tokens = bytes(this.tokens)
    this.sides = bytes(this.sides)
    this.starts = ints(this.starts)
    this.ends = ints(this.ends)
    this.from = ints(this.from)
    this.to = ints(this.to)
    const numbers = new Float64Array(room)
    numbers.set(this.numbers)
    this.numbers = numbers
  }
}

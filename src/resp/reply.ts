// Writes replies in RESP2 or RESP3, one behind the other into one growing buffer that all connections share:
// what a turn wrote is taken out as one piece (take).
//
// Where the protocols differ the caller says what it means (a map, a set, a double, nothing) and the writer
// how that looks. Invariants: a reply that grows over its bound is undone by the caller (cut).
// Not here: when a piece goes out (connection.ts).
import { ReplyError } from './reply-error.ts'

const SMALL_INTS = 1024
const OK = Buffer.from('+OK\r\n')
const NIL2 = Buffer.from('$-1\r\n')
const NIL3 = Buffer.from('_\r\n')
const NIL_ARRAY2 = Buffer.from('*-1\r\n')
const ints: Buffer[] = Array.from({ length: SMALL_INTS }, (_, i) => Buffer.from(`:${i}\r\n`))
const ROOM_KEPT = 256 * 1024
/** Up to here a loop copies faster than a view for copying is made. */
const COPY_BYTES_MAX = 256

/**
 * Replies on their way out: a byte string while they are small, since a socket takes such from the stack and makes no
 * object for it (16 GETs a write: 0.2 us less each); larger ones as bytes.
 */
export type Taken = string | Buffer
const TEXT_BYTES_MAX = 16 * 1024

export class Reply {
  /** 2 or 3. */
  protocol: 2 | 3 = 2
  length = 0
  /** Replies to one client are not more than this, bytes. */
  bytesMax: number
  private bytes: Buffer

  /** @param room  bytes that it begins with */
  constructor(bytesMax = Number.POSITIVE_INFINITY, room = ROOM_KEPT) {
    this.bytesMax = bytesMax
    this.bytes = Buffer.allocUnsafe(room)
  }

  ok(): void {
    this.raw(OK)
  }

  /** @param text  ASCII without line ends */
  simple(text: string): void {
    this.line('+', text)
  }

  error(text: string): void {
    this.line('-', text.replace(/[\r\n]/g, ' '))
  }

  int(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < SMALL_INTS) this.raw(ints[value]!)
    else this.line(':', String(value))
  }

  bool(value: boolean): void {
    if (this.protocol === 3) this.raw(value ? TRUE : FALSE)
    else this.int(value ? 1 : 0)
  }

  /** Bytes, n of them from a place on. */
  part(from: Uint8Array, start: number, n: number): void {
    this.ensure(n + 24)
    let at = this.head(36, n)
    const { bytes } = this
    if (n > COPY_BYTES_MAX) bytes.set(from.subarray(start, start + n), at)
    else for (let i = 0; i < n; i++) bytes[at + i] = from[start + i]!
    at += n
    bytes[at] = 13
    bytes[at + 1] = 10
    this.length = at + 2
  }

  /** Bytes, or a byte string. */
  text(value: string | Uint8Array): void {
    const n = value.length
    this.ensure(n + 24)
    let at = this.head(36, n)
    const { bytes } = this
    if (typeof value === 'string') bytes.write(value, at, n, 'latin1')
    else bytes.set(value, at)
    at += n
    bytes[at] = 13
    bytes[at + 1] = 10
    this.length = at + 2
  }

  /** Text of our own, which may hold more than Latin-1. */
  utf8(value: string): void {
    this.text(Buffer.from(value))
  }

  verbatim(value: string): void {
    if (this.protocol === 2) {
      this.utf8(value)
      return
    }
    const bytes = Buffer.from(`txt:${value}`)
    this.line('=', String(bytes.length))
    this.raw(bytes)
    this.raw(CRLF)
  }

  /** A value, or nil where there is none. */
  textOrNil(value: string | Uint8Array | null | undefined): void {
    if (value === null || value === undefined) this.nil()
    else this.text(value)
  }

  double(value: number): void {
    const text = printDouble(value)
    if (this.protocol === 3) this.line(',', text)
    else this.text(text)
  }

  nil(): void {
    this.raw(this.protocol === 3 ? NIL3 : NIL2)
  }

  nilArray(): void {
    this.raw(this.protocol === 3 ? NIL3 : NIL_ARRAY2)
  }

  array(n: number): void {
    this.ensure(24)
    this.length = this.head(42, n)
  }

  /** @param n  pairs that follow */
  map(n: number): void {
    this.ensure(24)
    if (this.protocol === 3) this.length = this.head(37, n)
    else this.length = this.head(42, n * 2)
  }

  set(n: number): void {
    this.ensure(24)
    this.length = this.head(this.protocol === 3 ? 126 : 42, n)
  }

  push(n: number): void {
    this.ensure(24)
    this.length = this.head(this.protocol === 3 ? 62 : 42, n)
  }

  texts(values: readonly (string | Uint8Array)[]): void {
    this.array(values.length)
    for (const value of values) this.text(value)
  }

  raw(value: Uint8Array): void {
    this.ensure(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  /** Undoes what was written since. */
  cut(length: number): void {
    this.length = length
  }

  /** What was written; nothing is left of it here. */
  take(): Taken {
    const { bytes, length } = this
    this.length = 0
    if (length <= TEXT_BYTES_MAX) return bytes.toString('latin1', 0, length)
    const taken = Buffer.allocUnsafe(length)
    bytes.copy(taken, 0, 0, length)
    if (bytes.length > ROOM_KEPT) this.bytes = Buffer.allocUnsafe(ROOM_KEPT)
    return taken
  }

  private line(sign: string, text: string): void {
    this.ensure(text.length + 3)
    const line = `${sign}${text}\r\n`
    this.bytes.write(line, this.length, line.length, 'latin1')
    this.length += line.length
  }

  /** Writes sign, number and CRLF; room was made. @returns where it ends */
  private head(sign: number, n: number): number {
    const { bytes } = this
    let at = this.length
    bytes[at++] = sign
    if (n < 10) bytes[at++] = 48 + n
    else {
      const digits = String(n)
      at += bytes.write(digits, at, digits.length, 'latin1')
    }
    bytes[at] = 13
    bytes[at + 1] = 10
    return at + 2
  }

  private ensure(n: number): void {
    const need = this.length + n
    if (need <= this.bytes.length) return
    if (need > this.bytesMax) throw new ReplyError(`ERR reply is larger than ${this.bytesMax} bytes`)
    const grown = Buffer.allocUnsafe(Math.max(need, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
}

const CRLF = Buffer.from('\r\n')
const TRUE = Buffer.from('#t\r\n')
const FALSE = Buffer.from('#f\r\n')

/** The shortest text that reads back as the number, as Redis prints it. */
export function printDouble(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  if (Object.is(value, -0)) return '-0'
  return String(value)
}

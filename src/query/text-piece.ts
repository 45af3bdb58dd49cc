// Text of an answer under construction, as bytes. A string that grows by a few characters a value is a tree of
// thousands of small strings that all live until it is sent: collecting them took 40 % of the time of a query for
// 4,000 samples. Here nothing outlives its row, and numbers of a few digits become bytes without a string.
//
// Invariants: what is taken is the UTF-8 of what was added, in bytes that the caller owns; numbers are written
// as String() writes them. Not here: how an answer looks (encode-*.ts).
import { PIECE_BYTES } from './pieces.ts'

/** Most answers are short. */
const FIRST_BYTES = 4096
/** A longer string is written by the library, whose call costs as much as so many characters here. */
const SHORT_MAX = 48
const ZERO = 48
const MINUS = 45
const POINT = 46
/** Below it a number with three decimals is a whole number of thousandths, exactly. */
const THOUSANDTHS_MAX = 1e9
const HALF = 1e8

export class TextPiece {
  private room = Buffer.allocUnsafeSlow(FIRST_BYTES)
  private length = 0

  get isFull(): boolean {
    return this.length >= PIECE_BYTES
  }

  add(text: string): void {
    const { length } = text
    this.reserve(length * 3)
    if (length > SHORT_MAX) {
      this.length += this.room.write(text, this.length)
      return
    }
    const { room } = this
    let at = this.length
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) {
        this.length += room.write(text, this.length)
        return
      }
      room[at++] = code
    }
    this.length = at
  }

  /** Adds a finite number. */
  number(value: number): void {
    const thousandths = Math.round(value * 1000)
    if (
      !(value < THOUSANDTHS_MAX && value > -THOUSANDTHS_MAX) ||
      thousandths / 1000 !== value ||
      value === 0
    ) {
      this.add(Object.is(value, -0) ? '-0' : String(value))
      return
    }
    // Two numbers of at most 15 digits are never one double, so these are the shortest digits that say it.
    this.reserve(16)
    let left = thousandths
    if (left < 0) {
      this.room[this.length++] = MINUS
      left = -left
    }
    const whole = Math.floor(left / 1000)
    this.digits(whole, 1)
    this.fraction(left - whole * 1000, 3)
  }

  /** Adds a whole number from 0 to 2^53. */
  whole(value: number): void {
    this.reserve(16)
    if (value < HALF) this.digits(value, 1)
    else {
      const high = Math.floor(value / HALF)
      this.digits(high, 1)
      this.digits(value - high * HALF, 8)
    }
  }

  /** Adds a time in seconds, with as many decimals as it has. @param timeUs  not negative */
  seconds(timeUs: number): void {
    const seconds = Math.floor(timeUs / 1e6)
    this.whole(seconds)
    this.reserve(8)
    this.fraction(timeUs - seconds * 1e6, 6)
  }

  /** What was added since the last call. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.length)
    bytes.set(this.room.subarray(0, this.length))
    this.length = 0
    return bytes
  }

  /** Decimals without the zeros at their end; nothing for 0. */
  private fraction(value: number, digits: number): void {
    if (value === 0) return
    this.room[this.length++] = POINT
    this.digits(value, digits)
    while (this.room[this.length - 1] === ZERO) this.length--
  }

  /** A whole number below 2^31 in at least so many digits. */
  private digits(value: number, digitsMin: number): void {
    let left = value | 0
    let digits = 1
    for (let power = 10; power <= left; power *= 10) digits++
    if (digits < digitsMin) digits = digitsMin
    const end = this.length + digits
    for (let at = end - 1; at >= this.length; at--) {
      const tenth = (left / 10) | 0
      this.room[at] = ZERO + left - tenth * 10
      left = tenth
    }
    this.length = end
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.room.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.room.length * 2, this.length + bytes))
    this.room.copy(larger, 0, 0, this.length)
    this.room = larger
  }
}

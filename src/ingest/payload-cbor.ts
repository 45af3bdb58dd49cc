// CBOR (RFC 8949) read over the bytes of a payload onto a tape, without making objects. Keys are text or
// integers. Tag 0 and tag 1 mark a time; tags 2 and 3 are big integers, rounded to a double; other tags are
// passed over and their content is taken. Undefined is an absent value. Floats may be NaN or infinite:
// unlike JSON, CBOR can say so, and it is stored.
//
// Invariants: recursion is bounded by depthMax, tokens by tokensMax, and by the bytes there are; never throws.
// Not here: documents as values (base/cbor.ts), names and rows (flatten.ts).
import { CborHead, INDEFINITE, MAJOR } from '../base/cbor-head.ts'
import { timeOfIso } from './device-time.ts'
import type { IngestLimits } from './limits.ts'
import { type Tape, TOKEN } from './tape.ts'
import { isUtf8 } from './utf8.ts'

const BREAK = 0xff
const NO_TAG = -1

export class CborReader {
  private readonly tape: Tape
  private readonly limits: IngestLimits
  private readonly head = new CborHead()
  private start = 0
  private textStart = 0
  private textEnd = 0
  private textSide = 0

  constructor(tape: Tape, limits: IngestLimits) {
    this.tape = tape
    this.limits = limits
  }

  /** Reads bytes[start, end) onto the tape; false when the tape then holds a failure. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.start = start
    this.head.over(bytes, start, end)
    this.tape.begin(bytes)
    if (!this.item(0, NO_TAG)) return false
    return this.head.at === end || this.fail('syntax', 'more bytes after the CBOR item', this.head.at)
  }

  private fail(code: 'syntax' | 'depth' | 'size' | 'utf8', what: string, p: number): false {
    this.tape.fail(code, `${what} at byte ${p - this.start}`)
    return false
  }

  private malformed(from: number): false {
    return this.fail('syntax', 'CBOR is cut off or malformed', from)
  }

  /** Reads one item; `tag` is the nearest tag before it. */
  private item(depth: number, tag: number): boolean {
    const { head, tape, limits } = this
    const from = head.at
    if (tape.count >= limits.tokensMax) return this.fail('size', `more than ${limits.tokensMax} items`, from)
    if (!head.next()) return this.malformed(from)
    const { major, value } = head
    switch (major) {
      case MAJOR.unsigned:
        return this.number(value, tag, from)
      case MAJOR.negative:
        return this.number(-1 - value, tag, from)
      case MAJOR.bytes:
      case MAJOR.text:
        return this.string(major, tag, from)
      case MAJOR.tag:
      case MAJOR.array:
      case MAJOR.map:
        if (depth === limits.depthMax) {
          return this.fail('depth', `CBOR nested deeper than ${limits.depthMax}`, from)
        }
        if (major === MAJOR.tag) {
          tape.plain = false
          return this.item(depth + 1, value)
        }
        return major === MAJOR.map ? this.map(depth, from) : this.array(depth, from)
      default:
        return this.simple(tag, from)
    }
  }

  private number(value: number, tag: number, from: number): boolean {
    const { tape, head } = this
    if (tag === 1) tape.addNumber(TOKEN.time, Math.round(value * 1e6), from, head.at)
    else tape.addNumber(TOKEN.number, value, from, head.at)
    return true
  }

  private simple(tag: number, from: number): boolean {
    const { head, tape } = this
    if (head.info >= 25 && head.info <= 27) return this.number(head.value, tag, from)
    if (head.info === INDEFINITE) return this.fail('syntax', 'a break outside an item', from)
    if (head.value === 20 || head.value === 21) tape.addNumber(TOKEN.boolean, head.value - 20, from, head.at)
    else if (head.value === 22 || head.value === 23) tape.add(TOKEN.null, from, head.at)
    else return this.fail('syntax', `simple value ${head.value} of CBOR`, from)
    return true
  }

  private string(major: number, tag: number, from: number): boolean {
    if (!this.content(major, from)) return false
    const { tape, head, textStart, textEnd, textSide } = this
    const bytes = textSide === 0 ? head.bytes : tape.side.bytes
    if (major === MAJOR.bytes && (tag === 2 || tag === 3)) {
      let value = 0
      for (let i = textStart; i < textEnd; i++) value = value * 256 + bytes[i]!
      if (value === Number.POSITIVE_INFINITY) return this.fail('size', 'a big integer beyond a double', from)
      tape.addNumber(TOKEN.number, tag === 2 ? value : -1 - value, from, head.at)
      return true
    }
    const timeUs = major === MAJOR.text && tag === 0 ? timeOfIso(bytes, textStart, textEnd) : Number.NaN
    if (!Number.isNaN(timeUs)) tape.addNumber(TOKEN.time, timeUs, from, head.at)
    else {
      const token = major === MAJOR.text ? TOKEN.string : TOKEN.bytes
      tape.addText(token, textStart, textEnd, textSide, from, head.at)
    }
    return true
  }

  /** Reads the content of the string whose head was read into textStart, textEnd and textSide. */
  private content(major: number, from: number): boolean {
    const { head, tape, limits } = this
    if (head.info === INDEFINITE) {
      const start = tape.side.length
      for (;;) {
        if (head.at < head.end && head.bytes[head.at] === BREAK) break
        if (!head.next() || head.major !== major || head.info === INDEFINITE) return this.malformed(from)
        if (head.value > head.end - head.at) return this.malformed(from)
        tape.side.raw(head.bytes.subarray(head.at, head.at + head.value))
        head.at += head.value
      }
      head.at++
      this.textStart = start
      this.textEnd = tape.side.length
      this.textSide = 1
    } else {
      if (head.value > head.end - head.at) return this.malformed(from)
      this.textStart = head.at
      this.textEnd = head.at += head.value
      this.textSide = 0
    }
    if (this.textEnd - this.textStart > limits.valueBytesMax) {
      return this.fail('size', `a CBOR string longer than ${limits.valueBytesMax} bytes`, from)
    }
    const bytes = this.textSide === 0 ? head.bytes : tape.side.bytes
    if (major === MAJOR.text && !isUtf8(bytes, this.textStart, this.textEnd)) {
      return this.fail('utf8', 'a CBOR text is not UTF-8', from)
    }
    return true
  }

  private array(depth: number, from: number): boolean {
    const { head, tape } = this
    const open = tape.add(TOKEN.array, from, from)
    const items = head.info === INDEFINITE ? -1 : head.value
    for (let i = 0; i !== items; i++) {
      if (items < 0 && this.atBreak()) break
      if (!this.item(depth + 1, NO_TAG)) return false
    }
    tape.close(open, head.at)
    return true
  }

  private map(depth: number, from: number): boolean {
    const { head, tape } = this
    const open = tape.add(TOKEN.object, from, from)
    const pairs = head.info === INDEFINITE ? -1 : head.value
    for (let i = 0; i !== pairs; i++) {
      if (pairs < 0 && this.atBreak()) break
      if (!this.key() || !this.item(depth + 1, NO_TAG)) return false
    }
    tape.close(open, head.at)
    return true
  }

  private atBreak(): boolean {
    const { head } = this
    if (head.at >= head.end || head.bytes[head.at] !== BREAK) return false
    head.at++
    return true
  }

  private key(): boolean {
    const { head, tape } = this
    const from = head.at
    if (!head.next()) return this.malformed(from)
    if (head.major === MAJOR.text) {
      if (!this.content(MAJOR.text, from)) return false
    } else if (head.major <= MAJOR.negative) {
      this.textStart = tape.side.length
      tape.side.raw(Buffer.from(String(head.major === MAJOR.unsigned ? head.value : -1 - head.value)))
      this.textEnd = tape.side.length
      this.textSide = 1
    } else return this.fail('syntax', 'a CBOR key that is neither text nor integer', from)
    tape.addText(TOKEN.key, this.textStart, this.textEnd, this.textSide, from, head.at)
    return true
  }
}

// JSON, read strictly (RFC 8259) over the bytes of a payload onto a tape. It accepts what JSON.parse accepts,
// but for a byte order mark, which is skipped, and for what no sample can hold: bytes that are not UTF-8,
// escaped lone surrogates, numbers beyond the largest double. A failure names the byte it was found at.
//
// Invariants: recursion is bounded by depthMax, tokens by tokensMax; never throws.
// Not here: names and rows (flatten.ts), the short way for a form seen before (form.ts).
import type { IngestLimits } from './limits.ts'
import { OUT_OF_RANGE, scanNumber } from './number.ts'
import { type Tape, TOKEN } from './tape.ts'
import { isUtf8, textOf } from './utf8.ts'

/** Reads one JSON document. One reader serves all messages of a thread. */
export class JsonReader {
  private readonly tape: Tape
  private readonly limits: IngestLimits
  private bytes: Uint8Array = new Uint8Array(0)
  private start = 0
  private end = 0
  private textStart = 0
  private textEnd = 0
  private textSide = 0
  private readonly number = new Float64Array(1)

  constructor(tape: Tape, limits: IngestLimits) {
    this.tape = tape
    this.limits = limits
  }

  /** Reads bytes[start, end) onto the tape; false when the tape then holds a failure. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.tape.begin(bytes)
    const marked = end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb
    const first = marked && bytes[start + 2] === 0xbf ? start + 3 : start
    let p = this.value(this.space(first), 0)
    if (p < 0) return false
    p = this.space(p)
    if (p === end) return true
    this.unexpected(p)
    return false
  }

  private fail(code: 'syntax' | 'depth' | 'size' | 'number' | 'utf8', what: string, p: number): -1 {
    return this.tape.fail(code, `${what} at byte ${p - this.start}`)
  }

  private unexpected(p: number): -1 {
    if (p >= this.end) return this.fail('syntax', 'JSON ends early', this.end)
    const byte = this.bytes[p]!
    const shown = byte > 32 && byte < 127 ? `"${String.fromCharCode(byte)}"` : `0x${byte.toString(16)}`
    return this.fail('syntax', `unexpected ${shown} in JSON`, p)
  }

  private space(at: number): number {
    let p = at
    while (p < this.end) {
      const c = this.bytes[p]!
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) break
      p++
    }
    return p
  }

  /** Reads the value at p, which is not space; returns the position after it or -1. */
  private value(p: number, depth: number): number {
    if (p >= this.end) return this.unexpected(p)
    const { tape, bytes } = this
    if (tape.count >= this.limits.tokensMax) {
      return this.fail('size', `more than ${this.limits.tokensMax} JSON tokens`, p)
    }
    const c = bytes[p]!
    if (c === 0x22) {
      const after = this.string(p, this.limits.valueBytesMax)
      if (after >= 0) tape.addText(TOKEN.string, this.textStart, this.textEnd, this.textSide, p, after)
      return after
    }
    if (c === 0x7b || c === 0x5b) {
      if (depth === this.limits.depthMax) {
        return this.fail('depth', `JSON nested deeper than ${this.limits.depthMax}`, p)
      }
      return c === 0x7b ? this.object(p, depth) : this.array(p, depth)
    }
    if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      const after = scanNumber(bytes, p, this.end, this.number, 0, false)
      if (after === OUT_OF_RANGE) return this.fail('number', 'number beyond the largest double', p)
      if (after < 0) return this.fail('syntax', 'malformed number in JSON', p)
      tape.addNumber(TOKEN.number, this.number[0]!, p, after)
      return after
    }
    return this.word(p, c)
  }

  private word(p: number, c: number): number {
    const { tape } = this
    if (c === 0x74 && this.spells(p, 'true')) {
      tape.addNumber(TOKEN.boolean, 1, p, p + 4)
      return p + 4
    }
    if (c === 0x66 && this.spells(p, 'false')) {
      tape.addNumber(TOKEN.boolean, 0, p, p + 5)
      return p + 5
    }
    if (c === 0x6e && this.spells(p, 'null')) {
      tape.add(TOKEN.null, p, p + 4)
      return p + 4
    }
    if (this.spells(p, 'NaN') || this.spells(p, 'Infinity')) {
      return this.fail('number', 'NaN or Infinity, which JSON has not,', p)
    }
    return this.unexpected(p)
  }

  private spells(p: number, word: string): boolean {
    if (this.end - p < word.length) return false
    for (let i = 0; i < word.length; i++) if (this.bytes[p + i] !== word.charCodeAt(i)) return false
    return true
  }

  private object(open: number, depth: number): number {
    const { tape } = this
    const token = tape.add(TOKEN.object, open, open)
    let p = this.space(open + 1)
    if (p < this.end && this.bytes[p] === 0x7d) {
      tape.close(token, p)
      return p + 1
    }
    for (;;) {
      if (p >= this.end || this.bytes[p] !== 0x22) return this.unexpected(p)
      const after = this.string(p, this.limits.valueBytesMax)
      if (after < 0) return -1
      tape.addText(TOKEN.key, this.textStart, this.textEnd, this.textSide, p, after)
      p = this.space(after)
      if (p >= this.end || this.bytes[p] !== 0x3a) return this.unexpected(p)
      p = this.value(this.space(p + 1), depth + 1)
      if (p < 0) return -1
      p = this.space(p)
      if (p >= this.end) return this.unexpected(p)
      const c = this.bytes[p]!
      if (c === 0x7d) break
      if (c !== 0x2c) return this.unexpected(p)
      p = this.space(p + 1)
    }
    tape.close(token, p)
    return p + 1
  }

  private array(open: number, depth: number): number {
    const { tape } = this
    const token = tape.add(TOKEN.array, open, open)
    let p = this.space(open + 1)
    if (p < this.end && this.bytes[p] === 0x5d) {
      tape.close(token, p)
      return p + 1
    }
    for (;;) {
      p = this.value(p, depth + 1)
      if (p < 0) return -1
      p = this.space(p)
      if (p >= this.end) return this.unexpected(p)
      const c = this.bytes[p]!
      if (c === 0x5d) break
      if (c !== 0x2c) return this.unexpected(p)
      p = this.space(p + 1)
    }
    tape.close(token, p)
    return p + 1
  }

  /** Reads the string whose quote is at p into textStart, textEnd, textSide; returns the position after it. */
  private string(p: number, bytesMax: number): number {
    const { bytes, end } = this
    let q = p + 1
    let seen = 0
    let escaped = false
    for (; ; q++) {
      if (q >= end) return this.unexpected(q)
      const c = bytes[q]!
      if (c === 0x22) break
      if (c < 0x20) return this.fail('syntax', 'control character in a JSON string', q)
      if (c === 0x5c) {
        escaped = true
        if (++q >= end) return this.unexpected(q)
        if (bytes[q]! < 0x20) return this.fail('syntax', 'control character in a JSON string', q)
        if (bytes[q]! >= 0x80) return this.fail('syntax', 'unknown escape in a JSON string', q)
        continue
      }
      seen |= c
    }
    if (seen >= 0x80 && !isUtf8(bytes, p + 1, q)) return this.fail('utf8', 'a JSON string is not UTF-8', p)
    if (q - p - 1 > bytesMax) return this.fail('size', `a JSON string longer than ${bytesMax} bytes`, p)
    this.textStart = p + 1
    this.textEnd = q
    this.textSide = 0
    return escaped ? this.unescape(p, q + 1) : q + 1
  }

  /** Puts the string bytes[p, after), quotes included, unescaped into the side bytes. */
  private unescape(p: number, after: number): number {
    let text: string
    try {
      text = JSON.parse(textOf(this.bytes, p, after)) as string
    } catch {
      return this.fail('syntax', 'unknown escape in a JSON string', p)
    }
    if (!text.isWellFormed()) return this.fail('utf8', 'a lone surrogate in a JSON string', p)
    const { side } = this.tape
    this.textStart = side.length
    side.raw(Buffer.from(text, 'utf8'))
    this.textEnd = side.length
    this.textSide = 1
    return after
  }
}

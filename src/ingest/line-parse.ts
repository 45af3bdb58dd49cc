// One line of InfluxDB line protocol, read in full.
//
//   line   := measurement ("," tag "=" tag_value)* " "+ field "=" value ("," field "=" value)* (" "+ time)?
// Example: `weather,location=us-midwest temperature=82,on=t,note="a b" 1465839830100400200`
//
// A backslash before a comma, a space or (but in the measurement) an equals sign makes it part of the name;
// any other backslash is itself. Names and tags must be UTF-8: InfluxDB 1.6 accepts a byte 0xff in a name and
// then cannot open its own shard.
//
// Invariants: never throws; a failure says why in InfluxDB's words and where reading may go on.
// Not here: lines and chunks (line-protocol.ts), the time of a line (line-time.ts).
// @see https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
import type { ByteWriter } from '../base/bytes.ts'
import { LABEL_LIMITS } from '../series/label.ts'
import { KIND } from '../series/sample.ts'
import type { Draft } from './draft.ts'
import { BAD_UTF8, OPEN_STRING, scanBoolean, scanInteger, scanString, WIRE } from './line-value.ts'
import { OUT_OF_RANGE, scanNumber } from './number.ts'
import { isUtf8, textOf } from './utf8.ts'

/** What parse() answers for a line that is not one: see `failure` and `resume`. */
export const BAD_LINE = -1
/** What parse() answers when the bytes end before the line does. */
export const CUT_LINE = -2

const COMMA = 0x2c
const SPACE = 0x20
const EQUALS = 0x3d
const NEWLINE = 0x0a
const BACKSLASH = 0x5c

/** Reads lines one at a time; what it found stays until the next. */
export class LineParser {
  measurement = ''
  readonly tags: [string, string][] = []
  readonly fields: string[] = []
  readonly wires: number[] = []
  /** Start of the line and, in turn, start and end of each value. */
  readonly cuts: number[] = []
  failure = ''
  /** After a failure: no newline before this position ends the line. */
  resume = 0
  private bytes: Uint8Array = new Uint8Array(0)
  private end = 0
  private final = false
  private readonly fieldsMax: number
  private readonly nameBytesMax: number

  constructor(fieldsMax: number, nameBytesMax: number) {
    this.fieldsMax = fieldsMax
    this.nameBytesMax = nameBytesMax
  }

  /**
   * Reads the line at p up to its time, its values into the draft.
   * @param final  nothing follows bytes[.., end)
   * @returns the position after the last value, BAD_LINE or CUT_LINE
   */
  parse(bytes: Uint8Array, p: number, end: number, final: boolean, draft: Draft, side: ByteWriter): number {
    this.bytes = bytes
    this.end = end
    this.final = final
    this.tags.length = this.fields.length = this.wires.length = this.cuts.length = 0
    this.cuts.push(p)
    let at = this.until(p, false)
    if (at >= end) return this.bad(at, 'missing fields')
    if (at === p) return this.bad(at, 'missing measurement')
    const measurement = this.name(p, at, this.nameBytesMax)
    if (measurement === null) return this.bad(at, this.failure)
    this.measurement = measurement
    while (bytes[at] === COMMA) {
      at = this.tag(at + 1)
      if (at < 0) return at
      if (at >= end) return this.bad(at, 'missing fields')
    }
    if (bytes[at] !== SPACE) return this.bad(at, 'missing fields')
    do at = this.field(this.fields.length === 0 ? this.spaces(at) : at + 1, draft, side)
    while (at >= 0 && at < end && bytes[at] === COMMA)
    return at >= end && !final ? CUT_LINE : at
  }

  private bad(at: number, why: string): number {
    if (at >= this.end && !this.final) return CUT_LINE
    this.failure = why
    this.resume = at
    return BAD_LINE
  }

  private spaces(at: number): number {
    let p = at
    while (p < this.end && this.bytes[p] === SPACE) p++
    return p
  }

  /** The position of the next comma, space, newline or (where asked) equals sign that is not escaped. */
  private until(at: number, equals: boolean): number {
    const { bytes, end } = this
    let p = at
    for (; p < end; p++) {
      const c = bytes[p]!
      if (c === COMMA || c === SPACE || c === NEWLINE || (equals && c === EQUALS)) break
      if (c !== BACKSLASH || p + 1 >= end) continue
      const after = bytes[p + 1]!
      if (after === COMMA || after === SPACE || after === EQUALS) p++
    }
    return p
  }

  /** The name in bytes[from, to) without its escapes; null, with `failure` set, when it is not UTF-8 or too long. */
  private name(from: number, to: number, bytesMax: number): string | null {
    const { bytes } = this
    if (to - from > bytesMax) {
      this.failure = `name or tag value longer than ${bytesMax} bytes`
      return null
    }
    if (!isUtf8(bytes, from, to)) {
      this.failure = 'invalid UTF-8'
      return null
    }
    const text = textOf(bytes, from, to)
    return text.includes('\\') ? text.replace(/\\([,= ])/g, '$1') : text
  }

  /** Reads `key=value` of a tag at p; returns the position after it. */
  private tag(p: number): number {
    const { bytes } = this
    const equals = this.until(p, true)
    if (equals >= this.end || bytes[equals] !== EQUALS) return this.bad(equals, 'missing tag value')
    if (equals === p) return this.bad(equals, 'missing tag key')
    const after = this.until(equals + 1, true)
    if (after === equals + 1) return this.bad(after, 'missing tag value')
    if (after < this.end && bytes[after] === EQUALS) return this.bad(after, 'invalid tag format')
    const key = this.name(p, equals, LABEL_LIMITS.nameBytesMax)
    const value = key === null ? null : this.name(equals + 1, after, LABEL_LIMITS.valueBytesMax)
    if (key === null || value === null) return this.bad(after, this.failure)
    if (key === '__name__') return this.bad(after, 'tag __name__ is reserved')
    this.tags.push([key, value])
    return after
  }

  /** Reads `key=value` of a field at p; returns the position after it. */
  private field(p: number, draft: Draft, side: ByteWriter): number {
    const { bytes, end } = this
    const equals = this.until(p, true)
    if (equals >= end || bytes[equals] !== EQUALS) {
      return this.bad(
        equals,
        equals === p && this.fields.length === 0 ? 'missing fields' : 'invalid field format'
      )
    }
    if (equals === p) return this.bad(equals, 'missing field key')
    const key = this.name(p, equals, this.nameBytesMax)
    if (key === null) return this.bad(equals, this.failure)
    if (this.fields.length === this.fieldsMax) return this.bad(equals, `more than ${this.fieldsMax} fields`)
    const from = equals + 1
    const after = this.value(from, draft, side)
    if (after < 0) return after
    this.fields.push(key)
    this.cuts.push(from, after)
    return after
  }

  private value(from: number, draft: Draft, side: ByteWriter): number {
    const { bytes, end } = this
    const i = this.fields.length
    draft.ensure(i + 1)
    if (from < end && bytes[from] === 0x22) {
      const after = scanString(bytes, from, end, draft, i, side)
      if (after === OPEN_STRING) return this.final ? this.bad(from, 'unbalanced quotes') : CUT_LINE
      if (after === BAD_UTF8) return this.bad(from, 'invalid UTF-8')
      this.wires.push(WIRE.string)
      return this.delimited(after, after)
    }
    const to = this.until(from, false)
    if (to >= end && !this.final) return CUT_LINE
    let stop = to
    if (stop > from && bytes[stop - 1] === 0x0d) stop--
    if (stop === from) return this.bad(to, 'missing field value')
    const last = bytes[stop - 1]!
    const first = bytes[from]!
    let wire: number = WIRE.float
    if ((first | 32) === 0x74 || (first | 32) === 0x66) wire = WIRE.boolean
    else if (last === 0x69) wire = WIRE.integer
    else if (last === 0x75) wire = WIRE.unsigned
    let after: number
    if (wire === WIRE.boolean) after = scanBoolean(bytes, from, stop, draft.numbers, i)
    else if (wire === WIRE.float) after = scanNumber(bytes, from, stop, draft.numbers, i, true)
    else after = scanInteger(bytes, from, stop, draft.numbers, i, wire)
    if (after === OUT_OF_RANGE) return this.bad(to, 'value out of range')
    if (after !== stop) return this.bad(to, wire === WIRE.boolean ? 'invalid boolean' : 'invalid number')
    draft.kinds[i] = wire === WIRE.boolean ? KIND.boolean : KIND.number
    this.wires.push(wire)
    return stop
  }

  /** A string must be followed by what ends a value. */
  private delimited(at: number, after: number): number {
    if (at >= this.end) return this.final ? after : CUT_LINE
    const c = this.bytes[at]!
    if (c === COMMA || c === SPACE || c === NEWLINE || c === 0x0d) return after
    return this.bad(at, 'invalid field format')
  }
}

// InfluxDB line protocol to rows, chunk by chunk, as a body comes off the network or out of gzip: only a line
// that a chunk cuts is kept until the next one. A measurement and its tags are a group, its fields are the
// fields of the group: the series are `measurement_field`, or `measurement` for the field `value`.
//
// A bad line is refused by number and reason, as InfluxDB does, and the lines around it are stored. A quote
// that is never closed takes its own line with it, not the rest of the body.
//
// Invariants: what is held of a body is at most one line of lineBytesMax and one chunk; every line is stored
// whole, refused, blank or a comment.
// Not here: HTTP, gzip, acknowledging (http/routes-write.ts).
import { ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { makeLabels } from '../series/label.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import type { Appender } from './appender.ts'
import { Draft } from './draft.ts'
import { INGEST_LIMITS, type IngestLimits } from './limits.ts'
import { type LineForm, LineForms } from './line-form.ts'
import { BAD_LINE, CUT_LINE, LineParser } from './line-parse.ts'
import { BAD_TAIL, CUT_TAIL, LINE_PRECISIONS, scanTail } from './line-time.ts'
import { textOf } from './utf8.ts'
import { appendRow, makeVariant } from './variant.ts'

export interface LineOptions {
  /** Unit of times, a key of LINE_PRECISIONS; `ns` unless told. */
  readonly precision?: string
  /** Time of lines that bring none, microseconds. */
  readonly nowUs: number
  /** Lines before this or after it are refused. The latest is a year after `nowUs` unless told. */
  readonly earliestUs?: number
  readonly latestUs?: number
  readonly retentionClass?: string
}

export interface RefusedLine {
  /** From 1; a string with newlines in it counts them. */
  readonly line: number
  readonly reason: string
  /** The first characters of the line. */
  readonly text: string
}

export interface LineResult {
  /** Lines stored, their fields, and lines refused. */
  rows: number
  samples: number
  refused: number
  /** The first of the refused lines. */
  readonly refusals: RefusedLine[]
}

export interface LineLimits {
  readonly lineBytesMax: number
  readonly refusalsMax: number
}

const limitsDefault: LineLimits = { lineBytesMax: 128 * 1024, refusalsMax: 10 }
const shownMax = 100
/** Below every time that a line may have. */
const NO_TIME = Number.NEGATIVE_INFINITY
const yearUs = 366 * 86_400_000_000

/** What all bodies of a thread share: the forms of lines, and scratch room. */
export class LineProtocol {
  readonly appender: Appender
  readonly forms = new LineForms()
  readonly draft = new Draft()
  readonly side = new ByteWriter(1024)
  readonly time = new Float64Array(1)
  readonly parser: LineParser
  readonly limits: LineLimits

  constructor(appender: Appender, limits: LineLimits = limitsDefault, ingest: IngestLimits = INGEST_LIMITS) {
    this.appender = appender
    this.limits = limits
    this.parser = new LineParser(ingest.fieldsMax, ingest.nameBytesMax)
    this.draft.ensure(ingest.fieldsMax)
  }

  /** @throws {VarveError} VARVE_PRECISION for a unit that is none */
  writer(options: LineOptions): LineWriter {
    return new LineWriter(this, options)
  }
}

/** One body. push() its chunks, then finish(). */
export class LineWriter {
  readonly result: LineResult = { rows: 0, samples: 0, refused: 0, refusals: [] }
  private readonly protocol: LineProtocol
  private readonly unitUs: number
  private readonly nowUs: number
  private readonly earliestUs: number
  private readonly latestUs: number
  private readonly retentionClass: string
  /** The line that the last chunk cut. */
  private readonly carry = new ByteWriter(1024)
  /** Within a line that is too long: its bytes are dropped up to the newline. */
  private dropping = false
  private line = 1
  private last: LineForm | null = null

  constructor(protocol: LineProtocol, options: LineOptions) {
    this.protocol = protocol
    const unitUs = LINE_PRECISIONS[options.precision ?? 'ns']
    if (unitUs === undefined) {
      throw new VarveError(
        'VARVE_PRECISION',
        `Cannot read times in ${JSON.stringify(options.precision)}: known are ${Object.keys(LINE_PRECISIONS)}`
      )
    }
    this.unitUs = unitUs
    this.nowUs = options.nowUs
    this.earliestUs = Math.max(options.earliestUs ?? TIME_MIN_US, TIME_MIN_US)
    this.latestUs = Math.min(options.latestUs ?? options.nowUs + yearUs, TIME_MAX_US)
    this.retentionClass = options.retentionClass ?? ''
  }

  /** The line that is read; while a row is appended, that of the row. */
  get lineNumber(): number {
    return this.line
  }

  /**
   * Stores the lines that end in this chunk, which is not kept.
   * @throws {VarveError} what the store refuses with: then the body must not be acknowledged
   */
  push(chunk: Uint8Array): void {
    let p = 0
    if (this.dropping || this.carry.length > 0) {
      const newline = chunk.indexOf(10)
      p = newline < 0 ? chunk.length : newline + 1
      if (this.dropping) {
        if (newline < 0) return
        this.dropping = false
        this.line++
      } else {
        this.carry.raw(chunk.subarray(0, p))
        if (newline < 0) this.bound()
        else this.resume(false)
      }
    }
    if (this.carry.length > 0 && p < chunk.length) {
      this.carry.raw(chunk.subarray(p))
      this.resume(false)
      return
    }
    p += this.lines(chunk, p, chunk.length, false)
    if (p >= chunk.length) return
    this.carry.raw(chunk.subarray(p))
    this.bound()
  }

  /** Stores the line that has no newline, if there is one. The result is complete then. */
  finish(): LineResult {
    if (this.carry.length > 0) this.resume(true)
    return this.result
  }

  /** Reads the lines of the carried bytes and keeps what is left. */
  private resume(final: boolean): void {
    const { carry } = this
    const used = this.lines(carry.bytes, 0, carry.length, final)
    carry.bytes.copyWithin(0, used, carry.length)
    carry.length -= used
    this.bound()
  }

  /** Gives up the line that the carried bytes begin when it is too long. */
  private bound(): void {
    const { carry } = this
    const { lineBytesMax } = this.protocol.limits
    while (carry.length > lineBytesMax) {
      this.refuse(carry.bytes, 0, carry.length, `line longer than ${lineBytesMax} bytes or unbalanced quotes`)
      const newline = carry.written().indexOf(10)
      if (newline < 0) {
        carry.reset()
        this.dropping = true
        return
      }
      carry.bytes.copyWithin(0, newline + 1, carry.length)
      carry.length -= newline + 1
      this.line++
      const used = this.lines(carry.bytes, 0, carry.length, false)
      carry.bytes.copyWithin(0, used, carry.length)
      carry.length -= used
    }
  }

  /** Stores the lines of bytes[start, end); returns how many bytes they took: the rest is a cut line. */
  private lines(bytes: Uint8Array, start: number, end: number, final: boolean): number {
    let p = start
    while (p < end) {
      let at = p
      let c = bytes[at]!
      while ((c === 32 || c === 9 || c === 13 || c === 0) && ++at < end) c = bytes[at]!
      if (at >= end) return final ? end - start : p - start
      if (c === 10) {
        this.line++
        p = at + 1
        continue
      }
      const next = c === 35 ? this.comment(bytes, at, end, final) : this.one(bytes, at, end, final)
      if (next < 0) return p - start
      p = next
    }
    return p - start
  }

  private comment(bytes: Uint8Array, p: number, end: number, final: boolean): number {
    let at = p
    while (at < end && bytes[at] !== 10) at++
    if (at >= end) return final ? end : -1
    this.line++
    return at + 1
  }

  /** Stores or refuses the line at p; returns the position after it, or -1 when it is cut. */
  private one(bytes: Uint8Array, p: number, end: number, final: boolean): number {
    const { protocol } = this
    const { forms, draft, side } = protocol
    side.reset()
    let form = this.last === null ? null : this.last.next
    let at = form === null ? -1 : forms.match(form, bytes, p, end, draft, side)
    let hash = 0
    if (!ends(bytes, at, end)) {
      hash = hashOf(bytes, p, end)
      for (form = forms.chain(hash); form !== null; form = form.chain) {
        at = forms.match(form, bytes, p, end, draft, side)
        if (ends(bytes, at, end)) break
      }
    }
    if (form === null) return this.whole(bytes, p, end, final, hash)
    return this.store(bytes, p, at, end, final, form)
  }

  /** Reads a line in full, and remembers its form. */
  private whole(bytes: Uint8Array, p: number, end: number, final: boolean, hash: number): number {
    const { parser, draft, side, forms, appender } = this.protocol
    side.reset()
    const at = parser.parse(bytes, p, end, final, draft, side)
    if (at === CUT_LINE) return -1
    if (at === BAD_LINE) return this.skip(bytes, p, parser.resume, end, final, parser.failure)
    const unique = new Map<string, number>()
    for (let i = 0; i < parser.fields.length; i++) unique.set(parser.fields[i]!, i)
    const names = [...unique.keys()]
    const repeats = names.length < parser.fields.length
    if (repeats) for (let i = 0; i < names.length; i++) draft.copy(i, unique.get(names[i]!)!)
    let form: LineForm | null
    try {
      const group = {
        name: parser.measurement,
        labels: makeLabels(parser.tags),
        retentionClass: this.retentionClass
      }
      const variant = makeVariant(appender, group, names, draft, 0)
      form = repeats ? null : forms.learn(hash, bytes, parser.cuts, parser.wires, variant)
      form ??= { at: 0, fields: 0, variant, next: null, chain: null, generation: -1 }
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      if (error.code !== 'VARVE_SERIES_LIMIT' && error.code !== 'VARVE_LABEL') throw error
      return this.skip(bytes, p, at, end, final, error.message)
    }
    return this.store(bytes, p, at, end, final, form)
  }

  /** Reads the tail at `at` of the line at p, whose values are in the draft, and appends the row. */
  private store(
    bytes: Uint8Array,
    p: number,
    at: number,
    end: number,
    final: boolean,
    form: LineForm
  ): number {
    const { protocol, result } = this
    const { time, draft, side, appender, forms } = protocol
    // What scanTail() leaves alone where there is no time.
    time[0] = NO_TIME
    const next = scanTail(bytes, at, end, final, this.unitUs, time)
    if (next === CUT_TAIL) return -1
    if (next === BAD_TAIL) return this.skip(bytes, p, at, end, final, 'bad timestamp')
    const isArrival = time[0] === NO_TIME
    const timeUs = isArrival ? this.nowUs : time[0]!
    if (!(timeUs >= this.earliestUs && timeUs <= this.latestUs)) {
      return this.skip(bytes, p, at, end, final, 'time outside range')
    }
    appendRow(appender, form.variant, timeUs, isArrival, draft, 0, bytes, side.bytes)
    result.rows++
    result.samples += form.variant.present
    this.line++
    if (this.last !== null && this.last.next !== form) forms.follow(this.last, form)
    this.last = form
    return next
  }

  /** Refuses the line at p; no newline before `from` ends it. Returns the position after it. */
  private skip(bytes: Uint8Array, p: number, from: number, end: number, final: boolean, why: string): number {
    let at = from
    while (at < end && bytes[at] !== 10) at++
    if (at >= end && !final) return -1
    this.refuse(bytes, p, at, why)
    for (let q = p; q < at; q++) if (bytes[q] === 10) this.line++
    this.line++
    return Math.min(end, at + 1)
  }

  private refuse(bytes: Uint8Array, p: number, to: number, why: string): void {
    const { result } = this
    result.refused++
    if (result.refusals.length >= this.protocol.limits.refusalsMax) return
    const text = textOf(bytes, p, Math.min(to, p + shownMax))
    result.refusals.push({ line: this.line, reason: why, text })
  }
}

/** A value is over here: the line goes on with a space or ends. */
function ends(bytes: Uint8Array, at: number, end: number): boolean {
  if (at < 0 || at >= end) return false
  const c = bytes[at]!
  return c === 32 || c === 10 || c === 13
}

/** A hash of measurement and tags of the line at p: FNV-1a up to the first space that is not escaped. */
function hashOf(bytes: Uint8Array, p: number, end: number): number {
  let hash = 0x811c9dc5 | 0
  for (let at = p; at < end; at++) {
    const c = bytes[at]!
    if (c === 32 && bytes[at - 1] !== 0x5c) break
    if (c === 10) break
    hash = Math.imul(hash ^ c, 0x01000193)
  }
  return hash
}

/** What InfluxDB answers for a body with refused lines; null when there are none. */
export function refusalMessage(result: LineResult): string | null {
  const first = result.refusals[0]
  if (first === undefined) return null
  const lines = result.refusals.map(
    refusal => `unable to parse '${refusal.text}': ${refusal.reason} (line ${refusal.line})`
  )
  const partial = result.rows > 0 ? 'partial write: ' : ''
  const more = result.refused > lines.length ? `, and ${result.refused - lines.length} more lines` : ''
  return `${partial}${lines.join('\n')}${more} dropped=${result.refused}`
}

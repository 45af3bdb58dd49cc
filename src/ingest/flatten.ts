// From a tape to rows: gives every value its name, its row and its time.
//
//  - `{"a":{"b":1}}` is the field `a_b`; `{"a":[1,2]}` the fields `a_0` and `a_1`;
//  - a value without a name, and the elements of an array without one, are named by the topic (or the rule);
//  - a name that comes twice keeps its last value; null is no value;
//  - an array of timed samples becomes a row for each: its elements are objects that hold the rule's time field
//    or, where the rule names none, `t`, `time`, `ts` or `timestamp` with a believable time. Such rows have
//    the names they would have as one object: `{"s":[{"ts":1700000000,"v":1}]}` is the field `s_v`.
// Names are kept as they come, any UTF-8 but the empty name, as Prometheus 3 allows: a name that is not of the
// old alphabet is quoted in PromQL, `{"naïve name"}`; nothing is renamed, so nothing can collide.
//
// Invariants: fails or gives all rows of a message; never throws; rows are in order of the message.
// Not here: reading formats onto the tape, storing rows (mapper.ts).
import { KIND, type Kind } from '../series/sample.ts'
import { type TimeUnit, timeOfIso, timeOfNumber } from './device-time.ts'
import { ABSENT, type Draft } from './draft.ts'
import type { Form } from './form.ts'
import type { IngestLimits } from './limits.ts'
import { scanNumber } from './number.ts'
import type { Route } from './route.ts'
import { keeps } from './rule.ts'
import { type Tape, TOKEN } from './tape.ts'
import { REFUSED_TIME_FIELD } from './time-guard.ts'

const SLOT_NONE = -1
const SLOT_TIME = -2
const TIME_FIELDS = ['t', 'time', 'ts', 'timestamp'] as const
/** A bare `t` may be a temperature: without a rule it is a time only from the year 2000 on. */
const believableUs = 946_684_800_000_000

interface PendingRow {
  readonly at: number
  readonly prefix: string
  readonly timeField: string
}

export class Flattener {
  private readonly tape: Tape
  private readonly draft: Draft
  private readonly limits: IngestLimits
  /** One for each row: the names of its fields, its first field in the draft, its own time or NaN. */
  readonly names: string[][] = []
  readonly firsts: number[] = []
  readonly timesUs: number[] = []
  /** Whether another message of these literals would be flattened alike. */
  private repeatable = true
  private bare = false
  private route!: Route
  private timeField = ''
  private prefix = ''
  private rowNames: string[] = []
  private rowFirst = 0
  private rowTimeUs = Number.NaN
  private readonly indexes = new Map<string, number>()
  private slots = new Int32Array(256)
  private pending: PendingRow[] = []
  private readonly number = new Float64Array(1)

  constructor(tape: Tape, draft: Draft, limits: IngestLimits) {
    this.tape = tape
    this.draft = draft
    this.limits = limits
  }

  /**
   * Makes the rows of the document on the tape; false when the tape then holds a failure.
   * @param start, end  the payload within the message, for rules that keep it
   */
  flatten(route: Route, start: number, end: number): boolean {
    const { tape, draft } = this
    this.route = route
    this.names.length = this.firsts.length = this.timesUs.length = 0
    this.repeatable = true
    this.bare = false
    this.pending.length = 0
    draft.clear()
    if (this.slots.length < tape.count) this.slots = new Int32Array(tape.tokens.length)
    this.slots.fill(SLOT_NONE, 0, tape.count)
    this.beginRow('', route.rule.time)
    if (!this.walk(0, '')) return false
    if (route.rule.keepPayload && !this.keepPayload(start, end)) return false
    this.endRow()
    for (let i = 0; i < this.pending.length; i++) {
      this.repeatable = false
      const row = this.pending[i]!
      this.beginRow(row.prefix, row.timeField)
      if (!this.walk(row.at, '')) return false
      if (Number.isNaN(this.rowTimeUs))
        return this.fail('time', `a timed sample in ${row.prefix || 'the payload'} has no time`)
      this.endRow()
    }
    return true
  }

  /** The form of the message bytes[start, end) just flattened, or null when it cannot have one. */
  form(wire: Form['wire'], bytes: Uint8Array, start: number, end: number): Form | null {
    if (!this.repeatable || !this.tape.plain) return null
    const { tape, slots } = this
    const { rule } = this.route
    const names = this.names[0] ?? []
    const parts: Uint8Array[] = []
    const cuts: number[] = []
    const used: number[] = []
    let length = 0
    let p = start
    const cut = (to: number) => {
      parts.push(bytes.subarray(p, to))
      cuts.push((length += to - p))
    }
    for (let i = 0; i < tape.count; i++) {
      const token = tape.tokens[i]!
      if (token < TOKEN.number) continue
      cut(tape.from[i]!)
      p = tape.to[i]!
      const slot = slots[i]!
      used.push(slot >= 0 ? slot : names.length + (slot === SLOT_TIME ? 0 : 1))
    }
    cut(end)
    const refused = rule.prefix + REFUSED_TIME_FIELD
    return {
      wire,
      literal: Buffer.concat(parts),
      cuts: Int32Array.from(cuts),
      slots: Int32Array.from(used),
      names,
      namesRefused: names.includes(refused) ? names : [...names, refused],
      payload: rule.keepPayload ? names.indexOf(`${rule.prefix}payload`) : -1,
      timed: slots.subarray(0, tape.count).includes(SLOT_TIME),
      bare: this.bare
    }
  }

  private fail(code: 'fields' | 'name' | 'time' | 'size', why: string): false {
    this.tape.fail(code, why)
    return false
  }

  private beginRow(prefix: string, timeField: string): void {
    this.prefix = prefix
    this.timeField = timeField
    this.rowNames = []
    this.rowFirst = this.draft.count
    this.rowTimeUs = Number.NaN
    this.indexes.clear()
  }

  private endRow(): void {
    if (this.rowNames.length === 0) return
    this.names.push(this.rowNames.slice())
    this.firsts.push(this.rowFirst)
    this.timesUs.push(this.rowTimeUs)
  }

  /** Visits the value at tape index i, called `name` within its row. */
  private walk(i: number, name: string): boolean {
    const { tape } = this
    const token = tape.tokens[i]!
    if (token === TOKEN.object) {
      const last = tape.ends[i]! - 1
      for (let key = i + 1; key < last; key = tape.next(key + 1)) {
        const text = tape.text(key)
        if (!this.walk(key + 1, i === 0 || name === '' ? text : `${name}_${text}`)) return false
      }
      return true
    }
    if (token === TOKEN.array) return this.walkArray(i, name)
    if (name !== '' && name === this.timeField && this.readTime(i)) return true
    return this.add(i, name)
  }

  private walkArray(i: number, name: string): boolean {
    const { tape, route } = this
    const mode = route.rule.arrays
    if (mode === 'skip') return true
    const last = tape.ends[i]! - 1
    const timeField = mode === 'auto' ? this.timeFieldOf(i + 1, last) : ''
    const own = this.prefix + name
    let index = 0
    for (let at = i + 1; at < last; at = tape.next(at), index++) {
      if (timeField === '') {
        if (name === '') this.bare = true
        if (!this.walk(at, `${name === '' ? route.bareName : name}_${index}`)) return false
      } else if (tape.tokens[at] === TOKEN.object) {
        this.pending.push({ at, prefix: own === '' ? '' : `${own}_`, timeField })
      } else {
        return this.fail(
          'time',
          `element ${index} of the timed samples in ${own || 'the payload'} has no time`
        )
      }
    }
    return true
  }

  /** The name of the time in an array's first element, or '' when the array is not one of timed samples. */
  private timeFieldOf(first: number, last: number): string {
    const { tape } = this
    if (first >= last || tape.tokens[first] !== TOKEN.object) return ''
    const ruled = this.route.rule.time
    const end = tape.ends[first]! - 1
    let found = ''
    for (let key = first + 1; key < end; key = tape.next(key + 1)) {
      const text = tape.text(key)
      if (ruled !== '') {
        if (text === ruled) found = text
      } else if ((TIME_FIELDS as readonly string[]).includes(text)) {
        this.repeatable = false
        const timeUs = this.timeOf(key + 1)
        if (timeUs >= believableUs && timeUs <= Number.MAX_SAFE_INTEGER) found = text
      }
    }
    return found
  }

  private timeOf(i: number): number {
    const { tape, route } = this
    const token = tape.tokens[i]!
    if (token === TOKEN.time) return tape.numbers[i]!
    if (token === TOKEN.number) return timeOfNumber(tape.numbers[i]!, route.rule.timeUnit)
    if (token !== TOKEN.string) return Number.NaN
    return this.timeOfText(route.rule.timeUnit, tape.bytesOf(i), tape.starts[i]!, tape.ends[i]!)
  }

  /** The time that a text says, ISO 8601 or a number in a unit; NaN when it says none. */
  timeOfText(unit: TimeUnit, bytes: Uint8Array, start: number, end: number): number {
    if (unit === 'auto' || unit === 'iso') {
      const timeUs = timeOfIso(bytes, start, end)
      if (!Number.isNaN(timeUs)) return timeUs
    }
    if (scanNumber(bytes, start, end, this.number, 0, false) !== end) return Number.NaN
    return timeOfNumber(this.number[0]!, unit)
  }

  /** Takes the value at i as the time of the row; false when it is no time and must be kept as a field. */
  private readTime(i: number): boolean {
    if (this.tape.tokens[i] !== TOKEN.null) {
      const timeUs = this.timeOf(i)
      if (Number.isNaN(timeUs)) {
        this.repeatable = false
        return false
      }
      this.rowTimeUs = timeUs
    }
    this.slots[i] = SLOT_TIME
    return true
  }

  private add(i: number, name: string): boolean {
    const { tape, draft, route } = this
    let field = name
    if (field === '') {
      if (this.tape.tokens[0] === TOKEN.object) return this.fail('name', 'a field has an empty name')
      field = route.bareName
      this.bare = true
    }
    field = this.prefix + field
    if (!keeps(route.rule, field)) return true
    const at = this.index(route.rule.prefix + field)
    if (at < 0) return false
    this.slots[i] = at - this.rowFirst
    const token = tape.tokens[i]!
    if (token === TOKEN.string || token === TOKEN.bytes) {
      const kind: Kind = token === TOKEN.string ? KIND.string : KIND.bytes
      draft.setText(at, kind, tape.starts[i]!, tape.ends[i]!, tape.sides[i]!)
    } else if (token === TOKEN.null) {
      draft.kinds[at] = ABSENT
    } else {
      draft.kinds[at] = token === TOKEN.boolean ? KIND.boolean : KIND.number
      draft.numbers[at] = token === TOKEN.time ? tape.numbers[i]! / 1e6 : tape.numbers[i]!
    }
    return true
  }

  /** Where the field of a name is in the draft, made where there is none; -1 when it cannot be. */
  private index(name: string): number {
    const known = this.indexes.get(name)
    if (known !== undefined) return known
    const { nameBytesMax, fieldsMax } = this.limits
    if (name.length > nameBytesMax || Buffer.byteLength(name) > nameBytesMax) {
      this.fail(
        'name',
        `a field has a name of ${Buffer.byteLength(name)} bytes, the limit is ${nameBytesMax}`
      )
      return -1
    }
    if (this.rowNames.length === fieldsMax) {
      this.fail('fields', `more than ${fieldsMax} fields in one row`)
      return -1
    }
    this.rowNames.push(name)
    const at = this.draft.number(ABSENT, 0)
    this.indexes.set(name, at)
    return at
  }

  private keepPayload(start: number, end: number): boolean {
    if (end - start > this.limits.valueBytesMax) {
      return this.fail(
        'size',
        `payload of ${end - start} bytes to keep, the limit is ${this.limits.valueBytesMax}`
      )
    }
    const at = this.index(`${this.route.rule.prefix}payload`)
    if (at < 0) return false
    this.draft.setText(at, KIND.bytes, start, end, 0)
    return true
  }
}

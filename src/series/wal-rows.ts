// Rows in the WAL: the head's rows in the order of arrival, each number as its difference from the value
// before it in the same field. Cheap enough for the main thread (no trial, no sorting), small enough that
// a bulk load writes about 2 bytes a sample: this is most of what a card sees.
//
//   section := part*
//   part    := u8 flags | varint n | n bytes of definitions (catalog.ts) | varint unit | varint rows | row*
//   flags   := 1 fresh: every state below starts anew, so the part is readable without those before it
//   unit    := all differences of times of the part are multiples of so many us (1, 1000 or 1000000)
//   row     := shape | signed (time - time of the row before) / unit | value*
//   shape   := varint 1 + 2 * zigzag(local - (local of the row before + 1))       a shape used before
//            | varint 0 | varint group | varint boot | varint fields | (varint 4 * field + kind)*
//                                                       the next local number; boot as in shape.ts
//   value   := number | u8 0 or 1 (boolean) | text
//   number  := varint 1 + zigzag(mantissa - mantissa before)        same power of ten as before
//            | 00 | u8 e | signed mantissa                           value = mantissa / 10^e, 0 <= e <= 15
//            | 00 | ff | f64                                         not a short decimal; state unchanged
//   text    := varint 0 (the same bytes as before) | varint 1 + length | bytes
// State: per shape and field the mantissa, power and text before; initially 0, 10^0 and none. The time
// before the first row and the local number before it (-1) start anew with `fresh` only.
// Example: fresh, group 0 field 0 (number) at 5 s then 6 s, values 21.5 and 21.6 =
//   01 00 c0 84 3d 02 00 00 00 01 00 0a 00 01 ae 03 03 02 03
//
// Invariant: what decodes is bit for bit what was appended (negative zero and NaN travel as f64).
// Not here: reading them back (wal-rows-read.ts), framing, checksums and syncs (engine/wal).
import type { ByteWriter } from '../base/bytes.ts'
import type { Head } from './head.ts'
import { KIND } from './sample.ts'
import type { Shape } from './shape.ts'

export const FLAG_FRESH = 1
export const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]
/** Mantissas above this are written raw: their differences must stay exact. */
const MANTISSA_MAX = 2 ** 50
export const RAW = 0xff
export const UNITS = [1_000_000, 1000, 1]

/** What the coder remembers per field of a shape. Slots are handed out as shapes are first used. */
export class FieldStates {
  mantissas = new Float64Array(256)
  powers = new Uint8Array(256)
  textAt = new Float64Array(256)
  textLength = new Float64Array(256)
  count = 0

  reset(): void {
    this.count = 0
  }

  /** Room for n more fields, all in their initial state; returns the first. */
  take(n: number): number {
    const first = this.count
    this.count += n
    if (this.count > this.powers.length) {
      const size = Math.max(this.count, this.powers.length * 2)
      this.mantissas = grow(this.mantissas, new Float64Array(size))
      this.powers = grow(this.powers, new Uint8Array(size))
      this.textAt = grow(this.textAt, new Float64Array(size))
      this.textLength = grow(this.textLength, new Float64Array(size))
    }
    this.mantissas.fill(0, first, this.count)
    this.powers.fill(0, first, this.count)
    this.textLength.fill(-1, first, this.count)
    return first
  }
}

function grow<T extends Float64Array | Uint8Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}

/** Writes the rows of a head into WAL sections. One instance for the life of the process. */
export class RowEncoder {
  private readonly states = new FieldStates()
  /** For each shape id: its local number and the first of its states, valid when the epoch matches. */
  private local = new Uint32Array(256)
  private stateOf = new Uint32Array(256)
  private epochOf = new Uint32Array(256)
  private epoch = 0
  private locals = 0
  private localBefore = -1
  private timeBefore = 0

  /**
   * Appends a part with the definitions and the head's rows from `from` (a page and a word) to its end.
   * @param fresh  start every state anew
   */
  encode(
    head: Head,
    from: RowCursor,
    shapes: readonly Shape[],
    definitions: Uint8Array,
    fresh: boolean,
    out: ByteWriter
  ): void {
    if (fresh) this.restart()
    out.u8(fresh ? FLAG_FRESH : 0)
    out.varint(definitions.length)
    out.raw(definitions)
    const { unit, rows } = survey(head, from, shapes, this.timeBefore)
    out.varint(unit)
    out.varint(rows)
    for (; from.page < head.pages.length; from.page++, from.word = 0) {
      const slots = head.doubles[from.page]!
      const words = head.words[from.page]!
      const used = head.used[from.page]!
      let at = from.page === 0 && from.word === 0 ? 1 : from.word
      while (at < used) {
        const id = words[at * 2 + 3]!
        const shape = shapes[id]!
        this.row(head, slots, words, at, id, shape, unit, out)
        at += 2 + shape.template.fields.length
      }
      from.word = at
      if (from.page === head.pages.length - 1) return
    }
  }

  private restart(): void {
    this.epoch++
    this.locals = 0
    this.localBefore = -1
    this.timeBefore = 0
    this.states.reset()
  }

  private row(
    head: Head,
    slots: Float64Array,
    words: Uint32Array,
    at: number,
    id: number,
    shape: Shape,
    unit: number,
    out: ByteWriter
  ): void {
    const { fields, kinds } = shape.template
    out.ensure(40 + fields.length * 20)
    if (id >= this.epochOf.length || this.epochOf[id] !== this.epoch) this.introduce(id, shape, out)
    else {
      const step = this.local[id]! - (this.localBefore + 1)
      out.varint(2 * (step < 0 ? -2 * step - 1 : 2 * step) + 1)
    }
    this.localBefore = this.local[id]!
    const time = slots[at]!
    out.signed((time - this.timeBefore) / unit)
    this.timeBefore = time
    const state = this.stateOf[id]!
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[i]
      if (kind === KIND.number) this.number(slots[at + 2 + i]!, state + i, out)
      else if (kind === KIND.boolean) out.u8(slots[at + 2 + i]!)
      else this.text(head, words[(at + 2 + i) * 2]!, words[(at + 2 + i) * 2 + 1]!, state + i, out)
    }
  }

  private introduce(id: number, shape: Shape, out: ByteWriter): void {
    if (id >= this.epochOf.length) {
      const size = Math.max(id + 1, this.epochOf.length * 2)
      this.local = growIds(this.local, size)
      this.stateOf = growIds(this.stateOf, size)
      this.epochOf = growIds(this.epochOf, size)
    }
    const { fields, kinds } = shape.template
    this.epochOf[id] = this.epoch
    this.local[id] = this.locals++
    this.stateOf[id] = this.states.take(fields.length)
    out.u8(0)
    out.varint(shape.group)
    out.varint(shape.boot)
    out.varint(fields.length)
    for (let i = 0; i < fields.length; i++) out.varint(fields[i]! * 4 + kinds[i]!)
    out.ensure(20 + fields.length * 20)
  }

  private number(value: number, state: number, out: ByteWriter): void {
    const power = this.states.powers[state]!
    const mantissa = Math.round(value * POWERS[power]!)
    if (mantissa / POWERS[power]! === value && isExact(mantissa, value)) {
      const delta = mantissa - this.states.mantissas[state]!
      this.states.mantissas[state] = mantissa
      const token = delta < 0 ? -2 * delta : 2 * delta + 1
      if (token < 0x80) out.bytes[out.length++] = token
      else out.varint(token)
    } else this.newPower(value, state, out)
  }

  private newPower(value: number, state: number, out: ByteWriter): void {
    out.u8(0)
    for (let power = 0; power < POWERS.length; power++) {
      const mantissa = Math.round(value * POWERS[power]!)
      if (mantissa / POWERS[power]! === value && isExact(mantissa, value)) {
        out.u8(power)
        out.signed(mantissa)
        this.states.powers[state] = power
        this.states.mantissas[state] = mantissa
        return
      }
    }
    out.u8(RAW)
    out.f64(value)
  }

  private text(head: Head, address: number, length: number, state: number, out: ByteWriter): void {
    const { textAt, textLength } = this.states
    if (textLength[state] === length && textAt[state] === address) {
      out.varint(0)
      return
    }
    textAt[state] = address
    textLength[state] = length
    out.varint(1 + length)
    const page = head.texts[address >>> 20]
    const at = address & 0xfffff
    if (length > 0) out.raw(page!.subarray(at, at + length))
    out.ensure(1024)
  }
}

/** A zero mantissa must not hide a negative zero, and differences of mantissas must stay exact. */
function isExact(mantissa: number, value: number): boolean {
  return mantissa <= MANTISSA_MAX && mantissa >= -MANTISSA_MAX && (mantissa !== 0 || Object.is(value, 0))
}

function growIds(from: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size)
  grown.set(from)
  return grown
}

/** A place in a head's order of arrival. */
export interface RowCursor {
  page: number
  word: number
}

/** How many rows lie after the cursor, and the largest unit that divides every difference of their times. */
function survey(
  head: Head,
  from: RowCursor,
  shapes: readonly Shape[],
  before: number
): { unit: number; rows: number } {
  let index = 0
  let rows = 0
  let time = before
  for (let page = from.page; page < head.pages.length; page++) {
    const slots = head.doubles[page]!
    const words = head.words[page]!
    const used = head.used[page]!
    let at = page === from.page && from.word > 0 ? from.word : page === 0 ? 1 : 0
    for (; at < used; rows++) {
      const delta = slots[at]! - time
      while (delta % UNITS[index]! !== 0) index++
      time = slots[at]!
      at += 2 + shapes[words[at * 2 + 3]!]!.template.fields.length
    }
  }
  return { unit: UNITS[index]!, rows }
}

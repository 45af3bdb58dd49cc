// Reads WAL sections back into rows, at open and nowhere else; the grammar is in wal-rows.ts. A restart
// waits for this loop, so it runs on bare indexes: 17 M samples/s, measured.
//
// Invariants: after a gap nothing is read before a fresh part, since the differences before it have no base;
// bytes that are no section end in a VarveError, and a row cut short is never handed over.
// Not here: where the rows go (store.ts), how gaps are found (engine/wal-reader.ts).
import { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { KIND, type Kind } from './sample.ts'
import { FieldStates, FLAG_FRESH, POWERS, RAW, UNITS } from './wal-rows.ts'

/** Where decoded rows go: recovery puts them back into a head. */
export interface RowSink {
  /** The definitions at the front of a section. */
  define(definitions: ByteReader): void
  /** A shape of the WAL in the terms of this process; the sink answers with its own number for it. */
  shape(group: number, boot: number, fields: readonly number[], kinds: readonly Kind[]): number
  begin(shape: number, timeUs: number): void
  /** Field i of the open row, a number or boolean. */
  number(i: number, value: number): void
  text(i: number, source: Uint8Array, start: number, end: number): void
  end(): void
}

/** Reads WAL sections back into rows; after a gap it waits for a fresh section. */
export class RowDecoder {
  private readonly states = new FieldStates()
  private readonly textOf: (Uint8Array | undefined)[] = []
  private readonly shapes: { id: number; kinds: readonly Kind[]; state: number }[] = []
  private localBefore = -1
  private timeBefore = 0
  private waiting = true
  /** The section being read. */
  private bytes = new Uint8Array(0)
  private at = 0
  private end = 0

  /** A section before the next one was lost: nothing is readable until a fresh one. */
  lost(): void {
    this.waiting = true
  }

  /**
   * Hands the rows of a section to the sink.
   * @returns false when some of it was passed over because a section before it was lost
   * @throws {VarveError} VARVE_WAL_ROWS or VARVE_TRUNCATED when the bytes are not a section
   */
  decode(section: Uint8Array, sink: RowSink): boolean {
    this.bytes = section as Uint8Array<ArrayBuffer>
    this.at = 0
    this.end = section.length
    while (this.at < this.end) if (!this.part(sink)) return false
    return true
  }

  private part(sink: RowSink): boolean {
    const fresh = (this.u8() & FLAG_FRESH) !== 0
    const definitions = this.varint()
    const start = this.skip(definitions)
    sink.define(new ByteReader(this.bytes, start, start + definitions))
    if (fresh) this.restart()
    else if (this.waiting) return false
    const unit = this.varint()
    if (!UNITS.includes(unit)) throw this.damaged(`time unit ${unit}`)
    for (let rows = this.varint(); rows > 0; rows--) this.row(unit, sink)
    return true
  }

  private restart(): void {
    this.waiting = false
    this.shapes.length = 0
    this.states.reset()
    this.localBefore = -1
    this.timeBefore = 0
  }

  private row(unit: number, sink: RowSink): void {
    const token = this.varint()
    if (token === 0) this.localBefore = this.introduce(sink)
    else {
      if (token % 2 === 0) throw this.damaged(`shape token ${token}`)
      this.localBefore += 1 + unzigzag((token - 1) / 2)
    }
    const shape = this.shapes[this.localBefore]
    if (shape === undefined) throw this.damaged(`shape ${this.localBefore} of ${this.shapes.length}`)
    this.timeBefore += unzigzag(this.varint()) * unit
    sink.begin(shape.id, this.timeBefore)
    const { kinds, state } = shape
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[i]
      if (kind === KIND.number) sink.number(i, this.number(state + i))
      else if (kind === KIND.boolean) sink.number(i, this.u8())
      else this.text(i, state + i, sink)
    }
    if (this.at > this.end) throw this.damaged('a row cut short')
    sink.end()
  }

  private introduce(sink: RowSink): number {
    const group = this.varint()
    const boot = this.varint()
    const count = this.varint()
    if (count === 0 || count > this.end - this.at) throw this.damaged(`shape of ${count} fields`)
    const fields: number[] = []
    const kinds: Kind[] = []
    for (let i = 0; i < count; i++) {
      const packed = this.varint()
      fields.push(Math.floor(packed / 4))
      kinds.push((packed % 4) as Kind)
    }
    return (
      this.shapes.push({
        id: sink.shape(group, boot, fields, kinds),
        kinds,
        state: this.states.take(count)
      }) - 1
    )
  }

  private number(state: number): number {
    const { mantissas, powers } = this.states
    const token = this.varint()
    if (token !== 0) {
      const mantissa = mantissas[state]! + unzigzag(token - 1)
      mantissas[state] = mantissa
      return mantissa / POWERS[powers[state]!]!
    }
    const power = this.u8()
    if (power === RAW) {
      const at = this.skip(8)
      return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8).getFloat64(0, true)
    }
    if (power >= POWERS.length) throw this.damaged(`power of ten ${power}`)
    powers[state] = power
    mantissas[state] = unzigzag(this.varint())
    return mantissas[state]! / POWERS[power]!
  }

  private text(i: number, state: number, sink: RowSink): void {
    const token = this.varint()
    if (token !== 0) {
      const at = this.skip(token - 1)
      // A copy: the section's bytes are the caller's again after this call.
      this.textOf[state] = this.bytes.slice(at, at + token - 1)
      this.states.textLength[state] = token - 1
    }
    const text = this.textOf[state]
    if (text === undefined || this.states.textLength[state]! < 0) {
      throw this.damaged('a text repeated before its first')
    }
    sink.text(i, text, 0, text.length)
  }

  private u8(): number {
    return this.bytes[this.skip(1)]!
  }

  /** Passes over n bytes; returns where they begin. */
  private skip(n: number): number {
    const at = this.at
    if (n > this.end - at) throw this.damaged(`${n} bytes wanted, ${this.end - at} left`)
    this.at = at + n
    return at
  }

  private varint(): number {
    const first = this.bytes[this.at]!
    if (first < 0x80) {
      this.at++
      return first
    }
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 0x80
    }
    throw this.damaged('a varint of more than 53 bits')
  }

  private damaged(what: string): VarveError {
    return new VarveError(
      'VARVE_WAL_ROWS',
      `Cannot read rows before byte ${this.at} of a WAL section: ${what}`
    )
  }
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

// Little-endian bytes: a growing writer and a bounds-checked reader. Every format of ours is written and
// read through these two, so that integers, varints and strings look the same in every file.
//
//   varint := LEB128, 7 bits a byte, low bits first, at most 8 bytes: 0 .. 2^53 - 1
//   signed := zigzag varint: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...   |value| <= 2^52
//   text   := varint byte length, then UTF-8
// Example: varint 300 = ac 02; signed -3 = 05; text "hé" = 03 68 c3 a9
//
// Invariants: a reader never reads outside [start, end); what it throws for outside bytes is
// VARVE_TRUNCATED, which owners of a file turn into a CorruptionError with file and offset.
// Not here: bit streams (series codecs), checksums (checksum.ts).
import { assert } from './assert.ts'
import { VarveError } from './errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const toUtf8 = new TextEncoder()

/** Bytes under construction. `length` is how much is written; `bytes` is the room, which may be larger. */
export class ByteWriter {
  bytes: Uint8Array
  view: DataView
  length = 0

  constructor(room = 256) {
    this.bytes = new Uint8Array(room)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes room for n more bytes; `bytes` and `view` may be replaced. */
  ensure(n: number): void {
    const need = this.length + n
    if (need <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  u8(value: number): void {
    this.ensure(1)
    this.bytes[this.length++] = value
  }

  u16(value: number): void {
    this.ensure(2)
    this.view.setUint16(this.length, value, true)
    this.length += 2
  }

  u32(value: number): void {
    this.ensure(4)
    this.view.setUint32(this.length, value, true)
    this.length += 4
  }

  f64(value: number): void {
    this.ensure(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  varint(value: number): void {
    this.ensure(8)
    const bytes = this.bytes
    let at = this.length
    if (value < 0x80) {
      bytes[at] = value
      this.length = at + 1
      return
    }
    assert(value <= Number.MAX_SAFE_INTEGER, 'a varint is at most 2^53 - 1')
    let high = value
    while (high >= 0x80000000) {
      bytes[at++] = (high % 0x80) | 0x80
      high = Math.floor(high / 0x80)
    }
    let low = high | 0
    while (low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80
      low >>>= 7
    }
    bytes[at++] = low
    this.length = at
  }

  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  raw(source: Uint8Array): void {
    this.ensure(source.length)
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  text(value: string): void {
    const encoded = toUtf8.encode(value)
    this.varint(encoded.length)
    this.raw(encoded)
  }

  /** n zero bytes. */
  zeros(n: number): void {
    this.ensure(n)
    this.bytes.fill(0, this.length, this.length + n)
    this.length += n
  }

  /** A view of what is written, valid until the next write or reset. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** A copy of what is written. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length) as Uint8Array<ArrayBuffer>
  }

  reset(): void {
    this.length = 0
  }
}

/** How many bytes ByteWriter.varint() takes for a value. */
export function varintBytes(value: number): number {
  let bytes = 1
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) bytes++
  return bytes
}

/** A cursor over bytes that came from outside. `at` and `end` are byte indexes into `bytes`. */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly end: number
  at: number

  /** @param view  of the same bytes, when there is one: making it takes most of the time */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, view?: DataView) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'a reader lies within its bytes')
    this.bytes = bytes
    this.view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.end = end
  }

  /** A reader of part of the same bytes, which has its own cursor. */
  sub(start: number, end: number): ByteReader {
    return new ByteReader(this.bytes, start, end, this.view)
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.end - this.at
  }

  private take(n: number): number {
    const at = this.at
    if (n < 0 || n > this.end - at) {
      throw new VarveError('VARVE_TRUNCATED', `Cannot read ${n} bytes at ${at}: ${this.end - at} are left`)
    }
    this.at = at + n
    return at
  }

  u8(): number {
    return this.bytes[this.take(1)]!
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true)
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true)
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.bytes[this.take(1)]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 0x80
    }
    throw new VarveError('VARVE_TRUNCATED', `Cannot read varint before ${this.at}: longer than 53 bits`)
  }

  skip(n: number): void {
    this.take(n)
  }

  /** Passes over a varint without checking how large it is. */
  skipVarint(): void {
    while (this.bytes[this.take(1)]! >= 0x80);
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A view of the next n bytes; it shares memory with `bytes`. */
  raw(n: number): Uint8Array {
    const at = this.take(n)
    return this.bytes.subarray(at, at + n)
  }

  /** @throws {VarveError} VARVE_TRUNCATED, or VARVE_UTF8 when the bytes are not UTF-8 */
  text(): string {
    const at = this.at
    const bytes = this.raw(this.varint())
    try {
      return utf8.decode(bytes)
    } catch (cause) {
      throw new VarveError('VARVE_UTF8', `Cannot read text at ${at}: not UTF-8`, { cause })
    }
  }
}

// Fixed-width bit packing, and a plain bit stream for codes of mixed width. Both put the low bits first,
// so a run of values is one little-endian integer of n * width bits.
//
//   packed := value 0 in bits [0, width), value 1 in bits [width, 2 width) ...   zero-padded to a byte
// Example: width 3, values 1 2 3 4 5 = d1 58
//
// Unpacking has one generated, unrolled kernel per width (up to 33 functions of 32 values each, made when
// first used): shifts and masks are constants there, which is what makes it 2 G values/s in plain JavaScript.
//
// Invariants: a packed width is 0 to 32; a kernel may load up to 124 bytes past what it needs, so the last
// values of a buffer are unpacked from a padded copy.
// Not here: choosing widths (codec-packed.ts).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

/** Values a kernel unpacks at a time. */
const STEP = 32

/** 2^n for n in 0 .. 53; `2 ** n` in a loop costs fifty times a load. */
export const POWERS_OF_2: Float64Array = Float64Array.from({ length: 54 }, (_, n) => 2 ** n)

type Kernel = (view: DataView, at: number, into: Uint32Array, to: number) => void

function makeKernel(width: number): Kernel {
  const lines: string[] = []
  for (let word = 0; word < width; word++) {
    lines.push(`const w${word} = view.getInt32(at + ${word * 4}, true)`)
  }
  const mask = width === 32 ? -1 : (1 << width) - 1
  for (let i = 0; i < STEP; i++) {
    if (width === 0) {
      lines.push(`into[to + ${i}] = 0`)
      continue
    }
    const bit = i * width
    const word = bit >>> 5
    const shift = bit & 31
    const low = shift === 0 ? `w${word}` : `w${word} >>> ${shift}`
    const high = shift + width > 32 ? ` | w${word + 1} << ${32 - shift}` : ''
    lines.push(`into[to + ${i}] = (${low}${high}) & ${mask}`)
  }
  return new Function('view', 'at', 'into', 'to', lines.join('\n')) as Kernel
}

/** By width, made when a width is first met: all of them take as long as a short query. */
const KERNELS: (Kernel | undefined)[] = new Array(33).fill(undefined)

/** How many bytes n values of a width take. */
export function packedBytes(n: number, width: number): number {
  return (n * width + 7) >>> 3
}

/** Appends values[from, from + n) in `width` bits each; every value is below 2^width. */
export function pack(values: Uint32Array, from: number, n: number, width: number, out: ByteWriter): void {
  const size = packedBytes(n, width)
  out.ensure(size + 8)
  const bytes = out.bytes
  let at = out.length
  let held = 0 // bits not yet written, fewer than 8 between two values
  let bits = 0
  for (let i = 0; i < n; i++) {
    const value = values[from + i]!
    let left = width
    let rest = value
    while (left > 0) {
      const take = left < 24 ? left : 24
      held |= (take === 24 ? rest & 0xffffff : rest) << bits
      bits += take
      left -= take
      rest = left > 0 ? rest >>> 24 : 0
      while (bits >= 8) {
        bytes[at++] = held & 0xff
        held >>>= 8
        bits -= 8
      }
    }
  }
  if (bits > 0) bytes[at++] = held
  out.length += size
}

const padded = new Uint8Array(STEP * 4 + STEP * 4)
const paddedView = new DataView(padded.buffer)

/**
 * Reads n packed values; `into` needs room for n rounded up to a multiple of 32.
 * @throws {VarveError} VARVE_TRUNCATED when they do not fit in what is left
 */
export function unpack(from: ByteReader, n: number, width: number, into: Uint32Array): void {
  const size = packedBytes(n, width)
  if (size > from.left) {
    throw new VarveError(
      'VARVE_TRUNCATED',
      `Cannot unpack ${n} values of ${width} bits at ${from.at}: ${from.left} bytes are left`
    )
  }
  const kernel = (KERNELS[width] ??= makeKernel(width))
  const view = from.view
  const step = width * 4
  let at = from.at
  let to = 0
  const whole = view.byteLength - step
  for (; to < n && at <= whole; to += STEP, at += step) kernel(view, at, into, to)
  if (to < n) {
    // Fewer than 32 values are left before the end of the buffer itself.
    padded.fill(0)
    for (let i = 0; at + i < from.at + size; i++) padded[i] = from.bytes[at + i]!
    kernel(paddedView, 0, into, to)
  }
  from.at += size
}

/** Appends codes of mixed width to a ByteWriter. finish() pads to a byte. */
export class BitWriter {
  private readonly out: ByteWriter
  private held = 0
  private bits = 0

  constructor(out: ByteWriter) {
    this.out = out
  }

  /** The low `width` bits of value; width 0 to 24. */
  put(value: number, width: number): void {
    let held = this.held | (value << this.bits)
    let bits = this.bits + width
    while (bits >= 8) {
      this.out.u8(held & 0xff)
      held >>>= 8
      bits -= 8
    }
    this.held = held
    this.bits = bits
  }

  /** An integer below 2^width; width 0 to 53. */
  putWide(value: number, width: number): void {
    let rest = value
    let left = width
    while (left > 24) {
      this.put(rest % 0x1000000, 24)
      rest = Math.floor(rest / 0x1000000)
      left -= 24
    }
    this.put(rest, left)
  }

  finish(): void {
    if (this.bits > 0) this.out.u8(this.held)
    this.held = 0
    this.bits = 0
  }
}

/** Reads codes of mixed width. finish() moves the byte reader behind the last byte touched. */
export class BitReader {
  private readonly from: ByteReader
  private held = 0
  private bits = 0

  constructor(from: ByteReader) {
    this.from = from
  }

  /** @throws {VarveError} VARVE_TRUNCATED */
  take(width: number): number {
    while (this.bits < width) {
      this.held |= this.from.u8() << this.bits
      this.bits += 8
    }
    const value = this.held & ((1 << width) - 1)
    this.held >>>= width
    this.bits -= width
    return value
  }
}

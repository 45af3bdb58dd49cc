// Doubles that are no decimals: averages, products, sensor fusion. Four forms; codec-number.ts takes the
// smallest that is admitted.
//
//   raw     := f64*                                           8 bytes a value
//   squeezed:= codec-zstd.ts of raw                           finds repeats of whole values
//   planes  := codec-zstd.ts of the bytes, all lowest first, then all second lowest ...
//   xor     := f64 first | codes, low bits first, padded to a byte      (Chimp)
//     x is the bits of a value xor those of the value before; lead is one of 0 8 12 16 18 20 22 24:
//     00 x is 0 | 01 lead (3 bits), length - 1 (6 bits), the middle of x (more than 6 zeros follow it)
//     10 64 - lead bits of x, lead as before | 11 lead (3 bits), 64 - lead bits of x
//     (a code is written low bit first: its number is what stands here)
// Example: xor of 1.5 1.5 1.75 = 00 00 00 00 00 00 f8 3f a4 20
//
// Invariants: bits pass through unchanged, NaN payloads too: they are moved as integers.
// @see Liakos et al., "Chimp", VLDB 2022
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { BitReader, BitWriter } from './bit-pack.ts'
import { decodeSqueezed, encodeSqueezed } from './codec-zstd.ts'

const VALUES_MAX = 4096
const LEADS = [0, 8, 12, 16, 18, 20, 22, 24] as const
/** The index of the largest lead that is at most so many leading zeros. */
const LEAD_OF = Uint8Array.from({ length: 65 }, (_, zeros) => LEADS.findLastIndex(lead => lead <= zeros))

const bytesOf = (values: Float64Array, n: number) => new Uint8Array(values.buffer, values.byteOffset, n * 8)
const wordsOf = (values: Float64Array, n: number) => new Uint32Array(values.buffer, values.byteOffset, n * 2)

export function encodeRaw(values: Float64Array, n: number, out: ByteWriter): void {
  out.raw(bytesOf(values, n))
}

/** @throws {VarveError} VARVE_TRUNCATED */
export function decodeRaw(from: ByteReader, n: number, into: Float64Array): void {
  bytesOf(into, n).set(from.raw(n * 8))
}

export function encodeZstd(values: Float64Array, n: number, out: ByteWriter): void {
  encodeSqueezed(bytesOf(values, n), out)
}

/** @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function decodeZstd(from: ByteReader, n: number, into: Float64Array): void {
  bytesOf(into, n).set(decodeExactly(from, n * 8))
}

const planes = new Uint8Array(VALUES_MAX * 8)

export function encodePlanes(values: Float64Array, n: number, out: ByteWriter): void {
  const bytes = bytesOf(values, n)
  for (let plane = 0, to = 0; plane < 8; plane++) {
    for (let at = plane; at < n * 8; at += 8) planes[to++] = bytes[at]!
  }
  encodeSqueezed(planes.subarray(0, n * 8), out)
}

/** @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function decodePlanes(from: ByteReader, n: number, into: Float64Array): void {
  const raw = decodeExactly(from, n * 8)
  const bytes = bytesOf(into, n)
  for (let plane = 0, at = 0; plane < 8; plane++) {
    for (let to = plane; to < n * 8; to += 8) bytes[to] = raw[at++]!
  }
}

function decodeExactly(from: ByteReader, size: number): Uint8Array {
  const raw = decodeSqueezed(from, size)
  if (raw.length !== size) {
    throw new VarveError(
      'VARVE_CHUNK',
      `Cannot read doubles before ${from.at}: ${raw.length} of ${size} bytes`
    )
  }
  return raw
}

/** The low `width` bits of high:low, 0 to 64. */
function putPair(high: number, low: number, width: number, out: BitWriter): void {
  if (width <= 32) {
    out.putWide(width === 32 ? low : (low & ((1 << width) - 1)) >>> 0, width)
    return
  }
  out.putWide(low, 32)
  const left = width - 32
  out.putWide(left === 32 ? high : (high & ((1 << left) - 1)) >>> 0, left)
}

export function encodeXor(values: Float64Array, n: number, out: ByteWriter): void {
  const words = wordsOf(values, n)
  out.raw(bytesOf(values, 1))
  const bits = new BitWriter(out)
  let before = -1
  for (let i = 1; i < n; i++) {
    const low = (words[2 * i]! ^ words[2 * i - 2]!) >>> 0
    const high = (words[2 * i + 1]! ^ words[2 * i - 1]!) >>> 0
    if (low === 0 && high === 0) {
      bits.put(0, 2)
      continue
    }
    const zeros = high === 0 ? 32 + Math.clz32(low) : Math.clz32(high)
    const trail = low === 0 ? 63 - Math.clz32(high & -high) : 31 - Math.clz32(low & -low)
    const lead = LEAD_OF[zeros]!
    if (trail > 6) {
      const width = 64 - LEADS[lead]! - trail
      bits.put(1 | (lead << 2) | ((width - 1) << 5), 11)
      if (trail >= 32) putPair(0, high >>> (trail - 32), width, bits)
      else putPair(high >>> trail, ((low >>> trail) | (high << (32 - trail))) >>> 0, width, bits)
      before = -1
      continue
    }
    if (lead === before) bits.put(2, 2)
    else bits.put(3 | (lead << 2), 5)
    putPair(high, low, 64 - LEADS[lead]!, bits)
    before = lead
  }
  bits.finish()
}

function takeWide(width: number, from: BitReader): number {
  if (width <= 16) return from.take(width)
  return from.take(16) + from.take(width - 16) * 0x10000
}

/** @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function decodeXor(from: ByteReader, n: number, into: Float64Array): void {
  const words = wordsOf(into, n)
  words[0] = from.u32()
  words[1] = from.u32()
  const bits = new BitReader(from)
  let lead = -1
  for (let i = 1; i < n; i++) {
    let low = 0
    let high = 0
    const code = bits.take(2)
    if (code === 1) {
      const zeros = LEADS[bits.take(3)]!
      const width = bits.take(6) + 1
      const trail = 64 - zeros - width
      if (trail < 0)
        throw new VarveError('VARVE_CHUNK', `Cannot read doubles before ${from.at}: ${width} bits`)
      low = takeWide(Math.min(32, width), bits)
      high = width > 32 ? takeWide(width - 32, bits) : 0
      if (trail >= 32) {
        high = low << (trail - 32)
        low = 0
      } else if (trail > 0) {
        high = (high << trail) | (low >>> (32 - trail))
        low <<= trail
      }
    } else if (code !== 0) {
      if (code === 3) lead = bits.take(3)
      if (lead < 0) throw new VarveError('VARVE_CHUNK', `Cannot read doubles before ${from.at}: no lead`)
      low = takeWide(32, bits)
      high = takeWide(32 - LEADS[lead]!, bits)
    }
    words[2 * i] = words[2 * i - 2]! ^ low
    words[2 * i + 1] = words[2 * i - 1]! ^ high
  }
}

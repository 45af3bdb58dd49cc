// Residuals in blocks of 128, each with its own frame of reference and width: fast to read, and good where
// the size of a column's changes comes and goes. What does not fit a block's width is patched.
//
//   packed := block*                       blocks of 128 residuals, the last one of what is left
//   block  := head u8 | [base signed] | packed bits (bit-pack.ts) | [patches]
//     head: bits 0-5 width 0 .. 32; bit 6 patches follow; bit 7 zigzag, and then no base
//   patches := varint count | (position u8, varint high part)*
// A residual is base + bits, or the zigzag of bits; a patch adds high part * 2^width to bits first.
// Example: residuals 5 6 7 8 9 = 03 0a 88 46
//
// Invariants: |residual| <= 2^52.
// Not here: what a residual is (codec-integers.ts), adding them up (running-sum.ts).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { POWERS_OF_2, pack, packedBytes, unpack } from './bit-pack.ts'
import type { RunningSum } from './running-sum.ts'

/** Residuals a block holds. */
const BLOCK = 128
const WIDTH_MAX = 32
const PATCHED = 0x40
const ZIGZAG = 0x80

const bits = new Uint32Array(BLOCK)
const lengths = new Uint16Array(54)

/** How many bits a number in [0, 2^53) needs. */
export function bitLength(value: number): number {
  return value < 0x100000000 ? 32 - Math.clz32(value) : 64 - Math.clz32(Math.floor(value / 0x100000000))
}

function varintBytes(value: number): number {
  return Math.ceil(Math.max(1, bitLength(value)) / 7)
}

const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value)

let planWidth = 0
let planBytes = 0
/** Finds the width at which n values of these bit lengths cost least, patches with them. */
function planLengths(n: number): void {
  planBytes = Number.POSITIVE_INFINITY
  let longest = 53
  while (longest > 0 && lengths[longest] === 0) longest--
  for (let width = longest; width >= 0; width--) {
    let patchBytes = 0
    for (let long = width + 1; long <= longest; long++) {
      if (lengths[long]! > 0) patchBytes += lengths[long]! * (1 + Math.ceil((long - width) / 7))
    }
    if (patchBytes > planBytes) return
    if (width > WIDTH_MAX) continue
    const bytes = packedBytes(n, width) + (patchBytes > 0 ? 1 + patchBytes : 0)
    if (bytes < planBytes) {
      planBytes = bytes
      planWidth = width
    }
  }
}

let chosenWidth = 0
let chosenZigzag = false
let chosenBase = 0
/** Chooses base and width for values[from, from + n) and says how many bytes the block takes. */
function planBlock(values: Float64Array, from: number, n: number): number {
  let min = values[from]!
  let max = min
  for (let i = from + 1; i < from + n; i++) {
    const value = values[i]!
    if (value < min) min = value
    else if (value > max) max = value
  }
  const span = bitLength(max - min)
  const baseBytes = varintBytes(zigzag(min))
  chosenBase = min
  chosenZigzag = false
  chosenWidth = span
  let best = Number.POSITIVE_INFINITY
  if (span <= WIDTH_MAX) best = 1 + baseBytes + packedBytes(n, span)
  if (span <= 1) return best
  lengths.fill(0)
  for (let i = from; i < from + n; i++) lengths[bitLength(values[i]! - min)]!++
  planLengths(n)
  if (1 + baseBytes + planBytes < best) {
    best = 1 + baseBytes + planBytes
    chosenWidth = planWidth
  }
  if (min >= 0) return best
  lengths.fill(0)
  for (let i = from; i < from + n; i++) lengths[bitLength(zigzag(values[i]!))]!++
  planLengths(n)
  if (1 + planBytes < best) {
    best = 1 + planBytes
    chosenWidth = planWidth
    chosenZigzag = true
  }
  return best
}

/** How many bytes encodePacked() would write for values[from, from + n). */
export function packedCost(values: Float64Array, from: number, n: number): number {
  let bytes = 0
  for (let at = 0; at < n; at += BLOCK) bytes += planBlock(values, from + at, Math.min(BLOCK, n - at))
  return bytes
}

function encodeBlock(values: Float64Array, from: number, n: number, out: ByteWriter): void {
  planBlock(values, from, n)
  const width = chosenWidth
  const limit = POWERS_OF_2[width]!
  let patches = 0
  for (let i = 0; i < n; i++) {
    const value = values[from + i]!
    const rest = chosenZigzag ? zigzag(value) : value - chosenBase
    if (rest >= limit) patches++
    bits[i] = rest < limit ? rest : rest % limit
  }
  out.u8(width | (patches > 0 ? PATCHED : 0) | (chosenZigzag ? ZIGZAG : 0))
  if (!chosenZigzag) out.signed(chosenBase)
  pack(bits, 0, n, width, out)
  if (patches === 0) return
  out.varint(patches)
  for (let i = 0; i < n; i++) {
    const value = values[from + i]!
    const rest = chosenZigzag ? zigzag(value) : value - chosenBase
    if (rest < limit) continue
    out.u8(i)
    out.varint(Math.floor(rest / limit))
  }
}

/** Appends values[from, from + n). */
export function encodePacked(values: Float64Array, from: number, n: number, out: ByteWriter): void {
  for (let at = 0; at < n; at += BLOCK) encodeBlock(values, from + at, Math.min(BLOCK, n - at), out)
}

/** Adds high parts to the residuals of a block: block[0, n). */
function patch(from: ByteReader, n: number, width: number, zig: boolean): void {
  const bytes = from.bytes
  const unit = POWERS_OF_2[width]!
  const highMax = POWERS_OF_2[53 - width]!
  for (let left = from.varint(); left > 0; left--) {
    const position = from.u8()
    // Nearly all high parts are one byte.
    const short = from.left > 0 && bytes[from.at]! < 0x80
    const high = short ? bytes[from.at++]! : from.varint()
    if (position >= n || high > highMax) {
      throw new VarveError('VARVE_CHUNK', `Cannot unpack residuals before ${from.at}: patch out of range`)
    }
    if (zig) {
      const value = bits[position]! + high * unit
      block[position] = value % 2 === 0 ? value / 2 : -(value + 1) / 2
    } else {
      block[position] = block[position]! + high * unit
    }
  }
}

const signed = new Int32Array(bits.buffer)
/** Residuals of a block that has patches, or 32 bits each. */
const block = new Float64Array(BLOCK)

/**
 * Reads n residuals and adds them up into into[to, to + n).
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodePacked() did not write
 */
export function decodePacked(
  from: ByteReader,
  sum: RunningSum,
  into: Float64Array,
  to: number,
  n: number
): void {
  for (let at = 0; at < n; at += BLOCK) {
    const size = Math.min(BLOCK, n - at)
    const head = from.u8()
    const width = head & 0x3f
    if (width > WIDTH_MAX) {
      throw new VarveError('VARVE_CHUNK', `Cannot unpack residuals before ${from.at}: width ${width}`)
    }
    const zig = (head & ZIGZAG) !== 0
    const base = zig ? 0 : from.signed()
    unpack(from, size, width, bits)
    if ((head & PATCHED) === 0 && width < WIDTH_MAX) {
      if (zig) for (let i = 0; i < size; i++) signed[i] = (bits[i]! >>> 1) ^ -(bits[i]! & 1)
      sum.integers(signed, base, into, to + at, size)
      continue
    }
    if (zig) for (let i = 0; i < size; i++) block[i] = (bits[i]! >>> 1) ^ -(bits[i]! & 1)
    else for (let i = 0; i < size; i++) block[i] = base + bits[i]!
    if ((head & PATCHED) !== 0) patch(from, size, width, zig)
    sum.doubles(block, 0, into, to + at, size)
  }
}

// Numbers that say nothing about themselves in a column's head: decimals with exceptions, and true doubles.
// Candidates are encoded by the rule below and the smallest is kept.
//
//   bare := 00 | scale u8 | integers (codec-integers.ts) | varint exceptions | (varint gap, f64)*
//         | 01 raw | 02 squeezed | 03 planes | 04 xor                        codec-double.ts
//         | 05 near decimals                                         codec-near.ts
//     scale: bits 0-4 decimal places, bit 5 through float32
//     gap: indexes between this exception and the one before it; an exception's integer counts for nothing
// Example: 0.5 0.25 0.75 = 00 02 38 64 19 01 06 00
//
// The rule: zstd is for `cold` only; decimals, then near decimals, at 16 bits a value or less are taken without
// trying doubles.
//
// Invariants: bits pass unchanged.
// Not here: the dictionary (codec-dictionary.ts), decimals without exceptions (codec-column.ts).
import { type ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import {
  EXPONENT_MAX,
  type Exceptions,
  guessScale,
  POWERS_OF_10,
  type Scale,
  scaleAll
} from './codec-decimal.ts'
import {
  decodePlanes,
  decodeRaw,
  decodeXor,
  decodeZstd,
  encodePlanes,
  encodeRaw,
  encodeXor,
  encodeZstd
} from './codec-double.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX, spanFits } from './codec-integers.ts'
import { decodeNear, encodeNear } from './codec-near.ts'

const FORM = { decimal: 0, raw: 1, squeezed: 2, planes: 3, xor: 4, near: 5 } as const
const SINGLE = 0x20
/** Decimals this small are not worth a trial of doubles, in bits a value. */
const DECIMAL_BITS_GOOD = 16
/** zstd does not repay its call below this. */
const SQUEEZE_VALUES_MIN = 8

const integers = new Float64Array(INTEGERS_MAX)
const exceptions: Exceptions = { at: new Uint16Array(INTEGERS_MAX), count: 0 }
const trial = new ByteWriter(8192)

/** Appends decimals with exceptions; false, with nothing written, when the values are no decimals. */
function encodeDecimals(values: Float64Array, n: number, out: ByteWriter, cold: boolean): boolean {
  const scale = guessScale(values, n)
  if (scale === null || !scaleAll(values, n, scale, integers, exceptions)) return false
  if (!spanFits(integers, n)) return false
  out.u8(FORM.decimal)
  out.u8(scaleByte(scale))
  encodeIntegers(integers, n, out, cold)
  out.varint(exceptions.count)
  const words = new Uint32Array(values.buffer, values.byteOffset, n * 2)
  let before = 0
  for (let i = 0; i < exceptions.count; i++) {
    const at = exceptions.at[i]!
    out.varint(at - before)
    before = at
    out.u32(words[2 * at]!)
    out.u32(words[2 * at + 1]!)
  }
  return true
}

/** Appends values[0, n), 1 <= n <= 4096, in the smallest form. */
export function encodeBare(values: Float64Array, n: number, out: ByteWriter, cold: boolean): void {
  const start = out.length
  const decimal = encodeDecimals(values, n, out, cold)
  if (decimal && (out.length - start) * 8 <= DECIMAL_BITS_GOOD * n) return
  if (!decimal) {
    out.u8(FORM.raw)
    encodeRaw(values, n, out)
  }
  trial.reset()
  trial.u8(FORM.near)
  if (encodeNear(values, n, trial, cold)) keepTrial(out, start)
  if ((out.length - start) * 8 <= DECIMAL_BITS_GOOD * n) return
  keepSmaller(out, start, FORM.xor, encodeXor, values, n)
  if (cold && n >= SQUEEZE_VALUES_MIN) {
    keepSmaller(out, start, FORM.squeezed, encodeZstd, values, n)
    keepSmaller(out, start, FORM.planes, encodePlanes, values, n)
  }
}

type Encoder = (values: Float64Array, n: number, out: ByteWriter) => void

function keepSmaller(
  out: ByteWriter,
  start: number,
  form: number,
  encode: Encoder,
  values: Float64Array,
  n: number
) {
  trial.reset()
  trial.u8(form)
  encode(values, n, trial)
  keepTrial(out, start)
}

/** Puts the trial in the place of what was written since `start`, if it is shorter. */
function keepTrial(out: ByteWriter, start: number): void {
  if (trial.length >= out.length - start) return
  out.length = start
  out.raw(trial.written())
}

/** Checks a scale byte's places and float32 bit. @throws {VarveError} VARVE_CHUNK */
export function readScale(byte: number): Scale {
  const exponent = byte & 0x1f
  if (exponent > EXPONENT_MAX || byte > 0x3f) {
    throw new VarveError('VARVE_CHUNK', `Cannot read decimals: scale ${byte} is unknown`)
  }
  return { exponent, single: (byte & SINGLE) !== 0 }
}

/** The byte of a scale. */
export const scaleByte = (scale: Scale) => scale.exponent | (scale.single ? SINGLE : 0)

/** Reads n scaled integers as values; `add` is added to each integer. */
export function decodeScaled(
  from: ByteReader,
  n: number,
  scale: Scale,
  add: number,
  into: Float64Array
): void {
  decodeIntegers(from, n, into, add, POWERS_OF_10[scale.exponent]!)
  if (scale.single) for (let i = 0; i < n; i++) into[i] = Math.fround(into[i]!)
}

function decodeDecimals(from: ByteReader, n: number, into: Float64Array): void {
  decodeScaled(from, n, readScale(from.u8()), 0, into)
  const words = new Uint32Array(into.buffer, into.byteOffset, n * 2)
  let at = 0
  for (let left = from.varint(); left > 0; left--) {
    at += from.varint()
    if (at >= n)
      throw new VarveError('VARVE_CHUNK', `Cannot read decimals before ${from.at}: exception ${at}`)
    words[2 * at] = from.u32()
    words[2 * at + 1] = from.u32()
  }
}

/**
 * Reads n values into into[0, n).
 * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
 */
export function decodeBare(from: ByteReader, n: number, into: Float64Array): void {
  const form = from.u8()
  if (form === FORM.decimal) decodeDecimals(from, n, into)
  else if (form === FORM.raw) decodeRaw(from, n, into)
  else if (form === FORM.squeezed) decodeZstd(from, n, into)
  else if (form === FORM.planes) decodePlanes(from, n, into)
  else if (form === FORM.xor) decodeXor(from, n, into)
  else if (form === FORM.near) decodeNear(from, n, into)
  else {
    throw new VarveError(
      'VARVE_FORMAT_CHUNK',
      `Cannot read numbers before ${from.at}: form ${form} is unknown`
    )
  }
}

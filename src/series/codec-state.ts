// Bits: boolean columns and presence. States change seldom, so run lengths are tried against a plain bitmap.
//
//   bits := 00 | bitmap, value i in bit i mod 8 of byte i / 8, zero-padded
//         | 01 | first u8 | varint runs | integers (codec-integers.ts) of run lengths - 1
//         | 02 | value u8                                      all the same
// Example: 1 1 1 0 0 1 = 00 27
//
// Invariants: values are 0 or 1; run lengths add up to exactly n.
import { type ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX } from './codec-integers.ts'

const FORM = { bitmap: 0, runs: 1, same: 2 } as const

const lengths = new Float64Array(INTEGERS_MAX)
const trial = new ByteWriter(1024)

/** Appends n values that are 0 or 1; 1 <= n <= 4096. */
export function encodeBits(values: ArrayLike<number>, n: number, out: ByteWriter, cold: boolean): void {
  let runs = 0
  let start = 0
  for (let i = 1; i <= n; i++) {
    if (i < n && values[i] === values[start]) continue
    lengths[runs++] = i - start - 1
    start = i
  }
  if (runs === 1) {
    out.u8(FORM.same)
    out.u8(values[0]!)
    return
  }
  const bitmapBytes = 1 + ((n + 7) >>> 3)
  trial.reset()
  trial.u8(FORM.runs)
  trial.u8(values[0]!)
  trial.varint(runs)
  encodeIntegers(lengths, runs, trial, cold)
  if (trial.length < bitmapBytes) {
    out.raw(trial.written())
    return
  }
  out.u8(FORM.bitmap)
  const at = out.length
  out.zeros(bitmapBytes - 1)
  for (let i = 0; i < n; i++) {
    if (values[i] === 1) out.bytes[at + (i >>> 3)] = out.bytes[at + (i >>> 3)]! | (1 << (i & 7))
  }
}

function damaged(from: ByteReader, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read bits before ${from.at}: ${what}`)
}

function bit(from: ByteReader): number {
  const value = from.u8()
  if (value > 1) damaged(from, `value ${value}`)
  return value
}

/**
 * Reads n values into into[0, n).
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodeBits() did not write
 */
export function decodeBits(from: ByteReader, n: number, into: Uint8Array | Float64Array): void {
  const form = from.u8()
  if (form === FORM.same) {
    into.fill(bit(from), 0, n)
  } else if (form === FORM.bitmap) {
    const map = from.raw((n + 7) >>> 3)
    for (let i = 0; i < n; i++) into[i] = (map[i >>> 3]! >>> (i & 7)) & 1
  } else if (form === FORM.runs) {
    let value = bit(from)
    const runs = from.varint()
    if (runs < 1 || runs > n) damaged(from, `${runs} runs of ${n} values`)
    decodeIntegers(from, runs, lengths)
    let at = 0
    for (let run = 0; run < runs; run++) {
      const length = lengths[run]! + 1
      if (!(length >= 1 && at + length <= n)) damaged(from, `run of ${length} at ${at} of ${n}`)
      into.fill(value, at, at + length)
      at += length
      value = 1 - value
    }
    if (at !== n) damaged(from, `runs of ${at} values, ${n} belong here`)
  } else {
    damaged(from, `form ${form} is unknown`)
  }
}

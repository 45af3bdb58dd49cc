// What a chunk's head says of a number column, so that queries answer or skip without decoding. Decimals
// keep their statistics as scaled integers: a few bytes, and a sum that is exact.
//
//   stats := scale u8 | first signed | last - first signed | first - min varint | max - first varint | sum
//          | 1f | nans varint | first f64 | last f64 | min f64 | max f64 | sum f64
//     scale: bits 0-4 decimal places, bit 5 through float32, bit 6 sum is f64
//     sum: signed (sum - count * first), or f64
// Example: 21.4 21.5 21.3 = 01 ac 03 01 01 01 00
//
// Semantics, also for the double form:
//  - count counts all values, NaN included; nans counts the NaN (each bit pattern is kept in the values);
//  - first and last are the values of the first and last row that has one, NaN or not;
//  - min, max and sum are of the values that are not NaN: NaN, NaN and 0 when there are none. Of 0 and -0,
//    which compare equal, the first in row order is given;
//  - sum of decimals is the exact sum of integers, divided once; else it is compensated (Neumaier).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { POWERS_OF_10, type Scale } from './codec-decimal.ts'
import { readScale, scaleByte } from './codec-number.ts'

/** Statistics of the values of one column of one chunk; the semantics are above. */
export interface NumberStats {
  nans: number
  first: number
  last: number
  min: number
  max: number
  sum: number
  /** The column's decimal scale; null when its values are no decimals or have exceptions. */
  scale: Scale | null
  /** first * 10^exponent, exact, when there is a scale. */
  firstUnits: number
  /** sum * 10^exponent, an exact integer, or null when it is not known: add these to sum over chunks exactly. */
  sumUnits: number | null
}

const DOUBLES = 0x1f
const SUM_DOUBLE = 0x40
const SUM_UNITS_MAX = 2 ** 52 - 1

/** The Neumaier sum of the values that are not NaN. */
function compensatedSum(values: Float64Array, n: number): number {
  let sum = 0
  let lost = 0
  let plain = 0
  for (let i = 0; i < n; i++) {
    const value = values[i]!
    if (Number.isNaN(value)) continue
    plain += value
    const next = sum + value
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    sum = next
  }
  const total = sum + lost
  return Number.isFinite(total) ? total : plain
}

/** The statistics of values[0, n), n >= 1, that are no decimals. */
export function statsOfDoubles(values: Float64Array, n: number): NumberStats {
  let nans = 0
  let min = Number.NaN
  let max = Number.NaN
  for (let i = 0; i < n; i++) {
    const value = values[i]!
    if (Number.isNaN(value)) nans++
    if (!(value >= min)) min = Number.isNaN(value) ? min : value
    if (!(value <= max)) max = Number.isNaN(value) ? max : value
  }
  return {
    nans,
    first: values[0]!,
    last: values[n - 1]!,
    min,
    max,
    sum: compensatedSum(values, n),
    scale: null,
    firstUnits: 0,
    sumUnits: null
  }
}

/** The statistics of the decimals integers[0, n), whose values are values[0, n). */
export function statsOfDecimals(
  values: Float64Array,
  integers: Float64Array,
  n: number,
  scale: Scale
): NumberStats & { minUnits: number; maxUnits: number } {
  let min = integers[0]!
  let max = min
  let sum = 0
  let minAt = 0
  let maxAt = 0
  for (let i = 0; i < n; i++) {
    const integer = integers[i]!
    sum += integer
    if (integer < min) {
      min = integer
      minAt = i
    }
    if (integer > max) {
      max = integer
      maxAt = i
    }
  }
  const exact = !scale.single && Math.max(Math.abs(min), Math.abs(max)) * n <= SUM_UNITS_MAX
  return {
    nans: 0,
    first: values[0]!,
    last: values[n - 1]!,
    min: values[minAt]!,
    max: values[maxAt]!,
    sum: exact ? sum / POWERS_OF_10[scale.exponent]! : compensatedSum(values, n),
    scale,
    firstUnits: integers[0]!,
    sumUnits: exact ? sum : null,
    minUnits: min,
    maxUnits: max
  }
}

/** Appends the statistics of n decimals. `lastUnits` is the last integer. */
export function writeDecimalStats(
  stats: ReturnType<typeof statsOfDecimals>,
  lastUnits: number,
  n: number,
  out: ByteWriter
): void {
  out.u8(scaleByte(stats.scale!) | (stats.sumUnits === null ? SUM_DOUBLE : 0))
  out.signed(stats.firstUnits)
  out.signed(lastUnits - stats.firstUnits)
  out.varint(stats.firstUnits - stats.minUnits)
  out.varint(stats.maxUnits - stats.firstUnits)
  if (stats.sumUnits === null) out.f64(stats.sum)
  else out.signed(stats.sumUnits - n * stats.firstUnits)
}

/** Appends the statistics of doubles. */
export function writeDoubleStats(stats: NumberStats, values: Float64Array, n: number, out: ByteWriter): void {
  out.u8(DOUBLES)
  out.varint(stats.nans)
  const words = new Uint32Array(values.buffer, values.byteOffset, n * 2)
  // first and last are moved as integers: a NaN's payload must survive.
  out.u32(words[0]!)
  out.u32(words[1]!)
  out.u32(words[2 * n - 2]!)
  out.u32(words[2 * n - 1]!)
  out.f64(stats.min)
  out.f64(stats.max)
  out.f64(stats.sum)
}

/** Passes over statistics. @throws {VarveError} VARVE_TRUNCATED */
export function skipStats(from: ByteReader): void {
  const head = from.u8()
  from.skipVarint()
  if (head === DOUBLES) {
    from.skip(5 * 8)
    return
  }
  for (let i = 0; i < 3; i++) from.skipVarint()
  if ((head & SUM_DOUBLE) === 0) from.skipVarint()
  else from.skip(8)
}

/** Reads the statistics of n values. @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function readStats(from: ByteReader, n: number): NumberStats {
  const head = from.u8()
  if (head === DOUBLES) {
    const nans = from.varint()
    const first = from.f64()
    const last = from.f64()
    const min = from.f64()
    const max = from.f64()
    return { nans, first, last, min, max, sum: from.f64(), scale: null, firstUnits: 0, sumUnits: null }
  }
  const scale = readScale(head & ~SUM_DOUBLE)
  const power = POWERS_OF_10[scale.exponent]!
  const value = (units: number) => (scale.single ? Math.fround(units / power) : units / power)
  const firstUnits = from.signed()
  const last = value(firstUnits + from.signed())
  const min = value(firstUnits - from.varint())
  const max = value(firstUnits + from.varint())
  const sumUnits = (head & SUM_DOUBLE) === 0 ? from.signed() + n * firstUnits : null
  const sum = sumUnits === null ? from.f64() : sumUnits / power
  return { nans: 0, first: value(firstUnits), last, min, max, sum, scale, firstUnits, sumUnits }
}

// Columns with few distinct values far apart (a light sensor's steps, a set of averages): the distinct values,
// sorted, and an index for each value. Sorting keeps neighbours near, so that indexes still change little.
//
//   dictionary := varint distinct | bare numbers (codec-number.ts) | integers of indexes (codec-integers.ts)
// Example: 0.1 7.25 0.1 7.25 = 02 00 02 30 14 cb 05 02 00 01 01 00 05
//
// Invariants: values are distinct by their bits, so -0, 0 and every NaN are kept apart.
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX } from './codec-integers.ts'
import { decodeBare, encodeBare } from './codec-number.ts'

const SLOTS = 4 * INTEGERS_MAX
const slots = new Int16Array(SLOTS)
/** Where each distinct value first stands, in order of appearance. */
const firsts = new Uint16Array(INTEGERS_MAX)
const appearance = new Uint16Array(INTEGERS_MAX)
const rank = new Uint16Array(INTEGERS_MAX)
const distinctValues = new Float64Array(INTEGERS_MAX)
const distinctWords = new Uint32Array(distinctValues.buffer)
const indexes = new Float64Array(INTEGERS_MAX)

let words: Uint32Array = new Uint32Array(0)

/** Finds the distinct values of values[0, n); gives up and returns 0 when there are more than distinctMax. */
export function countDistinct(values: Float64Array, n: number, distinctMax: number): number {
  words = new Uint32Array(values.buffer, values.byteOffset, n * 2)
  slots.fill(-1)
  let distinct = 0
  for (let i = 0; i < n; i++) {
    const low = words[2 * i]!
    const high = words[2 * i + 1]!
    const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
    let slot = (mixed ^ (mixed >>> 15)) & (SLOTS - 1)
    let at = slots[slot]!
    while (at >= 0 && (words[2 * firsts[at]!] !== low || words[2 * firsts[at]! + 1] !== high)) {
      slot = (slot + 1) & (SLOTS - 1)
      at = slots[slot]!
    }
    if (at < 0) {
      if (distinct === distinctMax) return 0
      at = distinct
      slots[slot] = at
      firsts[distinct++] = i
    }
    appearance[i] = at
  }
  return distinct
}

/** Ascending by value; NaN last; equal values (0 and -0, NaNs) by their bits. */
function order(values: Float64Array, a: number, b: number): number {
  const x = values[firsts[a]!]!
  const y = values[firsts[b]!]!
  if (x < y) return -1
  if (x > y) return 1
  const nans = Number(Number.isNaN(x)) - Number(Number.isNaN(y))
  if (nans !== 0) return nans
  const high = words[2 * firsts[a]! + 1]! - words[2 * firsts[b]! + 1]!
  return high !== 0 ? high : words[2 * firsts[a]!]! - words[2 * firsts[b]!]!
}

/** Appends values[0, n), in which countDistinct() has just found `distinct` values. */
export function encodeDictionary(
  values: Float64Array,
  n: number,
  distinct: number,
  out: ByteWriter,
  cold: boolean
): void {
  const sorted = Uint16Array.from({ length: distinct }, (_, i) => i).sort((a, b) => order(values, a, b))
  for (let i = 0; i < distinct; i++) {
    const from = firsts[sorted[i]!]!
    rank[sorted[i]!] = i
    distinctWords[2 * i] = words[2 * from]!
    distinctWords[2 * i + 1] = words[2 * from + 1]!
  }
  for (let i = 0; i < n; i++) indexes[i] = rank[appearance[i]!]!
  out.varint(distinct)
  encodeBare(distinctValues, distinct, out, cold)
  encodeIntegers(indexes, n, out, cold)
}

/**
 * Reads n values into into[0, n).
 * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
 */
export function decodeDictionary(from: ByteReader, n: number, into: Float64Array): void {
  const distinct = from.varint()
  if (distinct < 1 || distinct > n) {
    throw new VarveError(
      'VARVE_CHUNK',
      `Cannot read dictionary before ${from.at}: ${distinct} of ${n} values`
    )
  }
  decodeBare(from, distinct, distinctValues)
  decodeIntegers(from, n, indexes)
  let sound = true
  if (Number.isNaN(distinctValues[distinct - 1])) {
    // Only words keep a NaN's payload for certain; NaNs are sorted last.
    const to = new Uint32Array(into.buffer, into.byteOffset, n * 2)
    for (let i = 0; i < n; i++) {
      const index = indexes[i]! | 0
      if (index !== indexes[i] || index < 0 || index >= distinct) sound = false
      to[2 * i] = distinctWords[2 * index]!
      to[2 * i + 1] = distinctWords[2 * index + 1]!
    }
  } else {
    for (let i = 0; i < n; i++) {
      const index = indexes[i]! | 0
      if (index !== indexes[i] || index < 0 || index >= distinct) sound = false
      else into[i] = distinctValues[index]!
    }
  }
  if (!sound) {
    throw new VarveError(
      'VARVE_CHUNK',
      `Cannot read dictionary before ${from.at}: an index that is not below ${distinct}`
    )
  }
}

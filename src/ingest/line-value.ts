// The values of line protocol: `21.4` (a float, also `5.`, `.5`, `1e3`), `21i` and `21u` (integers of 64 bits),
// `t` `T` `true` `True` `TRUE` and the same for false, `"a string"` with `\"` and `\\` escaped and newlines
// as they are. Integers beyond 2^53 are rounded to a double.
//
// Invariants: never throws; no garbage but for a string with escapes and integers of more than 15 digits.
// Not here: what stands around values (line-parse.ts).
import type { ByteWriter } from '../base/bytes.ts'
import { KIND } from '../series/sample.ts'
import type { Draft } from './draft.ts'
import { NOT_A_NUMBER, OUT_OF_RANGE } from './number.ts'
import { isUtf8 } from './utf8.ts'

/** How a value is written; the kind that is stored follows from it. */
export const WIRE = { float: 0, boolean: 1, string: 2, integer: 3, unsigned: 4 } as const

/** What scanString() answers for a string that does not end before `end`. */
export const OPEN_STRING = -3
/** What scanString() answers for a string that is not UTF-8. */
export const BAD_UTF8 = -4

const int64Max = 2n ** 63n - 1n
const uint64Max = 2n ** 64n - 1n

/** Reads digits and the suffix of the wire into out[i]; returns the position after it, or as scanNumber(). */
export function scanInteger(
  bytes: Uint8Array,
  at: number,
  end: number,
  out: Float64Array,
  i: number,
  wire: number
): number {
  let p = at
  let c = p < end ? bytes[p]! : 0
  const negative = c === 45
  if (negative || c === 43) c = ++p < end ? bytes[p]! : 0
  const first = p
  let value = 0
  while (c >= 48 && c <= 57) {
    value = value * 10 + (c - 48)
    c = ++p < end ? bytes[p]! : 0
  }
  if (p === first || c !== (wire === WIRE.integer ? 0x69 : 0x75)) return NOT_A_NUMBER
  if (negative && wire === WIRE.unsigned) return NOT_A_NUMBER
  if (p - first > 15) {
    if (p - first > 40) return OUT_OF_RANGE
    const exact = BigInt(Buffer.from(bytes.buffer, bytes.byteOffset + first, p - first).toString('latin1'))
    if (exact > (wire === WIRE.unsigned ? uint64Max : negative ? int64Max + 1n : int64Max))
      return OUT_OF_RANGE
    value = Number(exact)
  }
  out[i] = negative && value !== 0 ? -value : value
  return p + 1
}

const words: readonly (readonly [Buffer, number])[] = [
  [Buffer.from('true'), 1],
  [Buffer.from('True'), 1],
  [Buffer.from('TRUE'), 1],
  [Buffer.from('false'), 0],
  [Buffer.from('False'), 0],
  [Buffer.from('FALSE'), 0],
  [Buffer.from('t'), 1],
  [Buffer.from('T'), 1],
  [Buffer.from('f'), 0],
  [Buffer.from('F'), 0]
]

/** Reads a boolean, as 0 or 1, into out[i]; returns the position after it or NOT_A_NUMBER. */
export function scanBoolean(
  bytes: Uint8Array,
  at: number,
  end: number,
  out: Float64Array,
  i: number
): number {
  for (let w = 0; w < words.length; w++) {
    const word = words[w]![0]
    if (end - at < word.length) continue
    let n = 0
    while (n < word.length && bytes[at + n] === word[n]) n++
    if (n < word.length) continue
    out[i] = words[w]![1]
    return at + n
  }
  return NOT_A_NUMBER
}

/**
 * Reads the string whose quote is at `at` as field i of the draft; with escapes it goes to `side`.
 * @returns the position after the closing quote, OPEN_STRING, BAD_UTF8, or NOT_A_NUMBER for no quote
 */
export function scanString(
  bytes: Uint8Array,
  at: number,
  end: number,
  draft: Draft,
  i: number,
  side: ByteWriter
): number {
  if (at >= end || bytes[at] !== 0x22) return NOT_A_NUMBER
  const start = at + 1
  let p = start
  let seen = 0
  let escaped = false
  for (; ; p++) {
    if (p >= end) return OPEN_STRING
    const c = bytes[p]!
    if (c === 0x22) break
    if (c === 0x5c && p + 1 < end && (bytes[p + 1] === 0x22 || bytes[p + 1] === 0x5c)) {
      escaped = true
      p++
    }
    seen |= c
  }
  if (seen >= 0x80 && !isUtf8(bytes, start, p)) return BAD_UTF8
  if (!escaped) {
    draft.setText(i, KIND.string, start, p, 0)
    return p + 1
  }
  const from = side.length
  for (let q = start; q < p; q++) {
    if (bytes[q] === 0x5c && (bytes[q + 1] === 0x22 || bytes[q + 1] === 0x5c)) q++
    side.u8(bytes[q]!)
  }
  draft.setText(i, KIND.string, from, side.length, 1)
  return p + 1
}

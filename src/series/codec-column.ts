// A number column of a chunk: its head (codec and statistics) and its body, in the form that a trial finds
// smallest.
//
//   head := 00 | value f64                      constant: all values have the same bits; no body
//         | 01 | stats (column-stats.ts)        decimals: the scale and the first integer are in stats
//         | 02 | stats                          bare numbers
//         | 03 | stats                          dictionary
//         | 04 | stats | terms                  decimals that follow from siblings (codec-sibling.ts)
//   body := 01: integers (codec-integers.ts) of integer - first | 02: codec-number.ts | 03: codec-dictionary.ts
//         | 04: codec-sibling.ts
// Example: 21.4 21.5 21.3, head and body = 01 01 ac 03 01 01 01 00 08 02 05
//
// The rule: decimals without exceptions are always encoded; a dictionary is tried when it has at most a
// quarter of the values (of doubles: half); bare doubles are tried when nothing else is below 16 bits a value.
// Following siblings, which makes reading dearer, must save an eighth of that.
//
// Invariants: at most 4096 values; bits pass unchanged.
// Not here: presence, and columns of other kinds (chunk.ts).
import { type ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { type Exceptions, guessScale, POWERS_OF_10, scaleAll } from './codec-decimal.ts'
import { countDistinct, decodeDictionary, encodeDictionary } from './codec-dictionary.ts'
import { encodeIntegers, INTEGERS_MAX, spanFits } from './codec-integers.ts'
import { decodeBare, decodeScaled, encodeBare } from './codec-number.ts'
import {
  decodeSibling,
  encodeSibling,
  readTerms,
  type Siblings,
  type UnitsOf,
  writeTerms
} from './codec-sibling.ts'
import {
  type NumberStats,
  readStats,
  skipStats,
  statsOfDecimals,
  statsOfDoubles,
  writeDecimalStats,
  writeDoubleStats
} from './column-stats.ts'
import type { Term } from './sibling-plan.ts'

export const NUMBER_CODEC = { constant: 0, decimal: 1, bare: 2, dictionary: 3, sibling: 4 } as const

const BITS_GOOD = 16
/** Columns below so many bytes are not worth a sibling. */
const SIBLING_BYTES_MIN = 24

const values = new Float64Array(INTEGERS_MAX)
const integers = new Float64Array(INTEGERS_MAX)
const exceptions: Exceptions = { at: new Uint16Array(INTEGERS_MAX), count: 0 }
/** The integers of a column of decimals, before `first` is taken out. */
const units = new Float64Array(INTEGERS_MAX)
const smallest = new ByteWriter(8192)
const trial = new ByteWriter(8192)

function allSame(n: number): boolean {
  const words = new Uint32Array(values.buffer, 0, n * 2)
  const low = words[0]!
  const high = words[1]!
  for (let i = 2; i < 2 * n; i += 2) if (words[i] !== low || words[i + 1] !== high) return false
  return true
}

/** Encodes the decimals of values[0, n) to `smallest` and their head; false when they are not all decimals. */
function encodeDecimals(n: number, head: ByteWriter, cold: boolean): boolean {
  const scale = guessScale(values, n)
  if (scale === null || !scaleAll(values, n, scale, integers, exceptions)) return false
  if (exceptions.count > 0 || !spanFits(integers, n)) return false
  head.u8(NUMBER_CODEC.decimal)
  const stats = statsOfDecimals(values, integers, n, scale)
  writeDecimalStats(stats, integers[n - 1]!, n, head)
  for (let i = 0; i < n; i++) {
    units[i] = integers[i]!
    integers[i] = units[i]! - stats.firstUnits
  }
  encodeIntegers(integers, n, smallest, cold)
  return true
}

/**
 * Appends the head of source[0, n), 1 <= n <= 4096, to `head` and its body to `body`.
 * @param cold      admits the entropy coder and zstd
 * @param siblings  earlier columns with the same rows, which this one may follow and is added to; null: none
 */
export function encodeNumbers(
  source: Float64Array,
  n: number,
  head: ByteWriter,
  body: ByteWriter,
  cold: boolean,
  siblings: Siblings | null = null
): void {
  values.set(source.subarray(0, n))
  if (allSame(n)) {
    head.u8(NUMBER_CODEC.constant)
    head.raw(new Uint8Array(values.buffer, 0, 8))
    return
  }
  const start = head.length
  smallest.reset()
  const decimal = encodeDecimals(n, head, cold)
  if (!decimal) {
    head.u8(NUMBER_CODEC.bare)
    writeDoubleStats(statsOfDoubles(values, n), values, n, head)
  }
  const keep = (codec: number): void => {
    if (smallest.length > 0 && trial.length >= smallest.length) return
    smallest.reset()
    smallest.raw(trial.written())
    head.bytes[start] = codec
  }
  const distinct = countDistinct(values, n, decimal ? n >> 2 : n >> 1)
  if (distinct > 0 && (smallest.length === 0 || smallest.length > distinct)) {
    trial.reset()
    encodeDictionary(values, n, distinct, trial, cold)
    keep(NUMBER_CODEC.dictionary)
  }
  if (smallest.length === 0 || smallest.length * 8 > BITS_GOOD * n) {
    trial.reset()
    encodeBare(values, n, trial, cold)
    keep(NUMBER_CODEC.bare)
  }
  if (decimal && siblings !== null) followSiblings(n, head, start, siblings)
  body.raw(smallest.written())
}

/** Replaces `smallest` and the codec at head.bytes[start] when following siblings saves enough. */
function followSiblings(n: number, head: ByteWriter, start: number, siblings: Siblings): void {
  let depth = 0
  if (smallest.length >= SIBLING_BYTES_MIN) {
    trial.reset()
    const following = encodeSibling(units, n, siblings, trial)
    if (following !== null && (trial.length + 6 * following.terms.length) * 8 < smallest.length * 7) {
      smallest.reset()
      smallest.raw(trial.written())
      head.bytes[start] = NUMBER_CODEC.sibling
      writeTerms(following.terms, head)
      depth = following.depth
    }
  }
  siblings.add(units, n, depth)
}

/** What a head says: the codec, and the statistics of n values. */
export interface NumberHead {
  codec: number
  stats: NumberStats
  /** What the column follows from; nothing for most. */
  terms: readonly Term[]
}

/** Passes over the head of some values. @throws {VarveError} VARVE_FORMAT_CHUNK or VARVE_TRUNCATED */
export function skipNumberHead(from: ByteReader): void {
  const codec = readCodec(from)
  if (codec === NUMBER_CODEC.constant) from.skip(8)
  else skipStats(from)
  if (codec === NUMBER_CODEC.sibling) readTerms(from)
}

function readCodec(from: ByteReader): number {
  const codec = from.u8()
  if (codec <= NUMBER_CODEC.sibling) return codec
  throw new VarveError(
    'VARVE_FORMAT_CHUNK',
    `Cannot read number column before ${from.at}: codec ${codec} is unknown`
  )
}

/** Reads the head of n values. @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED */
export function readNumberHead(from: ByteReader, n: number): NumberHead {
  const codec = readCodec(from)
  if (codec !== NUMBER_CODEC.constant) {
    const stats = readStats(from, n)
    const decimal = codec === NUMBER_CODEC.decimal || codec === NUMBER_CODEC.sibling
    if (decimal && stats.scale === null) {
      throw new VarveError(
        'VARVE_CHUNK',
        `Cannot read number column before ${from.at}: decimals without scale`
      )
    }
    return { codec, stats, terms: codec === NUMBER_CODEC.sibling ? readTerms(from) : [] }
  }
  const value = from.f64()
  const nan = Number.isNaN(value)
  const sum = nan ? 0 : value * n
  const stats = { first: value, last: value, min: value, max: value, sum, firstUnits: 0, sumUnits: null }
  return { codec, stats: { ...stats, nans: nan ? n : 0, scale: null }, terms: [] }
}

/**
 * Reads n values into into[0, n).
 * @param constant  where the 8 bytes of a constant stand in from.bytes
 * @param unitsOf   gives the columns that this one follows from
 * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
 */
export function decodeNumbers(
  from: ByteReader,
  n: number,
  head: NumberHead,
  constant: number,
  into: Float64Array,
  unitsOf: UnitsOf
): void {
  const { codec, stats } = head
  if (codec === NUMBER_CODEC.decimal) {
    decodeScaled(from, n, stats.scale!, stats.firstUnits, into)
  } else if (codec === NUMBER_CODEC.bare) {
    decodeBare(from, n, into)
  } else if (codec === NUMBER_CODEC.dictionary) {
    decodeDictionary(from, n, into)
  } else if (codec === NUMBER_CODEC.sibling) {
    const { exponent, single } = stats.scale!
    decodeSibling(from, n, head.terms, stats.firstUnits, POWERS_OF_10[exponent]!, unitsOf, into)
    if (single) for (let i = 0; i < n; i++) into[i] = Math.fround(into[i]!)
  } else {
    const words = new Uint32Array(into.buffer, into.byteOffset, n * 2)
    const low = from.view.getUint32(constant, true)
    const high = from.view.getUint32(constant + 4, true)
    for (let i = 0; i < n; i++) {
      words[2 * i] = low
      words[2 * i + 1] = high
    }
  }
}

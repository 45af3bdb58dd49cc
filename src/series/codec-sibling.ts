// A column of decimals that follows from its siblings (sibling-plan.ts): the terms of its prediction, and what
// the prediction misses. Reading it costs reading its siblings too, so it must save an eighth.
//
//   terms := count u8 (1 to 3) | (varint column * 4 + feature, slope f32)*        in the column's head
//     column: an earlier column of the chunk, of decimals, with a value in each row
//     feature: 0 level, 1 sum, 2 square
//   body := integers (codec-integers.ts) of unit[i] - first - floor(1/2 + the sum of slope * feature)
// The sum is in doubles, in the order of the terms.
// Example: terms of one level of column 0 with slope 2 = 01 00 00 00 00 40
//
// Invariants: a column that follows from siblings is at most DEPTH_MAX columns away from plain ones, so what
// one column costs to read is bounded; bits pass unchanged.
// Not here: the heads around it (codec-column.ts), the siblings' values while reading (sibling-cache.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX, spanFits } from './codec-integers.ts'
import { addTerm, type Basis, FEATURES, featuresOf, planTerms, TERMS_MAX, type Term } from './sibling-plan.ts'

/** Plain columns have depth 0, their followers 1, and so on. */
export const DEPTH_MAX = 2
/** Rows below which nothing is looked for. */
const ROWS_MIN = 32
/** Columns that others may follow, at most: they are held while a chunk is encoded. */
const BASES_MAX = 24
/** Predictions may not leave what integers hold. */
const PREDICTION_MAX = 2 ** 49

interface HeldBasis extends Basis {
  column: number
  depth: number
  features: readonly boolean[]
  readonly units: Float64Array
}

/** The columns of the chunk under way that later ones may follow. */
export class Siblings {
  private readonly held: HeldBasis[] = []
  private count = 0
  /** The column under way. */
  column = 0

  /** Starts a chunk. */
  reset(): void {
    this.count = 0
  }

  /** Lets later columns follow the one under way. @param depth  its own */
  add(units: Float64Array, n: number, depth: number): void {
    if (depth >= DEPTH_MAX || this.count === BASES_MAX || n < ROWS_MIN) return
    const free = this.held[this.count]
    const basis = free ?? { column: 0, depth: 0, features: [], units: new Float64Array(INTEGERS_MAX) }
    if (free === undefined) this.held.push(basis)
    this.count++
    basis.column = this.column
    basis.depth = depth
    basis.units.set(units.subarray(0, n))
    basis.features = featuresOf(units, n)
  }

  bases(): readonly HeldBasis[] {
    return this.held.slice(0, this.count)
  }
}

const predicted = new Float64Array(INTEGERS_MAX)
const missed = new Float64Array(INTEGERS_MAX)
const slopeOf = new Float32Array(1)
const slopeBits = new Uint32Array(slopeOf.buffer)

/** How a column was coded by encodeSibling(). */
export interface Following {
  readonly terms: readonly Term[]
  readonly depth: number
}

/**
 * Appends the body of units[0, n), the first of which is taken out.
 * @returns null, with nothing written, when they do not follow from siblings
 */
export function encodeSibling(
  units: Float64Array,
  n: number,
  siblings: Siblings,
  out: ByteWriter
): Following | null {
  if (n < ROWS_MIN) return null
  const bases = siblings.bases()
  if (bases.length === 0) return null
  const terms = planTerms(units, n, bases)
  if (terms.length === 0) return null
  predicted.fill(0, 0, n)
  let depth = 0
  for (const term of terms) {
    const basis = bases.find(({ column }) => column === term.column)!
    depth = Math.max(depth, basis.depth + 1)
    addTerm(predicted, basis.units, n, term)
  }
  const first = units[0]!
  for (let i = 0; i < n; i++) {
    const prediction = Math.floor(predicted[i]! + 0.5)
    if (!(Math.abs(prediction) < PREDICTION_MAX)) return null
    missed[i] = units[i]! - first - prediction
  }
  if (!(Math.abs(missed[0]!) < PREDICTION_MAX) || !spanFits(missed, n)) return null
  encodeIntegers(missed, n, out, true)
  return { terms, depth }
}

export function writeTerms(terms: readonly Term[], out: ByteWriter): void {
  out.u8(terms.length)
  for (const { column, feature, slope } of terms) {
    out.varint(column * 4 + feature)
    slopeOf[0] = slope
    out.u32(slopeBits[0]!)
  }
}

/** @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function readTerms(from: ByteReader): Term[] {
  const count = from.u8()
  if (count < 1 || count > TERMS_MAX) damaged(from, `${count} terms`)
  const terms: Term[] = []
  for (let i = 0; i < count; i++) {
    const tag = from.varint()
    const feature = tag % 4
    if (feature >= FEATURES) damaged(from, `feature ${feature} is unknown`)
    slopeBits[0] = from.u32()
    terms.push({ column: Math.floor(tag / 4), feature, slope: slopeOf[0]! })
  }
  return terms
}

function damaged(from: ByteReader, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read a column that follows others before ${from.at}: ${what}`)
}

/** The integers of another column of the chunk; they stay as they are until the next call. */
export type UnitsOf = (column: number) => Float64Array

/** Sums under way: a sibling may follow siblings itself. */
const sums = Array.from({ length: DEPTH_MAX + 1 }, () => new Float64Array(INTEGERS_MAX))
let level = 0

/**
 * Reads n values into into[0, n), as (first + integer) / scale.
 * @throws {VarveError} as `unitsOf` and decodeIntegers()
 */
export function decodeSibling(
  from: ByteReader,
  n: number,
  terms: readonly Term[],
  first: number,
  scale: number,
  unitsOf: UnitsOf,
  into: Float64Array
): void {
  assert(level <= DEPTH_MAX, 'chunk-view.ts has bounded how columns follow each other')
  const sum = sums[level++]!
  try {
    sum.fill(0, 0, n)
    for (const term of terms) addTerm(sum, unitsOf(term.column), n, term)
  } finally {
    level--
  }
  decodeIntegers(from, n, into)
  for (let i = 0; i < n; i++) into[i] = (first + into[i]! + Math.floor(sum[i]! + 0.5)) / scale
}

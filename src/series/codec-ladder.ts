// Integers that stand on a ladder: an instrument counts in steps of its own and prints them rounded, so that a
// light sensor says 194.29 195.71 197.14 (steps of 10/7) and a hygrometer 44.843 44.883 44.924. Their greatest
// common divisor is 1, yet each is a rung: a small whole number.
//
//   ladder := shift u8 | step varint | offset varint
//   value(rung) = floor((rung * step + offset) / 2^shift)
// The rung of the first value, which is 0, is 0.
// Example: rungs 0 1 2 3 4 5 are the values 0 3 7 10 14 17 of = 01 07 00
//
// Invariants: a ladder that findLadder() found gives every integer back exactly; |rung * step| < 2^52.
// Not here: coding rungs (codec-integers.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { POWERS_OF_2 } from './bit-pack.ts'

/** Steps below this are lost in rounding. */
const STEP_MIN = 3
/** More distinct values than this are not looked at. */
const DISTINCT_MAX = 1024
const SHIFT_STEP = 2
const SHIFT_MAX = 30
const PRODUCT_MAX = 2 ** 52
/** Halvings of the interval in which the step lies. */
const HALVINGS = 40

/** Where the rungs are. Made by findLadder() and readLadder(). */
export interface Ladder {
  shift: number
  step: number
  offset: number
}

const sorted = new Float64Array(4096)
const rungs = new Float64Array(DISTINCT_MAX)

/** Changes of one step are at most this much longer than the smallest. */
const ONE_STEP = 1.4
/** Changes of more steps say little before the step is known well. */
const STEPS_SURE = 4
/** Two roundings, and what a step known from single ones may be off after four. */
const AWAY_MAX = 1.6

/** The smallest change from one value to the next; 0 when the changes cannot be those of a ladder. */
function smallestChange(values: Float64Array, n: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 1; i < n; i++) {
    const change = Math.abs(values[i]! - values[i - 1]!)
    if (change < least && change > 0) {
      if (change < STEP_MIN) return 0
      least = change
    }
  }
  if (!Number.isFinite(least)) return 0
  let length = 0
  let count = 0
  for (let i = 1; i < n; i++) {
    const change = Math.abs(values[i]! - values[i - 1]!)
    if (change === 0 || change > ONE_STEP * least + 1) continue
    length += change
    count++
  }
  const step = length / count
  for (let i = 1; i < n; i++) {
    const change = Math.abs(values[i]! - values[i - 1]!)
    const steps = Math.round(change / step)
    if (steps <= STEPS_SURE && Math.abs(change - steps * step) > AWAY_MAX) return 0
  }
  return least
}

const MARKS = 8192
/** One bit for what values hash to. */
const marks = new Uint32Array(MARKS / 32)

/** Whether values[0, n) are likely to have more distinct values than this. */
function isVaried(values: Float64Array, n: number, distinctMax: number): boolean {
  marks.fill(0)
  let left = distinctMax
  for (let i = 0; i < n; i++) {
    const hash = Math.imul(values[i]! | 0, 0x9e3779b1) >>> 19
    const bit = 1 << (hash & 31)
    if ((marks[hash >>> 5]! & bit) !== 0) continue
    marks[hash >>> 5] = marks[hash >>> 5]! | bit
    if (--left < 0) return true
  }
  return false
}

/** Steps below this leave much to chance: sorting is then for columns with few distinct values. */
const STEP_SURE = 6

/** Fills sorted[] with the distinct values of values[0, n); their number, or 0 when there are too many. */
function sortDistinct(values: Float64Array, n: number, least: number): number {
  let ascends = 1
  while (ascends < n && values[ascends]! > values[ascends - 1]!) ascends++
  const most = least >= STEP_SURE ? DISTINCT_MAX : Math.min(DISTINCT_MAX, Math.floor(n / 3))
  if (ascends === n ? n > DISTINCT_MAX : isVaried(values, n, most)) return 0
  sorted.set(values.subarray(0, n))
  if (ascends === n) return n
  sorted.subarray(0, n).sort()
  let distinct = 1
  for (let i = 1; i < n; i++) {
    if (sorted[i] === sorted[i - 1]) continue
    if (distinct === DISTINCT_MAX) return 0
    sorted[distinct++] = sorted[i]!
  }
  return distinct
}

/** Gives each distinct value its rung, counted from the least; the step it settled on, 0 when there is none. */
function placeRungs(distinct: number, least: number): number {
  let step = least
  // From small gaps to all: each round knows the step better.
  for (const reach of [ONE_STEP, 8, Number.POSITIVE_INFINITY]) {
    let length = 0
    let count = 0
    rungs[0] = 0
    for (let i = 1; i < distinct; i++) {
      const gap = sorted[i]! - sorted[i - 1]!
      const steps = Math.max(1, Math.round(gap / step))
      rungs[i] = rungs[i - 1]! + steps
      if (gap > reach * step) continue
      length += gap
      count += steps
    }
    if (count > 0) step = length / count
  }
  return step >= STEP_MIN - 1 ? step : 0
}

let highAt = 0
let lowAt = 0
/** How far the values lie apart around rungs of a step; below 1 there is an offset that gives them all. */
function spread(distinct: number, step: number): number {
  let high = Number.NEGATIVE_INFINITY
  let low = Number.POSITIVE_INFINITY
  for (let i = 0; i < distinct; i++) {
    const rest = sorted[i]! - rungs[i]! * step
    if (rest > high) {
      high = rest
      highAt = i
    }
    if (rest < low) {
      low = rest
      lowAt = i
    }
  }
  return high - low
}

/** The step around which the values spread least, or 0 when they spread by 1 or more. */
function bestStep(distinct: number, guess: number): number {
  let low = guess - 1
  let high = guess + 1
  // The spread is convex in the step: its slope says on which side the best one lies.
  for (let halving = 0; halving < HALVINGS; halving++) {
    const step = (low + high) / 2
    if (spread(distinct, step) < 0.999) return step
    if (rungs[highAt]! > rungs[lowAt]!) low = step
    else high = step
  }
  return 0
}

/** The offset from the least value with which a step gives all of them, or -1. */
function offsetOf(distinct: number, step: number, unit: number): number {
  let low = 0
  let high = unit
  for (let i = 0; i < distinct; i++) {
    const rest = (sorted[i]! - sorted[0]!) * unit - rungs[i]! * step
    if (rest > low) low = rest
    if (rest + unit < high) high = rest + unit
  }
  return low < high ? low : -1
}

/**
 * Finds the ladder on which values[0, n) stand and puts their rungs in their places.
 * @param values  whole numbers within 2^50 of the first, which is 0; n >= 2
 * @returns       false, with `values` as they were, when there is none
 */
export function findLadder(values: Float64Array, n: number, ladder: Ladder): boolean {
  assert(values[0] === 0, 'a ladder stands on 0')
  const least = smallestChange(values, n)
  if (least === 0) return false
  const distinct = sortDistinct(values, n, least)
  // Two values are any line's.
  if (distinct < 3) return false
  const guess = placeRungs(distinct, least)
  if (guess === 0) return false
  const exact = bestStep(distinct, guess)
  if (exact === 0) return false
  for (let shift = 0; shift <= SHIFT_MAX; shift += SHIFT_STEP) {
    const unit = POWERS_OF_2[shift]!
    const step = Math.round(exact * unit)
    const top = rungs[distinct - 1]! * step
    const span = sorted[distinct - 1]! - sorted[0]!
    if (top >= PRODUCT_MAX || span * unit >= PRODUCT_MAX) return false
    const offset = offsetOf(distinct, step, unit)
    if (offset < 0) continue
    return climb(values, n, distinct, ladder, shift, step, offset)
  }
  return false
}

/** Puts rungs, counted from that of value 0, for values[0, n). */
function climb(
  values: Float64Array,
  n: number,
  distinct: number,
  ladder: Ladder,
  shift: number,
  step: number,
  offset: number
): boolean {
  const unit = POWERS_OF_2[shift]!
  const zero = rungs[sorted.subarray(0, distinct).indexOf(0)]!
  // Counted from the rung of 0 instead of the least value's, the offset moves along.
  ladder.shift = shift
  ladder.step = step
  ladder.offset = offset + zero * step + sorted[0]! * unit
  for (let i = 0; i < n; i++) {
    // The rung is at most one off; which one gives the value is asked of the ladder itself.
    let rung = Math.floor((values[i]! * unit - ladder.offset) / step) + 1
    if (Math.floor((rung * step + ladder.offset) / unit) > values[i]!) rung--
    values[i] = rung
  }
  return true
}

export function writeLadder(ladder: Ladder, out: ByteWriter): void {
  out.u8(ladder.shift)
  out.varint(ladder.step)
  out.varint(ladder.offset)
}

/** @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function readLadder(from: ByteReader, ladder: Ladder): void {
  ladder.shift = from.u8()
  ladder.step = from.varint()
  ladder.offset = from.varint()
  if (ladder.shift > SHIFT_MAX) {
    throw new VarveError(
      'VARVE_CHUNK',
      `Cannot read ladder before ${from.at}: a shift of ${ladder.shift} bits`
    )
  }
}

/** Turns rungs[0, n) into values, as (add + divisor * value) / scale, in place. */
export function fromRungs(
  rungs: Float64Array,
  n: number,
  ladder: Ladder,
  add: number,
  divisor: number,
  scale: number
): void {
  const { step, offset } = ladder
  const part = 1 / POWERS_OF_2[ladder.shift]!
  if (scale === 1) {
    for (let i = 0; i < n; i++) rungs[i] = add + divisor * Math.floor((rungs[i]! * step + offset) * part)
  } else {
    for (let i = 0; i < n; i++) {
      rungs[i] = (add + divisor * Math.floor((rungs[i]! * step + offset) * part)) / scale
    }
  }
}

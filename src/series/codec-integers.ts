// Columns of integers: what times, scaled decimals, dictionary indexes and run lengths all become. The first
// value and the greatest common divisor are taken out; then each value is predicted from those before it,
// and what the prediction misses (the residual) is packed or entropy-coded, whichever the rule below picks.
//
//   integers := form u8 | [first signed] | [divisor varint] | [ladder: codec-ladder.ts] | [step signed] | residuals
//     form: bits 0-1 coder (0 all residuals equal, 1 packed, 2 entropy), bits 2-3 order (0, 1, 2),
//           bit 4 first follows (else 0), bit 5 divisor follows (else 1), bit 6 ladder follows, bit 7 zero
//     residuals: coder 0: signed; 1: codec-packed.ts; 2: entropy.ts; nothing when none are left to code
//   u[i] = (value[i] - first) / divisor, or the rung of that on the ladder, so u[0] = 0. The residual of i is
//     order 0: u[i] (i >= 1)   1: u[i] - u[i - 1] (i >= 1)   2: u[i] - 2 u[i - 1] + u[i - 2] (i >= 2; u[1] = step)
// Example: 100 110 120 130 = 34 c8 01 0a 02
//
// The rule: `cold` admits the entropy coder, which is taken when it saves a sixteenth of the packed bytes or
// more: it decodes several times slower than packed residuals do.
//
// Invariants: |first| < 2^52 and |value - first| <= INTEGER_SPAN_MAX, so all differences of order 2 are exact.
// Not here: how values become integers (codec-time.ts, codec-number.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { findLadder, fromRungs, type Ladder, readLadder, writeLadder } from './codec-ladder.ts'
import { decodePacked, encodePacked, packedCost } from './codec-packed.ts'
import { encodeEntropy } from './entropy.ts'
import {
  type EntropyPlan,
  medianOf,
  noPlan,
  planContexts,
  planEntropy,
  refineEntropy
} from './entropy-plan.ts'
import { decodeEntropy } from './entropy-read.ts'
import { RunningSum } from './running-sum.ts'

/** Values of one column may lie this far from its first. */
export const INTEGER_SPAN_MAX = 2 ** 50
/** Integers coded at a time: the rows of a chunk. */
export const INTEGERS_MAX = 4096

const CODER = { equal: 0, packed: 1, entropy: 2 } as const
const HAS_FIRST = 0x10
const HAS_DIVISOR = 0x20
const HAS_LADDER = 0x40

const scaled = new Float64Array(INTEGERS_MAX)
const residuals = [0, 1, 2].map(() => new Float64Array(INTEGERS_MAX))
const medians = new Float64Array(3)
const ladder: Ladder = { shift: 0, step: 1, offset: 0 }
/** Whether the column under way stands on `ladder`. */
let onLadder = false
const plans: readonly EntropyPlan[] = [noPlan(), noPlan(), noPlan()]

/** Whether integers[0, n) can be coded here. */
export function spanFits(integers: Float64Array, n: number): boolean {
  const first = integers[0]!
  for (let i = 1; i < n; i++) if (Math.abs(integers[i]! - first) > INTEGER_SPAN_MAX) return false
  return true
}

/** The greatest common divisor of all values - values[0]; 1 when they are all equal. */
export function commonDivisor(values: Float64Array, n: number): number {
  const first = values[0]!
  let divisor = 0
  let before = first
  for (let i = 1; i < n; i++) {
    const value = values[i]!
    if (value === before) continue
    before = value
    let a = Math.abs(value - first)
    if (divisor !== 0 && a % divisor === 0) continue
    let b = divisor
    while (b !== 0) {
      const rest = a % b
      a = b
      b = rest
    }
    divisor = a
    if (divisor === 1) return 1
  }
  return divisor === 0 ? 1 : divisor
}

/** Fills scaled[] with u and residuals[order] from index `order` or 1 on; says whether all of them are equal. */
function difference(order: number, n: number): boolean {
  const into = residuals[order]!
  const start = Math.max(1, order)
  for (let i = start; i < n; i++) {
    const u = scaled[i]!
    into[i] = order === 0 ? u : order === 1 ? u - scaled[i - 1]! : u - 2 * scaled[i - 1]! + scaled[i - 2]!
  }
  const first = into[start]!
  for (let i = start + 1; i < n; i++) if (into[i] !== first) return false
  return true
}

/** Writes all but the residuals. */
function writeForm(coder: number, order: number, first: number, divisor: number, n: number, out: ByteWriter) {
  const follows =
    (first === 0 ? 0 : HAS_FIRST) | (divisor === 1 ? 0 : HAS_DIVISOR) | (onLadder ? HAS_LADDER : 0)
  out.u8(coder | (order << 2) | follows)
  if (first !== 0) out.signed(first)
  if (divisor !== 1) out.varint(divisor)
  if (onLadder) writeLadder(ladder, out)
  if (order === 2 && n > 1) out.signed(scaled[1]!)
}

/** The bits that an order's residuals take around their median: a first guess at what the order costs. */
function magnitude(order: number, n: number): number {
  const from = residuals[order]!
  const start = Math.max(1, order)
  const median = medianOf(from, start, n - start)
  medians[order] = median
  let bits = 0
  for (let i = start; i < n; i++) {
    bits += 32 - Math.clz32(Math.min(0x7fffffff, Math.abs(from[i]! - median)))
  }
  return bits
}

/** The order whose residuals cost least, by the coders that are admitted. */
function cheapestOrder(n: number, cold: boolean): number {
  const guesses = [0, 1, 2].map(order => magnitude(order, n))
  const likely = Math.min(...guesses) * 1.2 + n * 0.3
  let best = 0
  let least = Number.POSITIVE_INFINITY
  for (let order = 0; order <= 2; order++) {
    if (guesses[order]! > likely) continue
    const start = Math.max(1, order)
    let cost: number
    if (cold) {
      planEntropy(residuals[order]!, start, n - start, medians[order]!, plans[order]!)
      cost = plans[order]!.bits
    } else {
      cost = packedCost(residuals[order]!, start, n - start) * 8
    }
    if (cost < least) {
      least = cost
      best = order
    }
  }
  if (cold) {
    const start = Math.max(1, best)
    refineEntropy(residuals[best]!, start, n - start, plans[best]!)
    planContexts(residuals[best]!, start, n - start, plans[best]!)
  }
  return best
}

/**
 * Appends n integers, 1 <= n <= INTEGERS_MAX.
 * @param cold  admits the entropy coder
 */
export function encodeIntegers(values: Float64Array, n: number, out: ByteWriter, cold: boolean): void {
  assert(n >= 1 && n <= INTEGERS_MAX, 'a column of integers has 1 to 4096 of them')
  const first = values[0]!
  const divisor = commonDivisor(values, n)
  for (let i = 0; i < n; i++) {
    const away = values[i]! - first
    assert(Math.abs(away) <= INTEGER_SPAN_MAX, 'integers of a column lie within 2^50 of its first')
    scaled[i] = divisor === 1 ? away : away / divisor
  }
  onLadder = findLadder(scaled, n, ladder)
  for (let order = 0; order <= 2; order++) {
    if (!difference(order, n)) continue
    writeForm(CODER.equal, order, first, divisor, n, out)
    const start = Math.max(1, order)
    if (n > start) out.signed(residuals[order]![start]!)
    return
  }
  const order = cheapestOrder(n, cold)
  const from = residuals[order]!
  const start = Math.max(1, order)
  const packed = packedCost(from, start, n - start)
  const plan = plans[order]!
  const begin = out.length
  if (cold && plan.bits / 8 < packed) {
    writeForm(CODER.entropy, order, first, divisor, n, out)
    const body = out.length
    if (encodeEntropy(from, start, n - start, plan, out) && (out.length - body) * 16 <= packed * 15) return
    out.length = begin
  }
  writeForm(CODER.packed, order, first, divisor, n, out)
  encodePacked(from, start, n - start, out)
}

/** Residuals from the entropy coder: apart from `into`, so that no loop loads what it has just stored. */
const read = new Float64Array(INTEGERS_MAX)
const sum = new RunningSum()

/**
 * Reads n integers into into[0, n), as (add + integer) / scale.
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodeIntegers() did not write
 */
export function decodeIntegers(from: ByteReader, n: number, into: Float64Array, add = 0, scale = 1): void {
  const form = from.u8()
  const coder = form & 3
  const order = (form >>> 2) & 3
  if (coder > CODER.entropy || order > 2 || form > 0x7f) {
    throw new VarveError('VARVE_CHUNK', `Cannot decode integers before ${from.at}: form ${form} is unknown`)
  }
  const first = (form & HAS_FIRST) === 0 ? 0 : from.signed()
  const divisor = (form & HAS_DIVISOR) === 0 ? 1 : from.varint()
  if ((form & HAS_LADDER) === 0) {
    decodeSums(from, n, into, coder, order, add + first, divisor, scale)
    return
  }
  readLadder(from, ladder)
  decodeSums(from, n, into, coder, order, 0, 1, 1)
  fromRungs(into, n, ladder, add + first, divisor, scale)
}

/** Reads step and residuals, and adds them up. */
function decodeSums(
  from: ByteReader,
  n: number,
  into: Float64Array,
  coder: number,
  order: number,
  first: number,
  divisor: number,
  scale: number
): void {
  const step = order === 2 && n > 1 ? from.signed() : 0
  const start = Math.max(1, order)
  sum.start(order, first, step, divisor, scale)
  into[0] = first / scale
  if (order === 2 && n > 1) into[1] = sum.advance()
  if (n <= start) return
  if (coder === CODER.equal) {
    sum.repeat(from.signed(), into, start, n - start)
  } else if (coder === CODER.packed) {
    decodePacked(from, sum, into, start, n - start)
  } else {
    decodeEntropy(from, read, 0, n - start)
    sum.doubles(read, 0, into, start, n - start)
  }
}

// The alphabet of the entropy stage. A residual, less a centre, is a token (which interval of integers it
// lies in) and extra bits (where in it). Small intervals around the centre hold one integer each; farther
// out each power of two is split in 2^split intervals, so that an alphabet stays short and outliers fit.
//
//   side(x, split), x >= 0:  x                                      below 2^(split + 1): no extra bits
//                            else n = floor(log2 x), m = the `split` bits below the top one, and
//                            2^(split + 1) + (n - split - 1) * 2^split + m,  with n - split extra bits
//   token(x) = side(x) for x >= 0, -1 - side(-1 - x) below: tokens ascend with x
// Example: split 1: 0 1 2 3 are tokens 0 1 2 3; 4 and 5 are token 4 with 1 extra bit; -5 and -6 are token -5
//
// Invariants: intervals of a smaller split are unions of those of a larger one, so one histogram at the
// finest split gives them all.
// Not here: frequencies and coding (entropy.ts).
import { POWERS_OF_2 } from './bit-pack.ts'

/** Splits are 0 .. SPLIT_MAX; a histogram is made at the largest. */
export const SPLIT_MAX = 5
/** Tokens of |x| < 2^53 are in [-TOKEN_ZERO, TOKEN_ZERO). */
export const TOKEN_ZERO = 1600

const SIDE_TOKENS = TOKEN_ZERO

const sideLow: Float64Array[] = []
const sideBits: Uint8Array[] = []
for (let split = 0; split <= SPLIT_MAX; split++) {
  const low = new Float64Array(SIDE_TOKENS)
  const bits = new Uint8Array(SIDE_TOKENS)
  const direct = 1 << (split + 1)
  for (let side = 0; side < SIDE_TOKENS; side++) {
    if (side < direct) {
      low[side] = side
      continue
    }
    const n = split + 1 + ((side - direct) >> split)
    const m = (side - direct) & ((1 << split) - 1)
    bits[side] = Math.min(60, n - split)
    low[side] = n > 53 ? Number.POSITIVE_INFINITY : ((1 << split) + m) * POWERS_OF_2[n - split]!
  }
  sideLow.push(low)
  sideBits.push(bits)
}

function side(x: number, split: number): number {
  const direct = 1 << (split + 1)
  if (x < direct) return x
  if (x < 0x40000000) {
    const n = 31 - Math.clz32(x)
    return direct + ((n - split - 1) << split) + (x >>> (n - split)) - (1 << split)
  }
  const n = x < 0x100000000 ? 31 - Math.clz32(x) : 63 - Math.clz32(Math.floor(x / 0x100000000))
  return direct + ((n - split - 1) << split) + Math.floor(x / POWERS_OF_2[n - split]!) - (1 << split)
}

/** The token of an integer, |x| < 2^53. */
export function tokenOf(x: number, split: number): number {
  return x >= 0 ? side(x, split) : -1 - side(-1 - x, split)
}

/** The smallest integer of a token's interval; infinite for tokens past 2^53. */
export function tokenLow(token: number, split: number): number {
  if (token >= 0) return sideLow[split]![token]!
  return -sideLow[split]![-1 - token]! - (POWERS_OF_2[Math.min(53, sideBits[split]![-1 - token]!)] ?? 1)
}

/** How many extra bits say where in its interval an integer of this token lies. */
export function tokenBits(token: number, split: number): number {
  return sideBits[split]![token >= 0 ? token : -1 - token]!
}

/** For each split below the finest: the token that a token of the finest split becomes, plus TOKEN_ZERO. */
const COARSER: readonly Int16Array[] = Array.from({ length: SPLIT_MAX }, (_, split) => {
  const map = new Int16Array(2 * TOKEN_ZERO)
  for (let token = 0; token < TOKEN_ZERO; token++) {
    const low = sideLow[SPLIT_MAX]![token]!
    const coarse = low < 2 ** 53 ? side(low, split) : TOKEN_ZERO - 1
    map[TOKEN_ZERO + token] = TOKEN_ZERO + coarse
    map[TOKEN_ZERO - 1 - token] = TOKEN_ZERO - 1 - coarse
  }
  return map
})

/** The map from tokens of the finest split (plus TOKEN_ZERO) to tokens of a coarser one (plus TOKEN_ZERO). */
export function coarserTokens(split: number): Int16Array {
  return COARSER[split]!
}

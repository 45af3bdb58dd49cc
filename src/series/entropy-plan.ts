// How residuals would be coded by entropy.ts, and what that would cost: which centre, and how finely tokens
// split the intervals around it. Costs come from histograms of tokens alone, so that orders and schedules are
// compared without coding anything. Where a residual tells of the next one (a load that is off stays off), tables
// of their own after a smaller, the same or a larger one than usual cost less than one for all.
//
// Invariants: a plan holds for exactly the residuals that it was made for.
// Not here: coding by a plan (entropy.ts), the tokens (entropy-token.ts).
import { assert } from '../base/assert.ts'
import { countCost, fineBits } from './entropy-table.ts'
import { coarserTokens, SPLIT_MAX, TOKEN_ZERO, tokenBits, tokenOf } from './entropy-token.ts'

/** The longest alphabet. */
export const TOKENS_MAX = 256
/** Tables have 2^8 to 2^12 slots. */
export const TABLE_BITS_MIN = 8
export const TABLE_BITS_MAX = 12
/** With contexts, so that all tables stay in the first level cache. */
export const TABLE_BITS_CONTEXTS = 11
/** After a token below the usual one, after that, after one above. */
export const CONTEXTS = 3

/** How a run of residuals would be coded, and what that costs. Filled by planEntropy(). */
export interface EntropyPlan {
  bits: number
  center: number
  split: number
  tokenMin: number
  tokens: number
  /** The token, less tokenMin, below and above which contexts are; -1: there is one table. */
  usual: number
}

const joint = Array.from({ length: CONTEXTS }, () => new Uint32Array(TOKENS_MAX))
const fine = new Uint32Array(2 * TOKEN_ZERO)
const coarse = new Uint32Array(2 * TOKEN_ZERO)
/** The tokens that occur. */
const used = new Uint16Array(2 * TOKEN_ZERO)
const sample = new Float64Array(63)
/** log2 of whole numbers, for entropies. */
const LOG2 = Float64Array.from({ length: 4097 }, (_, n) => (n === 0 ? 0 : Math.log2(n)))

/** The table for n residuals: a slot for each, about. */
export function tableBitsFor(n: number, contexts = false): number {
  const bits = 32 - Math.clz32(Math.max(1, n - 1))
  return Math.min(contexts ? TABLE_BITS_CONTEXTS : TABLE_BITS_MAX, Math.max(TABLE_BITS_MIN, bits))
}

/**
 * The bits that n tokens counted in counts[low .. high] of one split cost, extra bits with them, and a table
 * with counts of `mantissa` bits. @param token  the token that counts[0] is of
 */
function histogramCost(
  counts: Uint32Array,
  low: number,
  high: number,
  split: number,
  token: number,
  n: number,
  mantissa = fineBits(tableBitsFor(n))
): number {
  if (high - low >= TOKENS_MAX) return Number.POSITIVE_INFINITY
  let bits = n * LOG2[n]!
  let before = 0
  for (let at = low; at <= high; at++) {
    const count = counts[at]!
    const exponent = 32 - Math.clz32(count)
    bits += countCost(exponent, before, mantissa)
    before = exponent
    if (count > 0) bits += count * (tokenBits(at + token, split) - LOG2[count]!)
  }
  return bits
}

/** Residuals this close to the centre are their own tokens at the finest split. */
const DIRECT = 1 << (SPLIT_MAX + 1)

/** Whether all tokens from low to high stand for one integer each. */
export function allDirect(low: number, high: number, split: number): boolean {
  const direct = 1 << (split + 1)
  return low >= -direct && high < direct
}

/** A split that costs this much more than the best ends the search. */
const WORSE = 1.01

function tryCenter(values: Float64Array, from: number, n: number, center: number, plan: EntropyPlan): void {
  let low = 2 * TOKEN_ZERO
  let high = 0
  for (let i = from; i < from + n; i++) {
    const x = values[i]! - center
    const token = ((x >= -DIRECT && x < DIRECT ? x : tokenOf(x, SPLIT_MAX)) + TOKEN_ZERO) | 0
    fine[token]!++
    if (token < low) low = token
    if (token > high) high = token
  }
  keepBetter(plan, histogramCost(fine, low, high, SPLIT_MAX, -TOKEN_ZERO, n), center, SPLIT_MAX, low, high)
  let count = 0
  for (let at = low; at <= high; at++) if (fine[at]! > 0) used[count++] = at
  for (let split = SPLIT_MAX - 1; split >= 0; split--) {
    if (allDirect(low - TOKEN_ZERO, high - TOKEN_ZERO, split)) continue
    const map = coarserTokens(split)
    const first = map[low]!
    const last = map[high]!
    for (let i = 0; i < count; i++) {
      const to = map[used[i]!]!
      coarse[to] = coarse[to]! + fine[used[i]!]!
    }
    const bits = histogramCost(coarse, first, last, split, -TOKEN_ZERO, n)
    keepBetter(plan, bits, center, split, first, last)
    coarse.fill(0, first, last + 1)
    // Past the best split it only gets worse.
    if (bits > plan.bits * WORSE) break
  }
  fine.fill(0, low, high + 1)
}

function keepBetter(
  plan: EntropyPlan,
  bits: number,
  center: number,
  split: number,
  low: number,
  high: number
) {
  if (bits >= plan.bits) return
  plan.bits = bits
  plan.center = center
  plan.split = split
  plan.tokenMin = low - TOKEN_ZERO
  plan.tokens = high - low + 1
  plan.usual = -1
}

/** A plan that any other is better than. */
export function noPlan(): EntropyPlan {
  return { bits: Number.POSITIVE_INFINITY, center: 0, split: 0, tokenMin: 0, tokens: 0, usual: -1 }
}

/** The median of values[from, from + n), n >= 1, or of an even sample of many. */
export function medianOf(values: Float64Array, from: number, n: number): number {
  const picks = Math.min(n, sample.length)
  for (let i = 0; i < picks; i++) {
    const value = values[from + Math.floor((i * n) / picks)]!
    let at = i
    for (; at > 0 && sample[at - 1]! > value; at--) sample[at] = sample[at - 1]!
    sample[at] = value
  }
  return sample[picks >>> 1]!
}

/**
 * Finds a split for values[from, from + n) around a centre; 1 <= n <= 4096. `plan.bits` counts all but the
 * state.
 */
export function planEntropy(
  values: Float64Array,
  from: number,
  n: number,
  center: number,
  plan: EntropyPlan
): void {
  assert(n >= 1 && n < LOG2.length, 'the entropy stage codes 1 to 4096 residuals')
  plan.bits = Number.POSITIVE_INFINITY
  tryCenter(values, from, n, center, plan)
}

/** Tries intervals from the least value up, which suit a range filled evenly; keeps the better plan. */
export function refineEntropy(values: Float64Array, from: number, n: number, plan: EntropyPlan): void {
  // Tokens that are whole numbers are the same tokens around any centre.
  if (allDirect(plan.tokenMin, plan.tokenMin + plan.tokens - 1, plan.split)) return
  let min = values[from]!
  for (let i = from + 1; i < from + n; i++) if (values[i]! < min) min = values[i]!
  if (min !== plan.center) tryCenter(values, from, n, min, plan)
}

/** Contexts must save this share: they decode more slowly. */
const CONTEXTS_SAVE = 1 / 32
/** What more than one table needs: fewer values a token are not worth them. */
const CONTEXT_VALUES_MIN = 16
/** Fewer values are not worth the trial: three tables take more of what they save. */
const CONTEXTS_FROM = 512
const tokenAt = new Uint16Array(4096)

/** Turns to contexts where they pay; `plan` is the best for values[from, from + n) without them. */
export function planContexts(values: Float64Array, from: number, n: number, plan: EntropyPlan): void {
  if (
    plan.tokens < 2 ||
    n < Math.max(CONTEXTS_FROM, CONTEXT_VALUES_MIN * plan.tokens) ||
    !Number.isFinite(plan.bits)
  )
    return
  const { center, split, tokenMin, tokens } = plan
  const direct = 1 << (split + 1)
  const all = joint[0]!
  for (let i = 0; i < n; i++) {
    const x = values[from + i]! - center
    const token = ((x >= -direct && x < direct ? x : tokenOf(x, split)) - tokenMin) | 0
    tokenAt[i] = token
    all[token]!++
  }
  let usual = 0
  for (let at = 0; at < tokens; at++) if (all[at]! > all[usual]!) usual = at
  all.fill(0, 0, tokens)
  const sizes = [0, 0, 0]
  let context = 1
  for (let i = 0; i < n; i++) {
    const token = tokenAt[i]!
    joint[context]![token]!++
    sizes[context]!++
    context = contextAfter(token, usual)
  }
  let bits = 0
  const mantissa = fineBits(tableBitsFor(n, true))
  for (let context = 0; context < CONTEXTS; context++) {
    bits += histogramCost(joint[context]!, 0, tokens - 1, split, tokenMin, sizes[context]!, mantissa)
    joint[context]!.fill(0, 0, tokens)
  }
  if (bits > plan.bits * (1 - CONTEXTS_SAVE)) return
  plan.bits = bits
  plan.usual = usual
}

/** The context of what follows a token. */
function contextAfter(token: number, usual: number): number {
  return token < usual ? 0 : token === usual ? 1 : 2
}

/**
 * Says in `after` which table follows each token: multiples of `unit`, all 0 when `usual` is -1.
 * @returns the table of the first token
 */
export function layTables(after: Uint16Array, tokens: number, usual: number, unit: number): number {
  for (let token = 0; token < tokens; token++) {
    after[token] = usual < 0 ? 0 : contextAfter(token, usual) * unit
  }
  return usual < 0 ? 0 : unit
}

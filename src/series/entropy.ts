// The cold stage: residuals as tokens (entropy-token.ts) coded by rANS with a static table of the column's
// own frequencies, and their extra bits beside. It comes within a few per cent of the residuals' entropy, and
// decodes a sample with one table load and one multiplication.
//
//   entropy := config u8 | center signed | tokenMin signed | tokens - 1 u8 | [usual u8] | tables |
//              state 0 varint | state 1 varint | words 0 varint | words 1 varint |
//              word u16 * (words 0 + words 1) | extra bits
//     config: bits 0-2 split (entropy-token.ts), bits 3-5 tableBits - 8 (8 .. 12), bit 6 contexts, bit 7 zero
//     tables: bits of entropy-table.ts, padded to a byte: one or, with contexts, three (with 11 tableBits at most)
//     extra bits: low bits first, in the order of the residuals, padded to a byte
// With contexts a token is coded by the table for what comes after a token below `usual`, the usual one, or one
// above; the first token by the second table. A table without any count belongs to a context that never occurs.
// Two coders take turns, one for even residuals and one for odd, so that the processor works on both at once.
// Decoding, for each residual: slot = state mod 2^tableBits; its token's frequency f and first slot c give
// state = f * floor(state / 2^tableBits) + slot - c; then, if state < 2^15 and the coder has words left,
// state = state * 2^16 + next word. At the end both states are 0 and all words are used: that is checked.
// Example: residuals 0 0 0 1 0 0 0 0 -1 0 = 05 00 01 02 fb f1 01 64 c8 09 00 00
//
// Invariants: at most 256 tokens; a state is below 2^31, so all of it is int32 arithmetic; four bytes
// behind the end of the reader can be loaded (chunk.ts ends with them).
// Not here: the plan (entropy-plan.ts), reading (entropy-read.ts), which residuals and whether it pays (codec-integers.ts).
// @see Duda, "Asymmetric numeral systems", arXiv 1311.2540; JPEG XL's hybrid integers for the tokens

import type { ByteWriter } from '../base/bytes.ts'
import { BitWriter, POWERS_OF_2 } from './bit-pack.ts'
import {
  allDirect,
  CONTEXTS,
  type EntropyPlan,
  layTables,
  TABLE_BITS_MIN,
  TOKENS_MAX,
  tableBitsFor
} from './entropy-plan.ts'
import { fineBits, roundCount, toFrequencies, writeCounts } from './entropy-table.ts'
import { tokenBits, tokenLow, tokenOf } from './entropy-token.ts'

/** A coder below this takes its next word. */
export const STATE_LOW = 0x8000

/** Bit of config: three tables. */
export const HAS_CONTEXTS = 0x40

/** Of each context TOKENS_MAX; without contexts those of the first. */
const frequencies = new Uint32Array(CONTEXTS * TOKENS_MAX)
const starts = new Uint32Array(CONTEXTS * TOKENS_MAX)
/** Where in frequencies[] and starts[] the table for what follows a token begins. */
const tableAfter = new Uint16Array(TOKENS_MAX)
const words = new Uint16Array(4096)
const tokenAt = new Uint8Array(4096)
/** Where each token's frequency stands in frequencies[]. */
const codeAt = new Uint16Array(4096)
const states = new Uint32Array(2)

/** Counts tokens and writes head and tables; returns tableBits, or 0 when a table cannot hold its tokens. */
function writeTables(values: Float64Array, from: number, n: number, plan: EntropyPlan, out: ByteWriter) {
  const { center, split, tokenMin, tokens, usual } = plan
  const contexts = usual < 0 ? 1 : CONTEXTS
  frequencies.fill(0, 0, contexts * TOKENS_MAX)
  const tableFirst = layTables(tableAfter, tokens, usual, TOKENS_MAX)
  const direct = 1 << (split + 1)
  for (let i = 0; i < n; i++) {
    const x = values[from + i]! - center
    tokenAt[i] = (x >= -direct && x < direct ? x : tokenOf(x, split)) - tokenMin
  }
  for (let i = 0, table = tableFirst; i < n; i++) {
    const code = table + tokenAt[i]!
    codeAt[i] = code
    frequencies[code]!++
    if (usual >= 0) table = tableAfter[tokenAt[i]!]!
  }
  const tableBits = tableBitsFor(n, usual >= 0)
  const mantissa = fineBits(tableBits)
  out.u8(split | ((tableBits - TABLE_BITS_MIN) << 3) | (usual < 0 ? 0 : HAS_CONTEXTS))
  out.signed(center)
  out.signed(tokenMin)
  out.u8(tokens - 1)
  if (usual >= 0) out.u8(usual)
  const bits = new BitWriter(out)
  let held = true
  for (let context = 0; context < contexts; context++) {
    const counts = frequencies.subarray(context * TOKENS_MAX, context * TOKENS_MAX + tokens)
    let sum = 0
    for (let i = 0; i < tokens; i++) {
      counts[i] = roundCount(counts[i]!, mantissa)
      sum += counts[i]!
    }
    writeCounts(counts, tokens, mantissa, bits)
    if (sum > 0) held = toFrequencies(counts, tokens, tableBits) && held
    let slot = 0
    for (let i = 0; i < tokens; i++) {
      starts[context * TOKENS_MAX + i] = slot
      slot += counts[i]!
    }
  }
  bits.finish()
  return held ? tableBits : 0
}

/** Codes every second token from the last back, words to words[at ..]; returns how many words it wrote. */
function encodeLane(lane: number, n: number, tableBits: number, at: number): number {
  const total = 1 << tableBits
  const unit = POWERS_OF_2[31 - tableBits]!
  let state = 0
  let count = at
  for (let i = n - 1 - ((n - 1 - lane) & 1); i >= lane; i -= 2) {
    const code = codeAt[i]!
    const frequency = frequencies[code]!
    if (state >= frequency * unit) {
      words[count++] = state & 0xffff
      state >>>= 16
    }
    const whole = Math.floor(state / frequency)
    state = whole * total + (state - whole * frequency) + starts[code]!
  }
  states[lane] = state
  return count - at
}

/**
 * Appends values[from, from + n) by a plan made for exactly these.
 * @returns false, with `out` as it was, when the table cannot hold so many rare tokens
 */
export function encodeEntropy(
  values: Float64Array,
  from: number,
  n: number,
  plan: EntropyPlan,
  out: ByteWriter
): boolean {
  const start = out.length
  const tableBits = writeTables(values, from, n, plan, out)
  if (tableBits === 0) {
    out.length = start
    return false
  }
  const even = encodeLane(0, n, tableBits, 0)
  const odd = encodeLane(1, n, tableBits, even)
  out.varint(states[0]!)
  out.varint(states[1]!)
  out.varint(even)
  out.varint(odd)
  for (let i = even - 1; i >= 0; i--) out.u16(words[i]!)
  for (let i = even + odd - 1; i >= even; i--) out.u16(words[i]!)
  if (allDirect(plan.tokenMin, plan.tokenMin + plan.tokens - 1, plan.split)) return true
  const bits = new BitWriter(out)
  for (let i = 0; i < n; i++) {
    const token = tokenAt[i]! + plan.tokenMin
    const width = tokenBits(token, plan.split)
    if (width > 0) bits.putWide(values[from + i]! - plan.center - tokenLow(token, plan.split), width)
  }
  bits.finish()
  return true
}

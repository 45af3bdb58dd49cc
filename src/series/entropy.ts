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
// Not here: the plan (entropy-plan.ts), which residuals and whether it pays (codec-integers.ts).
// @see Duda, "Asymmetric numeral systems", arXiv 1311.2540; JPEG XL's hybrid integers for the tokens

import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { BitReader, BitWriter, POWERS_OF_2 } from './bit-pack.ts'
import {
  allDirect,
  CONTEXTS,
  contextAfter,
  type EntropyPlan,
  TABLE_BITS_CONTEXTS,
  TABLE_BITS_MAX,
  TABLE_BITS_MIN,
  TOKENS_MAX,
  tableBitsFor
} from './entropy-plan.ts'
import { fineBits, readCounts, roundCount, toFrequencies, writeCounts } from './entropy-table.ts'
import { SPLIT_MAX, TOKEN_ZERO, tokenBits, tokenLow, tokenOf } from './entropy-token.ts'

/** A coder below this takes its next word. */
const STATE_LOW = 0x8000
const STATE_MAX = 0x7fffffff

const HAS_CONTEXTS = 0x40

/** Of each context TOKENS_MAX; without contexts those of the first. */
const frequencies = new Uint32Array(CONTEXTS * TOKENS_MAX)
const starts = new Uint32Array(CONTEXTS * TOKENS_MAX)
/** Where in frequencies[] and starts[] the table for what follows a token begins. */
const tableAfter = new Uint16Array(TOKENS_MAX)
/** The table of the first token. */
let tableFirst = 0
const words = new Uint16Array(4096)
const tokenAt = new Uint8Array(4096)
/** Where each token's frequency stands in frequencies[]. */
const codeAt = new Uint16Array(4096)
const states = new Uint32Array(2)

/** Says which table follows each token. @param usual  as in a plan */
function layTables(tokens: number, usual: number, unit: number): void {
  tableFirst = usual < 0 ? 0 : unit
  for (let token = 0; token < tokens; token++) {
    tableAfter[token] = usual < 0 ? 0 : contextAfter(token, usual) * unit
  }
}

/** Counts tokens and writes head and tables; returns tableBits, or 0 when a table cannot hold its tokens. */
function writeTables(values: Float64Array, from: number, n: number, plan: EntropyPlan, out: ByteWriter) {
  const { center, split, tokenMin, tokens, usual } = plan
  const contexts = usual < 0 ? 1 : CONTEXTS
  frequencies.fill(0, 0, contexts * TOKENS_MAX)
  layTables(tokens, usual, TOKENS_MAX)
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

const slots = new Uint32Array(CONTEXTS << TABLE_BITS_CONTEXTS)
const lows = new Float64Array(TOKENS_MAX)
const extras = new Uint8Array(TOKENS_MAX)
/** The most of extras[]. */
let extrasMost = 0
let hasContexts = false

/** Reads head and tables into slots, lows and extras; returns tableBits. */
function readTables(from: ByteReader): number {
  const config = from.u8()
  const split = config & 7
  const tableBits = ((config >>> 3) & 7) + TABLE_BITS_MIN
  if (split > SPLIT_MAX || tableBits > TABLE_BITS_MAX || config > 0x7f) damaged(from, `config ${config}`)
  const center = from.signed()
  const tokenMin = from.signed()
  const tokens = from.u8() + 1
  if (tokenMin < -TOKEN_ZERO || tokenMin + tokens > TOKEN_ZERO) damaged(from, `token ${tokenMin}`)
  hasContexts = (config & HAS_CONTEXTS) !== 0
  if (hasContexts) {
    if (tableBits > TABLE_BITS_CONTEXTS) damaged(from, `config ${config}`)
    layTables(tokens, from.u8(), 1 << tableBits)
  }
  const bits = new BitReader(from)
  for (let context = 0; context < (hasContexts ? CONTEXTS : 1); context++) {
    readCounts(frequencies, tokens, fineBits(tableBits), bits)
    fillSlots(from, tokens, tableBits, context << tableBits)
  }
  extrasMost = 0
  for (let i = 0; i < tokens; i++) {
    lows[i] = tokenLow(tokenMin + i, split) + center
    const extra = tokenBits(tokenMin + i, split)
    extras[i] = extra
    if (extra > extrasMost) extrasMost = extra
  }
  return tableBits
}

/** Turns the counts in frequencies[0, tokens) into slots from `at` on. */
function fillSlots(from: ByteReader, tokens: number, tableBits: number, at: number): void {
  const end = at + (1 << tableBits)
  if (!toFrequencies(frequencies, tokens, tableBits)) {
    for (let i = 0; i < tokens; i++) if (frequencies[i] !== 0) damaged(from, 'no frequencies')
    if (!hasContexts) damaged(from, 'no frequencies')
    // Nothing comes here but by damage.
    slots.fill(0, at, end)
    return
  }
  let slot = at
  for (let i = 0; i < tokens; i++) {
    const frequency = frequencies[i]!
    // One entry says all about a slot: frequency - 1 (12 bits), place in its token (12), token (8).
    const entry = ((frequency - 1) << 20) | i
    for (let place = 0; place < frequency; place++) slots[slot++] = entry | (place << 8)
  }
}

function damaged(from: ByteReader, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot decode residuals before ${from.at}: ${what}`)
}

/** Reads `width` extra bits (25 to 53) at a bit position. */
function wideBits(view: DataView, at: number, width: number): number {
  let value = 0
  for (let done = 0; done < width; done += 24) {
    const take = Math.min(24, width - done)
    const bit = at + done
    const part = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & ((1 << take) - 1)
    value += part * POWERS_OF_2[done]!
  }
  return value
}

/**
 * Reads n residuals into into[to, to + n).
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodeEntropy() did not write
 */
export function decodeEntropy(from: ByteReader, into: Float64Array, to: number, n: number): void {
  const tableBits = readTables(from)
  const view = from.view
  const even = from.varint()
  const odd = from.varint()
  const words = from.varint()
  const wordsOdd = from.varint()
  if (even > STATE_MAX || odd > STATE_MAX) damaged(from, `states ${even} and ${odd}`)
  if ((words + wordsOdd) * 2 > from.left) damaged(from, `${words} and ${wordsOdd} words`)
  const wordAt = from.at
  from.at += (words + wordsOdd) * 2
  const decode = hasContexts ? decodeByContext : decodeTokens
  if (!decode(view, even, odd, wordAt, words, wordsOdd, tableBits, n)) {
    damaged(from, 'the coders did not end where they began')
  }
  if (extrasMost > 0) from.at = decodeExtras(view, from, into, to, n)
  else for (let i = 0; i < n; i++) into[to + i] = lows[tokenAt[i]!]!
}

/** Fills tokenAt[0, n). @returns whether both coders end at 0 with their words used up */
function decodeTokens(
  view: DataView,
  even: number,
  odd: number,
  wordAt: number,
  words: number,
  wordsOdd: number,
  tableBits: number,
  n: number
): boolean {
  const mask = (1 << tableBits) - 1
  const wordEnd = wordAt + words * 2
  const oddEnd = wordEnd + wordsOdd * 2
  let word = wordAt
  let oddWord = wordEnd
  let a = even | 0
  let b = odd | 0
  for (let i = 0; i < n; i += 2) {
    const entry = slots[a & mask]!
    a = (Math.imul((entry >>> 20) + 1, a >>> tableBits) + ((entry >>> 8) & 0xfff)) | 0
    if (a < STATE_LOW && word < wordEnd) {
      a = (a << 16) | view.getUint16(word, true)
      word += 2
    }
    tokenAt[i] = entry
    if (i + 1 === n) break
    const other = slots[b & mask]!
    b = (Math.imul((other >>> 20) + 1, b >>> tableBits) + ((other >>> 8) & 0xfff)) | 0
    if (b < STATE_LOW && oddWord < oddEnd) {
      b = (b << 16) | view.getUint16(oddWord, true)
      oddWord += 2
    }
    tokenAt[i + 1] = other
  }
  return a === 0 && b === 0 && word === wordEnd && oddWord === oddEnd
}

/** As decodeTokens(), each token by the table that the one before it asks for. */
function decodeByContext(
  view: DataView,
  even: number,
  odd: number,
  wordAt: number,
  words: number,
  wordsOdd: number,
  tableBits: number,
  n: number
): boolean {
  const mask = (1 << tableBits) - 1
  const wordEnd = wordAt + words * 2
  const oddEnd = wordEnd + wordsOdd * 2
  let word = wordAt
  let oddWord = wordEnd
  let a = even | 0
  let b = odd | 0
  let table = tableFirst
  for (let i = 0; i < n; i += 2) {
    const entry = slots[table + (a & mask)]!
    table = tableAfter[entry & 0xff]!
    a = (Math.imul((entry >>> 20) + 1, a >>> tableBits) + ((entry >>> 8) & 0xfff)) | 0
    if (a < STATE_LOW && word < wordEnd) {
      a = (a << 16) | view.getUint16(word, true)
      word += 2
    }
    tokenAt[i] = entry
    if (i + 1 === n) break
    const other = slots[table + (b & mask)]!
    table = tableAfter[other & 0xff]!
    b = (Math.imul((other >>> 20) + 1, b >>> tableBits) + ((other >>> 8) & 0xfff)) | 0
    if (b < STATE_LOW && oddWord < oddEnd) {
      b = (b << 16) | view.getUint16(oddWord, true)
      oddWord += 2
    }
    tokenAt[i + 1] = other
  }
  return a === 0 && b === 0 && word === wordEnd && oddWord === oddEnd
}

/** Fills into[to, to + n) by tokenAt[0, n) and the extra bits at from.at; returns where these end. */
function decodeExtras(view: DataView, from: ByteReader, into: Float64Array, to: number, n: number): number {
  let bit = from.at * 8
  const bitEnd = from.end * 8
  for (let i = 0; i < n; i++) {
    const token = tokenAt[i]!
    const extra = extras[token]!
    const low = lows[token]!
    if (extra === 0) {
      into[to + i] = low
      continue
    }
    if (bit + extra > bitEnd) damaged(from, 'extra bits run out')
    const rest =
      extra <= 24
        ? (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & ((1 << extra) - 1)
        : wideBits(view, bit, extra)
    into[to + i] = low + rest
    bit += extra
  }
  return (bit + 7) >>> 3
}

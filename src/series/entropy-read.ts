// Reads what the cold stage wrote. This is where the time of reading goes: a token costs one load of its slot,
// one multiplication and, one time in a few, a word; two coders are at work at once.
//
// Invariants: nothing is read outside the reader but four bytes behind its end, nothing is written outside the
// arrays, whatever the bytes say.
// Not here: the grammar (entropy.ts).
import type { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { BitReader, POWERS_OF_2 } from './bit-pack.ts'
import { HAS_CONTEXTS, STATE_LOW } from './entropy.ts'
import {
  CONTEXTS,
  layTables,
  TABLE_BITS_CONTEXTS,
  TABLE_BITS_MAX,
  TABLE_BITS_MIN,
  TOKENS_MAX
} from './entropy-plan.ts'
import { fineBits, readCounts, toFrequencies } from './entropy-table.ts'
import { SPLIT_MAX, TOKEN_ZERO, tokenBits, tokenLow } from './entropy-token.ts'

const STATE_MAX = 0x7fffffff

const frequencies = new Uint32Array(TOKENS_MAX)
const tokenAt = new Uint8Array(4096)
/** Where in slots[] the table for what follows a token begins. */
const tableAfter = new Uint16Array(TOKENS_MAX)
/** The table of the first token. */
let tableFirst = 0
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
    tableFirst = layTables(tableAfter, tokens, from.u8(), 1 << tableBits)
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

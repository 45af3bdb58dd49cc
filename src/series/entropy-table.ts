// The frequencies of an entropy-coded column: rounded counts, stored in about four bits a token, from which
// encoder and decoder compute the same whole-number frequencies with a sum of 2^tableBits.
//
//   table := for each token: unary zigzag(e - e of the token before) | (e - 1 < fine ? e - 1 : fine) bits
// e is the bit length of the count (0: the token does not occur), then come its bits below the top one, the
// highest `fine` of them (2 or 3); the rest are dropped. Unary n is n ones and a zero. Bits: bit-pack.ts.
//
//   frequency := max(1, floor(count * 2^tableBits / sum of counts)); what is missing or over goes to the
//   first token of the largest count, which must keep at least 1: else the table is refused
// Example: counts 1 6 2 with fine 2 = 7b 06
//
// Invariants: frequencies of tokens that occur are at least 1; their sum is 2^tableBits.
// Not here: the coder (entropy.ts).

import { VarveError } from '../base/errors.ts'
import type { BitReader, BitWriter } from './bit-pack.ts'

/** A count as the table keeps it: its top `fine` + 1 bits. */
export function roundCount(count: number, fine: number): number {
  const drop = 31 - Math.clz32(count) - fine
  if (drop <= 0) return count
  const rounded = (count + (1 << (drop - 1))) >>> drop
  return rounded << drop
}

/** How many mantissa bits a table of this size keeps: few samples do not repay more. */
export const fineBits = (tableBits: number) => (tableBits < 11 ? 2 : 3)

/** How many bits one count costs after the exponent of the one before. */
export function countCost(exponent: number, before: number, fine: number): number {
  const step = exponent - before
  const unary = (step < 0 ? -2 * step - 1 : 2 * step) + 1
  return unary + (exponent < 2 ? 0 : exponent - 1 < fine ? exponent - 1 : fine)
}

/** Appends n counts, each made by roundCount(). */
export function writeCounts(counts: Uint32Array, n: number, fine: number, out: BitWriter): void {
  let before = 0
  for (let i = 0; i < n; i++) {
    const count = counts[i]!
    const exponent = 32 - Math.clz32(count)
    const step = exponent - before
    for (let ones = step < 0 ? -2 * step - 1 : 2 * step; ones > 0; ones--) out.put(1, 1)
    out.put(0, 1)
    before = exponent
    if (exponent < 2) continue
    const kept = exponent - 1 < fine ? exponent - 1 : fine
    out.put((count >>> (exponent - 1 - kept)) & ((1 << kept) - 1), kept)
  }
}

/** Reads n counts. @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED */
export function readCounts(counts: Uint32Array, n: number, fine: number, from: BitReader): void {
  let exponent = 0
  for (let i = 0; i < n; i++) {
    let ones = 0
    while (from.take(1) === 1) ones++
    exponent += ones % 2 === 0 ? ones / 2 : -(ones + 1) / 2
    if (exponent < 0 || exponent > 13) {
      throw new VarveError('VARVE_CHUNK', `Cannot read frequencies: a count of ${exponent} bits`)
    }
    if (exponent < 2) {
      counts[i] = exponent
      continue
    }
    const kept = exponent - 1 < fine ? exponent - 1 : fine
    counts[i] = ((1 << kept) | from.take(kept)) << (exponent - 1 - kept)
  }
}

/**
 * Turns counts into frequencies in place.
 * @returns false when they cannot be: none occurs, or too many rare tokens for the table
 */
export function toFrequencies(counts: Uint32Array, n: number, tableBits: number): boolean {
  const total = 1 << tableBits
  let sum = 0
  let most = 0
  for (let i = 0; i < n; i++) {
    sum += counts[i]!
    if (counts[i]! > counts[most]!) most = i
  }
  if (sum === 0) return false
  let given = 0
  for (let i = 0; i < n; i++) {
    const count = counts[i]!
    if (count === 0) continue
    const frequency = Math.max(1, Math.floor((count * total) / sum))
    counts[i] = frequency
    given += frequency
  }
  const rest = counts[most]! + total - given
  if (rest < 1) return false
  counts[most] = rest
  return true
}

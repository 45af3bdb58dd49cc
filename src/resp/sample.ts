// Choosing elements by chance, as SRANDMEMBER, SPOP, HRANDFIELD and ZRANDMEMBER do.
import { fail } from './reply-error.ts'

/** The most that a negative count may ask for: it gives elements again and again. */
const REPEATED_MAX = 1_000_000

/** A whole number from 0 to n - 1. */
export function chance(n: number): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % n
}

/**
 * @param wanted  so many different ones (all where there are fewer); negative: so many, repetitions allowed
 * @throws {ReplyError} when it is out of range
 */
export function sample<T>(all: readonly T[], wanted: number): T[] {
  if (all.length === 0) return []
  if (wanted < 0) {
    if (-wanted > REPEATED_MAX) fail('ERR value is out of range')
    return Array.from({ length: -wanted }, () => all[chance(all.length)]!)
  }
  const rest = [...all]
  const n = Math.min(wanted, rest.length)
  for (let i = 0; i < n; i++) {
    const other = i + chance(rest.length - i)
    const chosen = rest[other]!
    rest[other] = rest[i]!
    rest[i] = chosen
  }
  return rest.slice(0, n)
}

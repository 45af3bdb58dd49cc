// Doubles that are nearly decimals. Averages of three readings are thirds, printed with 15 digits
// (432.333333333333); a float32 that went through text, or a sum of decimals, is off by a last bit or two
// (5.0900001525878915 where float32 5.09 is 5.0900001525878906). Both are a decimal again once that is said: an integer, a rule
// that makes a double of it, and how many last places the value is off.
//
//   near := rule u8 | integers (codec-integers.ts) | integers of ulps | varint exceptions | (varint gap, f64)*
//     rule: bits 0-4 decimal places e, bits 5-6: 0 integer / 10^e, 1 the same through float32,
//           2 integer / (3 * 10^e) rounded to 15 significant digits
//     ulps: what is added to the 64 bits of the double that the rule gives, -ULPS_MAX to ULPS_MAX
//     gap: indexes between this exception and the one before it
// Example: 20.5 7.33333333333333 0.30000000000000004 1 = 41 19 ce 09 95 06 06 f0 02 00 0c 05 82 18 00
//
// Invariants: what is coded comes back bit for bit: the encoder applies the rule as the decoder does. The rules
// use +, *, /, rounding and float32 only, which give the same bits on every machine.
// Not here: true decimals (codec-decimal.ts), which are tried first.
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { DECIMAL_MAX, POWERS_OF_10 } from './codec-decimal.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX, spanFits } from './codec-integers.ts'

const RULE = { double: 0, single: 1, thirds: 2 } as const
type Rule = (typeof RULE)[keyof typeof RULE]
const RULES = [RULE.double, RULE.single, RULE.thirds] as const
/** More places than this would find noise to be decimals. */
const PLACES_MAX = 8
const ULPS_MAX = 8
const SAMPLES = 32
/** What an exception, a decimal place and a value that is off cost, in bits. */
const EXCEPTION_BITS = 80
const PLACE_BITS = 3.33
const OFF_BITS = 3

const integers = new Float64Array(INTEGERS_MAX)
const ulps = new Float64Array(INTEGERS_MAX)
const exceptions = new Uint16Array(INTEGERS_MAX)
const pair = new Float64Array(2)
const pairWords = new Uint32Array(pair.buffer)

/** Rounds to 15 significant digits; only for 1e-7 <= |x| < 1e15, else x. */
function digits15(x: number): number {
  const size = Math.abs(x)
  if (!(size >= 1e-7 && size < 1e15)) return x
  let places = 14
  if (size >= 1) while (size >= POWERS_OF_10[15 - places]!) places--
  else while (size * POWERS_OF_10[places - 14]! < 1) places++
  const power = places <= 18 ? POWERS_OF_10[places]! : POWERS_OF_10[18]! * POWERS_OF_10[places - 18]!
  return Math.round(x * power) / power
}

/** What a value is multiplied by to become an integer. */
const unitOf = (rule: Rule, places: number) => (rule === RULE.thirds ? 3 : 1) * POWERS_OF_10[places]!

function apply(rule: Rule, integer: number, unit: number): number {
  const value = integer / unit
  if (rule === RULE.double) return value
  return rule === RULE.single ? Math.fround(value) : digits15(value)
}

let foundInteger = 0
/** How far a value is from what a rule makes of the nearest integer, in last places; NaN when too far. */
function distance(rule: Rule, value: number, unit: number): number {
  // + 0 makes -0 a 0, which then is too far from -0.
  foundInteger = Math.round(value * unit) + 0
  if (!(Math.abs(foundInteger) <= DECIMAL_MAX)) return Number.NaN
  pair[0] = value
  pair[1] = apply(rule, foundInteger, unit)
  const off = (pairWords[1]! - pairWords[3]!) * 0x100000000 + (pairWords[0]! - pairWords[2]!)
  return Math.abs(off) <= ULPS_MAX ? off : Number.NaN
}

const counts = new Uint32Array(PLACES_MAX + 2)

/** The rule byte that a sample of values[0, n) costs least with, or -1. */
function guessRule(values: Float64Array, n: number): number {
  const picks = Math.min(n, SAMPLES)
  let best = -1
  // Three eighths of exceptions cost more than doubles do.
  let least = picks * 30
  for (const rule of RULES) {
    counts.fill(0)
    let off = 0
    for (let i = 0; i < picks; i++) {
      const value = values[Math.floor((i * n) / picks)]!
      let places = 0
      let away = Number.NaN
      for (; places <= PLACES_MAX; places++) {
        away = distance(rule, value, unitOf(rule, places))
        if (!Number.isNaN(away)) break
      }
      if (away !== 0) off++
      counts[places] = counts[places]! + 1
    }
    let missed = picks
    for (let places = 0; places <= PLACES_MAX; places++) {
      missed -= counts[places]!
      if (counts[places] === 0) continue
      const cost = missed * EXCEPTION_BITS + places * PLACE_BITS * picks + off * OFF_BITS
      if (cost >= least) continue
      least = cost
      best = places | (rule << 5)
    }
  }
  return best
}

/** Appends values[0, n) as near decimals; false, with nothing written, when they are none. */
export function encodeNear(values: Float64Array, n: number, out: ByteWriter, cold: boolean): boolean {
  const guess = guessRule(values, n)
  if (guess < 0) return false
  const rule = (guess >> 5) as Rule
  const unit = unitOf(rule, guess & 0x1f)
  let missed = 0
  let before = 0
  for (let i = 0; i < n; i++) {
    const away = distance(rule, values[i]!, unit)
    if (Number.isNaN(away)) exceptions[missed++] = i
    else before = foundInteger
    integers[i] = before
    ulps[i] = Number.isNaN(away) ? 0 : away
  }
  if (missed * 4 > n || !spanFits(integers, n)) return false
  out.u8(guess)
  encodeIntegers(integers, n, out, cold)
  encodeIntegers(ulps, n, out, cold)
  out.varint(missed)
  const words = new Uint32Array(values.buffer, values.byteOffset, n * 2)
  let last = 0
  for (let i = 0; i < missed; i++) {
    const at = exceptions[i]!
    out.varint(at - last)
    last = at
    out.u32(words[2 * at]!)
    out.u32(words[2 * at + 1]!)
  }
  return true
}

/**
 * Reads n values into into[0, n).
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodeNear() did not write
 */
export function decodeNear(from: ByteReader, n: number, into: Float64Array): void {
  const head = from.u8()
  const rule = (head >> 5) as Rule
  const places = head & 0x1f
  if (rule > RULE.thirds || places > PLACES_MAX) damaged(from, `rule ${head} is unknown`)
  decodeIntegers(from, n, into, 0, unitOf(rule, places))
  if (rule === RULE.single) for (let i = 0; i < n; i++) into[i] = Math.fround(into[i]!)
  else if (rule === RULE.thirds) for (let i = 0; i < n; i++) into[i] = digits15(into[i]!)
  decodeIntegers(from, n, ulps)
  const words = new Uint32Array(into.buffer, into.byteOffset, n * 2)
  for (let i = 0; i < n; i++) {
    const away = ulps[i]!
    if (away === 0) continue
    const low = words[2 * i]! + away
    words[2 * i] = low
    words[2 * i + 1] = words[2 * i + 1]! + Math.floor(low / 0x100000000)
  }
  let at = 0
  for (let left = from.varint(); left > 0; left--) {
    at += from.varint()
    if (at >= n) damaged(from, `exception ${at}`)
    words[2 * at] = from.u32()
    words[2 * at + 1] = from.u32()
  }
}

function damaged(from: ByteReader, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read near decimals before ${from.at}: ${what}`)
}

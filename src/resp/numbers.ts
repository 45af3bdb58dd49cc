// Numbers as Redis reads and counts them: 64-bit integers strictly in decimal, doubles, and decimal sums
// that are exact where a double would show its rounding.
// Pure. Not here: where they are stored.
import { fail, NOT_FLOAT, NOT_INTEGER } from './reply-error.ts'

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/
const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** A 64-bit integer in its one form, or null. */
export function parseInt64(text: string): bigint | null {
  if (!INTEGER.test(text)) return null
  const value = BigInt(text)
  return value > INT64_MAX || value < INT64_MIN ? null : value
}

/** The same as a number: for counts and places; beyond 2^53 rounded. */
export function parseInteger(text: string): number | null {
  if (text.length < 16) return INTEGER.test(text) ? Number(text) : null
  const value = parseInt64(text)
  return value === null ? null : Number(value)
}

/** @throws {ReplyError} when the word is no integer */
export function integerOf(text: string, why = NOT_INTEGER): number {
  return parseInteger(text) ?? fail(why)
}

/** The sum of two 64-bit integers. @throws {ReplyError} on overflow */
export function addInt64(a: bigint, b: bigint): bigint {
  const sum = a + b
  if (sum > INT64_MAX || sum < INT64_MIN) fail('ERR increment or decrement would overflow')
  return sum
}

const DOUBLE = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?)$/i
const HEX = /^([+-]?)0x([0-9a-f]+)$/i

/** A double, infinities included; null for anything else, NaN too. */
export function parseDouble(text: string): number | null {
  const hex = HEX.exec(text)
  if (hex !== null) return (hex[1] === '-' ? -1 : 1) * Number.parseInt(hex[2]!, 16)
  if (text.length > 512 || !DOUBLE.test(text)) return null
  if (/inf/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return Number(text)
}

/** A double as C's strtod takes it: blanks before it are nothing, and nothing at all is 0. */
export function parseLoosely(text: string): number | null {
  return text === '' ? 0 : parseDouble(text.replace(/^[\t-\r ]+/, ''))
}

/** @throws {ReplyError} when the word is no double */
export function doubleOf(text: string, why = NOT_FLOAT): number {
  return parseDouble(text) ?? fail(why)
}

const DECIMALS_MAX = 17
const EXPONENT_MAX = 4932

interface Decimal {
  /** value = mantissa / 10^scale */
  readonly mantissa: bigint
  readonly scale: number
}

function decimalOf(text: string): Decimal {
  const value = parseDouble(text)
  if (value === null) fail(NOT_FLOAT)
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null || !Number.isFinite(value)) {
    if (Number.isFinite(value)) return decimalOf(String(value))
    fail('ERR increment would produce NaN or Infinity')
  }
  const exponent = Number(match[4] ?? 0)
  if (Math.abs(exponent) > EXPONENT_MAX) fail(NOT_FLOAT)
  const digits = BigInt(`${match[2]}${match[3]}` || '0') * (match[1] === '-' ? -1n : 1n)
  const scale = match[3]!.length - exponent
  return scale >= 0 ? { mantissa: digits, scale } : { mantissa: digits * 10n ** BigInt(-scale), scale: 0 }
}

/**
 * The exact sum of two decimal numbers, with 17 decimals at most and no zeros at the end.
 * @throws {ReplyError} when one is no number, or the sum is too large for a double
 */
export function addDecimals(a: string, b: string): string {
  const left = decimalOf(a)
  const right = decimalOf(b)
  let scale = Math.max(left.scale, right.scale)
  let sum =
    left.mantissa * 10n ** BigInt(scale - left.scale) + right.mantissa * 10n ** BigInt(scale - right.scale)
  if (scale > DECIMALS_MAX) {
    sum /= 10n ** BigInt(scale - DECIMALS_MAX)
    scale = DECIMALS_MAX
  }
  const sign = sum < 0n ? '-' : ''
  const digits = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, '0')
  if (!Number.isFinite(Number(digits))) fail('ERR increment would produce NaN or Infinity')
  const whole = digits.slice(0, digits.length - scale)
  const part = digits.slice(digits.length - scale).replace(/0+$/, '')
  return part === '' || scale === 0 ? `${sign}${whole}` : `${sign}${whole}.${part}`
}

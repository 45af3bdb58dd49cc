// Decimal text to the nearest double, over the bytes, without making a string. A mantissa up to 2^53 and
// a power of ten up to 10^22 are both exact doubles, so one multiplication or division rounds once and
// is correct (Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990). The rest - more
// than 15 or 16 digits, far exponents - goes through Number().
//
// Invariants: what is written to `out` equals Number(text) bit for bit, and is finite.
// Not here: what may follow a number (its callers), integers of line protocol (line-parse.ts).

const MANTISSA_MAX = 2 ** 53
const POWER_MAX = 22
const POWERS = Float64Array.from({ length: POWER_MAX + 1 }, (_, i) => Number(`1e${i}`))

/** What scanNumber() answers when there is no number. */
export const NOT_A_NUMBER = -1
/** What scanNumber() answers when the number is beyond the largest double. */
export const OUT_OF_RANGE = -2

/**
 * Reads one decimal number at `at`, at most up to `end`, into out[index].
 * @param lenient  false: the grammar of JSON. true: also a plus sign, leading zeros, `.5` and `5.`
 * @returns the position after the number, NOT_A_NUMBER or OUT_OF_RANGE
 */
export function scanNumber(
  bytes: Uint8Array,
  at: number,
  end: number,
  out: Float64Array,
  index: number,
  lenient: boolean
): number {
  let p = at
  let c = p < end ? bytes[p]! : 0
  const negative = c === 45
  if (negative || (lenient && c === 43)) c = ++p < end ? bytes[p]! : 0
  const first = p
  let mantissa = 0
  while (c >= 48 && c <= 57) {
    mantissa = mantissa * 10 + (c - 48)
    c = ++p < end ? bytes[p]! : 0
  }
  const whole = p - first
  if (!lenient && (whole === 0 || (whole > 1 && bytes[first] === 48))) return NOT_A_NUMBER
  let scale = 0
  if (c === 46) {
    const point = p
    c = ++p < end ? bytes[p]! : 0
    while (c >= 48 && c <= 57) {
      mantissa = mantissa * 10 + (c - 48)
      c = ++p < end ? bytes[p]! : 0
    }
    scale = p - point - 1
    if (scale === 0 && (!lenient || whole === 0)) return NOT_A_NUMBER
  } else if (whole === 0) {
    return NOT_A_NUMBER
  }
  if (c === 101 || c === 69) return scanExponent(bytes, at, p, end, mantissa, scale, out, index)
  if (mantissa > MANTISSA_MAX || scale > POWER_MAX) return scanLong(bytes, at, p, out, index)
  const value = scale === 0 ? mantissa : mantissa / POWERS[scale]!
  out[index] = negative ? -value : value
  return p
}

/** Goes on at the `e` of a number whose mantissa is read. */
function scanExponent(
  bytes: Uint8Array,
  at: number,
  e: number,
  end: number,
  mantissa: number,
  scale: number,
  out: Float64Array,
  index: number
): number {
  let p = e + 1
  let c = p < end ? bytes[p]! : 0
  const down = c === 45
  if (down || c === 43) c = ++p < end ? bytes[p]! : 0
  const first = p
  let exponent = 0
  while (c >= 48 && c <= 57) {
    if (exponent < 10_000) exponent = exponent * 10 + (c - 48)
    c = ++p < end ? bytes[p]! : 0
  }
  if (p === first) return NOT_A_NUMBER
  const power = (down ? -exponent : exponent) - scale
  if (mantissa > MANTISSA_MAX || power > POWER_MAX || power < -POWER_MAX) {
    return scanLong(bytes, at, p, out, index)
  }
  const value = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!
  out[index] = bytes[at] === 45 ? -value : value
  return p
}

/** A number that one rounding cannot make. */
function scanLong(bytes: Uint8Array, at: number, p: number, out: Float64Array, index: number): number {
  const value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + at, p - at).toString('latin1'))
  if (!Number.isFinite(value)) return OUT_OF_RANGE
  out[index] = value
  return p
}

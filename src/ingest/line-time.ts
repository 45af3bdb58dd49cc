// The end of a line of line protocol: its time, if it has one, and its newline.
//
//   tail := " "* (-?digits " "*)? "\r"? ("\n" | end)
// Example: ` 1465839830100400200` in nanoseconds is 1465839830100400 us
//
// Invariants: integers only, exact in microseconds (below one, rounded down); never throws.

/** Microseconds in one unit of time, by the names of InfluxDB 1 (`n u ms s m h`) and 2 (`ns us ms s`). */
export const LINE_PRECISIONS: Readonly<Record<string, number>> = {
  n: 0.001,
  ns: 0.001,
  u: 1,
  us: 1,
  µ: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3600e6
}

/** What scanTail() answers for something that is no tail. */
export const BAD_TAIL = -1
/** What scanTail() answers when the bytes end before the tail does. */
export const CUT_TAIL = -2

/**
 * Reads the tail at p; out[0] becomes its time in microseconds, or stays when it has none.
 * @param unitUs  microseconds of one unit
 * @returns the position after the newline, BAD_TAIL or CUT_TAIL
 */
export function scanTail(
  bytes: Uint8Array,
  at: number,
  end: number,
  final: boolean,
  unitUs: number,
  out: Float64Array
): number {
  let p = at
  while (p < end && bytes[p] === 32) p++
  let c = p < end ? bytes[p]! : 0
  if (p > at && (c === 45 || (c >= 48 && c <= 57))) {
    const negative = c === 45
    if (negative) p++
    const first = p
    while (p < end && bytes[p]! >= 48 && bytes[p]! <= 57) p++
    if (p === first && (p < end || final)) return BAD_TAIL
    out[0] = timeOf(bytes, first, p, negative, unitUs)
    while (p < end && bytes[p] === 32) p++
    c = p < end ? bytes[p]! : 0
  }
  if (p < end && c === 13) c = ++p < end ? bytes[p]! : 0
  if (p >= end) return final ? p : CUT_TAIL
  return c === 10 ? p + 1 : BAD_TAIL
}

/** Microseconds of the digits in bytes[first, stop); NaN when they say more than a double holds exactly. */
function timeOf(bytes: Uint8Array, first: number, stop: number, negative: boolean, unitUs: number): number {
  const whole = unitUs < 1 ? Math.max(first, stop - 3) : stop
  let value = 0
  for (let p = first; p < whole; ) {
    // Nine digits at a time through 32-bit integers: a chain of sixteen double multiplications is slow.
    const stopPart = Math.min(whole, p + 9)
    let part = 0
    let scale = 1
    for (; p < stopPart; p++) {
      part = (Math.imul(part, 10) + bytes[p]! - 48) | 0
      scale = Math.imul(scale, 10)
    }
    value = value * scale + part
  }
  if (unitUs >= 1) value *= unitUs
  else if (negative) {
    let below = false
    for (let p = whole; p < stop; p++) if (bytes[p] !== 48) below = true
    if (below) value++
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN
  return negative && value !== 0 ? -value : value
}

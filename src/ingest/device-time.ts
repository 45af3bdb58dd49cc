// The time a device writes into its message: a number in some unit, or ISO 8601 text. Read over the bytes
// into microseconds since the Unix epoch.
//
// Invariants: a time that cannot be read is NaN, never a guess.
// Not here: whether a time is believable (time-guard.ts).

/** Unit of a time field. `auto` takes ISO text as such and tells the unit of a number by its size. */
export const TIME_UNITS = ['s', 'ms', 'us', 'ns', 'iso', 'auto'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

/**
 * Microseconds of a number in a unit, rounded; NaN for unit `iso`. By size, `auto` says: below 1e11 seconds
 * (the year 5138), below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds; no unit claims a
 * time of another later than 1973.
 */
export function timeOfNumber(value: number, unit: TimeUnit): number {
  switch (unit) {
    case 's':
      return Math.round(value * 1e6)
    case 'ms':
      return Math.round(value * 1e3)
    case 'us':
      return Math.round(value)
    case 'ns':
      return Math.floor(value / 1e3)
    case 'iso':
      return Number.NaN
    case 'auto': {
      const size = Math.abs(value)
      return timeOfNumber(value, size < 1e11 ? 's' : size < 1e14 ? 'ms' : size < 1e17 ? 'us' : 'ns')
    }
  }
}

/** The number that bytes[at, at + n) say in decimal digits, or NaN. */
function digits(bytes: Uint8Array, at: number, n: number, end: number): number {
  if (at + n > end) return Number.NaN
  let value = 0
  for (let i = at; i < at + n; i++) {
    const digit = bytes[i]! - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. @see Hinnant, "chrono-compatible date algorithms" */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const ofEra = y - era * 400
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/**
 * Microseconds of `YYYY-MM-DD[T| ]hh:mm[:ss[.fraction]][Z|+hh:mm|-hh:mm|+hhmm|-hhmm]` in bytes[start, end);
 * a date alone is its midnight; without an offset UTC is meant; digits below a microsecond are cut.
 * @returns NaN when the bytes are something else
 */
export function timeOfIso(bytes: Uint8Array, start: number, end: number): number {
  const year = digits(bytes, start, 4, end)
  const month = digits(bytes, start + 5, 2, end)
  const day = digits(bytes, start + 8, 2, end)
  if (bytes[start + 4] !== 45 || bytes[start + 7] !== 45) return Number.NaN
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return Number.NaN
  const midnight = daysOf(year, month, day) * 86_400e6
  let p = start + 10
  if (p === end) return midnight
  if (bytes[p] !== 84 && bytes[p] !== 116 && bytes[p] !== 32) return Number.NaN
  const hour = digits(bytes, p + 1, 2, end)
  const minute = digits(bytes, p + 4, 2, end)
  if (bytes[p + 3] !== 58 || !(hour <= 23 && minute <= 59)) return Number.NaN
  p += 6
  let us = 0
  if (p < end && bytes[p] === 58) {
    const second = digits(bytes, p + 1, 2, end)
    if (!(second <= 60)) return Number.NaN
    us = second * 1e6
    p += 3
    if (p < end && (bytes[p] === 46 || bytes[p] === 44)) {
      const point = p++
      for (let unit = 1e5; p < end && bytes[p]! >= 48 && bytes[p]! <= 57; p++, unit = Math.floor(unit / 10)) {
        us += (bytes[p]! - 48) * unit
      }
      if (p === point + 1) return Number.NaN
    }
  }
  return midnight + hour * 3600e6 + minute * 60e6 + us - offsetOf(bytes, p, end)
}

/** Microseconds that an offset at p, which must reach to end, is ahead of UTC; NaN when it is none. */
function offsetOf(bytes: Uint8Array, p: number, end: number): number {
  if (p === end) return 0
  const sign = bytes[p]!
  if (sign === 90 || sign === 122) return p + 1 === end ? 0 : Number.NaN
  if (sign !== 43 && sign !== 45) return Number.NaN
  const hours = digits(bytes, p + 1, 2, end)
  const colon = bytes[p + 3] === 58 ? 1 : 0
  const minutes = p + 3 === end ? 0 : digits(bytes, p + 3 + colon, 2, end)
  if (!(hours <= 23 && minutes <= 59)) return Number.NaN
  if (p + 3 !== end && p + 5 + colon !== end) return Number.NaN
  return (sign === 45 ? -1 : 1) * (hours * 60 + minutes) * 60e6
}

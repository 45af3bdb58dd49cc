// Functions of one value at a time: arithmetic, trigonometry, dates. Dates are UTC.
// Not here: functions over ranges (range-functions.ts), operators between two values (arithmetic.ts).

function date(value: number): Date {
  return new Date(Math.trunc(value) * 1000)
}

function dayOfYear(when: Date): number {
  const start = new Date(0)
  start.setUTCFullYear(when.getUTCFullYear())
  const day = Date.UTC(1970, when.getUTCMonth(), when.getUTCDate())
  const isLeap = new Date(Date.UTC(2000, 1, 29)).setUTCFullYear(when.getUTCFullYear())
  const hasLeapDay = new Date(isLeap).getUTCMonth() === 1
  return Math.round(day / 86_400_000) + 1 + (hasLeapDay && when.getUTCMonth() > 1 ? 1 : 0)
}

function daysInMonth(when: Date): number {
  const last = new Date(0)
  last.setUTCFullYear(when.getUTCFullYear(), when.getUTCMonth() + 1, 0)
  return last.getUTCDate()
}

export const VALUE_FUNCTIONS: Readonly<Record<string, (value: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: value => (value * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: value => (value * Math.PI) / 180,
  sgn: value => (value < 0 ? -1 : value > 0 ? 1 : value),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh
}

/** Of a time in seconds since the epoch; NaN for what is no time. */
export const DATE_FUNCTIONS: Readonly<Record<string, (value: number) => number>> = {
  day_of_month: value => date(value).getUTCDate(),
  day_of_week: value => date(value).getUTCDay(),
  day_of_year: value => dayOfYear(date(value)),
  days_in_month: value => daysInMonth(date(value)),
  hour: value => date(value).getUTCHours(),
  minute: value => date(value).getUTCMinutes(),
  month: value => date(value).getUTCMonth() + 1,
  year: value => date(value).getUTCFullYear()
}

/** The nearest multiple; ties go up. */
export function roundTo(value: number, nearest: number): number {
  const inverse = 1 / nearest
  return Math.floor(value * inverse + 0.5) / inverse
}

/** As Go's math.Max and math.Min, for which NaN wins. */
export function clampValue(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value))
}

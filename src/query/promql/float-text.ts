// Numbers as Go prints them, in answers and in labels.

/** As Prometheus' API writes a value: shortest, in exponent form below 1e-6 and from 1e21. */
export function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  // Go writes at least two digits of an exponent.
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2')
}

/** Shortest digits without an exponent: what count_values puts into a label. */
export function plainText(value: number): string {
  const text = String(value)
  const found = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (found === null) return valueText(value)
  const [, sign, first, rest = '', exponent] = found
  const digits = first + rest
  const point = 1 + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return sign + digits.padEnd(point, '0')
}

/** A time in seconds, as JSON; milliseconds, or microseconds where it has some. */
export function secondsText(timeUs: number): string {
  return String(timeUs / 1e6)
}

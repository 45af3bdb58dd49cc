// Times on a command line: "now", "-1h" (ago), a date and time in ISO 8601 (local without a zone), or whole
// seconds since the epoch. As integer microseconds, as the API wants them.
import { reason, VarveError } from '../base/errors.ts'
import { parseDuration } from '../base/units.ts'

/** @throws {VarveError} VARVE_USAGE */
export function parseTimeUs(text: string, nowMs: number): number {
  const refuse = (why: string) =>
    new VarveError(
      'VARVE_USAGE',
      `Cannot read time ${JSON.stringify(text.slice(0, 60))}: ${why}; use "now", "-1h", "2026-01-31T12:00" or seconds since 1970`
    )
  if (text === 'now') return nowMs * 1000
  if (text.startsWith('-')) {
    try {
      return (nowMs - parseDuration(text.slice(1))) * 1000
    } catch (error) {
      throw refuse(reason(error))
    }
  }
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1_000_000
  if (!/^\d{4}-\d\d-\d\d/.test(text)) throw refuse('it is none of the known forms')
  const ms = Date.parse(text.length === 10 ? `${text}T00:00` : text)
  if (Number.isNaN(ms)) throw refuse('there is no such date')
  return ms * 1000
}

/** "2026-01-31 12:00:00.5" in local time, from microseconds; as short as it is exact to the ms. */
export function printTimeUs(us: number): string {
  const date = new Date(us / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const ms = date.getMilliseconds()
  const part = ms === 0 ? '' : `.${String(ms).padStart(3, '0').replace(/0+$/, '')}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${part}`
}

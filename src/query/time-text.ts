// Times as people and programs write them.
//
//   time     := 'now' | ('now')? '-' duration | integer | decimal ('us' | 'ms' | 's') | date
//   integer  := microseconds since the Unix epoch
//   date     := RFC 3339, where the time of day (midnight) and the zone (UTC) may be left out
// Example: 1700000000000000, 1700000000s, 2023-11-14T22:13:20Z and 2023-11-14T23:13:20.000000+01:00 are one time
import { VarveError } from '../base/errors.ts'
import { parseDuration } from '../base/units.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import type { TimeStyle } from './request.ts'

const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 }
const DATE =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+-])(\d\d):(\d\d))?)?$/

/**
 * Microseconds since the epoch.
 * @throws {VarveError} VARVE_TIME when the text is not a time, or outside what a sample may have
 */
export function parseTime(text: string, nowUs: number): number {
  const timeUs = timeOf(text, nowUs)
  if (!(timeUs >= TIME_MIN_US && timeUs <= TIME_MAX_US)) {
    throw refuse(text, 'it is not between 1970-01-01 and 2112-09-17')
  }
  return timeUs
}

function refuse(text: string, why: string): VarveError {
  return new VarveError('VARVE_TIME', `Cannot read time ${JSON.stringify(text.slice(0, 60))}: ${why}`)
}

function timeOf(text: string, nowUs: number): number {
  if (/^-?\d{1,16}$/.test(text)) return Number(text)
  const unit = /^(\d{1,16}(?:\.\d{1,9})?)(us|ms|s)$/.exec(text)
  if (unit !== null) return Math.round(Number(unit[1]) * UNIT_US[unit[2]!]!)
  if (text === 'now') return nowUs
  const ago = /^(?:now)?-(\d.*)$/.exec(text)
  if (ago !== null && !/^\d+-/.test(ago[1]!)) return nowUs - parseDuration(ago[1]!) * 1000
  const date = DATE.exec(text)
  if (date === null) {
    throw refuse(text, 'it must be microseconds, a number with s or ms, RFC 3339, now, or -15m')
  }
  return dateUs(date, text)
}

function dateUs(date: RegExpExecArray, text: string): number {
  const [year, month, day, hour, minute, second] = date.slice(1, 7).map(part => Number(part ?? 0))
  const ms = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
  const back = new Date(ms)
  if (
    back.getUTCFullYear() !== year ||
    back.getUTCMonth() !== month! - 1 ||
    back.getUTCDate() !== day ||
    back.getUTCHours() !== hour ||
    back.getUTCMinutes() !== minute
  ) {
    throw refuse(text, 'there is no such date')
  }
  const zone = (Number(date[9] ?? 0) * 60 + Number(date[10] ?? 0)) * (date[8] === '-' ? -1 : 1)
  const fraction = Number((date[7] ?? '').padEnd(6, '0').slice(0, 6))
  return (ms - zone * 60_000) * 1000 + fraction
}

/** The name of the member or column that holds a time in a style. */
export function timeName(style: TimeStyle): string {
  return style === 'iso' ? 'time' : `time_${style}`
}

/** A time as a number of its style. Exact for us; ms and s may have a fraction. */
export function timeNumber(timeUs: number, style: 'us' | 'ms' | 's'): number {
  return style === 'us' ? timeUs : style === 'ms' ? timeUs / 1000 : timeUs / 1_000_000
}

/** RFC 3339 in UTC with three digits of a second, six where the time needs them. */
export function isoTime(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000)
  const us = timeUs - ms * 1000
  const text = new Date(ms).toISOString()
  return us === 0 ? text : `${text.slice(0, -1)}${String(us).padStart(3, '0')}Z`
}

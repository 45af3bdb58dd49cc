// Durations and sizes as people write them: "15m", "1d12h", "64MiB", "32GB". The one parser and printer,
// so that configuration, flags, queries and reports agree on what a unit means.
//
//   duration := (digits unit)+      units y d h m s ms (w is read too), each at most once, largest first
//   size     := digits unit?        B KiB MiB GiB TiB (powers of 1024), kB MB GB TB (powers of 1000)
// Example: "1d12h" = 129600000 ms; "10y" = 315360000000 ms; "64MiB" = 67108864; "32GB" = 32000000000
//
// Invariants: a year is 365 days and a day 24 hours (these are spans, not calendar dates); numbers are
// whole, so that parse(print(n)) is n; nothing beyond 2^53 - 1 is accepted.
// Not here: dates and times of day, cron expressions (schedule/cron.ts).
import { assert } from './assert.ts'
import { VarveError } from './errors.ts'

const SECOND = 1000
const DAY = 86_400 * SECOND

/** Milliseconds of each unit, largest first: the order in which a duration must name them. */
const DURATION_UNITS = [
  ['y', 365 * DAY],
  ['w', 7 * DAY],
  ['d', DAY],
  ['h', 3600 * SECOND],
  ['m', 60 * SECOND],
  ['s', SECOND],
  ['ms', 1]
] as const

/** Bytes of each unit; a tie in printing goes to the earlier. */
const SIZE_UNITS = [
  ['TiB', 1024 ** 4],
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['TB', 1000 ** 4],
  ['GB', 1000 ** 3],
  ['MB', 1000 ** 2],
  ['kB', 1000],
  ['B', 1]
] as const

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)
}

/**
 * Milliseconds of a duration such as "15m" or "1d12h".
 * @throws {VarveError} VARVE_UNIT when the text is not a duration, or longer than 2^53 - 1 ms
 */
export function parseDuration(text: string): number {
  const refuse = (why: string) =>
    new VarveError('VARVE_UNIT', `Cannot read duration ${quote(text)}: ${why}, such as "15m" or "1d12h"`)
  let total = 0
  let unitBefore = -1
  let at = 0
  while (at < text.length) {
    const part = /^(\d{1,16})([a-z]+)/.exec(text.slice(at, at + 32))
    if (!part) throw refuse('it must be whole numbers, each with a unit of y d h m s ms')
    const unit = DURATION_UNITS.findIndex(([name]) => name === part[2])
    if (unit < 0) throw refuse(`unit ${quote(part[2]!)} is not one of y d h m s ms`)
    if (unit <= unitBefore) throw refuse('units must go from the largest to the smallest, each once')
    total += Number(part[1]) * DURATION_UNITS[unit]![1]
    unitBefore = unit
    at += part[0].length
  }
  if (unitBefore < 0) throw refuse('it must be whole numbers, each with a unit of y d h m s ms')
  if (total > Number.MAX_SAFE_INTEGER) throw refuse('it is longer than 285616 years')
  return total
}

/** The shortest text that parseDuration() reads back as ms, a whole number >= 0: 90000 is "1m30s". */
export function printDuration(ms: number): string {
  assert(Number.isSafeInteger(ms) && ms >= 0, 'a duration is a whole number of ms, not negative')
  let text = ''
  let left = ms
  for (const [name, unitMs] of DURATION_UNITS) {
    if (name === 'w') continue
    const count = Math.floor(left / unitMs)
    if (count > 0) text += `${count}${name}`
    left -= count * unitMs
  }
  return text === '' ? '0s' : text
}

/**
 * Bytes of a size such as "64MiB"; a bare number is bytes.
 * @throws {VarveError} VARVE_UNIT when the text is not a size, or beyond 2^53 - 1 bytes
 */
export function parseSize(text: string): number {
  const refuse = (why: string) =>
    new VarveError('VARVE_UNIT', `Cannot read size ${quote(text)}: ${why}, such as "64MiB" or "32GB"`)
  const part = /^(\d{1,16})([A-Za-z]*)$/.exec(text)
  if (!part) throw refuse('it must be a whole number and a unit')
  const unit = part[2] === '' ? 1 : SIZE_UNITS.find(([name]) => name === part[2])?.[1]
  if (unit === undefined) throw refuse(`unit ${quote(part[2]!)} is not one of B KiB MiB GiB TiB kB MB GB TB`)
  const bytes = Number(part[1]) * unit
  if (bytes > Number.MAX_SAFE_INTEGER) throw refuse('it is more than 8191 TiB')
  return bytes
}

/** The shortest text that parseSize() reads back as bytes, a whole number >= 0: 67108864 is "64MiB". */
export function printSize(bytes: number): string {
  assert(Number.isSafeInteger(bytes) && bytes >= 0, 'a size is a whole number of bytes, not negative')
  let best = `${bytes}B`
  for (const [name, unit] of SIZE_UNITS) {
    if (bytes === 0 || bytes % unit !== 0) continue
    const text = `${bytes / unit}${name}`
    if (text.length < best.length) best = text
  }
  return best
}

/** Three figures of a number of bytes, for people: 1288490189 is "1.20 GiB". Not to be parsed back. */
export function roughSize(bytes: number): string {
  for (const [name, unit] of SIZE_UNITS.slice(0, 4)) {
    if (Math.abs(bytes) >= unit) return `${threeFigures(bytes / unit)} ${name}`
  }
  return `${threeFigures(bytes)} B`
}

/** The two largest units of a span of ms, for people: 100000000 is "1d 3h". Not to be parsed back. */
export function roughDuration(ms: number): string {
  if (!Number.isFinite(ms)) return 'forever'
  const parts: string[] = []
  let left = Math.max(0, Math.round(ms))
  for (const [name, unitMs] of DURATION_UNITS) {
    if (name === 'w') continue
    const count = Math.floor(left / unitMs)
    left -= count * unitMs
    if (count > 0) parts.push(`${count}${name}`)
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break
  }
  return parts.length === 0 ? '0s' : parts.join(' ')
}

function threeFigures(value: number): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) || size >= 100) return value.toFixed(0)
  return value.toFixed(size >= 10 ? 1 : 2)
}

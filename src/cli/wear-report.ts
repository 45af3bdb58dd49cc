// What a wear ledger means for a medium: rates, bytes per sample, and when it will be worn out. Pure.
//
// The life is that of the budget: size x endurance bytes can be written in all. It assumes that wear is
// levelled over the whole medium, that the medium multiplies small writes by nothing (cheap cards do: see
// scripts/ for a model of one), and that the rate of the last days goes on.
import { roughDuration, roughSize } from '../base/units.ts'
import { causeBars } from './chart.ts'
import type { BytesByCause, WearLedger } from './doors.ts'

const DAY_MS = 86_400_000

/** So many of the last days make the rate. */
const rateDaysMax = 30
/** A younger ledger tells no rate: it is mostly the WAL files that a start makes. */
const rateSpanMsMin = 3_600_000

export interface Medium {
  readonly bytes: number
  readonly endurance: number
  /** How long it is meant to last, ms. */
  readonly lifeMs: number
}

export interface WearReport {
  readonly total: number
  readonly bytes: BytesByCause
  readonly perSample: number | null
  readonly perDay: number | null
  /** How long the whole of the medium's budget lasts at this rate, ms; null: nothing was written yet. */
  readonly lifeMs: number | null
  /** When the budget is used up, ms since the epoch; null as lifeMs. */
  readonly endMs: number | null
  readonly budgetPerDay: number
}

export function wearReport(ledger: WearLedger, medium: Medium): WearReport {
  const total = sum(ledger.bytes)
  const perDay = bytesPerDay(ledger, total)
  const budget = medium.bytes * medium.endurance
  const lifeMs = perDay === null || perDay === 0 ? null : (budget / perDay) * DAY_MS
  const leftMs = perDay === null || perDay === 0 ? null : (Math.max(0, budget - total) / perDay) * DAY_MS
  return {
    total,
    bytes: ledger.bytes,
    perSample: ledger.samples > 0 ? total / ledger.samples : null,
    perDay,
    lifeMs,
    endMs: leftMs === null ? null : ledger.untilMs + leftMs,
    budgetPerDay: budget / (medium.lifeMs / DAY_MS)
  }
}

/** The rate of the last days, by the time that they really cover. */
function bytesPerDay(ledger: WearLedger, total: number): number | null {
  const days = ledger.days.slice(-rateDaysMax)
  const fromMs = Math.max(ledger.sinceMs, days[0]?.dayMs ?? ledger.sinceMs)
  const spanMs = ledger.untilMs - fromMs
  if (spanMs < rateSpanMsMin) return null
  const bytes = days.length === 0 ? total : days.reduce((all, day) => all + sum(day.bytes), 0)
  return (bytes / spanMs) * DAY_MS
}

function sum(bytes: BytesByCause): number {
  return Object.values(bytes).reduce((all, n) => all + n, 0)
}

/** The report for people. */
export function printWear(report: WearReport, ledger: WearLedger, medium: Medium, columns: number): string {
  const lines = [
    `Written since ${date(ledger.sinceMs)}: ${roughSize(report.total)} by ${ledger.samples} samples`
  ]
  const causes = Object.entries(report.bytes).filter(([, bytes]) => bytes > 0)
  for (const [cause, bytes] of causes.sort(([, a], [, b]) => b - a)) {
    const share = ((bytes / report.total) * 100).toFixed(1)
    const each = ledger.samples > 0 ? `, ${(bytes / ledger.samples).toFixed(2)} bytes/sample` : ''
    lines.push(`  ${cause.padEnd(9)} ${roughSize(bytes).padStart(9)}  ${share.padStart(5)} %${each}`)
  }
  if (report.perSample !== null) lines.push(`Per sample: ${report.perSample.toFixed(2)} bytes`)
  if (report.perDay === null || report.lifeMs === null || report.endMs === null) {
    lines.push('Per day: not known yet')
  } else {
    const share = ((report.perDay / report.budgetPerDay) * 100).toFixed(
      report.perDay < report.budgetPerDay ? 1 : 0
    )
    lines.push(
      `Per day: ${roughSize(report.perDay)}, ${share} % of the budget of ${roughSize(report.budgetPerDay)}`
    )
    lines.push(
      `Projected: ${projected(report.lifeMs, report.endMs)}, meant to last ${roughDuration(medium.lifeMs)}`
    )
  }
  lines.push(...flashLines(ledger), ...controlLines(ledger))
  lines.push(
    `Assumed: ${roughSize(medium.bytes)}, ${medium.endurance} full writes, levelled; the rate goes on as it is`
  )
  const bars = causeBars(
    ledger.days.slice(-rateDaysMax).map(({ dayMs, bytes }) => ({ label: date(dayMs), bytes })),
    columns
  )
  return `${lines.join('\n')}\n${bars === '' ? '' : `\n${bars}`}`
}

function flashLines({ flash }: WearLedger): string[] {
  if (flash === null) return []
  const { device, kind, model, fileSystem, lifeUsed, notes } = flash
  const facts = [
    device === null ? 'device unknown' : `${device} (${[kind, model].filter(Boolean).join(', ')})`,
    fileSystem ?? 'file system unknown'
  ]
  if (lifeUsed !== null)
    facts.push(`says ${lifeUsed.map(part => Math.round(part * 100)).join(' to ')} % of its life is used`)
  return [`Medium: ${facts.join(', ')}`, ...notes.map(note => `Note: ${note}`)]
}

function controlLines({ control }: WearLedger): string[] {
  if (control === null) return []
  const { state, why, allowedBytesPerDay, waitMs, earlyBytesPerDay, flushBytes, merges, rollups } = control
  const held = [merges ? '' : 'merges wait', rollups ? '' : 'rollups wait'].filter(text => text !== '')
  return [
    `Now: ${state}, ${why}`,
    `  ${[
      `${roughSize(allowedBytesPerDay)} a day are allowed from now on`,
      `acknowledgements wait ${waitMs} ms at most`,
      `early syncs may cost ${roughSize(earlyBytesPerDay)} a day`,
      `flushes at ${roughSize(flushBytes)}`,
      ...held
    ].join('; ')}`
  ]
}

function projected(lifeMs: number, endMs: number): string {
  const farMs = 1000 * 365 * DAY_MS
  return lifeMs > farMs ? 'more than 1000 years' : `${roughDuration(lifeMs)} in all, until ${date(endMs)}`
}

function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

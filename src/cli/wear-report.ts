// What a wear ledger means for a medium: rates, bytes per sample, and when it will be worn out. Pure.
//
// The life is that of the budget: size x endurance bytes can be programmed in all. Assumed are: wear is
// levelled over the whole medium; the card programs `amplification` bytes for each that it is given; the
// rate of the last days goes on; what it says itself of its age, where that is more, is right.
// Not here: the text for people (wear-text.ts).
import type { BytesByCause, WearLedger } from './doors.ts'

export const DAY_MS = 86_400_000

/** So many of the last days make the rate. */
export const RATE_DAYS_MAX = 30
/** A younger ledger tells no rate: it is mostly the WAL files that a start makes. */
const RATE_SPAN_MS_MIN = 3_600_000

export interface Medium {
  readonly bytes: number
  readonly endurance: number
  /** How long it is meant to last, ms. */
  readonly lifeMs: number
  /** Bytes that the card programs for each that it is given; null: as the ledger estimates it. */
  readonly amplification: number | null
}

export interface WearReport {
  /** Bytes that the medium was asked to write. */
  readonly total: number
  readonly bytes: BytesByCause
  readonly perSample: number | null
  /** Of the last days: bytes that the medium was asked to write a day; null: not known yet. */
  readonly perDay: number | null
  readonly perDayByCause: BytesByCause
  /** How many days that is the mean of. */
  readonly rateDays: number
  readonly amplification: number
  /** perDay x amplification. */
  readonly programmedPerDay: number | null
  /** How much of the budget is used up, 0 to 1 and beyond. */
  readonly used: number
  /** How long the whole of the medium's budget lasts at this rate, ms; null: nothing was written yet. */
  readonly lifeMs: number | null
  /** When the budget is used up, ms since the epoch; null as lifeMs. */
  readonly endMs: number | null
  /** Programmed bytes a day that the budget bears over its whole life. */
  readonly budgetPerDay: number
}

export function wearReport(ledger: WearLedger, medium: Medium): WearReport {
  const total = sum(ledger.bytes)
  const recent = recentDays(ledger)
  const amplification =
    medium.amplification ??
    (recent.bytes > 0 ? recent.programmed / recent.bytes : total > 0 ? ledger.programmedBytes / total : 1)
  const perDay = recent.days === 0 ? null : recent.bytes / recent.days
  const programmedPerDay = perDay === null ? null : perDay * amplification
  const budget = medium.bytes * medium.endurance
  const programmed = medium.amplification === null ? ledger.programmedBytes : total * amplification
  const used = Math.max(programmed / budget, ledger.flash?.lifeUsed?.[0] ?? 0)
  const daysOf = (bytes: number) =>
    programmedPerDay === null || programmedPerDay === 0 ? null : bytes / programmedPerDay
  const [all, left] = [daysOf(budget), daysOf(Math.max(0, 1 - used) * budget)]
  return {
    total,
    bytes: ledger.bytes,
    perSample: ledger.samples > 0 ? total / ledger.samples : null,
    perDay,
    perDayByCause: recent.byCause,
    rateDays: recent.days,
    amplification,
    programmedPerDay,
    used,
    lifeMs: all === null ? null : all * DAY_MS,
    endMs: left === null ? null : ledger.untilMs + left * DAY_MS,
    budgetPerDay: budget / (medium.lifeMs / DAY_MS)
  }
}

/** The days that make the rate, by the time that they really cover; days without a byte count too. */
function recentDays(ledger: WearLedger) {
  const today = Math.floor(ledger.untilMs / DAY_MS)
  const fromMs = Math.max(ledger.sinceMs, (today - RATE_DAYS_MAX + 1) * DAY_MS)
  const spanMs = ledger.untilMs - fromMs
  const days = ledger.days.filter(({ dayMs }) => dayMs > fromMs - DAY_MS && dayMs <= ledger.untilMs)
  const count = spanMs < RATE_SPAN_MS_MIN ? 0 : spanMs / DAY_MS
  const bytes = days.reduce((all, day) => all + sum(day.bytes), 0)
  const programmed = days.reduce((all, day) => all + day.programmedBytes, 0)
  const byCause: Record<string, number> = {}
  for (const day of days)
    for (const [cause, n] of Object.entries(day.bytes))
      if (count > 0) byCause[cause] = (byCause[cause] ?? 0) + n / count
  return { days: count, bytes, programmed, byCause }
}

function sum(bytes: BytesByCause): number {
  return Object.values(bytes).reduce((all, n) => all + n, 0)
}

/** The report for programs: part of what `varve wear --json` prints. */
export function projectionBody(report: WearReport, medium: Medium): object {
  return {
    medium_bytes: medium.bytes,
    endurance: medium.endurance,
    life_wanted_ms: medium.lifeMs,
    amplification: report.amplification,
    total_bytes: report.total,
    bytes_per_sample: report.perSample,
    rate_days: report.rateDays,
    bytes_per_day: report.perDay,
    programmed_bytes_per_day: report.programmedPerDay,
    budget_bytes_per_day: report.budgetPerDay,
    used_ratio: report.used,
    life_ms: report.lifeMs,
    end_ms: report.endMs
  }
}

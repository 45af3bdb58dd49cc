// The wear of a medium for people: warnings first, a table by cause, a plot by day and by month, the
// projection with each assumption that it rests on, what the system knows of the device, what the daemon does.
//
// Invariants: no line is wider than the terminal but where a word is; plain ASCII; sizes have their unit.
// Not here: the numbers (wear-report.ts), the bars (chart.ts).
import { roughDuration, roughSize } from '../base/units.ts'
import { causeBars, type DayBar } from './chart.ts'
import type { BytesByCause, WearFlash, WearLedger } from './doors.ts'
import { DAY_MS, type Medium, RATE_DAYS_MAX, type WearReport } from './wear-report.ts'

/** Months that the plot goes back. */
const MONTHS_MAX = 12

export function printWear(report: WearReport, ledger: WearLedger, medium: Medium, columns: number): string {
  const texts = [warnings(report, ledger, medium), [written(report, ledger)]]
  const drawn = [causeTable(report, ledger.samples), plots(ledger, columns)]
  const ends = [
    projection(report, ledger, medium),
    assumptions(report, ledger, medium),
    [...flashLines(ledger.flash), ...controlLines(ledger)]
  ]
  const wrapped = (parts: string[][]) => parts.map(lines => lines.map(line => wrap(line, columns)))
  return `${[...wrapped(texts), ...drawn, ...wrapped(ends)]
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`
}

/** What is wrong with the medium, and a budget that is not met. */
function warnings({ programmedPerDay, budgetPerDay, used }: WearReport, ledger: WearLedger, medium: Medium) {
  const lines = (ledger.flash?.notes ?? []).map(note => `WARNING: ${note}`)
  if (used >= 1) lines.push('WARNING: the budget of the medium is used up: replace it.')
  else if (programmedPerDay !== null && programmedPerDay > budgetPerDay)
    lines.push(
      `WARNING: at this rate the medium does not last the ${roughDuration(medium.lifeMs)} that it is meant to.`
    )
  return lines
}

function written({ total, perSample }: WearReport, { sinceMs, untilMs, samples }: WearLedger): string {
  const each = perSample === null ? '' : `, ${perSample.toFixed(2)} bytes for each of ${samples} samples`
  const spanMs = Math.max(60_000, untilMs - sinceMs)
  return `Written since ${date(sinceMs)} (${roughDuration(spanMs)}): ${roughSize(total)}${each}`
}

function causeTable({ total, bytes, perDay, perDayByCause }: WearReport, samples: number): string[] {
  const row = (name: string, n: number, aDay: number | null) =>
    [
      `  ${name.padEnd(9)}${roughSize(n).padStart(10)}${((n / total) * 100).toFixed(1).padStart(7)} %`,
      samples > 0 ? (n / samples).toFixed(2).padStart(14) : ''.padStart(14),
      aDay === null ? '' : roughSize(aDay).padStart(12)
    ]
      .join('')
      .trimEnd()
  const causes = Object.entries(bytes).filter(([, n]) => n > 0)
  if (causes.length === 0) return []
  return [
    `  cause       written    share  bytes/sample${perDay === null ? '' : '       a day'}`,
    ...causes
      .sort(([, a], [, b]) => b - a)
      .map(([cause, n]) => row(cause, n, perDay === null ? null : (perDayByCause[cause] ?? 0))),
    row('all', total, perDay)
  ]
}

function plots({ days, sinceMs, untilMs }: WearLedger, columns: number): string[] {
  const byDay = new Map(days.map(day => [day.dayMs, day.bytes]))
  const today = Math.floor(untilMs / DAY_MS) * DAY_MS
  const first = Math.max(Math.floor(sinceMs / DAY_MS) * DAY_MS, today - (RATE_DAYS_MAX - 1) * DAY_MS)
  const bars: DayBar[] = []
  for (let dayMs = first; dayMs <= today; dayMs += DAY_MS)
    bars.push({ label: date(dayMs), bytes: byDay.get(dayMs) ?? {} })
  const drawn = causeBars(bars, columns)
  if (drawn === '') return []
  const lines = ['Bytes written a day, by cause (days in UTC)', ...drawn.trimEnd().split('\n')]
  if (first <= sinceMs) return lines
  const months = causeBars(monthBars(days, sinceMs, untilMs), columns)
  return [...lines, '', 'Bytes written a day, mean of each month', ...months.trimEnd().split('\n')]
}

/** The mean day of each month, over the days of it that the ledger covers. */
function monthBars(days: WearLedger['days'], sinceMs: number, untilMs: number): DayBar[] {
  const months = new Map<string, Record<string, number>>()
  const from = Math.max(sinceMs, days[0]?.dayMs ?? sinceMs)
  for (const { dayMs, bytes } of days) {
    const label = date(dayMs).slice(0, 7)
    const startMs = Date.parse(`${label}-01`)
    const endMs = new Date(startMs).setUTCMonth(new Date(startMs).getUTCMonth() + 1)
    const covered = Math.max(DAY_MS / 24, Math.min(endMs, untilMs) - Math.max(startMs, from)) / DAY_MS
    const month = months.get(label) ?? {}
    for (const [cause, n] of Object.entries(bytes)) month[cause] = (month[cause] ?? 0) + n / covered
    months.set(label, month)
  }
  return [...months].slice(-MONTHS_MAX).map(([label, bytes]) => ({ label, bytes: bytes as BytesByCause }))
}

function projection(report: WearReport, { programmedBytes }: WearLedger, medium: Medium): string[] {
  const { programmedPerDay, budgetPerDay, lifeMs, endMs, used } = report
  const head = [
    'Life of the medium',
    `  It bears ${roughSize(medium.bytes)} x ${medium.endurance} full writes; used so far: ${percent(used)} (${roughSize(programmedBytes)} programmed by varve)`
  ]
  if (programmedPerDay === null || lifeMs === null || endMs === null)
    return [...head, '  Per day: not known yet, the ledger is too young']
  return [
    ...head,
    `  Per day: ${roughSize(programmedPerDay)} programmed, ${percent(programmedPerDay / budgetPerDay)} of the ${roughSize(budgetPerDay)} that ${roughDuration(medium.lifeMs)} bear`,
    `  Projected: ${projected(lifeMs, endMs)}, meant to last ${roughDuration(medium.lifeMs)}`
  ]
}

function assumptions(
  { amplification, rateDays }: WearReport,
  { flash, mediumBytes }: WearLedger,
  medium: Medium
): string[] {
  const days = rateDays >= 1.5 ? `of the last ${Math.round(rateDays)} days` : 'so far'
  const source =
    medium.amplification !== null
      ? 'as given'
      : 'estimated: pages of 16 KiB, each sync leaves one unfinished; what the card moves to collect garbage is not in it'
  const size =
    medium.bytes !== mediumBytes ? 'as given' : `as ${flash?.device ?? 'the file system'} or flash.size says`
  return [
    'Assumed',
    `  Size ${roughSize(medium.bytes)} (${size}), wear levelled over all of it`,
    `  Endurance ${medium.endurance} full writes (flash.endurance, --endurance)`,
    `  Write amplification ${amplification.toFixed(2)} (${source}; --amplification sets another)`,
    `  The rate ${days} goes on`
  ]
}

function flashLines(flash: WearFlash | null): string[] {
  if (flash === null) return []
  const { device, kind, model, fileSystem, deviceBytes, eraseBytes, lifeUsed, spareBlocks } = flash
  const facts = [
    device === null ? 'device unknown' : `${device} (${[kind, model].filter(Boolean).join(', ')})`,
    fileSystem ?? 'file system unknown'
  ]
  if (deviceBytes !== null) facts.push(roughSize(deviceBytes))
  if (eraseBytes !== null) facts.push(`erases ${roughSize(eraseBytes)} at once`)
  if (lifeUsed !== null)
    facts.push(`says ${lifeUsed.map(part => Math.round(part * 100)).join(' to ')} % of its life is used`)
  if (spareBlocks !== null) facts.push(`spare blocks ${spareBlocks}`)
  return [`Medium: ${facts.join(', ')}`]
}

function controlLines({ control }: WearLedger): string[] {
  if (control === null) return []
  const { state, why, allowedBytesPerDay, waitMs, earlyBytesPerDay, flushBytes, merges, rollups } = control
  const held = [merges ? '' : 'merges wait', rollups ? '' : 'rollups wait'].filter(text => text !== '')
  return [
    `Now: ${state}, ${why}`,
    `  ${roughSize(allowedBytesPerDay)} a day may be programmed from now on`,
    `  acknowledgements wait ${waitMs} ms at most, early syncs may cost ${roughSize(earlyBytesPerDay)} a day`,
    `  ${[`flushes at ${roughSize(flushBytes)} in memory`, ...held].join(', ')}`
  ]
}

function projected(lifeMs: number, endMs: number): string {
  const farMs = 1000 * 365 * DAY_MS
  return lifeMs > farMs ? 'more than 1000 years' : `${roughDuration(lifeMs)} in all, until ${date(endMs)}`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : share < 1 ? 1 : 0)} %`
}

function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Breaks between words; what goes on stands two columns further in. */
function wrap(line: string, columns: number): string {
  const indent = ' '.repeat(line.length - line.trimStart().length)
  const lines: string[] = []
  let now = ''
  for (const word of line.trim().split(' ')) {
    const longer = now === '' ? word : `${now} ${word}`
    const start = lines.length === 0 ? indent : `${indent}  `
    if (now !== '' && start.length + longer.length > columns) {
      lines.push(start + now)
      now = word
    } else now = longer
  }
  lines.push((lines.length === 0 ? indent : `${indent}  `) + now)
  return lines.join('\n')
}

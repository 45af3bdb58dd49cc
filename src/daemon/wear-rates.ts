// How fast the medium is written: of the last hour by counters taken each minute, of the last day by the
// ledger, which survives restarts. Pure.
//
// Invariants: a rate is told over HOUR_MS_MIN or DAY_MS_MIN at least, so that the start of the process, which
// makes WAL files, and the first minutes of a ledger are not taken for what goes on for years.
import type { WearFacts } from './wear-ledger.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const HOUR_MS_MIN = 10 * 60_000
const DAY_MS_MIN = 6 * HOUR_MS

/** Counters of this process, growing. */
export interface WearTotals {
  readonly bytes: number
  /** What syncs of the WAL cost beyond their data: rests of pages, metadata. */
  readonly syncBytes: number
  /** Metadata alone of it. */
  readonly metadataBytes: number
  readonly syncs: number
}

/** The rates of the last hour. */
export interface HourRates {
  readonly bytesPerS: number
  readonly syncBytesPerS: number
  /** Of one sync; a guess while there were few. */
  readonly syncBytes: number
  readonly metadataBytes: number
}

/** What a sync costs beyond its data before any was measured, bytes: a page half empty, a modification time. */
const SYNC_BYTES_GUESS = 4096
const SYNCS_MIN = 20

export class WearRates {
  private readonly taken: { atMs: number; totals: WearTotals }[] = []

  /** @param atMs  monotonic */
  take(atMs: number, totals: WearTotals): void {
    this.taken.push({ atMs, totals })
    while (this.taken.length > 2 && this.taken[1]!.atMs <= atMs - HOUR_MS) this.taken.shift()
  }

  hour(): HourRates {
    const first = this.taken[0]
    const last = this.taken[this.taken.length - 1]
    if (first === undefined || last === undefined) {
      return {
        bytesPerS: 0,
        syncBytesPerS: 0,
        syncBytes: SYNC_BYTES_GUESS,
        metadataBytes: SYNC_BYTES_GUESS / 2
      }
    }
    const seconds = Math.max(HOUR_MS_MIN, last.atMs - first.atMs) / 1000
    const grown = (name: keyof WearTotals) => last.totals[name] - first.totals[name]
    const syncs = grown('syncs')
    const each = (name: keyof WearTotals, guess: number) => (syncs < SYNCS_MIN ? guess : grown(name) / syncs)
    return {
      bytesPerS: grown('bytes') / seconds,
      syncBytesPerS: grown('syncBytes') / seconds,
      syncBytes: each('syncBytes', SYNC_BYTES_GUESS),
      metadataBytes: each('metadataBytes', SYNC_BYTES_GUESS / 2)
    }
  }
}

/** Bytes a second of yesterday and today by the ledger. */
export function dayBytesPerS({ sinceMs, untilMs, days }: WearFacts): number {
  const yesterdayMs = Math.floor(untilMs / DAY_MS) * DAY_MS - DAY_MS
  const spanMs = Math.max(DAY_MS_MIN, untilMs - Math.max(sinceMs, yesterdayMs))
  let sum = 0
  for (const { dayMs, bytes } of days) {
    if (dayMs < yesterdayMs) continue
    for (const one of Object.values(bytes)) sum += one
  }
  return sum / (spanMs / 1000)
}

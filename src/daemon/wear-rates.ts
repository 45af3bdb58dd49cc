// How fast the medium is written: of the last hour by counters taken each minute, of the last day as a mean
// in which what is older weighs less, by e for each day. Pure.
//
//   bytes <- bytes x exp(-dt / day) + what was written in dt;  span likewise;  rate = bytes / span
//
// The day's mean is saved with the ledger, so that a restart neither forgets nor counts twice. It goes by
// monotonic time: a wall clock that steps changes no rate. Between two processes only the wall clock tells,
// and it is believed for a day at most.
//
// Invariants: a rate is told over HOUR_MS_MIN or DAY_MS_MIN at least, so that the start of the process, which
// makes WAL files, and the first minutes of a ledger are not taken for what goes on for years.
// Not here: what was written by cause and by date (wear-ledger.ts).

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const HOUR_MS_MIN = 10 * 60_000
const DAY_MS_MIN = 6 * HOUR_MS

/** Counters of this process, growing; bytes are those that a card programs. */
export interface WearTotals {
  readonly bytes: number
  /** What syncs of the WAL cost beyond their data: rests of pages, metadata. */
  readonly syncBytes: number
  /** What a sync costs beside the rest of its own last page of 4 KiB. */
  readonly syncExtraBytes: number
  readonly syncs: number
}

/** Rates in bytes a second. */
export interface Rates {
  readonly bytesPerS: number
  readonly syncBytesPerS: number
}

/** The rates of the last hour. */
export interface HourRates extends Rates {
  /** Of one sync; a guess while there were few. */
  readonly syncBytes: number
  readonly syncExtraBytes: number
}

/** Sums of the last day, older ones weighing less. */
export interface Recent {
  readonly spanMs: number
  readonly bytes: number
  readonly syncBytes: number
}

export const NO_RECENT: Recent = { spanMs: 0, bytes: 0, syncBytes: 0 }

/** What a sync costs beyond its data before any was measured, bytes: a page half empty, a modification time. */
const SYNC_BYTES_GUESS = 16_384
const SYNCS_MIN = 20

export class WearRates {
  private readonly taken: { atMs: number; totals: WearTotals }[] = []
  private sums: Recent

  /** @param saved  of the process before; @param offMs  time since it was saved */
  constructor(saved: Recent = NO_RECENT, offMs = 0) {
    this.sums = aged(saved, Math.min(offMs, DAY_MS))
  }

  /** @param atMs  monotonic */
  take(atMs: number, totals: WearTotals): void {
    const before = this.taken[this.taken.length - 1]
    const { spanMs, bytes, syncBytes } = aged(this.sums, atMs - (before?.atMs ?? atMs))
    this.sums = {
      spanMs,
      bytes: bytes + totals.bytes - (before?.totals.bytes ?? 0),
      syncBytes: syncBytes + totals.syncBytes - (before?.totals.syncBytes ?? 0)
    }
    this.taken.push({ atMs, totals })
    while (this.taken.length > 2 && this.taken[1]!.atMs <= atMs - HOUR_MS) this.taken.shift()
  }

  /** To be saved. */
  get recent(): Recent {
    return this.sums
  }

  day(): Rates {
    const { spanMs, bytes, syncBytes } = this.sums
    const seconds = Math.max(DAY_MS_MIN, spanMs) / 1000
    return { bytesPerS: bytes / seconds, syncBytesPerS: syncBytes / seconds }
  }

  hour(): HourRates {
    const first = this.taken[0]
    const last = this.taken[this.taken.length - 1]
    if (first === undefined || last === undefined)
      return {
        bytesPerS: 0,
        syncBytesPerS: 0,
        syncBytes: SYNC_BYTES_GUESS,
        syncExtraBytes: SYNC_BYTES_GUESS
      }
    const seconds = Math.max(HOUR_MS_MIN, last.atMs - first.atMs) / 1000
    const grown = (name: keyof WearTotals) => last.totals[name] - first.totals[name]
    const syncs = grown('syncs')
    const each = (name: keyof WearTotals) => (syncs < SYNCS_MIN ? SYNC_BYTES_GUESS : grown(name) / syncs)
    return {
      bytesPerS: grown('bytes') / seconds,
      syncBytesPerS: grown('syncBytes') / seconds,
      syncBytes: each('syncBytes'),
      syncExtraBytes: each('syncExtraBytes')
    }
  }
}

function aged({ spanMs, bytes, syncBytes }: Recent, byMs: number): Recent {
  const left = Math.exp(-byMs / DAY_MS)
  return {
    spanMs: spanMs * left + DAY_MS * (1 - left),
    bytes: bytes * left,
    syncBytes: syncBytes * left
  }
}

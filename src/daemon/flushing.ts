// When rows are flushed: a head that is full, a WAL that runs short of files. One flush at a time; one that
// fails is told and tried again, with the rows in memory and WAL meanwhile.
//
// Not here: what a flush does (series/store.ts), failures that end the process (compose.ts).
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Storage } from './storage.ts'

const RETRY_MS = 2_000

export interface FlushingParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  /** Memory was freed: who was paused may go on. */
  onFlushed(): void
  /** For want of space, perhaps. */
  onFailed(): void
}

export class Flushing {
  private readonly parts: FlushingParts
  /** A flush runs, or one that failed waits for its next try. */
  private isBusy = false

  constructor(parts: FlushingParts) {
    this.parts = parts
  }

  /** From now on flushes when the WAL asks for it. */
  watch(): void {
    const { wal } = this.parts.storage.engine
    const { series } = this.parts.storage
    wal.onPressure(({ kinds }) => {
      if (kinds.includes(series.kind)) this.flush()
    })
    if (wal.pressure.kinds.includes(series.kind) && wal.pressure.filesPinned > 2) this.flush()
  }

  /** Begins a flush unless one is under way. */
  flush(): void {
    if (this.isBusy) return
    this.isBusy = true
    const { storage, clock, log } = this.parts
    // Both at once: one change of WAL files serves both, and neither keeps the other's old files pinned.
    storage.kv.flush().catch(error => log.error('flush of entries failed', { error }))
    storage.series.flush().then(
      report => {
        this.isBusy = false
        this.parts.onFlushed()
        if (report === null) return
        log.info('flushed', {
          samples: report.samples,
          segments: report.segments.length,
          bytes: report.segments.reduce((sum, one) => sum + one.bytes, 0)
        })
      },
      error => {
        log.error('flush failed', { error })
        this.parts.onFailed()
        clock.after(RETRY_MS, () => {
          this.isBusy = false
          this.flush()
        })
      }
    )
  }
}

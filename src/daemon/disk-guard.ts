// Watches the free space of the medium. A full disk is a state, not an accident: below the reserve the
// oldest buckets go, loudly; where that does not help, rows are refused until there is room again.
//
// Invariants: nothing is acknowledged and then lost for want of space: what cannot be kept is refused
// before; rows are taken again by themselves when space is back.
// Not here: which buckets go (series/retention.ts), a single write that meets ENOSPC (engine, jobs).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'

export interface DiskGuardParts {
  readonly clock: Clock
  readonly reserveBytes: number
  freeBytes(): number
  /** Drops the oldest buckets; resolves with the bytes freed. */
  free(wantedBytes: number): Promise<number>
  /** Refuses rows with this error; null: takes them again. */
  refuse(error: VarveError | null): void
  onLow(freeBytes: number): void
  onError(error: unknown): void
}

/** A medium that takes 20 MB/s does not get through half of the reserve in between. */
const CHECK_MS = 1_000

export class DiskGuard {
  /** The medium has less free than the reserve, and dropping did not help. */
  isFull = false
  /** It has less free than the reserve: the oldest buckets are dropped. */
  isLow = false
  private readonly parts: DiskGuardParts
  private cancel: () => void = () => {}
  private isStopped = false

  constructor(parts: DiskGuardParts) {
    this.parts = parts
  }

  /** Looks now: something met a full medium. */
  look(): void {
    this.check().catch(error => this.parts.onError(error))
  }

  /** Looks now, and again every few seconds. */
  start(): void {
    this.check()
      .catch(error => this.parts.onError(error))
      .finally(() => {
        if (!this.isStopped) this.cancel = this.parts.clock.after(CHECK_MS, () => this.start())
      })
  }

  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  private async check(): Promise<void> {
    const { reserveBytes, onLow } = this.parts
    let free = this.parts.freeBytes()
    const wasLow = this.isLow
    this.isLow = free < reserveBytes
    if (this.isLow) {
      if (!wasLow) onLow(free)
      await this.parts.free(2 * reserveBytes - free)
      free = this.parts.freeBytes()
    }
    // Half of the reserve is what the WAL's own files and a flush may still need.
    const isFull = free < reserveBytes / 2
    if (isFull === this.isFull) return
    this.isFull = isFull
    this.parts.refuse(
      isFull
        ? new VarveError(
            'VARVE_DISK_FULL',
            `Cannot store sample: the medium has ${free} bytes free, ${reserveBytes} are kept in reserve`
          )
        : null
    )
  }
}

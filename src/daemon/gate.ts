// What the faces see of the store's readiness: when groups are synced, and whether to read on. Sockets are
// paused while unsynced bytes or unflushed rows are over their bounds, so that a flood costs its senders
// time and never the gateway memory; rows are refused only when pausing did not suffice.
//
// Invariants: whoever was paused is told again: after each sync, and after each flush, which frees memory
// without a sync. Not here: the bounds on one connection (broker/limits.ts).
import type { SyncGate } from '../broker/intake.ts'
import type { Urgency, Wal } from '../engine/wal.ts'
import type { SeriesStore } from '../series/store.ts'

export class Gate implements SyncGate {
  private readonly wal: Wal
  private readonly series: SeriesStore
  private readonly headBytesMax: number
  private readonly listeners: ((group: number) => void)[] = []

  /** @param headBytesMax  unflushed rows of more bytes pause the senders */
  constructor(wal: Wal, series: SeriesStore, headBytesMax: number) {
    this.wal = wal
    this.series = series
    this.headBytesMax = headBytesMax
    wal.onSynced(group => this.tell(group))
  }

  get syncedGroup(): number {
    return this.wal.syncedGroup
  }

  /** Unsynced bytes; without bound while unflushed rows are over theirs, or the WAL would soon refuse. */
  get pendingBytes(): number {
    const mustWait = this.series.headBytes > this.headBytesMax || this.wal.isCrowded
    return mustWait ? Number.MAX_SAFE_INTEGER : this.wal.pendingBytes
  }

  onSynced(listener: (group: number) => void): void {
    this.listeners.push(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.wal.onFailed(listener)
  }

  note(bytes: number, urgency: Urgency): void {
    this.wal.note(bytes, urgency)
  }

  /** A flush has freed memory. */
  flushed(): void {
    this.tell(this.wal.syncedGroup)
  }

  private tell(group: number): void {
    for (const listener of this.listeners) listener(group)
  }
}

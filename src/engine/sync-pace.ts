// Decides when the pending group is written. Pure: what is pending, how old it is and what the wear budget
// holds go in, milliseconds to wait come out, so every choice is tested without a disk or a clock.
//
//   pending            waits until
//   bytes >= trigger   now; a quarter of it suffices where someone stands still: what a sync wastes is little then
//   eager              the budget has a token, at latest as normal
//   normal             delayMs, never more than delayMaxMs
//   lazy               delayMaxLazyMs
// The earliest counts. What the budget pays for is what waiting would have saved: the padding of the last
// page, and syncBytes for what a card adds to any sync (it programs pages larger than ours). Bytes of data
// are not charged: they are written whenever the sync comes. The bucket may go into debt by one burst, since
// deadlines are kept whatever it holds; then eager waiters wait their full delay until it is paid back.
// Not here: the timer and the group (wal.ts), where the budget comes from (the owner of the ledger).

export const LAZY = 0
export const NORMAL = 1
export const EAGER = 2
/** Who waits: nobody (QoS 0), someone for an acknowledgement, someone who sends nothing more until then. */
export type Urgency = typeof LAZY | typeof NORMAL | typeof EAGER

export interface PaceOptions {
  /** Longest wait of normal and eager data that may ever be, milliseconds. */
  readonly delayMaxMs: number
  /** Their wait while the wear budget is as it is now; delayMaxMs where it is longer. */
  readonly delayMs: number
  /** Longest wait of lazy data, milliseconds. */
  readonly delayMaxLazyMs: number
  /** Pending bytes that are written at once; a quarter of them where someone stands still. */
  readonly groupBytesTrigger: number
  /** What early syncs may waste, bytes per second. */
  readonly wearBytesPerSecond: number
  /** What they may waste at once after a quiet time, bytes. */
  readonly wearBurstBytes: number
  /** Charged per sync beside padding, bytes. */
  readonly syncBytes: number
}

export const PACE_DEFAULTS: PaceOptions = {
  delayMaxMs: 1000,
  delayMs: Infinity,
  delayMaxLazyMs: 5000,
  groupBytesTrigger: 256 * 1024,
  wearBytesPerSecond: 64 * 1024,
  wearBurstBytes: 16 * 1024 * 1024,
  syncBytes: 0
}

/** When to sync. Times are monotonic milliseconds. */
export class SyncPace {
  private options: PaceOptions
  private tokens: number
  private filledMs: number
  /** When the oldest pending bytes of each urgency came; Infinity: none. */
  private readonly sinceMs = [Infinity, Infinity, Infinity]

  constructor(options: PaceOptions, nowMs: number) {
    this.options = options
    this.tokens = options.wearBurstBytes
    this.filledMs = nowMs
  }

  /** Changes the pace from now on (a wear controller steers with it). */
  set(options: Partial<PaceOptions>): void {
    this.options = { ...this.options, ...options }
    this.tokens = Math.min(this.tokens, this.options.wearBurstBytes)
  }

  /** Whether bytes of this urgency are pending already: then noting more changes no deadline. */
  waiting(urgency: Urgency): boolean {
    return this.sinceMs[urgency] !== Infinity
  }

  /** Pending bytes that are written at once, by who waits now. */
  get trigger(): number {
    return this.waiting(EAGER) ? this.options.groupBytesTrigger / 4 : this.options.groupBytesTrigger
  }

  /** Something of this urgency became pending. */
  note(urgency: Urgency, nowMs: number): void {
    if (this.sinceMs[urgency] === Infinity) this.sinceMs[urgency] = nowMs
  }

  /** The pending group was taken to be written. */
  taken(): void {
    this.sinceMs.fill(Infinity)
  }

  /** A sync wrote `paddingBytes` that carried nothing. */
  charge(paddingBytes: number, nowMs: number): void {
    this.fill(nowMs)
    this.tokens = Math.max(this.tokens - paddingBytes - this.options.syncBytes, -this.options.wearBurstBytes)
  }

  /** Milliseconds until the pending group must be written: 0 now, Infinity when nothing is pending. */
  waitMs(pendingBytes: number, nowMs: number): number {
    const [lazy, normal, eager] = this.sinceMs as [number, number, number]
    if (lazy === Infinity && normal === Infinity && eager === Infinity) return Infinity
    const o = this.options
    if (pendingBytes >= this.trigger) return 0
    const delayMs = Math.min(o.delayMs, o.delayMaxMs)
    let dueMs = Math.min(lazy + o.delayMaxLazyMs, normal + delayMs, eager + delayMs)
    if (eager !== Infinity) {
      this.fill(nowMs)
      const missing = 1 - this.tokens
      if (missing <= 0) return 0
      if (o.wearBytesPerSecond > 0) dueMs = Math.min(dueMs, nowMs + (missing / o.wearBytesPerSecond) * 1000)
    }
    return Math.max(0, dueMs - nowMs)
  }

  private fill(nowMs: number): void {
    const gained = ((nowMs - this.filledMs) / 1000) * this.options.wearBytesPerSecond
    this.tokens = Math.min(this.options.wearBurstBytes, this.tokens + gained)
    this.filledMs = nowMs
  }
}

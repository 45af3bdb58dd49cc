// A clock that goes only when a test says so.
import type { Clock } from '../../src/base/clock.ts'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

export class HandClock implements Clock {
  private ms = 0
  private wallUs: number
  private timers: Timer[] = []

  /** @param wallUs  what the wall shows at first, microseconds since the Unix epoch */
  constructor(wallUs = 1_700_000_000_000_000) {
    this.wallUs = wallUs
  }

  nowUs(): number {
    return this.wallUs + Math.round(this.ms * 1000)
  }

  monotonicMs(): number {
    return this.ms
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.ms + ms, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter(other => other !== timer)
    }
  }

  /** The time until the next timer, or Infinity. */
  get nextMs(): number {
    return Math.min(...this.timers.map(timer => timer.atMs)) - this.ms
  }

  /** Time goes by; timers that are due call back in order. */
  advance(ms: number): void {
    const end = this.ms + ms
    for (;;) {
      const due = this.timers.filter(timer => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.timers = this.timers.filter(timer => timer !== due)
      this.ms = Math.max(this.ms, due.atMs)
      due.callback()
    }
    this.ms = end
  }

  /** The wall clock is set, as by time synchronisation; monotonic time does not notice. */
  setWall(us: number): void {
    this.wallUs = us - Math.round(this.ms * 1000)
  }
}

// A clock that moves when told. Wall and monotonic time are apart, so that the wall may step.
import type { Clock } from '../../src/base/clock.ts'

export class HandClock implements Clock {
  private monotonic = 0
  private wallMs: number
  private timers: { at: number; callback: () => void }[] = []

  constructor(wallMs: number) {
    this.wallMs = wallMs
  }

  nowUs(): number {
    return this.wallMs * 1000
  }

  monotonicMs(): number {
    return this.monotonic
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.monotonic + ms, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter(other => other !== timer)
    }
  }

  /** Moves both clocks on, running what comes due in order; lets promises settle between. */
  async pass(ms: number): Promise<void> {
    const end = this.monotonic + ms
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.timers = this.timers.filter(timer => timer !== next)
      this.move(Math.max(0, next.at - this.monotonic))
      next.callback()
      await settle()
    }
    this.move(end - this.monotonic)
    await settle()
  }

  /** The wall clock steps; monotonic time does not. */
  step(ms: number): void {
    this.wallMs += ms
  }

  get waiting(): number {
    return this.timers.length
  }

  private move(ms: number): void {
    this.monotonic += ms
    this.wallMs += ms
  }
}

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

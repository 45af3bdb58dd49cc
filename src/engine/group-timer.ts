// Calls when the pending group is due: at the end of this turn of the event loop, or after a wait that only gets
// shorter.
//
// Invariants: one call for each time it is set off; "now" is after the sockets of this turn were read, so that
// what they brought shares the group.
// Not here: how long to wait (sync-pace.ts).
import type { Clock } from '../base/clock.ts'

export class GroupTimer {
  private readonly clock: Clock
  private readonly due: () => void
  /** Asks anew how long to wait. */
  private readonly look: () => void
  private isImmediate = false
  private dueMs = Infinity
  private cancelTimer: (() => void) | null = null

  /** @param due  the group is due; @param look  a wait is over: the pace has to be asked again */
  constructor(clock: Clock, due: () => void, look: () => void) {
    this.clock = clock
    this.due = due
    this.look = look
  }

  /** Sees to a call within waitMs: 0 at the end of this turn, Infinity: none is needed. */
  set(waitMs: number): void {
    if (this.isImmediate || waitMs === Infinity) return
    if (waitMs === 0) {
      this.isImmediate = true
      setImmediate(() => {
        this.isImmediate = false
        this.due()
      })
      return
    }
    const dueMs = this.clock.monotonicMs() + waitMs
    if (dueMs >= this.dueMs) return
    this.cancelTimer?.()
    this.dueMs = dueMs
    this.cancelTimer = this.clock.after(waitMs, () => {
      this.dueMs = Infinity
      this.cancelTimer = null
      this.look()
    })
  }

  /** No call after a wait any more. */
  cancel(): void {
    this.cancelTimer?.()
  }
}

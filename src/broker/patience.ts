// Slows publishers to the pace of subscribers that keep up, so that a flood is delivered and not dropped: while
// a quick subscriber catches up, who publishes is not read, which is TCP's own back-pressure. A slow one may
// ask for this once: it is waited for holdMs, then loses messages as its bound says, and is not waited for
// again before all that was queued for it is gone. So a slow subscriber never sets the pace of others, and no
// publisher waits longer than holdMs for any of them.
//
// Invariants: publishers go on in the order in which they were held, so each gets its turn.
// Not here: bounds of what is queued (outlet.ts), the pause for the medium (sync-watch.ts).
import type { Clock } from '../base/clock.ts'
import type { Door } from './door.ts'
import type { Subscriber } from './subscriber.ts'

/** Longest wait for one subscriber, ms: who takes catchUpBytes in it (5 MB/s) is quick. */
export const holdMs = 50
/** What a subscriber's socket has not taken, bytes, beyond which publishers wait for it. */
export const catchUpBytes = 256 * 1024

export class Patience {
  /** Publishers are not read. */
  isHolding = false
  private readonly clock: Clock
  /** Subscribers that are waited for, with the monotonic ms until when. */
  private readonly quick = new Map<Subscriber, number>()
  /** Subscribers that were waited for in vain. */
  private readonly slow = new Set<Subscriber>()
  private held: Door[] = []
  private isTimed = false

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** The subscriber has much to take: publishers wait for it, unless it is slow. */
  ask(subscriber: Subscriber): void {
    if (this.quick.has(subscriber) || this.slow.has(subscriber)) return
    this.quick.set(subscriber, this.clock.monotonicMs() + holdMs)
    this.isHolding = true
    this.watch()
  }

  /** The publisher is not read because publishers wait. */
  hold(publisher: Door): void {
    if (publisher.isHeld) return
    publisher.isHeld = true
    this.held.push(publisher)
  }

  /** All that was queued for the subscriber is gone, or it is itself. */
  drained(subscriber: Subscriber): void {
    this.slow.delete(subscriber)
    if (this.quick.delete(subscriber)) this.goOn()
  }

  private watch(): void {
    if (this.isTimed) return
    this.isTimed = true
    this.clock.after(holdMs, () => {
      this.isTimed = false
      const nowMs = this.clock.monotonicMs()
      for (const [subscriber, untilMs] of this.quick) {
        if (untilMs > nowMs) continue
        this.quick.delete(subscriber)
        this.slow.add(subscriber)
      }
      if (this.quick.size > 0) this.watch()
      this.goOn()
    })
  }

  private goOn(): void {
    if (this.quick.size > 0) return
    this.isHolding = false
    const { held } = this
    let n = 0
    while (n < held.length && !this.isHolding) {
      const publisher = held[n++]!
      publisher.isHeld = false
      publisher.proceed()
    }
    // Who is held again stands behind those that had no turn.
    this.held = held.slice(n)
  }
}

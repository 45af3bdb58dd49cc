// How soon a publish should be synced, learned per connection, because a sync costs the medium a page and
// only a sender that stands still for its acknowledgement gains from an early one.
//
//   QoS 0                                                                      lazy
//   QoS 1 or 2 of a sender that does not stand still (a device every 10 s)     normal
//   of a sender that stands still, when as many are unacknowledged as made it
//   stand still before (its window)                                            eager, at once
//   the same, fewer, but its socket has been silent for quietMs                eager, then (isStuck())
//   the first of a connection                                                  eager, at once
//   the second, if it came within promptMs after the first was acknowledged,
//   when its socket has been silent for provingMs                              eager, then (isStuck())
//
// A sender stands still if it was silent when its acknowledgements left, for provingMs and for twice any silence
// between the messages they were for, and published again within promptMs after them. Once that is known its
// window is learned anew whenever it was silent for quietMs. It stops being one when it publishes later than
// that, or beyond its window without waiting. So a device with a slow beat that was prompt once by chance is unmasked by its next message.
//
// A new connection is presumed to stand still after its first burst: a device that wakes, sends and sleeps waits
// with its radio on. That costs one early sync a connection. Its acknowledgement comes too soon to prove
// silence, so the second message has to: a beat that looks prompt publishes again before provingMs have passed,
// and a slower one is not prompt.
// Pure: times are passed in. Not here: whether the wear budget allows an early sync (the engine).

export const LAZY = 0
export const NORMAL = 1
export const EAGER = 2

export const quietMs = 5
export const promptMs = 50
/** A beat that is longer is not prompt unless a sync took 200 ms; one that is shorter is not silent so long. */
export const provingMs = 250

export class Urgency {
  /** It stands still until acknowledged. */
  waits = true
  /** How many unacknowledged messages made it stand still. */
  private window = 1
  /** Seen to stand still, not presumed. */
  private isProven = false
  private isFirst = true
  /** Longest silence between messages that are unacknowledged together: less than twice it proves nothing. */
  private gapMs = 0
  private lastPublishMs = Number.NEGATIVE_INFINITY
  private lastAckMs = Number.NEGATIVE_INFINITY
  private silentAtAck = false
  private depthAtAck = 0
  private firstSinceAck = false

  /**
   * A QoS 1 or 2 publish came.
   * @param unacked  messages of this connection that wait for sync, this one included
   */
  published(nowMs: number, unacked: number): 0 | 1 | 2 {
    if (this.firstSinceAck) {
      this.firstSinceAck = false
      this.gapMs = 0
      const prompt = nowMs - this.lastAckMs <= promptMs
      if (!prompt) {
        this.moved()
      } else if (this.silentAtAck) {
        this.waits = true
        this.isProven = true
        this.window = this.depthAtAck
      }
    } else if (this.waits && unacked > this.window) {
      // What came before the first acknowledgement is the window that is presumed.
      if (this.lastAckMs === Number.NEGATIVE_INFINITY) this.window = unacked
      else this.moved()
    }
    if (unacked > 1) this.gapMs = Math.max(this.gapMs, nowMs - this.lastPublishMs)
    this.lastPublishMs = nowMs
    if (this.isFirst) {
      this.isFirst = false
      return EAGER
    }
    return this.isProven && this.waits && unacked >= this.window ? EAGER : NORMAL
  }

  /**
   * Acknowledgements were written.
   * @param before  unacknowledged messages before
   */
  acked(nowMs: number, before: number): void {
    const neededMs = Math.max(this.isProven ? quietMs : provingMs, 2 * this.gapMs)
    this.silentAtAck = nowMs - this.lastPublishMs >= neededMs
    this.depthAtAck = before
    this.lastAckMs = nowMs
    this.firstSinceAck = true
  }

  /** It went on without waiting. */
  private moved(): void {
    this.waits = false
    this.isProven = false
  }

  /** True if it stands still now although its window is not full: sync for it. */
  isStuck(nowMs: number, unacked: number): boolean {
    return this.waits && unacked > 0 && nowMs - this.lastPublishMs >= (this.isProven ? quietMs : provingMs)
  }
}

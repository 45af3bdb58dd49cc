// The time by which the gateway stamps, on a machine whose wall clock may be wrong. While the clock is known,
// gateway time is the wall clock, wherever that steps. While it is not, gateway time is provisional: it goes
// on from a moment that is after everything stored, by the monotonic clock, whatever the wall shows; and
// there is a bound below, the least that the time can be, by which nothing is dropped or expired too early.
//
// A wall clock that is set back shows the same milliseconds again. Samples stamped then must not take the place
// of those that bear the same stamp, so while a time is shown again its stamps get a few microseconds of their
// own: one place of 1 to 999 for each step back. (Stamps are whole milliseconds otherwise, which is what keeps
// them small on disk.)
//
// Invariants: provisional time never goes back and is in whole milliseconds; leastUs() <= the true time as
// long as what assume() was told is true.
// Not here: whether the clock is known (daemon/clock-trust.ts), records of it (series/boots.ts).
import type { Clock } from './clock.ts'

/** Steps of this place are spread over the milliseconds by the golden ratio. */
const PLACE_STEP_US = 382
const PLACES = 1000

export class GatewayClock implements Clock {
  private readonly clock: Clock
  /** Provisional time at monotonic zero, and the least that it can be; null: the clock is known. */
  private zeroUs: number | null = null
  private leastZeroUs = 0
  private wallBeforeUs = Number.NEGATIVE_INFINITY
  /** Up to here the wall shows times again. */
  private againUs = Number.NEGATIVE_INFINITY
  private place = PLACE_STEP_US
  private apartUs: number

  constructor(clock: Clock) {
    this.clock = clock
    this.apartUs = this.apart()
  }

  nowUs(): number {
    if (this.zeroUs !== null) return this.zeroUs + this.monotonicUs()
    const us = this.clock.nowUs()
    if (us < this.wallBeforeUs) {
      this.place = (this.place + PLACE_STEP_US) % PLACES || 1
      this.againUs = Math.max(this.againUs, this.wallBeforeUs)
    }
    this.wallBeforeUs = us
    return us <= this.againUs ? us + this.place : us
  }

  monotonicMs(): number {
    return this.clock.monotonicMs()
  }

  after(ms: number, callback: () => void): () => void {
    return this.clock.after(ms, callback)
  }

  /** Whether gateway time is known to be the time. */
  get isKnown(): boolean {
    return this.zeroUs === null
  }

  /** What the wall shows, believed or not, us. */
  wallUs(): number {
    return this.clock.nowUs()
  }

  /** The least that it can be now, us: by this what is old may be dropped and expire. */
  leastUs(): number {
    return this.zeroUs === null ? this.nowUs() : this.leastZeroUs + this.monotonicUs()
  }

  /** A clock whose wall time is leastUs(). */
  get careful(): Clock {
    return {
      nowUs: () => this.leastUs(),
      monotonicMs: () => this.monotonicMs(),
      after: (ms, callback) => this.after(ms, callback)
    }
  }

  /**
   * The wall is not believed: time is provisional from now on.
   * @param nowUs    what it is now
   * @param leastUs  what it is at least
   */
  assume(nowUs: number, leastUs: number): void {
    const monotonicUs = this.monotonicUs()
    this.zeroUs = Math.ceil(nowUs / 1000) * 1000 - monotonicUs
    this.leastZeroUs = leastUs - monotonicUs
  }

  /** By how much the wall is ahead of provisional time, us, in whole milliseconds; 0 when that is the wall. */
  lateByUs(): number {
    if (this.zeroUs === null) return 0
    return Math.round((this.clock.nowUs() - this.nowUs()) / 1000) * 1000
  }

  /** The wall is believed from now on; stamps that were given out before were moved to it. */
  believe(): void {
    this.zeroUs = null
    this.wallBeforeUs = this.clock.nowUs()
  }

  /** Stamps up to this moment were given out before. */
  gaveOut(us: number): void {
    this.againUs = Math.max(this.againUs, us)
  }

  /** By how much the wall was stepped since the last call, us: what it moved and the monotonic clock did not. */
  takeStepUs(): number {
    const apart = this.apart()
    const step = apart - this.apartUs
    this.apartUs = apart
    return step
  }

  private apart(): number {
    return this.clock.nowUs() - this.monotonicUs()
  }

  private monotonicUs(): number {
    return Math.floor(this.clock.monotonicMs()) * 1000
  }
}

// The one door to time. Wall time may be wrong and may step (a Pi boots without a clock); monotonic time
// never goes back and is what every wait and every age is measured in. Tests pass a HandClock (test/kit).
// Not here: what to do with a device's own clock (ingest/time-guard), boot records (series).

export interface Clock {
  /** Microseconds since the Unix epoch by the wall clock; an integer. */
  nowUs(): number
  /** Milliseconds since some fixed moment; never decreases. May have a fraction. */
  monotonicMs(): number
  /** Calls back once after at least ms; the returned function cancels. Never keeps the process alive. */
  after(ms: number, callback: () => void): () => void
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
}

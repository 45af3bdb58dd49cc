// What one query may cost. Each bound ends the query with its own code, so that a client knows what to
// narrow; the gateway goes on. Time counts only while the query works, not while a slow reader makes it
// wait: a download may take an hour, an evaluation may not.
// Not here: how many queries run at once (the pool of workers).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import { Notes } from './notes.ts'

export interface QueryLimits {
  /** Series that the matchers may select. */
  readonly seriesMax: number
  /** Samples read from head and segments. */
  readonly samplesMax: number
  /** Rows sent: samples, windows, messages or series. */
  readonly rowsMax: number
  /** Seconds of work. */
  readonly secondsMax: number
  /** Bytes sent, before compression. */
  readonly bytesMax: number
  /** Bytes held in memory at once for windows and for the merge of several topics. */
  readonly heldBytesMax: number
}

export const DEFAULT_QUERY_LIMITS: QueryLimits = {
  seriesMax: 100_000,
  samplesMax: 2_000_000_000,
  rowsMax: 100_000_000,
  secondsMax: 60,
  bytesMax: 16 * 1024 ** 3,
  heldBytesMax: 64 * 1024 ** 2
}

/** The account of one running query. Every method throws VarveError when its bound is crossed. */
export class Budget {
  readonly limits: QueryLimits
  /** What its answer will say of itself. */
  readonly notes = new Notes()
  private readonly clock: Clock
  private readonly isCancelled: () => boolean
  private samples = 0
  private rows = 0
  private bytes = 0
  private workedMs = 0
  private sinceMs: number

  constructor(limits: QueryLimits, clock: Clock, isCancelled: () => boolean) {
    this.limits = limits
    this.clock = clock
    this.isCancelled = isCancelled
    this.sinceMs = clock.monotonicMs()
  }

  /** Stops the clock while the reader of the answer is slow. */
  pause(): void {
    this.workedMs += this.clock.monotonicMs() - this.sinceMs
  }

  resume(): void {
    this.sinceMs = this.clock.monotonicMs()
  }

  /** Called between runs. @throws {VarveError} VARVE_QUERY_CANCELLED, VARVE_QUERY_SECONDS */
  check(): void {
    if (this.isCancelled()) {
      throw new VarveError('VARVE_QUERY_CANCELLED', 'Cannot finish query: it was cancelled')
    }
    if (this.workedMs + this.clock.monotonicMs() - this.sinceMs > this.limits.secondsMax * 1000) {
      throw over('VARVE_QUERY_SECONDS', `it works longer than ${this.limits.secondsMax} s`, 'a shorter range')
    }
  }

  /** Adds samples read. @throws {VarveError} VARVE_QUERY_SAMPLES and what check() throws */
  scanned(samples: number): void {
    this.samples += samples
    if (this.samples > this.limits.samplesMax) {
      throw over(
        'VARVE_QUERY_SAMPLES',
        `it reads more than ${this.limits.samplesMax} samples`,
        'a shorter range'
      )
    }
    this.check()
  }

  /** Adds a row to be sent. @throws {VarveError} VARVE_QUERY_ROWS */
  row(): void {
    if (++this.rows > this.limits.rowsMax) {
      throw over('VARVE_QUERY_ROWS', `its answer has more than ${this.limits.rowsMax} rows`, 'a longer step')
    }
  }

  /** Adds bytes to be sent. @throws {VarveError} VARVE_QUERY_BYTES */
  sent(bytes: number): void {
    this.bytes += bytes
    if (this.bytes > this.limits.bytesMax) {
      throw over(
        'VARVE_QUERY_BYTES',
        `its answer is longer than ${this.limits.bytesMax} bytes`,
        'a longer step'
      )
    }
  }

  /** Checks what is held in memory now. @throws {VarveError} VARVE_QUERY_MEMORY */
  held(bytes: number): void {
    if (bytes > this.limits.heldBytesMax) {
      throw over(
        'VARVE_QUERY_MEMORY',
        `it holds more than ${this.limits.heldBytesMax} bytes in memory`,
        'a longer step or fewer series'
      )
    }
  }
}

function over(code: string, state: string, advice: string): VarveError {
  return new VarveError(code, `Cannot finish query: ${state}; ask for ${advice}`)
}

// Whether the time a device claims can be believed. A device whose clock was never set says 1970 or 2000,
// one with a wrong unit says the year 54,000: such a message is kept under the gateway's time, and its
// row carries the refused time in the field `device_time_us`, which is the flag to look for.
//
// While the gateway's own clock is not synchronised it cannot call a device early: then only the past is
// judged.
// Not here: reading a time (device-time.ts), the gateway's clock (base/clock.ts).

/** The field that a row with a refused time carries, holding that time in microseconds. */
export const REFUSED_TIME_FIELD = 'device_time_us'

export interface TimeGuardOptions {
  /** Earliest time believed, microseconds; 2000-01-01 unless told. */
  readonly earliestUs?: number
  /** How far ahead of the gateway's clock a device may be, microseconds; one day unless told. */
  readonly aheadUsMax?: number
}

export class TimeGuard {
  readonly earliestUs: number
  readonly aheadUsMax: number
  /** False until the gateway's clock is known to be right: until then no time is too far ahead. */
  gatewaySynchronised = true
  /** Times refused so far for lying before `earliestUs`. */
  early = 0
  /** Times refused so far for lying too far ahead. */
  ahead = 0

  constructor(options: TimeGuardOptions = {}) {
    this.earliestUs = options.earliestUs ?? 946_684_800_000_000
    this.aheadUsMax = options.aheadUsMax ?? 86_400_000_000
  }

  /** True when a device's time may be stored as the time of its samples; counts the ones that may not. */
  believes(deviceUs: number, nowUs: number): boolean {
    if (!(deviceUs >= this.earliestUs)) {
      this.early++
      return false
    }
    const boundUs = this.gatewaySynchronised ? nowUs + this.aheadUsMax : Number.MAX_SAFE_INTEGER
    if (deviceUs <= boundUs) return true
    this.ahead++
    return false
  }
}

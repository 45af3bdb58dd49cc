// Whether the time a device claims can be believed. A device whose clock was never set says 1970 or 2000,
// one with a wrong unit says the year 54,000: such a message is kept under the gateway's time, and its
// row carries the refused time in the field `device_time_us`, which is the flag to look for.
//
// While the gateway's own clock is not known it cannot call a device early: then only the past is
// judged.
// Not here: reading a time (device-time.ts), the gateway's clock (base/gateway-clock.ts).
import { TIME_MAX_US } from '../series/sample.ts'

/** The field that a row with a refused time carries, holding that time in microseconds. */
export const REFUSED_TIME_FIELD = 'device_time_us'

export interface TimeGuardOptions {
  /** Earliest time believed, microseconds; 2000-01-01 unless told. */
  readonly earliestUs?: number
  /** How far ahead of the gateway's clock a device may be, microseconds; one day unless told. */
  readonly aheadUsMax?: number
  /** False while the gateway's own clock is not known: until then no time is too far ahead. Known unless told. */
  readonly isGatewayKnown?: () => boolean
}

export class TimeGuard {
  readonly earliestUs: number
  readonly aheadUsMax: number
  /** Times refused so far for lying before `earliestUs`. */
  early = 0
  /** Times refused so far for lying too far ahead. */
  ahead = 0
  private readonly isGatewayKnown: () => boolean

  constructor(options: TimeGuardOptions = {}) {
    this.earliestUs = options.earliestUs ?? 946_684_800_000_000
    this.aheadUsMax = options.aheadUsMax ?? 86_400_000_000
    this.isGatewayKnown = options.isGatewayKnown ?? (() => true)
  }

  /** True when a device's time may be stored as the time of its samples; counts the ones that may not. */
  believes(deviceUs: number, nowUs: number): boolean {
    if (!(deviceUs >= this.earliestUs)) {
      this.early++
      return false
    }
    if (deviceUs <= nowUs + this.aheadUsMax) return true
    if (deviceUs <= TIME_MAX_US && !this.isGatewayKnown()) return true
    this.ahead++
    return false
  }
}

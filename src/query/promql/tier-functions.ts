// Functions over ranges that windows of tiers answer as well as samples do. Each sees elements: a whole window
// of a tier, or one sample, which is a window of one.
//
// What is equal to raw, and how far: count, min, max, first, last and their times to the bit; sum and avg to
// what rounding does (both compensate it, so a few units in the last place of the largest partial sum; whole
// numbers to the bit); increase, rate and delta likewise, since a window keeps what a counter lost by resets and
// when its first and last samples were, so that they are stretched to the range by the same arithmetic. Others
// (quantiles, deviations, changes, regressions) need every sample.
// Not here: where elements come from (tier-ranges.ts).
import type { TierNeed, TierWindow } from '../../series/source.ts'
import { KahanSum } from './range-functions.ts'
import { extrapolate } from './rate-functions.ts'

const STRIDE = 9
const [FIRST_US, LAST_US, COUNT, SUM, MIN, MAX, FIRST, LAST, DROPPED] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const

/** Sums beyond this may have overflowed on the way, which depends on where one begins. */
export const SUM_MAX = 1e290

/** What a function sees: elements [from, to), and the bounds of the range. */
export class Elements {
  private values = new Float64Array(64 * STRIDE)
  private length = 0
  from = 0
  to = 0
  startUs = 0
  endUs = 0
  /** Set by a function that has nothing to say. */
  isAbsent = false

  get bytes(): number {
    return this.values.byteLength
  }

  addSample(timeUs: number, value: number): void {
    const at = this.grow()
    const { values } = this
    values[at + FIRST_US] = timeUs
    values[at + LAST_US] = timeUs
    values[at + COUNT] = 1
    values.fill(value, at + SUM, at + DROPPED)
    values[at + DROPPED] = 0
  }

  addWindow(window: TierWindow): void {
    const at = this.grow()
    const { values } = this
    values[at + FIRST_US] = window.firstUs
    values[at + LAST_US] = window.lastUs
    values[at + COUNT] = window.count
    values[at + SUM] = window.sum
    values[at + MIN] = window.min
    values[at + MAX] = window.max
    values[at + FIRST] = Number(window.first)
    values[at + LAST] = Number(window.last)
    values[at + DROPPED] = window.dropped ?? 0
  }

  /** Moves the range on: elements after lowUs, up to endUs. */
  select(lowUs: number, endUs: number): void {
    const { values, length } = this
    while (this.from < length && values[this.from * STRIDE + LAST_US]! <= lowUs) this.from++
    if (this.to < this.from) this.to = this.from
    while (this.to < length && values[this.to * STRIDE + LAST_US]! <= endUs) this.to++
  }

  of(index: number, column: number): number {
    return this.values[index * STRIDE + column]!
  }

  private grow(): number {
    if ((this.length + 1) * STRIDE > this.values.length) {
      const live = this.length - this.from
      const room = live * 2 > this.length ? new Float64Array(this.values.length * 2) : this.values
      room.set(this.values.subarray(this.from * STRIDE, this.length * STRIDE))
      this.values = room
      this.to = Math.max(0, this.to - this.from)
      this.from = 0
      this.length = live
    }
    return this.length++ * STRIDE
  }
}

export interface TierFunction {
  readonly needs: readonly TierNeed[]
  /** The value of a range with at least one element. */
  value(elements: Elements): number
}

/** Whether a window tells what a function needs; else the series must be read raw. */
export function isTelling(needs: readonly TierNeed[], window: TierWindow): boolean {
  // Strings are series of their own, which end the number's.
  if (window.others > 0) return false
  if (window.count === 0) return true
  if (needs.includes('sum') && Math.abs(window.sum) > SUM_MAX) return false
  return !needs.includes('dropped') || (window.dropped !== null && window.dropped <= SUM_MAX)
}

function count(elements: Elements): number {
  let total = 0
  for (let i = elements.from; i < elements.to; i++) total += elements.of(i, COUNT)
  return total
}

function sum(elements: Elements): KahanSum {
  const kahan = new KahanSum()
  for (let i = elements.from; i < elements.to; i++) kahan.add(elements.of(i, SUM))
  return kahan
}

/** The greatest (sign 1) or least (sign -1) value; NaN only where there is nothing else. */
function extreme(elements: Elements, column: typeof MIN | typeof MAX, sign: 1 | -1): number {
  let best = elements.of(elements.from, column)
  for (let i = elements.from + 1; i < elements.to; i++) {
    const value = elements.of(i, column)
    if (Number.isNaN(best) || value * sign > best * sign) best = value
  }
  return best
}

/** As rate-functions.ts does from samples: what a counter grew, each fall being a reset. */
function change(elements: Elements, isCounter: boolean): number {
  const { from, to } = elements
  let grown = elements.of(to - 1, LAST) - elements.of(from, FIRST)
  if (!isCounter) return grown
  for (let i = from; i < to; i++) {
    if (i > from && elements.of(i, FIRST) < elements.of(i - 1, LAST)) grown += elements.of(i - 1, LAST)
    grown += elements.of(i, DROPPED)
  }
  return grown
}

function stretched(isCounter: boolean, isRate: boolean, isRule2: boolean): TierFunction {
  return {
    needs: isCounter ? ['ends', 'dropped'] : ['ends'],
    value(elements) {
      const { from, to, startUs, endUs } = elements
      const samples = count(elements)
      if (samples < 2) {
        elements.isAbsent = true
        return 0
      }
      return extrapolate(
        {
          samples,
          first: elements.of(from, FIRST),
          firstUs: elements.of(from, FIRST_US),
          lastUs: elements.of(to - 1, LAST_US),
          change: change(elements, isCounter)
        },
        startUs,
        endUs,
        { isCounter, isRate, isRule2 }
      )
    }
  }
}

const PRESENT: TierFunction = { needs: ['ends'], value: () => 1 }

const FUNCTIONS: Readonly<Record<string, TierFunction>> = {
  absent_over_time: PRESENT,
  avg_over_time: {
    needs: ['ends', 'sum'],
    value(elements) {
      const total = sum(elements)
      const samples = count(elements)
      return total.sum / samples + total.rest / samples
    }
  },
  count_over_time: { needs: ['ends'], value: count },
  first_over_time: { needs: ['ends'], value: elements => elements.of(elements.from, FIRST) },
  last_over_time: { needs: ['ends'], value: elements => elements.of(elements.to - 1, LAST) },
  max_over_time: { needs: ['ends', 'extremes'], value: elements => extreme(elements, MAX, 1) },
  min_over_time: { needs: ['ends', 'extremes'], value: elements => extreme(elements, MIN, -1) },
  present_over_time: PRESENT,
  sum_over_time: { needs: ['ends', 'sum'], value: elements => sum(elements).total },
  ts_of_first_over_time: { needs: ['ends'], value: elements => elements.of(elements.from, FIRST_US) / 1e6 },
  ts_of_last_over_time: { needs: ['ends'], value: elements => elements.of(elements.to - 1, LAST_US) / 1e6 }
}

/** What answers a function of PromQL from windows of tiers; null where it needs every sample. */
export function tierFunction(name: string, isRule2: boolean): TierFunction | null {
  if (name === 'rate' || name === 'increase') return stretched(true, name === 'rate', isRule2)
  if (name === 'delta') return stretched(false, false, isRule2)
  return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name]! : null
}

// Functions over the samples of a window that look at values alone: sums, extremes, deviations, quantiles.
// Sums are compensated (Kahan, Neumaier's form), in the order in which Prometheus adds, so that results
// agree to the last digits.
// Not here: what depends on times (rate-functions.ts).
import { VarveError } from '../../base/errors.ts'
import { isStale } from '../../series/stale.ts'
import type { Window, WindowFunction } from './stepper.ts'

/** A running sum with what rounding took from it. */
export class KahanSum {
  sum = 0
  rest = 0
  private readonly isRule2: boolean

  /** @param isRule2  an overflow leaves NaN behind, as in Prometheus 2.42, not an infinity */
  constructor(isRule2 = false) {
    this.isRule2 = isRule2
  }

  add(value: number): void {
    const next = this.sum + value
    if (Math.abs(next) === Number.POSITIVE_INFINITY && !this.isRule2) this.rest = 0
    else if (Math.abs(this.sum) >= Math.abs(value)) this.rest += this.sum - next + value
    else this.rest += value - next + this.sum
    this.sum = next
  }

  get total(): number {
    return Number.isFinite(this.sum) ? this.sum + this.rest : this.sum
  }
}

/** An average that does not overflow: the sum's quotient while the sum is finite, then a running mean. */
export class Mean {
  private readonly kahan = new KahanSum()
  private isRunning = false
  count = 0

  add(value: number): void {
    const { kahan } = this
    this.count++
    if (this.count === 1) {
      kahan.sum = value
      return
    }
    if (!this.isRunning) {
      const { sum, rest } = kahan
      kahan.add(value)
      if (Math.abs(kahan.sum) !== Number.POSITIVE_INFINITY) return
      this.isRunning = true
      kahan.sum = sum / (this.count - 1)
      kahan.rest = rest / (this.count - 1)
    }
    const share = (this.count - 1) / this.count
    kahan.sum *= share
    kahan.rest *= share
    kahan.add(value / this.count)
  }

  get mean(): number {
    const { sum, rest } = this.kahan
    return this.isRunning ? sum + rest : sum / this.count + rest / this.count
  }
}

/** Numbers ascending, NaN first. */
export function sortNumbers(values: Float64Array): Float64Array {
  // Typed arrays sort NaN last.
  values.sort()
  let numbers = values.length
  while (numbers > 0 && Number.isNaN(values[numbers - 1]!)) numbers--
  if (numbers === values.length) return values
  const nans = values.length - numbers
  values.copyWithin(nans, 0, numbers)
  values.fill(Number.NaN, 0, nans)
  return values
}

/** The q-quantile of some values, between two of them by weight. The array is sorted in place. */
export function quantileOf(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN
  if (q < 0) return Number.NEGATIVE_INFINITY
  if (q > 1) return Number.POSITIVE_INFINITY
  sortNumbers(values)
  const rank = q * (values.length - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(values.length - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  return values[lower]! * (1 - weight) + values[upper]! * weight
}

function sum({ values, from, to }: Window): number {
  const kahan = new KahanSum()
  for (let i = from; i < to; i++) kahan.add(values[i]!)
  return kahan.total
}

function average({ values, from, to }: Window): number {
  const mean = new Mean()
  for (let i = from; i < to; i++) mean.add(values[i]!)
  return mean.mean
}

/** Index of the greatest (sign 1) or least (sign -1) value; NaN only where there is nothing else. */
function extreme({ values, from, to }: Window, sign: 1 | -1, isLast = false): number {
  let best = from
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    const known = values[best]!
    if (Number.isNaN(known) || (isLast ? value * sign >= known * sign : value * sign > known * sign)) best = i
  }
  return best
}

function variance({ values, from, to }: Window, isRule2: boolean): number {
  const mean = new KahanSum(isRule2)
  const squares = new KahanSum(isRule2)
  for (let i = from; i < to; i++) {
    const delta = values[i]! - (mean.sum + mean.rest)
    mean.add(delta / (i - from + 1))
    squares.add(delta * (values[i]! - (mean.sum + mean.rest)))
  }
  return (squares.sum + squares.rest) / (to - from)
}

/** Median of the distances to the median. */
function medianDeviation({ values, from, to }: Window): number {
  const own = values.slice(from, to)
  if (own.some(Number.isNaN)) return Number.NaN
  const median = quantileOf(0.5, own)
  for (let i = 0; i < own.length; i++) own[i] = Math.abs(own[i]! - median)
  return quantileOf(0.5, own)
}

function changes({ values, from, to }: Window): number {
  let count = 0
  for (let i = from + 1; i < to; i++) {
    const before = values[i - 1]!
    const now = values[i]!
    if (now !== before && !(Number.isNaN(now) && Number.isNaN(before))) count++
  }
  return count
}

function resets({ values, from, to }: Window): number {
  let count = 0
  for (let i = from + 1; i < to; i++) if (values[i]! < values[i - 1]!) count++
  return count
}

/** Functions of a window alone. */
export const PLAIN_FUNCTIONS: Readonly<Record<string, WindowFunction>> = {
  avg_over_time: average,
  changes,
  count_over_time: ({ from, to }) => to - from,
  first_over_time: ({ values, from }) => values[from]!,
  last_over_time: ({ values, to }) => values[to - 1]!,
  mad_over_time: medianDeviation,
  max_over_time: window => window.values[extreme(window, 1)]!,
  min_over_time: window => window.values[extreme(window, -1)]!,
  present_over_time: () => 1,
  resets,
  sum_over_time: sum,
  ts_of_first_over_time: ({ times, from }) => times[from]! / 1e6,
  ts_of_last_over_time: ({ times, to }) => times[to - 1]! / 1e6,
  ts_of_max_over_time: window => window.times[extreme(window, 1, true)]! / 1e6,
  ts_of_min_over_time: window => window.times[extreme(window, -1, true)]! / 1e6
}

/** stdvar_over_time, or its root. */
export function spreadOverTime(isRoot: boolean, isRule2: boolean): WindowFunction {
  return window => {
    const squares = variance(window, isRule2)
    return isRoot ? Math.sqrt(squares) : squares
  }
}

/** The newest value, unless it is a stale mark: what a selector without a range gives. */
export function newestValue(window: Window): number {
  const last = window.to - 1
  const value = window.values[last]!
  if (Number.isNaN(value) && isStale(window.bits, last)) window.isAbsent = true
  return value
}

/** Its time in seconds. */
export function newestTime(window: Window): number {
  newestValue(window)
  return window.times[window.to - 1]! / 1e6
}

/** @param quantiles  q at each step */
export function quantileOverTime(quantiles: Float64Array): WindowFunction {
  return ({ values, from, to, step }) => quantileOf(quantiles[step]!, values.slice(from, to))
}

/**
 * Smooths with a trend (Holt and Winters); the last smoothed value.
 * @param smoothing  factor at each step, between 0 and 1
 * @param trend      likewise
 * @throws {VarveError} VARVE_PROMQL_EVAL for a factor out of bounds
 */
export function doubleExponentialSmoothing(smoothing: Float64Array, trend: Float64Array): WindowFunction {
  return window => {
    const { values, from, to, step } = window
    const sf = inside(smoothing[step]!, 'smoothing', 'sf')
    const tf = inside(trend[step]!, 'trend', 'tf')
    if (to - from < 2) {
      window.isAbsent = true
      return 0
    }
    let before = 0
    let smoothed = values[from]!
    let slope = values[from + 1]! - values[from]!
    for (let i = from + 1; i < to; i++) {
      if (i > from + 1) slope = tf * (smoothed - before) + (1 - tf) * slope
      const next = sf * values[i]! + (1 - sf) * (smoothed + slope)
      before = smoothed
      smoothed = next
    }
    return smoothed
  }
}

function inside(value: number, what: string, letter: string): number {
  if (!(value <= 0) && !(value >= 1)) return value
  const shown = Number.isFinite(value) ? value.toFixed(6) : value > 0 ? '+Inf' : '-Inf'
  throw new VarveError(
    'VARVE_PROMQL_EVAL',
    `invalid ${what} factor. Expected: 0 < ${letter} < 1, got: ${shown}`
  )
}

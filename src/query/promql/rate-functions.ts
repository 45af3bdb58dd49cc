// Functions over the samples of a window that look at times too: how fast a value changes.
//
// rate, increase and delta stretch the change between the first and the last sample to the window: all the
// way to a bound nearer than 1.1 times the mean distance of samples, else by half that distance, and for a
// counter never below zero. The 2.x rule asks for the zero before it asks for the distance.
import { KahanSum } from './range-functions.ts'
import type { Window, WindowFunction } from './stepper.ts'

const SECOND = 1e6

function absent(window: Window): number {
  window.isAbsent = true
  return 0
}

/** What rate, increase and delta make of the samples of a range. */
export interface Changed {
  readonly samples: number
  readonly first: number
  readonly firstUs: number
  readonly lastUs: number
  readonly change: number
}

export interface ChangeKind {
  /** Falls are resets, and it was never below zero. */
  readonly isCounter: boolean
  /** Per second of the window. */
  readonly isRate: boolean
  readonly isRule2: boolean
}

/** The change of at least two samples stretched to the whole of a window. */
export function extrapolate(
  { samples, first, firstUs, lastUs, change }: Changed,
  startUs: number,
  endUs: number,
  { isCounter, isRate, isRule2 }: ChangeKind
): number {
  const sampled = (lastUs - firstUs) / SECOND
  const mean = sampled / (samples - 1)
  const threshold = mean * 1.1
  let toStart = (firstUs - startUs) / SECOND
  let toEnd = (endUs - lastUs) / SECOND
  const toZero = isCounter && change > 0 && first >= 0 ? sampled * (first / change) : Infinity
  if (isRule2 && toZero < toStart) toStart = toZero
  if (toStart >= threshold) toStart = mean / 2
  if (!isRule2 && toZero < toStart) toStart = toZero
  if (toEnd >= threshold) toEnd = mean / 2
  let factor = (sampled + toStart + toEnd) / sampled
  if (isRate) factor /= (endUs - startUs) / SECOND
  return change * factor
}

/** rate, increase and delta. */
export function extrapolated(isCounter: boolean, isRate: boolean, isRule2: boolean): WindowFunction {
  const kind: ChangeKind = { isCounter, isRate, isRule2 }
  return window => {
    const { times, values, from, to } = window
    if (to - from < 2) return absent(window)
    const first = values[from]!
    let change = values[to - 1]! - first
    if (isCounter) {
      for (let i = from + 1; i < to; i++) if (values[i]! < values[i - 1]!) change += values[i - 1]!
    }
    const changed = { samples: to - from, first, firstUs: times[from]!, lastUs: times[to - 1]!, change }
    return extrapolate(changed, window.startUs, window.endUs, kind)
  }
}

/** irate and idelta: the last two samples. */
export function instant(isRate: boolean): WindowFunction {
  return window => {
    const { times, values, from, to } = window
    if (to - from < 2) return absent(window)
    const last = values[to - 1]!
    const before = values[to - 2]!
    const change = isRate && last < before ? last : last - before
    return isRate ? change / ((times[to - 1]! - times[to - 2]!) / SECOND) : change
  }
}

/** The line of least squares: slope per second, and the value at a time. */
function regression({ times, values, from, to }: Window, atUs: number): { slope: number; value: number } {
  const x = new KahanSum()
  const y = new KahanSum()
  const xy = new KahanSum()
  const xx = new KahanSum()
  const first = values[from]!
  let isFlat = true
  for (let i = from; i < to; i++) {
    const value = values[i]!
    if (i > from && value !== first) isFlat = false
    const seconds = (times[i]! - atUs) / SECOND
    x.add(seconds)
    y.add(value)
    xy.add(seconds * value)
    xx.add(seconds * seconds)
  }
  if (isFlat) {
    if (Math.abs(first) === Number.POSITIVE_INFINITY) return { slope: Number.NaN, value: Number.NaN }
    return { slope: 0, value: first }
  }
  const n = to - from
  const sumX = x.sum + x.rest
  const sumY = y.sum + y.rest
  const covariance = xy.sum + xy.rest - (sumX * sumY) / n
  const variance = xx.sum + xx.rest - (sumX * sumX) / n
  const slope = covariance / variance
  return { slope, value: sumY / n - (slope * sumX) / n }
}

export function derivative(window: Window): number {
  if (window.to - window.from < 2) return absent(window)
  return regression(window, window.times[window.from]!).slope
}

/** @param seconds  how far ahead of each step */
export function predictLinear(seconds: Float64Array): WindowFunction {
  return window => {
    if (window.to - window.from < 2) return absent(window)
    const { slope, value } = regression(window, window.stepUs)
    return slope * seconds[window.step]! + value
  }
}

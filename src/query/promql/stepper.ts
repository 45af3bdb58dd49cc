// Slides a window over the samples of one series, step by step, while they arrive: at each step a function
// sees the samples with from < time <= to (Prometheus 3; from <= time with the 2.x rule). What no later step
// needs is dropped, so memory holds one window and one run.
//
// Invariants: samples arrive in ascending time; a function is asked only where its window has samples.
// Not here: reading (selection.ts), the functions (range-functions.ts, rate-functions.ts).
import type { Labels } from '../../series/label.ts'
import { isStale, STALE_HIGH, STALE_LOW } from '../../series/stale.ts'
import type { Budget } from '../limits.ts'
import { emptySeries, type Grid, type GridSeries, hasAny } from './grid.ts'

/** What a function sees: samples [from, to) of times and values. */
export class Window {
  times = new Float64Array(64)
  values = new Float64Array(64)
  bits = new Uint32Array(this.values.buffer)
  from = 0
  to = 0
  /** The bounds of the window, us. */
  startUs = 0
  endUs = 0
  /** The step and its time; the time differs from endUs by offset and @. */
  step = 0
  stepUs = 0
  /** Set by a function that has nothing to say. */
  isAbsent = false
}

/** The value at a step; sets isAbsent where there is none. */
export type WindowFunction = (window: Window) => number

/** Where windows lie. */
export interface Windows {
  readonly grid: Grid
  /** Length, us. */
  readonly rangeUs: number
  readonly offsetUs: number
  /** All windows end here; null: each at its step. */
  readonly atUs: number | null
  /** The 2.x rule: a sample at the start of the window is part of it. */
  readonly isClosed: boolean
}

/** The span of times that some windows need; both ends included. */
export function spanOf({ grid, rangeUs, offsetUs, atUs, isClosed }: Windows): [fromUs: number, toUs: number] {
  const first = (atUs ?? grid.startUs) - offsetUs
  const last = (atUs ?? grid.startUs + (grid.steps - 1) * grid.stepUs) - offsetUs
  return [first - rangeUs + (isClosed ? 0 : 1), last]
}

/** Samples between looks at the clock. */
const WORK_MAX = 1 << 20

export class Stepper {
  private readonly windows: Windows
  private readonly fn: WindowFunction
  private readonly isSteady: boolean
  private readonly keepsStale: boolean
  private readonly budget: Budget
  private readonly window = new Window()
  private readonly out: GridSeries
  private length = 0
  private step = 0
  private work = 0

  /**
   * @param isSteady   the function depends on its window alone, not on the step
   * @param keepsStale  stale marks are shown to the function; else they are not samples
   */
  constructor(
    windows: Windows,
    labels: Labels,
    fn: WindowFunction,
    isSteady: boolean,
    keepsStale: boolean,
    budget: Budget
  ) {
    this.windows = windows
    this.fn = fn
    this.isSteady = isSteady
    this.keepsStale = keepsStale
    this.budget = budget
    this.out = emptySeries(labels, windows.grid.steps)
  }

  /** Adds samples; both arrays at least n long. */
  push(times: Float64Array, values: Float64Array, n: number): void {
    if (n === 0) return
    this.reserve(n)
    const { window } = this
    window.times.set(n === times.length ? times : times.subarray(0, n), this.length)
    window.values.set(n === values.length ? values : values.subarray(0, n), this.length)
    const first = this.length
    this.length += n
    if (!this.keepsStale) this.dropStale(first)
    if (this.length > 0) this.run(times[n - 1]!)
  }

  /** Adds the mark that ends the series. */
  pushStale(timeUs: number): void {
    if (!this.keepsStale) return
    this.reserve(1)
    const { window } = this
    window.times[this.length] = timeUs
    window.bits[2 * this.length] = STALE_LOW
    window.bits[2 * this.length + 1] = STALE_HIGH
    this.length++
    this.run(timeUs)
  }

  /** The series over the grid, or null when it has no value at any step. */
  finish(): GridSeries | null {
    this.run(Number.POSITIVE_INFINITY)
    return hasAny(this.out.present) ? this.out : null
  }

  private dropStale(first: number): void {
    const { times, values, bits } = this.window
    let kept = first
    for (let i = first; i < this.length; i++) {
      if (Number.isNaN(values[i]!) && isStale(bits, i)) continue
      if (kept !== i) {
        times[kept] = times[i]!
        values[kept] = values[i]!
      }
      kept++
    }
    this.length = kept
  }

  private reserve(n: number): void {
    const { window } = this
    if (this.length + n <= window.times.length) return
    const live = this.length - window.from
    let { times, values } = window
    if ((live + n) * 2 > times.length) {
      const room = Math.max(64, (live + n) * 2)
      times = new Float64Array(room)
      values = new Float64Array(room)
      times.set(window.times.subarray(window.from, this.length))
      values.set(window.values.subarray(window.from, this.length))
      window.times = times
      window.values = values
      window.bits = new Uint32Array(values.buffer)
      this.budget.held(room * 16)
    } else {
      times.copyWithin(0, window.from, this.length)
      values.copyWithin(0, window.from, this.length)
    }
    window.to = Math.max(0, window.to - window.from)
    window.from = 0
    this.length = live
  }

  /** Makes the steps whose windows end at or before a time. */
  private run(untilUs: number): void {
    const { grid, rangeUs, offsetUs, atUs, isClosed } = this.windows
    const { window, out } = this
    while (this.step < grid.steps) {
      const stepUs = grid.startUs + this.step * grid.stepUs
      const endUs = (atUs ?? stepUs) - offsetUs
      if (endUs > untilUs) return
      const { times } = window
      const startUs = endUs - rangeUs
      const lowUs = isClosed ? startUs - 1 : startUs
      while (window.from < this.length && times[window.from]! <= lowUs) window.from++
      if (window.to < window.from) window.to = window.from
      while (window.to < this.length && times[window.to]! <= endUs) window.to++
      if (window.to > window.from) {
        window.startUs = startUs
        window.endUs = endUs
        window.step = this.step
        window.stepUs = stepUs
        const value = this.fn(window)
        if (window.isAbsent) window.isAbsent = false
        else {
          out.values[this.step] = value
          out.present[this.step] = 1
        }
        if ((this.work += window.to - window.from) > WORK_MAX) this.look()
      }
      this.step++
      if (atUs !== null && this.isSteady) {
        out.values.fill(out.values[0]!)
        out.present.fill(out.present[0]!)
        this.step = grid.steps
      }
    }
  }

  private look(): void {
    this.work = 0
    this.budget.check()
  }
}

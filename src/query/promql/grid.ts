// The steps of an evaluation and a series over them. A range query is a grid of many steps, an instant
// query a grid of one, a subquery a grid of its own; every expression is evaluated for a whole grid at once,
// one series after the other, so that inner loops run over typed arrays.
//
// Invariants: values[i] counts only where present[i] is 1; a series of a stream has a value at some step;
// a stream never gives two series of equal labels; arrays belong to whoever was given the series.
import type { Labels } from '../../series/label.ts'

export interface Grid {
  /** Time of the first step, us since the epoch; may be negative. */
  readonly startUs: number
  /** Between steps; > 0. */
  readonly stepUs: number
  /** How many; at least 1. */
  readonly steps: number
}

export interface GridSeries {
  /** Sorted; the name is among them as __name__. */
  readonly labels: Labels
  readonly values: Float64Array
  readonly present: Uint8Array
}

/** What a step of a series costs in memory: a value and whether it is there. */
export const STEP_BYTES = 9

export function emptySeries(labels: Labels, steps: number): GridSeries {
  return { labels, values: new Float64Array(steps), present: new Uint8Array(steps) }
}

export function hasAny(present: Uint8Array): boolean {
  return present.includes(1)
}

/** The steps from start to end, both in us. */
export function makeGrid(startUs: number, endUs: number, stepUs: number): Grid {
  return { startUs, stepUs, steps: Math.floor((endUs - startUs) / stepUs) + 1 }
}

// What many operators do to a stream of series: hold it, put series of equal labels together, change labels.
//
// Invariants: two series of equal labels may follow each other in time (a name that was dropped) and are
// then one; where both have a value at one step there is no answer, as in Prometheus.
import { VarveError } from '../../base/errors.ts'
import type { Labels } from '../../series/label.ts'
import type { Budget } from '../limits.ts'
import { type GridSeries, STEP_BYTES } from './grid.ts'
import { labelKey } from './label-set.ts'

/** What a series takes beside its steps. */
const SERIES_BYTES = 400

/** The account of what one evaluation holds in memory. */
export class Memory {
  private readonly budget: Budget
  private bytes = 0

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** @throws {VarveError} VARVE_QUERY_MEMORY, and what a look at the clock throws */
  take(steps: number): void {
    this.bytes += SERIES_BYTES + steps * STEP_BYTES
    this.budget.held(this.bytes)
    this.budget.check()
  }

  give(series: number, steps: number): void {
    this.bytes -= series * (SERIES_BYTES + steps * STEP_BYTES)
  }
}

export function evalError(why: string): VarveError {
  return new VarveError('VARVE_PROMQL_EVAL', why)
}

export const SAME_LABELS = 'vector cannot contain metrics with the same labelset'

/** All series of a stream at once. */
export function collect(series: Iterable<GridSeries>, memory: Memory): GridSeries[] {
  const all: GridSeries[] = []
  for (const one of series) {
    memory.take(one.values.length)
    all.push(one)
  }
  return all
}

/**
 * Series of equal labels as one.
 * @param isStrict  they may not even follow each other
 * @throws {VarveError} VARVE_PROMQL_EVAL where two have a value at one step
 */
export function* merged(
  series: Iterable<GridSeries>,
  memory: Memory,
  isStrict = false
): Generator<GridSeries> {
  const all = new Map<string, GridSeries>()
  let held = 0
  let steps = 0
  for (const one of series) {
    const key = labelKey(one.labels)
    const known = all.get(key)
    if (known === undefined) {
      memory.take(one.values.length)
      held++
      steps = one.values.length
      all.set(key, one)
      continue
    }
    if (isStrict) throw evalError(SAME_LABELS)
    for (let i = 0; i < steps; i++) {
      if (one.present[i] === 0) continue
      if (known.present[i] === 1) throw evalError(SAME_LABELS)
      known.present[i] = 1
      known.values[i] = one.values[i]!
    }
  }
  yield* all.values()
  memory.give(held, steps)
}

export function* relabelled(
  series: Iterable<GridSeries>,
  change: (labels: Labels) => Labels
): Generator<GridSeries> {
  for (const { labels, values, present } of series) yield { labels: change(labels), values, present }
}

/** Each value changed, in place. */
export function* mapped(
  series: Iterable<GridSeries>,
  change: (value: number, step: number) => number
): Generator<GridSeries> {
  for (const one of series) {
    const { values, present } = one
    for (let i = 0; i < values.length; i++) if (present[i] === 1) values[i] = change(values[i]!, i)
    yield one
  }
}

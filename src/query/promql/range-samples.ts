// The samples themselves: what an instant query of a range selector or a subquery gives.
import { type Expr, unwrapped } from '../../promql/ast.ts'
import type { Labels } from '../../series/label.ts'
import { isStale } from '../../series/stale.ts'
import type { Evaluator } from './evaluator.ts'
import type { Grid } from './grid.ts'
import { readSpan, type SampleSink } from './selection.ts'
import { spanOf } from './stepper.ts'

/** Samples of one series, times ascending. */
export interface SampleSeries {
  readonly labels: Labels
  readonly times: readonly number[]
  readonly values: readonly number[]
}

/** Bytes of a sample here, about. */
const SAMPLE_BYTES = 32

class Collecting implements SampleSink<SampleSeries> {
  readonly labels: Labels
  readonly times: number[] = []
  readonly values: number[] = []
  private readonly held: (samples: number) => void

  constructor(labels: Labels, held: (samples: number) => void) {
    this.labels = labels
    this.held = held
  }

  push(times: Float64Array, values: Float64Array, n: number): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * n)
    this.held(n)
    for (let i = 0; i < n; i++) {
      if (Number.isNaN(values[i]!) && isStale(bits, i)) continue
      this.times.push(times[i]!)
      this.values.push(values[i]!)
    }
  }

  pushStale(): void {}

  finish(): SampleSeries | null {
    return this.times.length === 0 ? null : this
  }
}

/** @param expr  of type matrix */
export function* rangeSamples(evaluator: Evaluator, expr: Expr, grid: Grid): Generator<SampleSeries> {
  const node = unwrapped(expr)
  let bytes = 0
  const held = (samples: number) => evaluator.budget.held((bytes += samples * SAMPLE_BYTES))
  if (node.is === 'matrix') {
    const windows = { ...evaluator.shifted(node.selector, grid), rangeUs: node.rangeMs * 1000 }
    const open = (labels: Labels) => new Collecting(labels, held)
    yield* readSpan<SampleSeries>(evaluator.reading(node), node.selector.matchers, ...spanOf(windows), open)
    return
  }
  if (node.is !== 'subquery') throw new Error(`${node.is} is no range`)
  const windows = { ...evaluator.shifted(node, grid), rangeUs: node.rangeMs * 1000 }
  const inner = evaluator.subgrid(node, windows)
  if (inner === null) return
  for (const { labels, values, present } of evaluator.vector(node.of, inner)) {
    const times: number[] = []
    const found: number[] = []
    held(inner.steps)
    for (let i = 0; i < inner.steps; i++) {
      if (present[i] === 0) continue
      times.push(inner.startUs + i * inner.stepUs)
      found.push(values[i]!)
    }
    if (times.length > 0) yield { labels, times, values: found }
  }
}

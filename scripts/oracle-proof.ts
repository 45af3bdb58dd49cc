// Proves that two answers differ by rounding or ties alone, which a discontinuous or steep function made large
// (round() of .5, changes() of averages, sin() of a huge number, a quantile over topk()). The query is cut in
// two: an expression in it and what is made of it. When both servers give the same for the expression (or differ
// there in ties, or in what is explained), and what varve makes of *their* values for it is their answer, then
// neither part differs.
//
// Not here: what counts as the same (promql-oracle.ts).

import { children, type Expr } from '../src/promql/ast.ts'
import { parsePromql } from '../src/promql/parse.ts'
import { type Labels, makeLabels } from '../src/series/label.ts'
import type { Matcher } from '../src/series/matcher.ts'
import { NAME_LABEL } from '../src/series/matcher.ts'
import { type ArraySeries, ArraySource, STALE } from '../test/promql/array-source.ts'

/** The selector that stands for what was cut out. */
const RECORDED = 'recorded_by_proof'

export interface Cut {
  /** What was cut out. */
  readonly inner: string
  /** The query with a selector in its place. */
  readonly outer: string
  /** The step of the subquery around it; null: it is evaluated at the steps of the query itself. */
  readonly stepMs: number | null
}

/** Where a query can be cut, from the outside in. @param defaultStepMs  of subqueries that name none */
export function cutsOf(query: string, defaultStepMs: number): Cut[] {
  const out: Cut[] = []
  const walk = (node: Expr, stepMs: number | null, isRoot: boolean) => {
    const isPart = ['call', 'aggregate', 'binary', 'unary'].includes(node.is)
    if (isPart && !isRoot) {
      const outer = `${query.slice(0, node.start)} ${RECORDED} ${query.slice(node.end)}`
      out.push({ inner: query.slice(node.start, node.end), outer, stepMs })
    }
    const below = node.is === 'subquery' ? (node.stepMs ?? defaultStepMs) : stepMs
    for (const child of children(node)) walk(child, below, false)
  }
  walk(
    parsePromql(query, () => false),
    null,
    true
  )
  return out
}

export interface RecordedSeries {
  readonly metric: Readonly<Record<string, string>>
  /** Seconds and value. */
  readonly values: readonly (readonly [number, string])[]
}

/** Series as they are, and beside them an answer at all its steps: where it has nothing, a stale mark stands. */
export class RecordedSource extends ArraySource {
  private readonly stored: number

  /** @param steps  all times of the answer, us */
  constructor(all: readonly ArraySeries[], recorded: readonly RecordedSeries[], steps: Float64Array) {
    super([...all, ...recorded.map(one => asArrays(one, steps))])
    this.stored = all.length
  }

  override select(matchers: readonly Matcher[], topic: string | null, limit: number): Uint32Array {
    const isRecorded = matchers.some(({ name, value }) => name === NAME_LABEL && value === RECORDED)
    const ids = super.select(isRecorded ? [] : matchers, topic, limit)
    return ids.filter(id => id >= this.stored === isRecorded)
  }
}

function asArrays({ metric, values }: RecordedSeries, steps: Float64Array): ArraySeries {
  const { [NAME_LABEL]: name = '', ...rest } = metric
  const labels: Labels = makeLabels(Object.entries(rest))
  const found = new Map(values.map(([s, text]) => [Math.round(s * 1e6), text]))
  const numbers = new Float64Array(steps.length)
  steps.forEach((timeUs, i) => {
    const text = found.get(timeUs)
    if (text === undefined) numbers.set(STALE, i)
    else numbers[i] = Number(text.replace('Inf', 'Infinity'))
  })
  return { name, labels, times: steps, values: numbers }
}

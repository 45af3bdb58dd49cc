// From a PromQL request to the bytes of its answer: reads the text, evaluates, and writes what Prometheus'
// API writes. Series are held until all are there, since an error must have its own status and not break
// off half an answer; the bytes are then made piece by piece.
// Not here: parameters (http/routes-prometheus.ts), lists of labels and series (lists.ts).
import { VarveError } from '../../base/errors.ts'
import { unwrapped } from '../../promql/ast.ts'
import { printPromql } from '../../promql/printer.ts'
import { typeOf } from '../../promql/typecheck.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'
import type { PromqlInstantRequest, PromqlRangeRequest, PromqlRequest } from '../request.ts'
import { encodeList, encodeResult, type Result } from './encode.ts'
import { Evaluator } from './evaluator.ts'
import { Explain } from './explain.ts'
import { type Grid, makeGrid } from './grid.ts'
import { compareLabels, NO_LABELS } from './label-set.ts'
import { listOf } from './lists.ts'
import { rangeSamples } from './range-samples.ts'
import { readPromql } from './read.ts'
import { collect } from './streams.ts'

/**
 * @throws {PromqlError} VARVE_PROMQL for a text that cannot be read; {VarveError} VARVE_PROMQL_TYPE for a
 * type that a range query has not, VARVE_PROMQL_EVAL for what has no answer, VARVE_QUERY_*
 */
export function answerPromql(
  source: SeriesSource,
  request: PromqlRequest,
  budget: Budget
): Iterable<Uint8Array> {
  switch (request.kind) {
    case 'promql-instant':
    case 'promql-range': {
      const explain = request.explain ? new Explain() : null
      const result =
        request.kind === 'promql-instant'
          ? instantResult(source, request, budget, explain)
          : rangeResult(source, request, budget, explain)
      return encodeResult(result, budget, request.limit, explain)
    }
    case 'promql-format':
      return encodeList(printPromql(readPromql(request.query)), false)
    default: {
      const { value, isCut } = listOf(source, request, budget)
      return encodeList(value, isCut)
    }
  }
}

type Asked = PromqlInstantRequest | PromqlRangeRequest

function evaluatorOf(
  source: SeriesSource,
  budget: Budget,
  asked: Asked,
  [startUs, endUs]: readonly [number, number],
  explain: Explain | null
) {
  const { lookbackUs, subqueryStepUs, rules } = asked
  return new Evaluator(source, budget, {
    lookbackUs,
    defaultStepUs: subqueryStepUs,
    rules,
    startUs,
    endUs,
    stepUs: startUs === endUs || asked.kind === 'promql-instant' ? 0 : asked.stepUs,
    isRaw: asked.tier === 'raw',
    explain
  })
}

/** What an instant query comes to. */
export function instantResult(
  source: SeriesSource,
  request: PromqlInstantRequest,
  budget: Budget,
  explain: Explain | null = null
): Result {
  const expr = readPromql(request.query)
  const { timeUs } = request
  const grid: Grid = { startUs: timeUs, stepUs: 1, steps: 1 }
  const evaluator = evaluatorOf(source, budget, request, [timeUs, timeUs], explain)
  switch (typeOf(expr)) {
    case 'string': {
      const inner = unwrapped(expr)
      return { is: 'string', timeUs, value: inner.is === 'string' ? inner.value : '' }
    }
    case 'scalar':
      return { is: 'scalar', timeUs, value: evaluator.scalar(expr, grid)[0]! }
    case 'vector':
      return { is: 'vector', timeUs, series: collect(evaluator.vector(expr, grid), evaluator.memory) }
    case 'matrix': {
      const series = [...rangeSamples(evaluator, expr, grid)]
      return { is: 'samples', series: series.sort((a, b) => compareLabels(a.labels, b.labels)) }
    }
  }
}

/** What a range query comes to. */
export function rangeResult(
  source: SeriesSource,
  request: PromqlRangeRequest,
  budget: Budget,
  explain: Explain | null = null
): Result {
  const expr = readPromql(request.query)
  const { startUs, endUs, stepUs } = request
  const type = typeOf(expr)
  if (type !== 'scalar' && type !== 'vector') {
    const shown = type === 'matrix' ? 'range vector' : type
    const why = `invalid expression type "${shown}" for range query, must be Scalar or instant Vector`
    throw new VarveError('VARVE_PROMQL_TYPE', why)
  }
  const grid = makeGrid(startUs, endUs, stepUs)
  budget.held(grid.steps * 32)
  const evaluator = evaluatorOf(source, budget, request, [startUs, endUs], explain)
  const series = collect(evaluator.vector(expr, grid), evaluator.memory)
  if (type === 'scalar')
    return { is: 'matrix', grid, series: series.map(one => ({ ...one, labels: NO_LABELS })) }
  return { is: 'matrix', grid, series: series.sort((a, b) => compareLabels(a.labels, b.labels)) }
}

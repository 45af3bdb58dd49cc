// Evaluates an expression over a grid. Vectors come as streams of series, so that an aggregation over many
// series holds its groups alone; only what needs all series at once (matching, ranking) holds them.
//
// Not here: what a function or an operator computes (the other files of this folder), the shape of the
// answer (answer.ts).
import {
  type AggregateNode,
  type BinaryNode,
  type Expr,
  type MatrixNode,
  SET_OPERATORS,
  type Shift,
  type SubqueryNode,
  unwrapped,
  type VectorNode
} from '../../promql/ast.ts'
import { printPromql } from '../../promql/printer.ts'
import { typeOf } from '../../promql/typecheck.ts'
import { NAME_LABEL } from '../../series/matcher.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'
import { aggregated, isFolding } from './aggregation.ts'
import { ARITHMETIC, COMPARISON, constantOf, dropsName } from './arithmetic.ts'
import { callFunction, type FunctionHost } from './call.ts'
import type { Explain } from './explain.ts'
import { foldOf } from './fold.ts'
import { type Grid, type GridSeries, hasAny } from './grid.ts'
import { checkLabelName } from './label-functions.ts'
import { NO_LABELS, withoutName } from './label-set.ts'
import { setOperation, vectorOperation } from './matching.ts'
import { readFolded, readNewest } from './quick-reads.ts'
import { newestValue } from './range-functions.ts'
import { countedValues, quantiled, ranked } from './ranking.ts'
import { type Reading, readSelected } from './selection.ts'
import { Stepper, type WindowFunction, type Windows } from './stepper.ts'
import { Memory, mapped, merged, relabelled } from './streams.ts'
import type { TierFunction } from './tier-functions.ts'
import { cutTiers, readTiered } from './tier-ranges.ts'

export interface EvaluatorOptions {
  /** How long a sample counts where no newer one is; us. */
  readonly lookbackUs: number
  /** Step of a subquery that names none; us. */
  readonly defaultStepUs: number
  /** '3': windows are open at their start; '2': closed, as in Prometheus 2. */
  readonly rules: '2' | '3'
  /** What @ start() and @ end(), and the functions of these names, stand for; us. */
  readonly startUs: number
  readonly endUs: number
  /** Between the steps of the query; 0 where it has one. */
  readonly stepUs: number
  /** Samples alone are read, no tiers. */
  readonly isRaw: boolean
  /** Told of what is read; null: nobody asks. */
  readonly explain: Explain | null
}

export class Evaluator implements FunctionHost {
  readonly source: SeriesSource
  readonly budget: Budget
  readonly options: EvaluatorOptions
  readonly memory: Memory

  constructor(source: SeriesSource, budget: Budget, options: EvaluatorOptions) {
    this.source = source
    this.budget = budget
    this.options = options
    this.memory = new Memory(budget)
  }

  get isRule2(): boolean {
    return this.options.rules === '2'
  }

  /** @param expr  of type vector, or scalar, which gives one series without labels */
  *vector(expr: Expr, grid: Grid): Generator<GridSeries> {
    if (typeOf(expr) === 'scalar') {
      const values = this.scalar(expr, grid)
      yield { labels: NO_LABELS, values, present: new Uint8Array(grid.steps).fill(1) }
      return
    }
    switch (expr.is) {
      case 'vector':
        yield* this.selector(expr, grid, newestValue)
        return
      case 'paren':
        yield* this.vector(expr.of, grid)
        return
      case 'aggregate':
        yield* this.aggregate(expr, grid)
        return
      case 'call':
        yield* callFunction(this, expr, grid)
        return
      case 'unary':
        if (expr.op === '+') yield* this.vector(expr.of, grid)
        else {
          const negative = mapped(this.vector(expr.of, grid), value => -value)
          yield* this.dropNames(negative, expr.of, this.isRule2)
        }
        return
      case 'binary':
        yield* this.binary(expr, grid)
        return
      default:
        throw new Error(`${expr.is} is no vector`)
    }
  }

  /** The value at each step of an expression of type scalar. The array is the caller's. */
  scalar(expr: Expr, grid: Grid): Float64Array {
    switch (expr.is) {
      case 'number':
        return new Float64Array(grid.steps).fill(expr.value)
      case 'paren':
        return this.scalar(expr.of, grid)
      case 'unary': {
        const values = this.scalar(expr.of, grid)
        return expr.op === '+' ? values : values.map(value => -value)
      }
      case 'binary': {
        const left = this.scalar(expr.left, grid)
        const right = this.scalar(expr.right, grid)
        const compute = ARITHMETIC[expr.op]
        if (compute !== undefined) return left.map((value, i) => compute(value, right[i]!))
        const holds = COMPARISON[expr.op]!
        return left.map((value, i) => (holds(value, right[i]!) ? 1 : 0))
      }
      case 'call':
        if (expr.name === 'time') {
          return new Float64Array(grid.steps).map((_, i) => (grid.startUs + i * grid.stepUs) / 1e6)
        }
        if (expr.name === 'scalar') return this.onlyValue(expr.args[0]!, grid)
        return new Float64Array(grid.steps).fill(constantOf(expr.name, this.options))
      default:
        throw new Error(`${expr.is} is no scalar`)
    }
  }

  /** scalar(): the value where the vector has one series, else NaN. */
  private onlyValue(expr: Expr, grid: Grid): Float64Array {
    const values = new Float64Array(grid.steps)
    const counts = new Uint32Array(grid.steps)
    for (const series of this.vector(expr, grid)) {
      for (let i = 0; i < grid.steps; i++) {
        if (series.present[i] === 0) continue
        values[i] = series.values[i]!
        counts[i]!++
      }
    }
    return values.map((value, i) => (counts[i] === 1 ? value : Number.NaN))
  }

  /** The series of an instant selector, by what a function says of the look-back. */
  selector(node: VectorNode, grid: Grid, fn: WindowFunction): Generator<GridSeries> {
    const windows = { ...this.shifted(node, grid), rangeUs: this.options.lookbackUs }
    const open = (labels: GridSeries['labels']) => new Stepper(windows, labels, fn, true, true, this.budget)
    const reading = this.reading(node)
    if (fn === newestValue && grid.steps === 1) return readNewest(reading, node.matchers, windows, open)
    return readSelected(reading, node.matchers, windows, open)
  }

  /** What reads for a selector need. */
  reading(node: VectorNode | MatrixNode): Reading {
    const { source, budget, options } = this
    return { source, budget, log: options.explain?.log(printPromql(node)) ?? null }
  }

  /**
   * The series of a range, by what a function says of each window. Names are kept.
   * @param tierFn  says the same of windows of tiers; null where it needs every sample
   */
  *ranges(
    node: MatrixNode | SubqueryNode,
    grid: Grid,
    fn: WindowFunction,
    isSteady: boolean,
    tierFn: TierFunction | null
  ): Generator<GridSeries> {
    const shift = node.is === 'matrix' ? node.selector : node
    const windows = { ...this.shifted(shift, grid), rangeUs: node.rangeMs * 1000 }
    const open = (labels: GridSeries['labels']) =>
      new Stepper(windows, labels, fn, isSteady, false, this.budget)
    if (node.is === 'matrix') {
      const { matchers } = node.selector
      const reading = this.reading(node)
      const fold = foldOf(reading, fn, windows)
      const tiers = tierFn === null || this.options.isRaw ? [] : cutTiers(this.source.tiers, windows)
      if (tiers.length > 0) yield* readTiered(reading, matchers, windows, tiers, tierFn!, open, fold)
      else if (fold !== null) yield* readFolded(reading, matchers, windows, fold, open)
      else yield* readSelected(reading, matchers, windows, open)
      return
    }
    const inner = this.subgrid(node, windows)
    if (inner === null) return
    for (const { labels, values, present } of this.vector(node.of, inner)) {
      this.budget.check()
      const times = new Float64Array(inner.steps)
      const found = new Float64Array(inner.steps)
      let n = 0
      for (let i = 0; i < inner.steps; i++) {
        if (present[i] === 0) continue
        times[n] = inner.startUs + i * inner.stepUs
        found[n++] = values[i]!
      }
      const stepper = open(labels)
      stepper.push(times, found, n)
      const made = stepper.finish()
      if (made !== null) yield made
    }
  }

  /** The steps of a subquery: multiples of its step, whatever the query's start; null when there is none. */
  subgrid(node: SubqueryNode, { grid, rangeUs, offsetUs, atUs, isClosed }: Windows): Grid | null {
    const stepUs = node.stepMs === null ? this.options.defaultStepUs : node.stepMs * 1000
    const low = (atUs ?? grid.startUs) - offsetUs - rangeUs
    const last = (atUs ?? grid.startUs + (grid.steps - 1) * grid.stepUs) - offsetUs
    let startUs = stepUs * Math.trunc(low / stepUs)
    if (isClosed ? startUs < low : startUs <= low) startUs += stepUs
    if (startUs > last) return null
    const steps = Math.floor((last - startUs) / stepUs) + 1
    this.budget.held(steps * 32)
    return { startUs, stepUs, steps }
  }

  shifted({ offsetMs, atMs }: Shift, grid: Grid): Omit<Windows, 'rangeUs'> {
    const { startUs, endUs } = this.options
    const atUs = atMs === 'start' ? startUs : atMs === 'end' ? endUs : atMs === null ? null : atMs * 1000
    return { grid, offsetUs: offsetMs * 1000, atUs, isClosed: this.isRule2 }
  }

  /**
   * Series without their names; those that become equal are one.
   * @param from      where the series come from
   * @param isStrict  they may not even follow each other in time
   */
  dropNames(series: Iterable<GridSeries>, from: Expr, isStrict = false): Generator<GridSeries> {
    const nameless = relabelled(series, withoutName)
    return hasOneName(from, this.isRule2) ? nameless : merged(nameless, this.memory, isStrict)
  }

  private *aggregate(node: AggregateNode, grid: Grid): Generator<GridSeries> {
    const { op, parameter } = node
    const series = this.vector(node.of, grid)
    if (isFolding(op)) yield* aggregated(node, series, grid.steps, this.memory, this.isRule2)
    else if (op === 'quantile') yield* quantiled(node, this.scalar(parameter!, grid), series, this.memory)
    else if (op === 'count_values') {
      const label = unwrapped(parameter!)
      const name = label.is === 'string' ? label.value : ''
      checkLabelName(name, 'label name', this.isRule2)
      yield* countedValues(node, name, series, grid.steps, this.memory)
    } else yield* ranked(node, this.scalar(parameter!, grid), series, this.memory)
  }

  private *binary(node: BinaryNode, grid: Grid): Generator<GridSeries> {
    const { left, right, op } = node
    if (typeOf(left) === 'scalar') yield* this.withScalar(node, right, this.scalar(left, grid), true, grid)
    else if (typeOf(right) === 'scalar') {
      yield* this.withScalar(node, left, this.scalar(right, grid), false, grid)
    } else {
      const both = [this.vector(left, grid), this.vector(right, grid)] as const
      if (SET_OPERATORS.includes(op)) yield* setOperation(node, ...both, grid.steps, this.memory)
      else yield* vectorOperation(node, ...both, grid.steps, this.memory, this.isRule2)
    }
  }

  /** An operator between a vector and a scalar. @param isLeft  the scalar is the left side */
  private withScalar(
    { op, returnsBool }: BinaryNode,
    vector: Expr,
    scalars: Float64Array,
    isLeft: boolean,
    grid: Grid
  ): Iterable<GridSeries> {
    const series = this.vector(vector, grid)
    const compute = ARITHMETIC[op]
    const holds = COMPARISON[op]
    let changed: Iterable<GridSeries>
    if (compute !== undefined) {
      changed = mapped(series, (value, i) =>
        isLeft ? compute(scalars[i]!, value) : compute(value, scalars[i]!)
      )
    } else {
      const isTrue = (value: number, i: number) =>
        isLeft ? holds!(scalars[i]!, value) : holds!(value, scalars[i]!)
      changed = returnsBool
        ? mapped(series, (value, i) => (isTrue(value, i) ? 1 : 0))
        : filtered(series, isTrue)
    }
    return dropsName(op, this.isRule2) || returnsBool ? this.dropNames(changed, vector) : changed
  }
}

function* filtered(
  series: Iterable<GridSeries>,
  keeps: (value: number, step: number) => boolean
): Generator<GridSeries> {
  for (const one of series) {
    const { values, present } = one
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 1 && !keeps(values[i]!, i)) present[i] = 0
    }
    if (hasAny(present)) yield one
  }
}

/** Whether all series of an expression have one name, or none: then no two differ in it alone. */
function hasOneName(expr: Expr, isRule2: boolean): boolean {
  switch (expr.is) {
    case 'vector':
      return expr.matchers.some(({ name, op, value }) => name === NAME_LABEL && op === '=' && value !== '')
    case 'matrix':
      return hasOneName(expr.selector, isRule2)
    case 'paren':
    case 'subquery':
      return hasOneName(expr.of, isRule2)
    case 'unary':
      return expr.op === '-' || hasOneName(expr.of, isRule2)
    case 'aggregate':
      if (expr.op === 'count_values') return false
      if (!isFolding(expr.op) && expr.op !== 'quantile') return hasOneName(expr.of, isRule2)
      return expr.without || !expr.grouping.includes(NAME_LABEL)
    case 'binary':
      if (dropsName(expr.op, isRule2) || expr.returnsBool) return true
      if (expr.op === 'and' || expr.op === 'unless') return hasOneName(expr.left, isRule2)
      return (
        expr.matching === null && hasOneName(typeOf(expr.left) === 'scalar' ? expr.right : expr.left, isRule2)
      )
    case 'call':
      if (CHANGES_NAME.includes(expr.name)) return false
      return !KEEPS_NAME.includes(expr.name) || hasOneName(expr.args[0]!, isRule2)
    default:
      return true
  }
}

/** Functions that leave names as they are, or may set them. */
const KEEPS_NAME = [
  'last_over_time',
  'first_over_time',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc'
]
const CHANGES_NAME = ['label_replace', 'label_join']

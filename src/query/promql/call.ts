// Calls of functions: evaluates the arguments and gives each function what it works on.
// Not here: what the functions compute (range-, rate-, value-, label-functions.ts, histogram.ts).
import {
  type CallNode,
  type Expr,
  type MatrixNode,
  type SubqueryNode,
  unwrapped,
  type VectorNode
} from '../../promql/ast.ts'
import { type Labels, labelValue } from '../../series/label.ts'
import { NAME_LABEL } from '../../series/matcher.ts'
import type { Budget } from '../limits.ts'
import { valueText } from './float-text.ts'
import { emptySeries, type Grid, type GridSeries, hasAny } from './grid.ts'
import { bucketFraction, bucketQuantile, overHistograms } from './histogram.ts'
import { checkLabelName, labelJoin, labelReplace } from './label-functions.ts'
import { compareLabels, NO_LABELS, withLabel } from './label-set.ts'
import {
  doubleExponentialSmoothing,
  newestTime,
  PLAIN_FUNCTIONS,
  quantileOverTime,
  spreadOverTime
} from './range-functions.ts'
import { derivative, extrapolated, instant, predictLinear } from './rate-functions.ts'
import type { WindowFunction } from './stepper.ts'
import { collect, type Memory, mapped, merged, relabelled } from './streams.ts'
import { type TierFunction, tierFunction } from './tier-functions.ts'
import { clampValue, DATE_FUNCTIONS, roundTo, VALUE_FUNCTIONS } from './value-functions.ts'

/** What calls need of the evaluator. */
export interface FunctionHost {
  readonly budget: Budget
  readonly memory: Memory
  readonly isRule2: boolean
  vector(expr: Expr, grid: Grid): Iterable<GridSeries>
  scalar(expr: Expr, grid: Grid): Float64Array
  selector(node: VectorNode, grid: Grid, fn: WindowFunction): Iterable<GridSeries>
  ranges(
    node: MatrixNode | SubqueryNode,
    grid: Grid,
    fn: WindowFunction,
    isSteady: boolean,
    tierFn: TierFunction | null
  ): Iterable<GridSeries>
  dropNames(series: Iterable<GridSeries>, from: Expr, isStrict?: boolean): Iterable<GridSeries>
}

type Call = (host: FunctionHost, node: CallNode, grid: Grid) => Iterable<GridSeries>

/** The series that a call gives. */
export function callFunction(host: FunctionHost, node: CallNode, grid: Grid): Iterable<GridSeries> {
  const call = CALLS.get(node.name)
  if (call === undefined) throw new Error(`${node.name} has no evaluation`)
  return call(host, node, grid)
}

/** The functions that can be called; a test holds them against the table of the type check. */
export function evaluatedFunctions(): string[] {
  return [...CALLS.keys(), ...['end', 'pi', 'range', 'scalar', 'start', 'step', 'time']]
}

function rangeArgument(args: readonly Expr[]): MatrixNode | SubqueryNode {
  for (const arg of args) {
    const inner = unwrapped(arg)
    if (inner.is === 'matrix' || inner.is === 'subquery') return inner
  }
  throw new Error('a range is due')
}

/** A function of windows. @param keepsName  as last_over_time does */
function overWindows(
  make: (host: FunctionHost, args: readonly Expr[], grid: Grid) => WindowFunction,
  isSteady = true,
  keepsName = false
): Call {
  return (host, { name, args }, grid) => {
    const range = rangeArgument(args)
    const fn = make(host, args, grid)
    const series = host.ranges(range, grid, fn, isSteady, tierFunction(name, host.isRule2))
    return keepsName ? series : host.dropNames(series, range, true)
  }
}

/** A function of each value. */
function overValues(
  make: (host: FunctionHost, args: readonly Expr[], grid: Grid) => (value: number, step: number) => number
): Call {
  return (host, { args }, grid) => {
    const series = mapped(host.vector(args[0]!, grid), make(host, args, grid))
    return host.dropNames(series, args[0]!)
  }
}

function overDates(fn: (value: number) => number): Call {
  const safe = (value: number) => (Math.abs(value) < 8.64e12 ? fn(value) : Number.NaN)
  return (host, { args }, grid) => {
    if (args.length > 0) return host.dropNames(mapped(host.vector(args[0]!, grid), safe), args[0]!)
    const out = emptySeries(NO_LABELS, grid.steps)
    out.present.fill(1)
    for (let i = 0; i < grid.steps; i++) out.values[i] = fn((grid.startUs + i * grid.stepUs) / 1e6)
    return [out]
  }
}

function texts(args: readonly Expr[]): string[] {
  return args.map(arg => {
    const inner = unwrapped(arg)
    return inner.is === 'string' ? inner.value : ''
  })
}

function overLabels(make: (texts: readonly string[], isRule2: boolean) => (labels: Labels) => Labels): Call {
  return (host, { args }, grid) => {
    const change = make(texts(args.slice(1)), host.isRule2)
    return merged(relabelled(host.vector(args[0]!, grid), change), host.memory)
  }
}

/** sort and sort_desc: for an answer of one step; NaN last. */
function sorted(sign: 1 | -1): Call {
  return (host, { args }, grid) => {
    const series = host.vector(args[0]!, grid)
    if (grid.steps > 1) return series
    const rank = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value * sign)
    return collect(series, host.memory).sort((a, b) => {
      const [x, y] = [a.values[0]!, b.values[0]!]
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
      return rank(x) === rank(y) ? 0 : rank(x) - rank(y)
    })
  }
}

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'variant' })

function sortedByLabel(sign: 1 | -1): Call {
  return (host, { args }, grid) => {
    const series = host.vector(args[0]!, grid)
    if (grid.steps > 1) return series
    const names = texts(args.slice(1))
    return collect(series, host.memory).sort((a, b) => {
      for (const name of names) {
        const order = natural.compare(labelValue(a.labels, name), labelValue(b.labels, name))
        if (order !== 0) return order * sign
      }
      return compareLabels(a.labels, b.labels) * sign
    })
  }
}

/** Labels that an absent series would have: those that the selector asks for with = once. */
function absentLabels(expr: Expr): Labels {
  const inner = unwrapped(expr)
  const selector = inner.is === 'matrix' ? inner.selector : inner
  if (selector.is !== 'vector') return NO_LABELS
  let labels: Labels = NO_LABELS
  const seen = new Set<string>()
  for (const { name, op, value } of selector.matchers) {
    if (name === NAME_LABEL) continue
    labels = withLabel(labels, name, op === '=' && !seen.has(name) ? value : '')
    if (op === '=') seen.add(name)
  }
  return labels
}

function* absent(series: Iterable<GridSeries>, expr: Expr, steps: number): Generator<GridSeries> {
  const out = emptySeries(absentLabels(expr), steps)
  out.values.fill(1)
  out.present.fill(1)
  for (const { present } of series) {
    for (let i = 0; i < steps; i++) if (present[i] === 1) out.present[i] = 0
  }
  if (hasAny(out.present)) yield out
}

/** timestamp(): the time of the sample itself where the argument is a selector, else of the step. */
const timestamp: Call = (host, { args }, grid) => {
  const inner = unwrapped(args[0]!)
  if (inner.is === 'vector') return host.dropNames(host.selector(inner, grid, newestTime), inner)
  const atStep = (_: number, i: number) => (grid.startUs + i * grid.stepUs) / 1e6
  return host.dropNames(mapped(host.vector(inner, grid), atStep), inner)
}

const clamp: Call = (host, { args }, grid) => {
  const least = host.scalar(args[1]!, grid)
  const most = host.scalar(args[2]!, grid)
  function* clamped(): Generator<GridSeries> {
    for (const one of host.vector(args[0]!, grid)) {
      for (let i = 0; i < grid.steps; i++) {
        if (most[i]! < least[i]!) one.present[i] = 0
        else one.values[i] = clampValue(one.values[i]!, least[i]!, most[i]!)
      }
      if (hasAny(one.present)) yield one
    }
  }
  return host.dropNames(clamped(), args[0]!)
}

/** As OpenMetrics writes the label `quantile`. */
function quantileText(q: number): string {
  const text = valueText(q)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/** Functions of native histograms have nothing to say of floats. */
const nothing: Call = () => []

const smoothing = overWindows(
  (host, args, grid) => doubleExponentialSmoothing(host.scalar(args[1]!, grid), host.scalar(args[2]!, grid)),
  false
)

function entries<T>(from: Readonly<Record<string, T>>, make: (value: T) => Call): [string, Call][] {
  return Object.entries(from).map(([name, value]) => [name, make(value)])
}

const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ...entries(PLAIN_FUNCTIONS, fn => overWindows(() => fn)),
  ...entries(VALUE_FUNCTIONS, fn => overValues(() => fn)),
  ...entries(DATE_FUNCTIONS, overDates),
  ...['count', 'sum', 'avg', 'stddev', 'stdvar'].map((what): [string, Call] => [
    `histogram_${what}`,
    nothing
  ]),
  ['first_over_time', overWindows(() => PLAIN_FUNCTIONS.first_over_time!, true, true)],
  ['last_over_time', overWindows(() => PLAIN_FUNCTIONS.last_over_time!, true, true)],
  ['stddev_over_time', overWindows(host => spreadOverTime(true, host.isRule2))],
  ['stdvar_over_time', overWindows(host => spreadOverTime(false, host.isRule2))],
  ['rate', overWindows(host => extrapolated(true, true, host.isRule2))],
  ['increase', overWindows(host => extrapolated(true, false, host.isRule2))],
  ['delta', overWindows(host => extrapolated(false, false, host.isRule2))],
  ['irate', overWindows(() => instant(true))],
  ['idelta', overWindows(() => instant(false))],
  ['deriv', overWindows(() => derivative)],
  ['predict_linear', overWindows((host, args, grid) => predictLinear(host.scalar(args[1]!, grid)), false)],
  [
    'quantile_over_time',
    overWindows((host, args, grid) => quantileOverTime(host.scalar(args[0]!, grid)), false)
  ],
  ['double_exponential_smoothing', smoothing],
  ['holt_winters', smoothing],
  ['absent', (host, { args }, grid) => absent(host.vector(args[0]!, grid), args[0]!, grid.steps)],
  [
    'absent_over_time',
    (host, { name, args }, grid) => {
      const range = rangeArgument(args)
      const series = host.ranges(range, grid, () => 1, true, tierFunction(name, host.isRule2))
      return absent(series, range, grid.steps)
    }
  ],
  ['clamp', clamp],
  [
    'clamp_max',
    overValues((host, args, grid) => {
      const most = host.scalar(args[1]!, grid)
      return (value, i) => Math.min(most[i]!, value)
    })
  ],
  [
    'clamp_min',
    overValues((host, args, grid) => {
      const least = host.scalar(args[1]!, grid)
      return (value, i) => Math.max(least[i]!, value)
    })
  ],
  [
    'round',
    overValues((host, args, grid) => {
      const nearest = args.length > 1 ? host.scalar(args[1]!, grid) : null
      return (value, i) => roundTo(value, nearest === null ? 1 : nearest[i]!)
    })
  ],
  [
    'histogram_quantile',
    (host, { args }, grid) => {
      const q = host.scalar(args[0]!, grid)
      const series = host.vector(args[1]!, grid)
      const found = overHistograms(series, grid, host.budget, (buckets, i) => bucketQuantile(q[i]!, buckets))
      return host.dropNames(found, args[1]!)
    }
  ],
  [
    'histogram_quantiles',
    (host, { args }, grid) => {
      const [name] = texts([args[1]!]) as [string]
      checkLabelName(name, 'label name in histogram_quantiles()', host.isRule2)
      const series = collect(host.vector(args[0]!, grid), host.memory)
      const found = args.slice(2).flatMap(arg => {
        const q = host.scalar(arg, grid)
        const label = (labels: Labels) => withLabel(labels, name, quantileText(q[0]!))
        return [
          ...relabelled(
            overHistograms(series, grid, host.budget, (buckets, i) => bucketQuantile(q[i]!, buckets)),
            label
          )
        ]
      })
      return host.dropNames(found, args[0]!)
    }
  ],
  [
    'histogram_fraction',
    (host, { args }, grid) => {
      const lower = host.scalar(args[0]!, grid)
      const upper = host.scalar(args[1]!, grid)
      const series = host.vector(args[2]!, grid)
      const found = overHistograms(series, grid, host.budget, (buckets, i) =>
        bucketFraction(lower[i]!, upper[i]!, buckets)
      )
      return host.dropNames(found, args[2]!)
    }
  ],
  ['label_replace', overLabels(labelReplace)],
  ['label_join', overLabels(labelJoin)],
  ['sort', sorted(1)],
  ['sort_desc', sorted(-1)],
  ['sort_by_label', sortedByLabel(1)],
  ['sort_by_label_desc', sortedByLabel(-1)],
  ['timestamp', timestamp],
  [
    'vector',
    (host, { args }, grid) => [
      { labels: NO_LABELS, values: host.scalar(args[0]!, grid), present: new Uint8Array(grid.steps).fill(1) }
    ]
  ]
])

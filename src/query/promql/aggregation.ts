// Aggregations that fold each series into its group as it comes: sum, avg, min, max, count, group, stddev,
// stdvar. Memory holds the groups alone, whatever the number of series.
//
// Not here: aggregations that need all series of a group at once (ranking.ts).
import type { AggregateNode } from '../../promql/ast.ts'
import type { Labels } from '../../series/label.ts'
import { NAME_LABEL } from '../../series/matcher.ts'
import type { GridSeries } from './grid.ts'
import { exceptLabels, labelKey, onlyLabels } from './label-set.ts'
import type { Memory } from './streams.ts'

/** The labels of the group that a series belongs to. */
export function groupLabels({ grouping, without }: AggregateNode): (labels: Labels) => Labels {
  const names = new Set(without ? [...grouping, NAME_LABEL] : grouping)
  return without ? labels => exceptLabels(labels, names) : labels => onlyLabels(labels, names)
}

/** A group over the grid; what a, b and count hold depends on the aggregation. */
interface Group {
  readonly labels: Labels
  readonly a: Float64Array
  readonly b: Float64Array
  readonly count: Float64Array
}

interface Folding {
  /** Takes the value of a series at step i; count[i] says how many came before. */
  fold(group: Group, i: number, value: number): void
  /** The group's value at step i. */
  result(group: Group, i: number): number
}

/** Neumaier's sum in a (sum) and b (what rounding took). */
function addKahan({ a, b }: Group, i: number, value: number): void {
  const sum = a[i]!
  const next = sum + value
  if (Math.abs(next) === Number.POSITIVE_INFINITY) b[i] = 0
  else if (Math.abs(sum) >= Math.abs(value)) b[i]! += sum - next + value
  else b[i]! += value - next + sum
  a[i] = next
}

const sum: Folding = {
  fold(group, i, value) {
    // The first as it is: 0 + -0 would lose a sign.
    if (group.count[i] === 0) group.a[i] = value
    else addKahan(group, i, value)
  },
  result: ({ a, b }, i) => (b[i] === 0 ? a[i]! : a[i]! + b[i]!)
}

/** While the sum is finite, its quotient; else the mean is carried along, which does not overflow. */
function averaging(): Folding {
  const running = new WeakMap<Group, Uint8Array>()
  return {
    fold(group, i, value) {
      const { a, b, count } = group
      const isRunning = running.get(group)?.[i] === 1
      const n = count[i]! + 1
      if (!isRunning) {
        const sum = a[i]!
        const rest = b[i]!
        if (n === 1) {
          a[i] = value
          return
        }
        addKahan(group, i, value)
        if (Math.abs(a[i]!) !== Number.POSITIVE_INFINITY) return
        a[i] = sum / (n - 1)
        b[i] = rest / (n - 1)
        const marks = running.get(group) ?? new Uint8Array(a.length)
        marks[i] = 1
        running.set(group, marks)
      }
      a[i]! *= (n - 1) / n
      b[i]! *= (n - 1) / n
      addKahan(group, i, value / n)
    },
    result(group, i) {
      const { a, b, count } = group
      return running.get(group)?.[i] === 1 ? a[i]! + b[i]! : a[i]! / count[i]! + b[i]! / count[i]!
    }
  }
}

function extreme(isMore: (value: number, known: number) => boolean): Folding {
  return {
    fold({ a, count }, i, value) {
      if (count[i] === 0 || Number.isNaN(a[i]!) || isMore(value, a[i]!)) a[i] = value
    },
    result: ({ a }, i) => a[i]!
  }
}

/** Welford's: mean in a, sum of squared distances in b. */
function spread(isRoot: boolean, isRule2: boolean): Folding {
  return {
    fold({ a, b, count }, i, value) {
      const n = count[i]! + 1
      if (n === 1) {
        a[i] = value
        // Prometheus 2.42 took a lone infinity or NaN for no deviation.
        b[i] = isRule2 || Number.isFinite(value) ? 0 : Number.NaN
        return
      }
      const delta = value - a[i]!
      a[i]! += delta / n
      b[i]! += delta * (value - a[i]!)
    },
    result({ b, count }, i) {
      const variance = b[i]! / count[i]!
      return isRoot ? Math.sqrt(variance) : variance
    }
  }
}

function foldingOf(op: string, isRule2: boolean): Folding {
  switch (op) {
    case 'sum':
      return sum
    case 'avg':
      return averaging()
    case 'max':
      return extreme((value, known) => value > known)
    case 'min':
      return extreme((value, known) => value < known)
    case 'stddev':
    case 'stdvar':
      return spread(op === 'stddev', isRule2)
    default:
      return { fold: () => undefined, result: ({ count }, i) => (op === 'group' ? 1 : count[i]!) }
  }
}

/** Whether an aggregation is one of this file. */
export function isFolding(op: string): boolean {
  return ['sum', 'avg', 'max', 'min', 'stddev', 'stdvar', 'count', 'group'].includes(op)
}

/** The groups of the series, each aggregated. */
export function* aggregated(
  node: AggregateNode,
  series: Iterable<GridSeries>,
  steps: number,
  memory: Memory,
  isRule2: boolean
): Generator<GridSeries> {
  const folding = foldingOf(node.op, isRule2)
  const labelsOf = groupLabels(node)
  const groups = new Map<string, Group>()
  for (const { labels, values, present } of series) {
    const own = labelsOf(labels)
    const key = labelKey(own)
    let group = groups.get(key)
    if (group === undefined) {
      memory.take(3 * steps)
      const array = () => new Float64Array(steps)
      group = { labels: own, a: array(), b: array(), count: array() }
      groups.set(key, group)
    }
    for (let i = 0; i < steps; i++) {
      if (present[i] === 0) continue
      folding.fold(group, i, values[i]!)
      group.count[i]!++
    }
  }
  for (const group of groups.values()) {
    const present = new Uint8Array(steps)
    const values = new Float64Array(steps)
    for (let i = 0; i < steps; i++) {
      if (group.count[i] === 0) continue
      present[i] = 1
      values[i] = folding.result(group, i)
    }
    yield { labels: group.labels, values, present }
  }
  memory.give(groups.size, 3 * steps)
}

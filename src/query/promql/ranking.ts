// Aggregations that need all series of a group at a step: topk, bottomk, limitk, quantile, count_values.
//
// topk and bottomk keep a heap as Go's container/heap does, so that among equal values the same series stay
// as in Prometheus for the same order of series; NaN is the last to stay.
// Not here: aggregations that fold series one by one (aggregation.ts).
import type { AggregateNode } from '../../promql/ast.ts'
import { groupLabels } from './aggregation.ts'
import { plainText } from './float-text.ts'
import { emptySeries, type GridSeries, hasAny } from './grid.ts'
import { labelKey, withLabel } from './label-set.ts'
import { quantileOf } from './range-functions.ts'
import { collect, evalError, type Memory } from './streams.ts'

/** The series of each group, in the order of the stream. */
function grouped(node: AggregateNode, all: readonly GridSeries[]): GridSeries[][] {
  const labelsOf = groupLabels(node)
  const groups = new Map<string, GridSeries[]>()
  for (const series of all) {
    const key = labelKey(labelsOf(series.labels))
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [series])
    else group.push(series)
  }
  return [...groups.values()]
}

const INT64 = 2 ** 63

function checkCounts(counts: Float64Array): void {
  for (const count of counts) {
    if (Number.isNaN(count)) throw evalError('Parameter value is NaN')
    if (count >= INT64) throw evalError(`Scalar value ${count} overflows int64`)
    if (count <= -INT64) throw evalError(`Scalar value ${count} underflows int64`)
  }
}

/** topk, bottomk and limitk; an answer of one step comes in the order of its values. */
export function* ranked(
  node: AggregateNode,
  counts: Float64Array,
  series: Iterable<GridSeries>,
  memory: Memory
): Generator<GridSeries> {
  if (!counts.some(count => !(count < 1))) return
  checkCounts(counts)
  const steps = counts.length
  const all = collect(series, memory)
  for (const group of grouped(node, all)) {
    const out = group.map(({ labels }) => emptySeries(labels, steps))
    let order: readonly number[] = group.map((_, i) => i)
    for (let step = 0; step < steps; step++) {
      const k = Math.min(Math.trunc(counts[step]!), group.length)
      const kept = k < 1 ? [] : keptAt(node.op, group, step, k)
      for (const index of kept) {
        out[index]!.values[step] = group[index]!.values[step]!
        out[index]!.present[step] = 1
      }
      if (steps === 1) order = kept
    }
    for (const index of order) if (hasAny(out[index]!.present)) yield out[index]!
  }
  memory.give(all.length, steps)
}

/** Indexes of the series that stay at a step, the first of the rank first. */
function keptAt(op: string, group: readonly GridSeries[], step: number, k: number): number[] {
  const valueAt = (index: number) => group[index]!.values[step]!
  const there: number[] = []
  for (let i = 0; i < group.length; i++) if (group[i]!.present[step] === 1) there.push(i)
  if (op === 'limitk') return there.slice(0, k)
  const sign = op === 'topk' ? 1 : -1
  // Less goes to the root and is the first to leave.
  const less = (a: number, b: number) => Number.isNaN(valueAt(a)) || valueAt(a) * sign < valueAt(b) * sign
  const heap: number[] = []
  for (const index of there) {
    if (heap.length < k) {
      heap.push(index)
      rise(heap, heap.length - 1, less)
      continue
    }
    const root = valueAt(heap[0]!)
    const value = valueAt(index)
    if (root * sign < value * sign || (Number.isNaN(root) && !Number.isNaN(value))) {
      heap[0] = index
      sink(heap, 0, less)
    }
  }
  return heap.sort((a, b) => (less(b, a) && !less(a, b) ? -1 : less(a, b) && !less(b, a) ? 1 : 0))
}

type Less = (a: number, b: number) => boolean

function rise(heap: number[], start: number, less: Less): void {
  for (let i = start; i > 0; ) {
    const parent = (i - 1) >> 1
    if (!less(heap[i]!, heap[parent]!)) return
    ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
    i = parent
  }
}

function sink(heap: number[], start: number, less: Less): void {
  for (let i = start; ; ) {
    let child = 2 * i + 1
    if (child >= heap.length) return
    if (child + 1 < heap.length && less(heap[child + 1]!, heap[child]!)) child++
    if (!less(heap[child]!, heap[i]!)) return
    ;[heap[i], heap[child]] = [heap[child]!, heap[i]!]
    i = child
  }
}

/** quantile. @param quantiles  q at each step */
export function* quantiled(
  node: AggregateNode,
  quantiles: Float64Array,
  series: Iterable<GridSeries>,
  memory: Memory
): Generator<GridSeries> {
  const steps = quantiles.length
  const labelsOf = groupLabels(node)
  const all = collect(series, memory)
  for (const group of grouped(node, all)) {
    const out = emptySeries(labelsOf(group[0]!.labels), steps)
    const room = new Float64Array(group.length)
    for (let step = 0; step < steps; step++) {
      let n = 0
      for (const { values, present } of group) if (present[step] === 1) room[n++] = values[step]!
      if (n === 0) continue
      out.values[step] = quantileOf(quantiles[step]!, room.subarray(0, n))
      out.present[step] = 1
    }
    yield out
  }
  memory.give(all.length, steps)
}

/** count_values. */
export function* countedValues(
  node: AggregateNode,
  label: string,
  series: Iterable<GridSeries>,
  steps: number,
  memory: Memory
): Generator<GridSeries> {
  const labelsOf = groupLabels(node)
  const counted = new Map<string, GridSeries>()
  for (const { labels, values, present } of series) {
    const own = labelsOf(labels)
    const texts = new Map<number, GridSeries>()
    for (let step = 0; step < steps; step++) {
      if (present[step] === 0) continue
      let out = texts.get(values[step]!)
      if (out === undefined) {
        const isHidden = node.without && node.grouping.includes(label)
        const shown = isHidden ? own : withLabel(own, label, plainText(values[step]!))
        const key = labelKey(shown)
        out = counted.get(key)
        if (out === undefined) {
          memory.take(steps)
          out = emptySeries(shown, steps)
          counted.set(key, out)
        }
        texts.set(values[step]!, out)
      }
      out.values[step]!++
      out.present[step] = 1
    }
  }
  yield* counted.values()
  memory.give(counted.size, steps)
}

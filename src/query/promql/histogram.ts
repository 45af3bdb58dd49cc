// Quantiles and fractions of classic histograms: series that differ in the label `le` alone are the buckets
// of one, each counting what is at or below its bound.

import { labelValue } from '../../series/label.ts'
import type { Budget } from '../limits.ts'
import { emptySeries, type Grid, type GridSeries, hasAny, STEP_BYTES } from './grid.ts'
import { exceptLabels, labelKey } from './label-set.ts'

const BOUND_LABEL = new Set(['le'])
/** Counts nearer than this, relative, are one: rates bring rounding errors. */
const TOLERANCE = 1e-12

interface Bucket {
  readonly bound: number
  count: number
}

/** What is asked of the buckets of one histogram at one step. They ascend; the last has bound +Inf. */
export type BucketFunction = (buckets: Bucket[], step: number) => number

/** A bound as Go's ParseFloat reads it, or null. */
function boundOf(text: string): number | null {
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return text[0] === '-' ? -Infinity : Infinity
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : null
}

/** Evaluates a function over each histogram among the series, which keep their names. */
export function* overHistograms(
  series: Iterable<GridSeries>,
  grid: Grid,
  budget: Budget,
  fn: BucketFunction
): Generator<GridSeries> {
  const found = new Map<
    string,
    { labels: GridSeries['labels']; parts: { bound: number; of: GridSeries }[] }
  >()
  let bytes = 0
  for (const of of series) {
    const bound = boundOf(labelValue(of.labels, 'le'))
    if (bound === null) continue
    budget.held((bytes += grid.steps * STEP_BYTES))
    const labels = exceptLabels(of.labels, BOUND_LABEL)
    const key = labelKey(labels)
    const known = found.get(key)
    if (known === undefined) found.set(key, { labels, parts: [{ bound, of }] })
    else known.parts.push({ bound, of })
  }
  for (const { labels, parts } of found.values()) {
    budget.check()
    parts.sort((a, b) => a.bound - b.bound)
    const out = emptySeries(labels, grid.steps)
    for (let step = 0; step < grid.steps; step++) {
      const buckets: Bucket[] = []
      for (const { bound, of } of parts) {
        if (of.present[step] === 1) buckets.push({ bound, count: of.values[step]! })
      }
      if (buckets.length === 0) continue
      out.values[step] = fn(buckets, step)
      out.present[step] = 1
    }
    if (hasAny(out.present)) yield out
  }
}

/** Buckets of one bound are added up. */
function coalesced(buckets: readonly Bucket[]): Bucket[] {
  const out: Bucket[] = []
  for (const bucket of buckets) {
    const last = out.at(-1)
    if (last !== undefined && last.bound === bucket.bound) last.count += bucket.count
    else out.push({ ...bucket })
  }
  return out
}

/** Counts never fall from one bucket to the next. */
function forceMonotonic(buckets: readonly Bucket[]): void {
  let before = buckets[0]!.count
  for (const bucket of buckets) {
    if (bucket.count < before || isAlmost(before, bucket.count)) bucket.count = before
    else before = bucket.count
  }
}

function isAlmost(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const sum = Math.abs(a) + Math.abs(b)
  return Math.abs(a - b) / Math.min(sum, Number.MAX_VALUE) < TOLERANCE
}

export function bucketQuantile(q: number, given: readonly Bucket[]): number {
  if (Number.isNaN(q)) return Number.NaN
  if (q < 0) return Number.NEGATIVE_INFINITY
  if (q > 1) return Number.POSITIVE_INFINITY
  if (given.at(-1)!.bound !== Number.POSITIVE_INFINITY) return Number.NaN
  const buckets = coalesced(given)
  forceMonotonic(buckets)
  const last = buckets.length - 1
  const observed = buckets[last]!.count
  if (last < 1 || observed === 0) return Number.NaN
  let rank = q * observed
  const b = firstAtLeast(buckets, rank, last)
  if (b === last) return buckets[last - 1]!.bound
  if (b === 0 && buckets[0]!.bound <= 0) return buckets[0]!.bound
  let start = 0
  let { count } = buckets[b]!
  if (b > 0) {
    start = buckets[b - 1]!.bound
    count -= buckets[b - 1]!.count
    rank -= buckets[b - 1]!.count
  }
  return start + (buckets[b]!.bound - start) * (rank / count)
}

/** The first of the first n buckets whose count reaches the rank, or n. Go's binary search, also with NaN. */
function firstAtLeast(buckets: readonly Bucket[], rank: number, n: number): number {
  let low = 0
  let high = n
  while (low < high) {
    const middle = (low + high) >> 1
    if (buckets[middle]!.count >= rank) high = middle
    else low = middle + 1
  }
  return low
}

/** The part of the observations between two bounds. */
export function bucketFraction(lower: number, upper: number, given: readonly Bucket[]): number {
  if (given.at(-1)!.bound !== Number.POSITIVE_INFINITY) return Number.NaN
  const buckets = coalesced(given)
  const total = buckets.at(-1)!.count
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
  if (lower >= upper) return 0
  return (rankOf(upper, buckets, total) - rankOf(lower, buckets, total)) / total
}

/** How many observations are below a value, by straight lines within buckets. */
function rankOf(value: number, buckets: readonly Bucket[], total: number): number {
  let rank = 0
  let low = buckets[0]!.bound <= 0 ? Number.NEGATIVE_INFINITY : 0
  for (const { bound, count } of buckets) {
    if (low >= value) return Math.min(rank, total)
    if (bound > value) {
      if (low === Number.NEGATIVE_INFINITY) return Math.min(count, total)
      return Math.min(rank + ((count - rank) * (value - low)) / (bound - low), total)
    }
    rank = count
    low = bound
  }
  return total
}

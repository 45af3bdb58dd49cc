// Aggregates: what the values of one window come to. Values arrive series by series, so in any order of times;
// which of equal ones counts is decided as InfluxDB does.
//
// Invariants: sum, mean and the like take numbers alone; what finds nothing to say gives null.
// Not here: windows (aggregate.ts), functions of successive results (transform.ts).
import { KIND, type Kind } from '../../series/sample.ts'
import type { TierWindow } from '../../series/source.ts'
import type { Cell } from '../answer.ts'

/** The result of one window. */
export interface Reduced {
  /** Of the value itself where the function selects one; null: the window's. */
  readonly timeUs: number | null
  readonly value: Cell
}

export interface Reducer {
  add(timeUs: number, value: Exclude<Cell, null>): void
  /** Nothing when there is no result; several for distinct. */
  results(): Reduced[]
  /** Adds numbers that a tier folded, but for the one at its start; only of functions that add up. */
  addWindow?(window: Pick<TierWindow, 'count' | 'sum' | 'min' | 'max'>): void
  /** Bytes held for each value; 0 when none is kept. */
  readonly heldBytes: number
}

/** How a reducer is made; the number is the one of percentile(). */
export type MakeReducer = (parameter: number) => Reducer

class Counting implements Reducer {
  readonly heldBytes = 0
  private n = 0
  add(): void {
    this.n++
  }
  addWindow({ count }: Pick<TierWindow, 'count'>): void {
    this.n += count
  }
  results(): Reduced[] {
    return [{ timeUs: null, value: this.n }]
  }
}

/** Sums of numbers and what follows from them. */
class Moments implements Reducer {
  readonly heldBytes = 0
  private readonly of: 'sum' | 'mean' | 'stddev' | 'spread'
  private n = 0
  private sum = 0
  private mean = 0
  private squares = 0
  private min = Number.POSITIVE_INFINITY
  private max = Number.NEGATIVE_INFINITY

  constructor(of: 'sum' | 'mean' | 'stddev' | 'spread') {
    this.of = of
  }

  add(_: number, value: Exclude<Cell, null>): void {
    if (typeof value !== 'number') return
    this.n++
    this.sum += value
    const off = value - this.mean
    this.mean += off / this.n
    this.squares += off * (value - this.mean)
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  /** Not for stddev. */
  addWindow({ count, sum, min, max }: Pick<TierWindow, 'count' | 'sum' | 'min' | 'max'>): void {
    this.n += count
    this.sum += sum
    if (min < this.min) this.min = min
    if (max > this.max) this.max = max
  }

  results(): Reduced[] {
    if (this.n === 0) return []
    return [{ timeUs: null, value: this.value() }]
  }

  private value(): Cell {
    switch (this.of) {
      case 'sum':
        return this.sum
      case 'mean':
        return this.sum / this.n
      case 'spread':
        return this.max - this.min
      case 'stddev':
        return this.n < 2 ? null : Math.sqrt(this.squares / (this.n - 1))
    }
  }
}

type Takes = (
  timeUs: number,
  value: Exclude<Cell, null>,
  bestTimeUs: number,
  best: Exclude<Cell, null>
) => boolean

/** Keeps the value that is best by a rule. */
class Selecting implements Reducer {
  readonly heldBytes = 0
  private readonly takes: Takes
  private readonly hasOrder: boolean
  private timeUs = 0
  private best: Cell = null

  /** @param hasOrder  takes numbers and booleans alone, which have a least and a most */
  constructor(takes: Takes, hasOrder: boolean) {
    this.takes = takes
    this.hasOrder = hasOrder
  }

  add(timeUs: number, value: Exclude<Cell, null>): void {
    if (this.hasOrder && typeof value !== 'number' && typeof value !== 'boolean') return
    if (this.best !== null && !this.takes(timeUs, value, this.timeUs, this.best)) return
    this.timeUs = timeUs
    this.best = value
  }

  results(): Reduced[] {
    return this.best === null ? [] : [{ timeUs: this.timeUs, value: this.best }]
  }
}

/** At one time the larger number wins, but false before true: what InfluxDB does. */
const isFirst: Takes = (t, v, bestT, best) =>
  t < bestT || (t === bestT && (typeof v === 'boolean' ? v < best : v > best))
const isLast: Takes = (t, v, bestT, best) => t > bestT || (t === bestT && v > best)
const isLeast: Takes = (t, v, bestT, best) => v < best || (v === best && t < bestT)
const isMost: Takes = (t, v, bestT, best) => v > best || (v === best && t < bestT)

/** Keeps all numbers with their times. */
class Sorting implements Reducer {
  readonly heldBytes = 32
  private readonly percentile: number | null
  private readonly all: { timeUs: number; value: number }[] = []

  /** @param percentile  null for the median, which lies between two values where there is no middle one */
  constructor(percentile: number | null) {
    this.percentile = percentile
  }

  add(timeUs: number, value: Exclude<Cell, null>): void {
    if (typeof value === 'number') this.all.push({ timeUs, value })
  }

  results(): Reduced[] {
    const { all, percentile } = this
    if (all.length === 0) return []
    all.sort((a, b) => a.value - b.value || a.timeUs - b.timeUs)
    if (percentile === null) {
      const middle = all.length >> 1
      if (all.length % 2 === 1) return [{ timeUs: null, value: all[middle]!.value }]
      const [low, high] = [all[middle - 1]!.value, all[middle]!.value]
      return [{ timeUs: null, value: low + (high - low) / 2 }]
    }
    const found = all[Math.floor((all.length * percentile) / 100 + 0.5) - 1]
    return found === undefined ? [] : [found]
  }
}

/** Keeps each value once: with the time it came first, and how often. */
class Distinct implements Reducer {
  readonly heldBytes = 64
  private readonly seen = new Map<Exclude<Cell, null>, { timeUs: number; count: number }>()
  private readonly of: 'distinct' | 'count' | 'mode'

  constructor(of: 'distinct' | 'count' | 'mode') {
    this.of = of
  }

  add(timeUs: number, value: Exclude<Cell, null>): void {
    const known = this.seen.get(value)
    if (known === undefined) this.seen.set(value, { timeUs, count: 1 })
    else {
      known.count++
      if (timeUs < known.timeUs) known.timeUs = timeUs
    }
  }

  results(): Reduced[] {
    const { seen } = this
    if (seen.size === 0) return []
    if (this.of === 'count') return [{ timeUs: null, value: seen.size }]
    const all = [...seen].map(([value, { timeUs, count }]) => ({ value, timeUs, count }))
    if (this.of === 'mode') {
      all.sort((a, b) => b.count - a.count || a.timeUs - b.timeUs)
      return [{ timeUs: null, value: all[0]!.value }]
    }
    all.sort((a, b) => a.timeUs - b.timeUs || (a.value < b.value ? -1 : 1))
    return all.map(({ value }) => ({ timeUs: null, value }))
  }
}

/** Every aggregate, by name; `count distinct` stands for count(distinct()). */
export const REDUCERS: Readonly<Record<string, MakeReducer>> = {
  count: () => new Counting(),
  sum: () => new Moments('sum'),
  mean: () => new Moments('mean'),
  stddev: () => new Moments('stddev'),
  spread: () => new Moments('spread'),
  min: () => new Selecting(isLeast, true),
  max: () => new Selecting(isMost, true),
  first: () => new Selecting(isFirst, false),
  last: () => new Selecting(isLast, false),
  median: () => new Sorting(null),
  percentile: parameter => new Sorting(parameter),
  distinct: () => new Distinct('distinct'),
  mode: () => new Distinct('mode'),
  'count distinct': () => new Distinct('count')
}

/** Those whose result has the time of a value. */
export const SELECTORS: readonly string[] = ['first', 'last', 'min', 'max', 'percentile']
const EVERY: readonly Kind[] = [KIND.number, KIND.boolean, KIND.string, KIND.bytes]

/** The kinds of field that a wildcard stands for in a function. */
export function kindsOf(reducer: string): readonly Kind[] {
  if (['count', 'first', 'last', 'distinct', 'mode'].includes(reducer)) return EVERY
  return reducer === 'min' || reducer === 'max' ? [KIND.number, KIND.boolean] : [KIND.number]
}

/** Whether the results of a call are whole numbers, whatever its field holds. */
export function isWhole({
  reducer,
  transform
}: {
  reducer: string | null
  transform: { name: string } | null
}): boolean {
  if (transform !== null) return transform.name === 'elapsed'
  return reducer === 'count' || reducer === 'count distinct'
}

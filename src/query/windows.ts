// Windows of one answer series: for each fixed span of time what its samples come to. Samples arrive run by
// run from one series or, when series are combined, from several one after the other, so windows fill in
// any order; a run's samples of one window are added up in locals and folded in once.
//
// count, first and last speak of samples of every kind; sum, min, max and avg of numbers and of booleans as
// 0 and 1, and are null where a window has neither. NaN makes sum and avg NaN; min and max pass over it
// unless there is nothing else, as in Prometheus.
// Not here: which series go into which windows (range-windows.ts).
import type { Column, Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import type { Order, SummaryColumn, TierFigures, TierWindow } from '../series/source.ts'
import type { Cell, Row } from './answer.ts'
import { columnValue } from './cursor.ts'
import type { WindowFunction } from './request.ts'
import { WindowQuantiles } from './window-quantiles.ts'

/** What a window costs in memory, about. */
const WINDOW_BYTES = 140

const SLOTS_FIRST = 16

/** The first index in [from, to) whose time is at or after `endUs`, or `to`; looks nearby first. */
function firstFrom(times: Float64Array, from: number, to: number, endUs: number): number {
  let low = from
  let step = 8
  while (low + step < to && times[low + step]! < endUs) {
    low += step
    step *= 2
  }
  let high = Math.min(to, low + step)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < endUs) low = middle + 1
    else high = middle
  }
  return low
}

export class Windows {
  private readonly stepUs: number
  /** The window of each slot. */
  private readonly indexes: number[] = []
  /** By window, once windows came out of order; until then `indexes` ascend and are searched. */
  private slots: Map<number, number> | null = null
  /** The slot asked for last. */
  private recent = 0
  private counts = new Float64Array(SLOTS_FIRST)
  private numbers = new Float64Array(SLOTS_FIRST)
  private sums = new Float64Array(SLOTS_FIRST)
  private mins = new Float64Array(SLOTS_FIRST)
  private maxs = new Float64Array(SLOTS_FIRST)
  private firstTimes = new Float64Array(SLOTS_FIRST)
  private lastTimes = new Float64Array(SLOTS_FIRST)
  private readonly firsts: Cell[] = []
  private readonly lasts: Cell[] = []
  /** Null: not asked for. */
  private readonly quantiles: WindowQuantiles | null

  constructor(stepUs: number, hasQuantiles = false) {
    this.stepUs = stepUs
    this.quantiles = hasQuantiles ? new WindowQuantiles() : null
  }

  /** What they hold in memory, about. */
  get bytes(): number {
    return this.size * WINDOW_BYTES + (this.quantiles?.bytes ?? 0)
  }

  /** How many windows have samples. */
  get size(): number {
    return this.indexes.length
  }

  /** Adds the samples of a column. */
  add(run: Run, column: Column): void {
    if (column.present === null && column.numbers !== null) this.addFull(run, column, column.numbers)
    else this.addSome(run, column)
  }

  /** Adds a column with a number in each row: rows of a window are found by their times alone. */
  private addFull({ times, rows }: Run, column: Column, numbers: Float64Array): void {
    for (let from = 0; from < rows; ) {
      const window = Math.floor(times[from]! / this.stepUs)
      const to = firstFrom(times, from + 1, rows, (window + 1) * this.stepUs)
      let sum = 0
      let min = Number.POSITIVE_INFINITY
      let max = Number.NEGATIVE_INFINITY
      for (let i = from; i < to; i++) {
        const value = numbers[i]!
        sum += value
        if (value < min) min = value
        if (value > max) max = value
      }
      this.fold(this.slot(window), column, from, to, times[from]!, times[to - 1]!, sum, min, max)
      from = to
    }
  }

  private addSome(run: Run, column: Column): void {
    const { times, rows } = run
    const { present, numbers } = column
    let slot = -1
    let endUs = Number.NEGATIVE_INFINITY
    let from = 0 // index of the window's first value in the column
    let firstUs = 0
    let lastUs = 0
    let sum = 0
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    let index = 0
    for (let row = 0; row < rows; row++) {
      if (present !== null && present[row] === 0) continue
      const timeUs = times[row]!
      if (timeUs >= endUs) {
        if (index > from) this.fold(slot, column, from, index, firstUs, lastUs, sum, min, max)
        const window = Math.floor(timeUs / this.stepUs)
        slot = this.slot(window)
        endUs = (window + 1) * this.stepUs
        from = index
        firstUs = timeUs
        sum = 0
        min = Number.POSITIVE_INFINITY
        max = Number.NEGATIVE_INFINITY
      }
      lastUs = timeUs
      if (numbers !== null) {
        const value = numbers[index]!
        sum += value
        if (value < min) min = value
        if (value > max) max = value
      }
      index++
    }
    if (index > from) this.fold(slot, column, from, index, firstUs, lastUs, sum, min, max)
  }

  /** Adds the samples of a column of which only the summary was read. */
  addSummary(firstUs: number, lastUs: number, column: SummaryColumn): void {
    const { kind, count, nans } = column
    if (count === 0) return
    const slot = this.slot(Math.floor(firstUs / this.stepUs))
    this.counts[slot]! += count
    if (kind !== KIND.number && kind !== KIND.boolean) return
    this.numbers[slot]! += count
    this.sums[slot]! += nans > 0 ? Number.NaN : column.sum
    if (column.min < this.mins[slot]!) this.mins[slot] = column.min
    if (column.max > this.maxs[slot]!) this.maxs[slot] = column.max
    const said = (value: number) => (kind === KIND.boolean ? value === 1 : value)
    this.addEnds(slot, firstUs, said(column.first), lastUs, said(column.last))
  }

  /** Adds a window of a tier, with what the functions need of it. A stale mark is the NaN that it is stored as. */
  addTier(window: TierWindow): void {
    const { startUs, at, count, others, stales, sum, min, max } = window
    const slot = this.slot(Math.floor(startUs / this.stepUs))
    this.counts[slot]! += count + others + stales + (at === null ? 0 : 1)
    this.numbers[slot]! += count + stales + (at === null ? 0 : 1)
    if (at !== null) {
      const value = Number(at)
      this.addFigures(slot, value, value, value)
      this.addEnds(slot, startUs, at, startUs, at)
    }
    if (stales > 0) this.sums[slot] = Number.NaN
    if (count > 0) {
      this.addFigures(slot, sum, min, max)
      this.addEnds(slot, window.firstUs, window.first, window.lastUs, window.last)
    }
    if (count + stales > 0 || at !== null) this.quantiles?.addTier(slot, window)
  }

  /** Adds windows of a tier in columns; returns how many samples they stand for. First and last are not told. */
  addTierFigures({ rows, starts, counts, sums, mins, maxs, ats }: TierFigures): number {
    let samples = 0
    for (let row = 0; row < rows; row++) {
      const slot = this.slot(Math.floor(starts[row]! / this.stepUs))
      const at = ats === null ? Number.NaN : ats[row]!
      let count = counts[row]!
      // The sample at the start comes before the others.
      if (!Number.isNaN(at)) {
        this.addFigures(slot, at, at, at)
        count++
      }
      this.counts[slot]! += count
      this.numbers[slot]! += count
      samples += count
      if (counts[row] === 0) continue
      if (sums !== null) this.sums[slot]! += sums[row]!
      if (mins !== null && mins[row]! < this.mins[slot]!) this.mins[slot] = mins[row]!
      if (maxs !== null && maxs[row]! > this.maxs[slot]!) this.maxs[slot] = maxs[row]!
    }
    return samples
  }

  private addFigures(slot: number, sum: number, min: number, max: number): void {
    this.sums[slot]! += sum
    if (min < this.mins[slot]!) this.mins[slot] = min
    if (max > this.maxs[slot]!) this.maxs[slot] = max
  }

  private addEnds(slot: number, firstUs: number, first: Cell, lastUs: number, last: Cell): void {
    if (firstUs < this.firstTimes[slot]!) {
      this.firstTimes[slot] = firstUs
      this.firsts[slot] = first
    }
    if (lastUs >= this.lastTimes[slot]!) {
      this.lastTimes[slot] = lastUs
      this.lasts[slot] = last
    }
  }

  private fold(
    slot: number,
    column: Column,
    from: number,
    to: number,
    firstUs: number,
    lastUs: number,
    sum: number,
    min: number,
    max: number
  ): void {
    this.counts[slot]! += to - from
    if (column.numbers !== null) {
      this.numbers[slot]! += to - from
      this.addFigures(slot, sum, min, max)
      this.quantiles?.add(slot, column.numbers, from, to)
    }
    if (firstUs < this.firstTimes[slot]!) {
      this.firstTimes[slot] = firstUs
      this.firsts[slot] = columnValue(column, from)
    }
    if (lastUs >= this.lastTimes[slot]!) {
      this.lastTimes[slot] = lastUs
      this.lasts[slot] = columnValue(column, to - 1)
    }
  }

  private slot(window: number): number {
    const known = this.find(window)
    if (known >= 0) {
      this.recent = known
      return known
    }
    const slot = this.indexes.length
    if (slot === this.counts.length) this.grow()
    if (this.slots === null && slot > 0 && window < this.indexes[slot - 1]!) {
      this.slots = new Map(this.indexes.map((index, at) => [index, at]))
    }
    this.slots?.set(window, slot)
    this.indexes.push(window)
    this.recent = slot
    this.mins[slot] = Number.POSITIVE_INFINITY
    this.maxs[slot] = Number.NEGATIVE_INFINITY
    this.firstTimes[slot] = Number.POSITIVE_INFINITY
    this.lastTimes[slot] = Number.NEGATIVE_INFINITY
    this.firsts.push(null)
    this.lasts.push(null)
    return slot
  }

  /** The slot of a window, or -1. */
  private find(window: number): number {
    const { indexes, recent } = this
    if (indexes[recent] === window) return recent
    if (indexes[recent + 1] === window) return recent + 1
    if (this.slots !== null) return this.slots.get(window) ?? -1
    let low = 0
    let high = indexes.length
    if (high === 0 || window > indexes[high - 1]!) return -1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (indexes[middle]! < window) low = middle + 1
      else high = middle
    }
    return indexes[low] === window ? low : -1
  }

  private grow(): void {
    const twice = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const room = new Float64Array(old.length * 2)
      room.set(old)
      return room
    }
    this.counts = twice(this.counts)
    this.numbers = twice(this.numbers)
    this.sums = twice(this.sums)
    this.mins = twice(this.mins)
    this.maxs = twice(this.maxs)
    this.firstTimes = twice(this.firstTimes)
    this.lastTimes = twice(this.lastTimes)
  }

  /** The windows by their start, as rows of what the functions say. */
  *rows(functions: readonly WindowFunction[], order: Order): Generator<Row> {
    const sorted = Float64Array.from(this.indexes).sort()
    if (order === 'desc') sorted.reverse()
    const row: Row = { timeUs: 0, cells: functions.map(() => null) }
    for (const window of sorted) {
      const slot = this.find(window)
      row.timeUs = window * this.stepUs
      for (let i = 0; i < functions.length; i++) row.cells[i] = this.say(functions[i]!, slot)
      yield row
    }
  }

  private say(fn: WindowFunction, slot: number): Cell {
    if (fn === 'count') return this.counts[slot]!
    if (fn === 'first') return this.firsts[slot]!
    if (fn === 'last') return this.lasts[slot]!
    if (this.numbers[slot] === 0) return null
    if (fn.startsWith('p')) return this.quantiles!.say(fn, slot)
    if (fn === 'sum') return this.sums[slot]!
    if (fn === 'avg') return this.sums[slot]! / this.numbers[slot]!
    if (this.mins[slot]! > this.maxs[slot]!) return Number.NaN
    return fn === 'min' ? this.mins[slot]! : this.maxs[slot]!
  }
}

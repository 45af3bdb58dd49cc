// The time column of a chunk: strictly ascending microseconds. Devices send on a schedule with some jitter, so
// beside plain integers (codec-integers.ts, which makes a regular series cost a few bytes) there is the grid:
// each time is its tick on a schedule, nearly always one more than the tick before and so almost free, and the
// jitter behind that tick, which is noise of its own width. A gap only skips ticks.
//
//   times := 00 | integers of time - first
//          | 01 | divisor varint | period varint | cut varint | integers of ticks | integers of jitter
//          | 02 | f64*                                  a chunk of more than 35 years
//   grid: time[i] = first + divisor * (jitter[i] + floor((tick[i] * period + cut) / 1024))
// The divisor is that of all times less the first (1000 for milliseconds); period and cut are in 1/1024 of it.
// Example: 0 1000 2000 = 00 24 e8 07 02
//
// Invariants: times ascend strictly; all are whole; what is read is checked for both.
// Not here: the first and last time (chunk.ts keeps them in its head).
import { assert } from '../base/assert.ts'
import { type ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import {
  commonDivisor,
  decodeIntegers,
  encodeIntegers,
  INTEGER_SPAN_MAX,
  INTEGERS_MAX
} from './codec-integers.ts'
import { packedCost } from './codec-packed.ts'
import { medianOf, noPlan, planEntropy, refineEntropy } from './entropy-plan.ts'

const FORM = { integers: 0, grid: 1, raw: 2 } as const
/** A schedule is looked for from this many rows on. */
const GRID_ROWS_MIN = 16
/** Periods and cuts are stored in parts of the divisor. */
const PARTS = 1024
const BINS = 64
/** Longest period in divisors, so that period and cut in parts are varints. */
const PERIOD_MAX = 2 ** 40
/** Schedules that people set, in us; the round ones first. */
const NICE_US = [60e6, 10e6, 1e6, 1e5, 1e4, 1e3] as const

const offsets = new Float64Array(INTEGERS_MAX)
const units = new Float64Array(INTEGERS_MAX)
const ticks = new Float64Array(INTEGERS_MAX)
const jitter = new Float64Array(INTEGERS_MAX)
const bins = new Uint16Array(BINS)
const sample = new Float64Array(127)
const plan = noPlan()
const grid = new ByteWriter(4096)
const plain = new ByteWriter(4096)

/** Appends times[0, n), strictly ascending whole microseconds. */
export function encodeTimes(times: Float64Array, n: number, out: ByteWriter, cold: boolean): void {
  const first = times[0]!
  offsets[0] = 0
  for (let i = 1; i < n; i++) {
    assert(times[i]! > times[i - 1]!, 'the times of a run ascend strictly')
    offsets[i] = times[i]! - first
  }
  if (offsets[n - 1]! > INTEGER_SPAN_MAX) {
    out.u8(FORM.raw)
    for (let i = 0; i < n; i++) out.f64(times[i]!)
    return
  }
  plain.reset()
  plain.u8(FORM.integers)
  encodeIntegers(offsets, n, plain, cold)
  // Below two bits a row there is no jitter to model.
  if (n >= GRID_ROWS_MIN && plain.length * 4 > n && encodeGrid(n, cold) && grid.length < plain.length) {
    out.raw(grid.written())
    return
  }
  out.raw(plain.written())
}

/** The median step of units[0, n), from a sample. */
function medianStep(n: number): number {
  const picks = Math.min(n - 1, sample.length)
  for (let i = 0; i < picks; i++) {
    const at = 1 + Math.floor((i * (n - 1)) / picks)
    sample[i] = units[at]! - units[at - 1]!
  }
  return sample.subarray(0, picks).sort()[picks >>> 1]!
}

/** Where a period's phases leave the widest gap: a cut there parts one tick's rows from the next's. */
function widestGap(n: number, period: number): number {
  bins.fill(0)
  for (let i = 0; i < n; i++) {
    const phase = units[i]! / period
    bins[Math.floor((phase - Math.floor(phase)) * BINS)]!++
  }
  let widest = 0
  let end = 0
  let gap = 0
  for (let at = 0; at < 2 * BINS; at++) {
    gap = bins[at % BINS] === 0 ? gap + 1 : 0
    if (gap > widest && gap <= BINS) {
      widest = gap
      end = at + 1
    }
  }
  return (((end - widest / 2 + BINS) % BINS) / BINS) * period
}

/** Fills ticks and jitter; returns the bits that the jitter costs. */
function place(n: number, period: number, cut: number, cold: boolean): number {
  for (let i = 0; i < n; i++) {
    let tick = Math.floor((units[i]! * PARTS - cut) / period)
    let rest = units[i]! - Math.floor((tick * period + cut) / PARTS)
    if (rest < 0) rest = units[i]! - Math.floor((--tick * period + cut) / PARTS)
    ticks[i] = tick
    jitter[i] = rest
  }
  if (!cold) return packedCost(jitter, 0, n) * 8
  planEntropy(jitter, 0, n, medianOf(jitter, 0, n), plan)
  refineEntropy(jitter, 0, n, plan)
  return plan.bits
}

/** Writes the cheapest schedule's form to `grid`; false when no period makes sense. */
function encodeGrid(n: number, cold: boolean): boolean {
  const divisor = commonDivisor(offsets, n)
  for (let i = 0; i < n; i++) units[i] = offsets[i]! / divisor
  const step = medianStep(n)
  let total = 0
  for (let i = 1; i < n; i++) total += Math.max(1, Math.round((units[i]! - units[i - 1]!) / step))
  const mean = units[n - 1]! / total
  if (mean < 4 || mean > PERIOD_MAX) return false
  let least = Number.POSITIVE_INFINITY
  let bestPeriod = 0
  let bestCut = 0
  const attempt = (units: number): void => {
    const period = Math.round(units * PARTS)
    const cut = Math.round(widestGap(n, units) * PARTS)
    const bits = place(n, period, cut, cold)
    if (bits >= least) return
    least = bits
    bestPeriod = period
    bestCut = cut
  }
  attempt(mean)
  let before = 0
  for (const nice of NICE_US) {
    const unit = nice / divisor
    const period = Math.round(mean / unit) * unit
    if (period === before || period <= 0 || Math.abs(period - mean) * total > mean) continue
    before = period
    attempt(period)
  }
  place(n, bestPeriod, bestCut, cold)
  grid.reset()
  grid.u8(FORM.grid)
  grid.varint(divisor)
  grid.varint(bestPeriod)
  grid.varint(bestCut)
  encodeIntegers(ticks, n, grid, cold)
  encodeIntegers(jitter, n, grid, cold)
  return true
}

/** Fills into[0, n); says whether all times ascend, as decodeTimes() does. */
function decodeGrid(from: ByteReader, n: number, first: number, into: Float64Array): boolean {
  const divisor = from.varint()
  const period = from.varint()
  const cut = from.varint()
  decodeIntegers(from, n, ticks)
  decodeIntegers(from, n, jitter)
  let before = Number.NEGATIVE_INFINITY
  let ascending = true
  for (let i = 0; i < n; i++) {
    const time = first + divisor * (jitter[i]! + Math.floor((ticks[i]! * period + cut) * (1 / PARTS)))
    ascending &&= time > before
    before = time
    into[i] = time
  }
  return ascending
}

function ascends(times: Float64Array, n: number): boolean {
  let ascending = true
  let before = Number.NEGATIVE_INFINITY
  for (let i = 0; i < n; i++) {
    const time = times[i]!
    ascending &&= time > before
    before = time
  }
  return ascending
}

/**
 * Reads n times into into[0, n).
 * @param first, last  as the chunk's head has them, us
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for bytes that encodeTimes() did not write
 */
export function decodeTimes(
  from: ByteReader,
  n: number,
  first: number,
  last: number,
  into: Float64Array
): void {
  const form = from.u8()
  let ascending: boolean
  if (form === FORM.grid) {
    ascending = decodeGrid(from, n, first, into)
  } else {
    if (form === FORM.integers) decodeIntegers(from, n, into, first)
    else if (form === FORM.raw) for (let i = 0; i < n; i++) into[i] = from.f64()
    else {
      throw new VarveError(
        'VARVE_FORMAT_CHUNK',
        `Cannot read times before ${from.at}: form ${form} is unknown`
      )
    }
    ascending = ascends(into, n)
  }
  if (!ascending || into[0] !== first || into[n - 1] !== last) {
    throw new VarveError('VARVE_CHUNK', `Cannot read times before ${from.at}: they do not ascend`)
  }
}

// Ranges of a selector from tiers where those tell exactly what the samples tell, from samples elsewhere.
//
// A range (t - r, t] is put together from whole windows of tiers between its edges, the samples at the very
// edges, which tiers keep apart, and raw samples where an edge cuts a window. Since the edges of all steps
// must be cut, a tier is taken only while they cut few of its windows: ranges that are aligned to it (Grafana
// aligns its queries to their step) cut none, an instant query of a month at any time cuts two.
//
// Invariants: an element lies wholly in a range or wholly outside; a series in which a window does not tell
// (strings, sums near overflow, falls of what is no counter) is read raw as a whole; what raw has lost by
// retention and no tier tells exactly is not there, which the answer says.
// Not here: the functions (tier-functions.ts), which windows can be trusted (rollup/tier-reader.ts).
import type { Labels } from '../../series/label.ts'
import type { Matcher } from '../../series/matcher.ts'
import type { Column, Run } from '../../series/run.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import type { TierNeed, TierSource } from '../../series/source.ts'
import { isStale } from '../../series/stale.ts'
import { samplesOf } from '../cursor.ts'
import { type CutTier, Distrust, isAllRaw, noteGone, planExact, type Stretch } from '../tiers.ts'
import type { Fold } from './fold.ts'
import { emptySeries, type GridSeries, hasAny } from './grid.ts'
import { openSelection, type Reading, type SampleSink, VALUE_LABEL } from './selection.ts'
import { spanOf, type Windows } from './stepper.ts'
import { Elements, isTelling, SUM_MAX, type TierFunction } from './tier-functions.ts'

/** Windows of one tier that edges may cut: each costs a read of raw samples of every group. */
const CUTS_MAX = 64
/** Elements between looks at the clock. */
const WORK_MAX = 1 << 18

/** The tiers that serve the ranges of a selector, the coarsest first. */
export function cutTiers(tiers: readonly TierSource[], windows: Windows): CutTier[] {
  const found: CutTier[] = []
  for (const tier of tiers) {
    const cuts = tier.stepUs > windows.rangeUs ? null : cutsOf(tier.stepUs, windows)
    if (cuts !== null) found.push({ tier, cuts })
  }
  return found
}

/** Windows that have an edge of a range inside; null when there are too many. */
function cutsOf(stepUs: number, { grid, rangeUs, offsetUs, atUs }: Windows): number[] | null {
  const cuts = new Set<number>()
  const steps = atUs === null ? grid.steps : 1
  for (let i = 0; i < steps; i++) {
    const endUs = (atUs ?? grid.startUs + i * grid.stepUs) - offsetUs
    for (const edgeUs of [endUs - rangeUs, endUs]) {
      const windowUs = Math.floor(edgeUs / stepUs) * stepUs
      if (windowUs !== edgeUs) cuts.add(windowUs)
    }
    if (cuts.size > CUTS_MAX) return null
  }
  return [...cuts].sort((a, b) => a - b)
}

/**
 * The series that the matchers select, by what a function says of each range.
 * @param open  a sink of samples, for what is read raw
 * @param fold  tells the same by the heads of chunks, which may be cheaper; null: it does not
 */
export function* readTiered(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  tiers: readonly CutTier[],
  fn: TierFunction,
  open: (labels: Labels) => SampleSink<GridSeries>,
  fold: Fold | null
): Generator<GridSeries> {
  const { source, budget } = reading
  const selection = openSelection(reading, matchers, open)
  // What is asked of strings, which tiers only count.
  const own = matchers.some(({ name }) => name === VALUE_LABEL) ? [] : tiers
  const [firstUs, lastUs] = spanOf(windows)
  const rawFromUs = Math.max(firstUs, TIME_MIN_US)
  // The sample at the open start of a range may lie at the start of a window, which is needed.
  const fromUs = Math.max(windows.isClosed ? firstUs : firstUs - 1, TIME_MIN_US)
  const toUs = Math.min(lastUs, TIME_MAX_US)
  if (fromUs > toUs) return
  for (const one of selection.groups()) {
    const { group, labels } = one
    const isCheap = own.length > 0 && fold?.isCheap(group, own[0]!.tier.stepUs)
    const foldPlan = isCheap ? undefined : planExact(source, group, fromUs, toUs + 1, own)
    const folded = own.length === 0 ? null : (fold?.series(one, foldPlan) ?? null)
    if (folded !== null) {
      yield* folded
      continue
    }
    let steppers: Map<number, TierStepper> | null = null
    for (const distrust = new Distrust(); steppers === null; ) {
      const plan = planExact(source, group, fromUs, toUs + 1, own, distrust.of(group))
      if (isAllRaw(plan)) break
      steppers = new Map()
      for (const [field, own] of labels) steppers.set(field, new TierStepper(windows, own, fn, budget))
      if (!readPlan(reading, group, plan, fn, steppers, distrust)) steppers = null
    }
    if (steppers === null) {
      yield* selection.read(group, labels, rawFromUs, toUs)
      continue
    }
    const told = steppers
    const untold = new Map([...labels].filter(([field]) => !told.has(field)))
    for (const stepper of steppers.values()) {
      const made = stepper.finish()
      if (made !== null) yield made
    }
    if (untold.size > 0) yield* selection.read(group, untold, rawFromUs, toUs)
  }
}

/** Reads what a plan says; false when a tier was found damaged that is to be read last. */
function readPlan(
  reading: Reading,
  group: number,
  plan: readonly Stretch[],
  fn: TierFunction,
  steppers: Map<number, TierStepper>,
  distrust: Distrust
): boolean {
  const { source, budget } = reading
  for (const stretch of plan) {
    const { tier, fromUs, toUs } = stretch
    if (tier === null) {
      noteGone(source, group, fromUs, toUs, budget.notes)
      readSamples(reading, group, stretch, fn, steppers)
      continue
    }
    const { damagesMet } = tier
    readWindows(reading, group, stretch, tier, fn, steppers)
    if (tier.damagesMet === damagesMet) continue
    if (distrust.add(group, tier)) return false
    budget.notes.readDamaged(tier)
  }
  return true
}

/** Takes steppers out whose series a window does not tell. */
function readWindows(
  { budget, log }: Reading,
  group: number,
  { fromUs, toUs }: Stretch,
  tier: TierSource,
  { needs }: TierFunction,
  steppers: Map<number, TierStepper>
): void {
  const fields = [...steppers.keys()].sort((a, b) => a - b)
  if (fields.length === 0) return
  const { blocksRead: blocksBefore } = tier
  let read = 0
  let samples = 0
  for (const window of tier.windows(group, fields, fromUs, toUs, needs)) {
    const stepper = steppers.get(window.field)
    if (stepper === undefined) continue
    if (++read % 1024 === 0) budget.scanned(1024)
    samples += window.count + (window.at === null ? 0 : 1)
    if (isTelling(needs, window)) stepper.addWindow(window)
    else steppers.delete(window.field)
  }
  budget.scanned(read % 1024)
  log?.add(tier.name, { fromUs, toUs }, tier.blocksRead - blocksBefore, read, samples)
}

function readSamples(
  { source, budget, log }: Reading,
  group: number,
  { fromUs, toUs }: Stretch,
  { needs }: TierFunction,
  steppers: Map<number, TierStepper>
): void {
  const fields = [...steppers.keys()].sort((a, b) => a - b)
  if (fields.length === 0) return
  const blocksBefore = source.blocksRead
  let samples = 0
  for (const run of source.runs(group, fields, fromUs, toUs - 1)) {
    const found = samplesOf(run)
    samples += found
    budget.scanned(found)
    for (const field of fields) {
      const stepper = steppers.get(field)
      if (stepper !== undefined && !addRun(run, field, needs, stepper)) steppers.delete(field)
    }
  }
  log?.add('raw', { fromUs, toUs }, source.blocksRead - blocksBefore, 0, samples)
}

/** Adds the samples of a field; false when they are to be read raw as a whole, as of isTelling(). */
function addRun(run: Run, field: number, needs: readonly TierNeed[], stepper: TierStepper): boolean {
  const columns = run.columns.filter(column => column.field === field && column.count > 0)
  if (columns.some(({ kind }) => kind === KIND.string)) return false
  const numbers = columns.filter(column => column.kind !== KIND.bytes)
  const next = numbers.map(() => 0)
  for (let row = 0; row < run.rows; row++) {
    for (let c = 0; c < numbers.length; c++) {
      const column: Column = numbers[c]!
      if (column.present !== null && column.present[row] === 0) continue
      const i = next[c]!++
      const values = column.numbers!
      const value = values[i]!
      if (needs.includes('sum') && Math.abs(value) > SUM_MAX) return false
      if (Number.isNaN(value) && isStale(new Uint32Array(values.buffer, values.byteOffset), i)) continue
      stepper.addSample(run.times[row]!, value)
    }
  }
  return true
}

/** Slides a range over the elements of one series, step by step, while they arrive. */
class TierStepper {
  private readonly windows: Windows
  private readonly fn: TierFunction
  private readonly budget: Reading['budget']
  private readonly elements = new Elements()
  private readonly out: GridSeries
  private step = 0
  private work = 0

  constructor(windows: Windows, labels: Labels, fn: TierFunction, budget: Reading['budget']) {
    this.windows = windows
    this.fn = fn
    this.budget = budget
    this.out = emptySeries(labels, windows.grid.steps)
  }

  addSample(timeUs: number, value: number): void {
    this.run(timeUs - 1)
    this.elements.addSample(timeUs, value)
  }

  addWindow(window: Parameters<Elements['addWindow']>[0]): void {
    const { at, startUs, count, firstUs } = window
    if (at !== null) this.addSample(startUs, Number(at))
    if (count === 0) return
    this.run(firstUs - 1)
    this.elements.addWindow(window)
  }

  /** The series over the grid, or null when it has no value at any step. */
  finish(): GridSeries | null {
    this.run(Number.POSITIVE_INFINITY)
    return hasAny(this.out.present) ? this.out : null
  }

  /** Makes the steps whose ranges end at or before a time, up to which all elements are there. */
  private run(untilUs: number): void {
    const { grid, rangeUs, offsetUs, atUs, isClosed } = this.windows
    const { elements, out } = this
    while (this.step < grid.steps) {
      const endUs = (atUs ?? grid.startUs + this.step * grid.stepUs) - offsetUs
      if (endUs > untilUs) return
      const startUs = endUs - rangeUs
      elements.select(isClosed ? startUs - 1 : startUs, endUs)
      if (elements.to > elements.from) {
        elements.startUs = startUs
        elements.endUs = endUs
        const value = this.fn.value(elements)
        if (elements.isAbsent) elements.isAbsent = false
        else {
          out.values[this.step] = value
          out.present[this.step] = 1
        }
        this.look(elements.to - elements.from)
      }
      this.step++
      if (atUs !== null) {
        out.values.fill(out.values[0]!)
        out.present.fill(out.present[0]!)
        this.step = grid.steps
      }
    }
  }

  private look(work: number): void {
    this.work += work
    if (this.work < WORK_MAX) return
    this.work = 0
    this.budget.check()
    this.budget.held(this.elements.bytes)
  }
}

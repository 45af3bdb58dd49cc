// From where each stretch of a span is read: the coarsest tier that says exactly what raw says, finer ones at
// its edges, raw for what is left. Pure but for what the source says of its tiers.
//
// A tier is exact over spans that it has completed and that no late sample waits to change, wherever none of
// its windows is cut by an edge of what is asked: windows of /v1 and InfluxQL that are multiples of its own, or
// edges of PromQL's ranges that fall on its edges. On which side of an edge the sample at that very instant
// belongs does not matter: tiers keep it apart (rollup/tier.ts).
//
// Where raw samples are gone and no tier is exact, the answer is without what windows of tiers lie across its edges,
// and says so (notes.ts). Only windows of /v1 that are no multiples of a tier's, and times whose late samples no tier
// has yet, are answered inexactly there: each window of a tier counts where it begins, which is said too.
//
// A tier in which a damaged place was met is distrusted: the others and samples come first, and where those are gone
// it tells what can be read of it.
//
// Invariants: stretches do not overlap and cover the span. Not here: reading them (range-windows.ts,
// promql/tier-ranges.ts, influxql/tier-windows.ts).
import { VarveError } from '../base/errors.ts'
import { SKETCH_LEVEL_MAX } from '../series/sketch.ts'
import type { SeriesSource, TierNeed, TierSource, TierSpan } from '../series/source.ts'
import type { Notes } from './notes.ts'
import type { WindowRequest } from './request.ts'

/** A part of the span, [fromUs, toUs), and where it is read; null: the samples themselves. */
export interface Stretch {
  readonly tier: TierSource | null
  readonly fromUs: number
  readonly toUs: number
  /** The tier's windows count where they begin, for want of better. */
  readonly isInexact?: boolean
}

/** A tier, and the starts of those of its windows that an edge of what is asked cuts; ascending. */
export interface CutTier {
  readonly tier: TierSource
  readonly cuts: readonly number[]
}

/** A span of which parts find their tier, one tier after the other. */
class Plan {
  readonly stretches: Stretch[] = []
  private gaps: readonly TierSpan[]

  constructor(fromUs: number, toUs: number) {
    this.gaps = [{ fromUs, toUs }]
  }

  /** @param spans  those of a gap that the tier takes, ascending; the last may end behind the gap */
  take(tier: TierSource, spans: (gap: TierSpan) => readonly TierSpan[], isInexact = false): void {
    this.gaps = this.gaps.flatMap(gap => {
      const taken = spans(gap)
      for (const span of taken) this.stretches.push({ tier, ...span, isInexact })
      return without(gap, taken)
    })
  }

  /** The rest is raw. */
  finish(): Stretch[] {
    for (const gap of this.gaps) this.stretches.push({ tier: null, ...gap })
    return this.stretches.sort((a, b) => a.fromUs - b.fromUs)
  }
}

function isNamed({ name }: TierSource, wanted: string): boolean {
  return name === wanted || name.endsWith(`.${wanted}`)
}

/** @throws {VarveError} VARVE_QUERY_TIER when the request names a tier that is not there */
export function checkTier({ tiers }: SeriesSource, { tier }: WindowRequest): void {
  if (tier === 'auto' || tier === 'raw' || tiers.some(one => isNamed(one, tier))) return
  const known = ['auto', 'raw', ...tiers.map(({ name }) => name)].join(', ')
  throw new VarveError('VARVE_QUERY_TIER', `Cannot read tier ${tier.slice(0, 40)}: there are ${known}`)
}

/** Tiers of which something could not be read, by group. */
export class Distrust {
  private readonly byGroup = new Map<number, Set<TierSource>>()

  of(group: number): ReadonlySet<TierSource> {
    return this.byGroup.get(group) ?? NONE
  }

  /** Whether that is news. */
  add(group: number, tier: TierSource): boolean {
    let tiers = this.byGroup.get(group)
    if (tiers === undefined) this.byGroup.set(group, (tiers = new Set()))
    const isNew = !tiers.has(tier)
    tiers.add(tier)
    return isNew
  }
}

const NONE: ReadonlySet<TierSource> = new Set()

/** Says of samples that are about to be read, [fromUs, toUs), what of them is gone while a tier has windows of it. */
export function noteGone(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  notes: Notes
): void {
  if (source.tiers.length === 0 || fromUs >= source.goneUs) return
  const goneUs = Math.min(toUs, source.rawFromUs(group))
  const isKept = (tier: TierSource) => tier.keeps(group) && tier.fromUs < goneUs && tier.doneUs > fromUs
  if (fromUs < goneUs && source.tiers.some(isKept)) notes.leftOut(fromUs, goneUs)
}

/** Where to read a group's samples in [fromUs, toUs) for windows of /v1. @param distrusted  tiers to read last */
export function planReads(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  windows: WindowRequest,
  distrusted: ReadonlySet<TierSource> = NONE
): Stretch[] {
  const { tiers } = source
  if (windows.tier === 'raw' || tiers.length === 0) return [{ tier: null, fromUs, toUs }]
  const plan = new Plan(fromUs, toUs)
  if (windows.tier !== 'auto') {
    for (const tier of tiers) {
      if (isNamed(tier, windows.tier) && tier.keeps(group)) plan.take(tier, gap => [gap])
    }
    return plan.stretches
  }
  const level = needsOf(windows).includes('sketch') ? SKETCH_LEVEL_MAX : null
  for (const tier of tiers) {
    if (windows.stepUs % tier.stepUs !== 0 || distrusted.has(tier)) continue
    plan.take(tier, gap => tier.exactSpans(group, gap.fromUs, gap.toUs, level))
  }
  const rawFromUs = source.rawFromUs(group)
  // A tier with damage that is exact else is better than a sound one that is not.
  for (const tier of tiers) {
    if (!distrusted.has(tier) || windows.stepUs % tier.stepUs !== 0) continue
    plan.take(tier, gap =>
      lastResort(gap, tier, rawFromUs).flatMap(span => tier.exactSpans(group, span.fromUs, span.toUs, level))
    )
  }
  const finestFirst = tiers.toReversed()
  const sound = finestFirst.filter(tier => !distrusted.has(tier))
  for (const tier of [...sound, ...finestFirst.filter(one => distrusted.has(one))]) {
    if (tier.keeps(group)) plan.take(tier, gap => lastResort(gap, tier, rawFromUs), true)
  }
  return plan.finish()
}

/**
 * Where to read a group's samples in [fromUs, toUs), exactly.
 * @param tiers  the coarsest first
 * @param distrusted  of these, those to read last
 */
export function planExact(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  tiers: readonly CutTier[],
  distrusted: ReadonlySet<TierSource> = NONE
): Stretch[] {
  const plan = new Plan(fromUs, toUs)
  const take = ({ tier, cuts }: CutTier, goneUs: number) =>
    plan.take(tier, gap => {
      // The sample at the last instant may be at the start of a window; what the window says else is not asked for.
      const lastUs = toUs - 1
      const endUs = gap.toUs === toUs && lastUs % tier.stepUs === 0 ? lastUs + tier.stepUs : gap.toUs
      const exact = tier.exactSpans(group, gap.fromUs, Math.min(endUs, goneUs))
      return exact.flatMap(span => uncut(span, cuts, tier.stepUs))
    })
  for (const one of tiers) if (!distrusted.has(one.tier)) take(one, Number.POSITIVE_INFINITY)
  if (distrusted.size === 0) return plan.finish()
  const rawFromUs = source.rawFromUs(group)
  for (const one of tiers) {
    const goneUs = Math.ceil(rawFromUs / one.tier.stepUs) * one.tier.stepUs
    if (distrusted.has(one.tier)) take(one, goneUs)
  }
  return plan.finish()
}

/** Whether the plan is to read everything raw. */
export function isAllRaw(plan: readonly Stretch[]): boolean {
  return plan.every(({ tier }) => tier === null)
}

/** What the functions of a request need of a tier's windows. */
export function needsOf({ functions }: WindowRequest): TierNeed[] {
  const needs = new Set<TierNeed>()
  for (const fn of functions) {
    if (fn === 'sum' || fn === 'avg') needs.add('sum')
    else if (fn === 'min' || fn === 'max') needs.add('extremes')
    else if (fn === 'first' || fn === 'last') needs.add('ends')
    else if (fn !== 'count') needs.add('sketch')
  }
  return [...needs]
}

/** A span without the windows that are cut. */
function uncut(span: TierSpan, cuts: readonly number[], stepUs: number): TierSpan[] {
  const spans: TierSpan[] = []
  let at = span.fromUs
  for (const cutUs of cuts) {
    if (cutUs < at) continue
    if (cutUs >= span.toUs) break
    if (cutUs > at) spans.push({ fromUs: at, toUs: cutUs })
    at = cutUs + stepUs
  }
  if (at < span.toUs) spans.push({ fromUs: at, toUs: span.toUs })
  return spans
}

/** The whole windows of a tier in a gap whose samples are gone. The one in which raw begins is taken whole. */
function lastResort(gap: TierSpan, tier: TierSource, rawFromUs: number): TierSpan[] {
  if (gap.fromUs >= rawFromUs) return []
  const { stepUs } = tier
  const endUs = Math.min(gap.toUs, Math.ceil(rawFromUs / stepUs) * stepUs, tier.doneUs)
  const fromUs = Math.ceil(Math.max(gap.fromUs, tier.fromUs) / stepUs) * stepUs
  const toUs = Math.floor(endUs / stepUs) * stepUs
  return fromUs < toUs ? [{ fromUs, toUs }] : []
}

function without(gap: TierSpan, taken: readonly TierSpan[]): TierSpan[] {
  const left: TierSpan[] = []
  let at = gap.fromUs
  for (const { fromUs, toUs } of taken) {
    if (fromUs > at) left.push({ fromUs: at, toUs: fromUs })
    at = toUs
  }
  if (at < gap.toUs) left.push({ fromUs: at, toUs: gap.toUs })
  return left
}

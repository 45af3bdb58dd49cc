// From where each stretch of a span is read: the coarsest tier that says exactly what raw says, finer ones at
// its edges, raw for what is left. Pure but for what the source says of its tiers.
//
// A tier is exact over spans that it has completed and that no late sample waits to change, wherever none of
// its windows is cut by an edge of what is asked: windows of /v1 and InfluxQL that are multiples of its own, or
// edges of PromQL's ranges that fall on its edges. On which side of an edge the sample at that very instant
// belongs does not matter: tiers keep it apart (rollup/tier.ts).
//
// Only windows of /v1 are answered inexactly, and only where raw samples are gone and no tier is exact: by
// whatever tier still has them, its window counting to the asked window in which it begins.
//
// Invariants: stretches do not overlap and cover the span. Not here: reading them (range-windows.ts,
// promql/tier-ranges.ts, influxql/tier-windows.ts).
import { VarveError } from '../base/errors.ts'
import { SKETCH_LEVEL_MAX } from '../series/sketch.ts'
import type { SeriesSource, TierNeed, TierSource, TierSpan } from '../series/source.ts'
import type { WindowRequest } from './request.ts'

/** A part of the span, [fromUs, toUs), and where it is read; null: the samples themselves. */
export interface Stretch {
  readonly tier: TierSource | null
  readonly fromUs: number
  readonly toUs: number
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
  take(tier: TierSource, spans: (gap: TierSpan) => readonly TierSpan[]): void {
    this.gaps = this.gaps.flatMap(gap => {
      const taken = spans(gap)
      for (const span of taken) this.stretches.push({ tier, ...span })
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

/** Where to read a group's samples in [fromUs, toUs) for windows of /v1. */
export function planReads(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  windows: WindowRequest
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
    if (windows.stepUs % tier.stepUs !== 0) continue
    plan.take(tier, gap => tier.exactSpans(group, gap.fromUs, gap.toUs, level))
  }
  const rawFromUs = source.rawFromUs(group)
  for (const tier of tiers.toReversed()) {
    if (!tier.keeps(group)) continue
    // The window in which raw begins is taken whole from the tier.
    const endUs = Math.min(Math.ceil(rawFromUs / tier.stepUs) * tier.stepUs, tier.doneUs)
    plan.take(tier, gap => clipped(gap, gap.fromUs < rawFromUs ? tier.fromUs : endUs, endUs))
  }
  return plan.finish()
}

/** Where to read a group's samples in [fromUs, toUs), exactly. @param tiers  the coarsest first */
export function planExact(
  group: number,
  fromUs: number,
  toUs: number,
  tiers: readonly CutTier[],
  level: number | null = null
): Stretch[] {
  const plan = new Plan(fromUs, toUs)
  for (const { tier, cuts } of tiers) {
    plan.take(tier, gap => {
      // The sample at the last instant may be at the start of a window; what the window says else is not asked for.
      const lastUs = toUs - 1
      const endUs = gap.toUs === toUs && lastUs % tier.stepUs === 0 ? lastUs + tier.stepUs : gap.toUs
      return tier.exactSpans(group, gap.fromUs, endUs, level).flatMap(span => uncut(span, cuts, tier.stepUs))
    })
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

function clipped(gap: TierSpan, fromUs: number, toUs: number): TierSpan[] {
  const span = { fromUs: Math.max(gap.fromUs, fromUs), toUs: Math.min(gap.toUs, toUs) }
  return span.fromUs < span.toUs ? [span] : []
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

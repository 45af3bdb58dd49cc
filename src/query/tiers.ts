// From where each stretch of a windowed range is read: the coarsest tier that says exactly what raw says,
// finer ones at its edges, raw for what is left; and where raw samples are gone, whatever tier still has
// them. Pure but for what the source says of its tiers.
//
// A tier is exact for windows that are multiples of its own, over spans that it has completed and that no
// late sample waits to change. first and last of several series together need the times of samples, which
// no tier keeps. Where raw is gone and no tier is exact, a tier's window counts to the asked window in which
// it begins.
//
// Invariants: stretches do not overlap and cover the span. Not here: reading them (range-windows.ts).
import { VarveError } from '../base/errors.ts'
import type { SeriesSource, TierSource } from '../series/source.ts'
import type { WindowRequest } from './request.ts'

/** A part of the span, [fromUs, toUs), and where it is read; null: the samples themselves. */
export interface Stretch {
  readonly tier: TierSource | null
  readonly fromUs: number
  readonly toUs: number
}

interface Gap {
  readonly fromUs: number
  readonly toUs: number
}

/** @throws {VarveError} VARVE_QUERY_TIER when the request names a tier that is not there */
export function checkTier({ tiers }: SeriesSource, { tier }: WindowRequest): void {
  if (tier === 'auto' || tier === 'raw' || tiers.some(({ name }) => name === tier)) return
  const known = ['auto', 'raw', ...tiers.map(({ name }) => name)].join(', ')
  throw new VarveError('VARVE_QUERY_TIER', `Cannot read tier ${tier.slice(0, 40)}: there are ${known}`)
}

/** Where to read a group's samples in [fromUs, toUs). */
export function planReads(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  windows: WindowRequest
): Stretch[] {
  const { tiers } = source
  if (windows.tier === 'raw' || tiers.length === 0) return [{ tier: null, fromUs, toUs }]
  const named = tiers.find(({ name }) => name === windows.tier)
  if (named !== undefined) return [{ tier: named, fromUs, toUs }]
  const plan: Stretch[] = []
  let gaps: Gap[] = [{ fromUs, toUs }]
  const take = (tier: TierSource, spans: (gap: Gap) => readonly Gap[]): void => {
    gaps = gaps.flatMap(gap => {
      const taken = spans(gap)
      for (const span of taken) plan.push({ tier, ...span })
      return without(gap, taken)
    })
  }
  if (windows.by === null || !needsEnds(windows)) {
    for (const tier of tiers) {
      if (windows.stepUs % tier.stepUs !== 0) continue
      take(tier, gap => tier.exactSpans(group, gap.fromUs, gap.toUs))
    }
  }
  const rawFromUs = source.rawFromUs(group)
  for (const tier of tiers.toReversed()) {
    // The window in which raw begins is taken whole from the tier.
    const endUs = Math.min(Math.ceil(rawFromUs / tier.stepUs) * tier.stepUs, tier.doneUs)
    take(tier, gap => clipped(gap, gap.fromUs < rawFromUs ? tier.fromUs : endUs, endUs))
  }
  for (const gap of gaps) plan.push({ tier: null, ...gap })
  return plan.sort((a, b) => a.fromUs - b.fromUs)
}

/** Whether the request asks for first or last values. */
export function needsEnds({ functions }: WindowRequest): boolean {
  return functions.includes('first') || functions.includes('last')
}

function clipped(gap: Gap, fromUs: number, toUs: number): Gap[] {
  const span = { fromUs: Math.max(gap.fromUs, fromUs), toUs: Math.min(gap.toUs, toUs) }
  return span.fromUs < span.toUs ? [span] : []
}

function without(gap: Gap, taken: readonly Gap[]): Gap[] {
  const left: Gap[] = []
  let at = gap.fromUs
  for (const { fromUs, toUs } of taken) {
    if (fromUs > at) left.push({ fromUs: at, toUs: fromUs })
    at = toUs
  }
  if (at < gap.toUs) left.push({ fromUs: at, toUs: gap.toUs })
  return left
}

// Which calls of a SELECT windows of tiers answer as well as samples do, and how they are added. The windows of
// GROUP BY time() must be multiples of the tier's, and so must the edges of WHERE, else raw is read there.
//
// A window with a string, a boolean, a stale mark or a NaN in it does not tell: InfluxQL's functions choose
// among kinds by rules of their own. It is read raw.
// Not here: the functions (reduce.ts), which tier (query/tiers.ts).
import type { TierNeed, TierSource, TierWindow } from '../../series/source.ts'
import type { CutTier } from '../tiers.ts'
import type { PlannedCall } from './columns.ts'
import type { Reducer } from './reduce.ts'
import type { TimeWindows } from './zone.ts'

const NEEDS: Readonly<Record<string, readonly TierNeed[]>> = {
  count: ['sum'],
  sum: ['sum'],
  mean: ['sum'],
  min: ['sum', 'extremes'],
  max: ['sum', 'extremes'],
  spread: ['sum', 'extremes'],
  first: ['sum', 'ends'],
  last: ['sum', 'ends']
}

/** Spans of calls: both ends in it, us. */
type Spans = readonly { readonly fromUs: number; readonly toUs: number }[]

/** What some calls need of windows; null when one of them needs every sample. @param hasOwnTime  of its value */
export function neededBy(calls: readonly PlannedCall[], hasOwnTime: boolean): TierNeed[] | null {
  const needs = new Set<TierNeed>()
  for (const { reducer } of calls) {
    if (reducer === null) continue
    const own = Object.hasOwn(NEEDS, reducer) ? NEEDS[reducer]! : null
    // A tier knows what the least value was, not when.
    if (own === null || (hasOwnTime && own.includes('extremes'))) return null
    for (const need of own) needs.add(need)
  }
  return [...needs]
}

/** The tiers whose windows lie within those asked for, with the windows that an edge of a span cuts. */
export function nestedTiers(
  tiers: readonly TierSource[],
  windows: TimeWindows | null,
  spans: Spans
): CutTier[] {
  return tiers
    .filter(({ stepUs }) => windows === null || windows.areMultiplesOf(stepUs))
    .map(tier => {
      const edges = spans.flatMap(({ fromUs, toUs }) => [fromUs, toUs + 1])
      const cuts = edges.flatMap(edgeUs => {
        const windowUs = Math.floor(edgeUs / tier.stepUs) * tier.stepUs
        return windowUs === edgeUs ? [] : [windowUs]
      })
      return { tier, cuts: [...new Set(cuts)].sort((a, b) => a - b) }
    })
}

export function isTelling({ sum, count, at, others, stales, hasBooleans }: TierWindow): boolean {
  if (others > 0 || stales > 0 || hasBooleans) return false
  return !(count > 0 && Number.isNaN(sum)) && !Number.isNaN(at)
}

/** Adds a window that tells. @param name  of the reducer */
export function addWindow(reducer: Reducer, name: string, window: TierWindow): void {
  const { at, startUs, count, firstUs, lastUs, first, last, min, max } = window
  if (at !== null) reducer.add(startUs, at)
  if (count === 0) return
  if (reducer.addWindow !== undefined) reducer.addWindow(window)
  else if (name === 'first') reducer.add(firstUs, first)
  else if (name === 'last') reducer.add(lastUs, last)
  else reducer.add(startUs, name === 'min' ? min : max)
}

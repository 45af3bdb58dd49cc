// Windows of tiers as tests compare them: by what they say, not by their columns, since a window that was
// computed again may keep what an earlier form of it left in columns that its marks rule out.
import { GroupFold } from '../../src/rollup/aggregate.ts'
import { COLUMNS_PER_FIELD } from '../../src/rollup/tier.ts'
import { windowsOf } from '../../src/rollup/tier-windows.ts'
import type { Run } from '../../src/series/run.ts'
import type { TierWindow } from '../../src/series/source.ts'

/** All windows of some runs in a tier's columns, by "start field". */
export function tierWindows(runs: readonly Run[]): Map<string, TierWindow> {
  const found = new Map<string, TierWindow>()
  for (const run of runs) {
    for (const field of new Set(run.columns.map(column => Math.floor(column.field / COLUMNS_PER_FIELD)))) {
      for (const window of windowsOf(run, field)) found.set(`${window.startUs} ${field}`, window)
    }
  }
  return found
}

/** The windows that runs of raw rows come to. */
export function foldedWindows(
  runs: readonly Run[],
  stepUs: number,
  level: number | null = null
): Map<string, TierWindow> {
  const fold = new GroupFold(stepUs, level)
  for (const run of runs) fold.addRun(run)
  const run = fold.finish()
  return tierWindows(run === null ? [] : [run])
}

/** In what two windows differ, as names; sums may by what rounding does, and what is not kept is not compared. */
export function differences(a: TierWindow, b: TierWindow): string[] {
  const always = ['field', 'startUs', 'count', 'at', 'others', 'stales', 'hasBooleans'] as const
  const counted = ['min', 'max', 'first', 'last', 'firstUs', 'lastUs'] as const
  const names: string[] = always.filter(name => !Object.is(a[name], b[name]))
  if (a.count === 0) return names
  names.push(...counted.filter(name => !Object.is(a[name], b[name])))
  const most = a.count * Math.max(Math.abs(a.min), Math.abs(a.max))
  if (!isNear(a.sum, b.sum, most)) names.push('sum')
  if (a.dropped !== null && b.dropped !== null && !isNear(a.dropped, b.dropped, most)) names.push('dropped')
  return names
}

/** Equal to what rounding of sums of at most `most` does. */
export function isNear(a: number, b: number, most: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= most * 2e-15
}

// Selectors that need not see every sample: the newest value of each series at one time, and windows that do
// not overlap (fold.ts).
//
// Invariants: a group that only its samples can tell (strings, NaN, infinities) is read sample by sample, by
// the same sink as every other selector.
// Not here: reading samples (selection.ts), the functions over them (range-functions.ts).
import type { Matcher } from '../../series/matcher.ts'
import { KIND } from '../../series/sample.ts'
import { noteGone } from '../tiers.ts'
import { clamped, type Fold } from './fold.ts'
import type { GridSeries } from './grid.ts'
import { openSelection, type Reading, type SampleSink, VALUE_LABEL } from './selection.ts'
import type { Windows } from './stepper.ts'

type Open = (labels: GridSeries['labels']) => SampleSink<GridSeries>

/** The newest values at the one step of a grid. */
export function* readNewest(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  open: Open
): Generator<GridSeries> {
  const { source, budget, log } = reading
  const [fromUs, toUs] = clamped(windows)
  const selection = openSelection(reading, matchers, open)
  if (fromUs > toUs) return
  const asksStates = matchers.some(({ name }) => name === VALUE_LABEL)
  for (const { group, labels } of selection.groups()) {
    const blocksBefore = source.blocksRead
    const found = asksStates ? null : source.last(group, [...labels.keys()].sort(ascending), toUs)
    if (found === null || found.some(({ kind, value }) => kind >= KIND.string || Number.isNaN(value))) {
      yield* selection.read(group, labels, fromUs, toUs)
      continue
    }
    budget.scanned(found.length)
    noteGone(source, group, fromUs, toUs + 1, budget.notes)
    log?.add('raw', { fromUs, toUs: toUs + 1 }, source.blocksRead - blocksBefore, 0, found.length)
    for (const { field, timeUs, value } of found) {
      if (timeUs < fromUs) continue
      const values = Float64Array.of(Number(value))
      yield { labels: labels.get(field)!, values, present: Uint8Array.of(1) }
    }
  }
}

function ascending(a: number, b: number): number {
  return a - b
}

/** The selected series by what a fold says of each window. */
export function* readFolded(
  reading: Reading,
  matchers: readonly Matcher[],
  windows: Windows,
  fold: Fold,
  open: Open
): Generator<GridSeries> {
  const [fromUs, toUs] = clamped(windows)
  const selection = openSelection(reading, matchers, open)
  if (fromUs > toUs) return
  const asksStates = matchers.some(({ name }) => name === VALUE_LABEL)
  for (const one of selection.groups()) {
    const found = asksStates ? null : fold.series(one)
    if (found === null) yield* selection.read(one.group, one.labels, fromUs, toUs)
    else yield* found
  }
}

// A tier as queries read it: its segments through the same reader as raw ones, and from the progress of
// rollups what it can be trusted with.
//
// Invariants: a span is exact only up to the watermark, after what was dropped, and outside of hours in
// which late samples wait for repair. Not here: which tier a query takes (query/tiers.ts).
import type { CorruptionError } from '../base/errors.ts'
import type { LiveSegment } from '../series/boots.ts'
import type { Catalog } from '../series/catalog.ts'
import type { HeadReader } from '../series/head-read.ts'
import { SeriesReader } from '../series/reader.ts'
import type { Column, Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import type { SegmentCache } from '../series/segment-cache.ts'
import type { TierSource, TierWindow } from '../series/source.ts'
import { HOUR_US, type RollupProgress } from './progress.ts'
import { AGGREGATES, COLUMNS_PER_FIELD, isTierClass, tierClass, tierStepUs } from './tier.ts'

/**
 * A reader of raw samples with the tiers beside it.
 * @param segments  live ones of all classes
 */
export function openTiered(
  catalog: Catalog,
  segments: readonly LiveSegment[],
  heads: readonly HeadReader[],
  progress: RollupProgress,
  cache: SegmentCache,
  onCorruption: (error: CorruptionError) => void
): SeriesReader {
  const tiers = Array.from(progress.doneUs.keys(), name => {
    const own = segments.filter(segment => segment.class === tierClass(name))
    return new TierReader(
      name,
      progress,
      new SeriesReader({ catalog, segments: own, heads: [] }, cache, onCorruption)
    )
  })
  tiers.sort((a, b) => b.stepUs - a.stepUs)
  const raw = segments.filter(segment => !isTierClass(segment.class))
  return new SeriesReader(
    { catalog, segments: raw, heads, tiers, goneUs: rawGone(progress) },
    cache,
    onCorruption
  )
}

/** By raw class, the time before which samples may be gone. */
export function rawGone(progress: RollupProgress): Map<string, number> {
  return new Map([...progress.goneUs].filter(([name]) => !isTierClass(name)))
}

class TierReader implements TierSource {
  readonly name: string
  readonly stepUs: number
  readonly fromUs: number
  readonly doneUs: number
  private readonly progress: RollupProgress
  private readonly reader: SeriesReader

  constructor(name: string, progress: RollupProgress, reader: SeriesReader) {
    this.name = name
    this.stepUs = tierStepUs(name)
    this.fromUs = Math.ceil((progress.goneUs.get(tierClass(name)) ?? 0) / this.stepUs) * this.stepUs
    this.doneUs = progress.doneUs.get(name)!
    this.progress = progress
    this.reader = reader
  }

  get damage(): readonly CorruptionError[] {
    return this.reader.damage
  }

  exactSpans(group: number, fromUs: number, toUs: number): { fromUs: number; toUs: number }[] {
    const { stepUs } = this
    const up = (us: number) => Math.ceil(us / stepUs) * stepUs
    const down = (us: number) => Math.floor(us / stepUs) * stepUs
    const endUs = down(Math.min(toUs, this.doneUs))
    const spans: { fromUs: number; toUs: number }[] = []
    let at = up(Math.max(fromUs, this.fromUs))
    for (const hour of [...this.progress.dirtyHours(group)].sort((a, b) => a - b)) {
      const dirtyUs = down(hour * HOUR_US)
      if (dirtyUs >= endUs) break
      if (dirtyUs > at) spans.push({ fromUs: at, toUs: dirtyUs })
      at = Math.max(at, up((hour + 1) * HOUR_US))
    }
    if (at < endUs) spans.push({ fromUs: at, toUs: endUs })
    return spans
  }

  *windows(group: number, fields: readonly number[], fromUs: number, toUs: number): Iterable<TierWindow> {
    const wanted = fields.flatMap(field => AGGREGATES.map((_, a) => field * COLUMNS_PER_FIELD + a))
    for (const run of this.reader.runs(group, wanted, fromUs, toUs - 1)) {
      for (const field of fields) yield* fieldWindows(run, field)
    }
  }
}

function* fieldWindows(run: Run, field: number): Iterable<TierWindow> {
  const columns = run.columns.filter(column => Math.floor(column.field / COLUMNS_PER_FIELD) === field)
  const values: (number | boolean)[] = AGGREGATES.map(() => 0)
  const next = new Uint32Array(columns.length)
  for (let row = 0; row < run.rows; row++) {
    values.fill(0)
    let some = false
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]!
      if (column.present !== null && column.present[row] === 0) continue
      values[column.field % COLUMNS_PER_FIELD] = numberAt(column, next[c]!++)
      some = true
    }
    if (!some) continue
    const [count, sum, min, max, first, last, others] = values as [
      number,
      number,
      number,
      number,
      number,
      number,
      number
    ]
    yield { field, startUs: run.times[row]!, count, others, sum, min, max, first, last }
  }
}

function numberAt(column: Column, i: number): number | boolean {
  const value = column.numbers![i]!
  return column.kind === KIND.boolean ? value === 1 : value
}

// A tier as queries read it: its segments through the same reader as raw ones, and from the progress of
// rollups what it can be trusted with.
//
// Invariants: a span is exact only up to the watermark, after what was dropped, while the tier kept the group,
// and outside of hours in which late samples wait for repair.
// Not here: which tier a query takes (query/tiers.ts), windows out of columns (tier-windows.ts).
import type { CorruptionError } from '../base/errors.ts'
import type { LiveSegment } from '../series/boots.ts'
import type { Catalog } from '../series/catalog.ts'
import type { HeadReader } from '../series/head-read.ts'
import { SeriesReader } from '../series/reader.ts'
import type { SegmentCache } from '../series/segment-cache.ts'
import type { TierFigures, TierNeed, TierSource, TierSpan, TierWindow } from '../series/source.ts'
import { Covering } from './coverage.ts'
import { HOUR_US, type RollupProgress } from './progress.ts'
import { isTierClass, tierClass, tierStepUs } from './tier.ts'
import { figuresOf, neededColumns, windowsOf } from './tier-windows.ts'

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
  const tiers = Array.from(progress.done.keys(), name => {
    const own = segments.filter(segment => segment.class === tierClass(name))
    const reader = new SeriesReader({ catalog, segments: own, heads: [] }, cache, onCorruption)
    return new TierReader(name, progress, reader)
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
  /** What was kept, and until when. */
  private readonly spells: readonly { covering: Covering; fromUs: number; toUs: number }[]

  constructor(name: string, progress: RollupProgress, reader: SeriesReader) {
    const { doneUs, spells } = progress.done.get(name)!
    this.name = name
    this.stepUs = tierStepUs(name)
    this.fromUs = Math.ceil((progress.goneUs.get(tierClass(name)) ?? 0) / this.stepUs) * this.stepUs
    this.doneUs = doneUs
    this.progress = progress
    this.reader = reader
    this.spells = spells.map(({ sinceUs, coverage }, i) => ({
      covering: new Covering(coverage),
      fromUs: sinceUs,
      toUs: spells[i + 1]?.sinceUs ?? doneUs
    }))
  }

  get blocksRead(): number {
    return this.reader.blocksRead
  }

  get damage(): readonly CorruptionError[] {
    return this.reader.damage
  }

  get damagesMet(): number {
    return this.reader.damagesMet
  }

  keeps(group: number): boolean {
    const facts = this.reader.group(group)
    return this.spells.some(({ covering }) => covering.keeps(facts))
  }

  exactSpans(group: number, fromUs: number, toUs: number, level: number | null = null): TierSpan[] {
    const facts = this.reader.group(group)
    const spans: TierSpan[] = []
    for (const { covering, fromUs: sinceUs, toUs: untilUs } of this.spells) {
      const { sketch } = covering.coverage
      if (level !== null && (sketch === null || sketch > level)) continue
      if (untilUs <= fromUs || sinceUs >= toUs || !covering.keeps(facts)) continue
      spans.push(...this.cleanSpans(group, Math.max(fromUs, sinceUs), Math.min(toUs, untilUs)))
    }
    return joined(spans)
  }

  /** Whole windows in [fromUs, toUs) of hours without late samples. */
  private cleanSpans(group: number, fromUs: number, toUs: number): TierSpan[] {
    const { stepUs } = this
    const up = (us: number) => Math.ceil(us / stepUs) * stepUs
    const down = (us: number) => Math.floor(us / stepUs) * stepUs
    const endUs = down(toUs)
    const spans: TierSpan[] = []
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

  *windows(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    needs: readonly TierNeed[]
  ): Iterable<TierWindow> {
    const wanted = neededColumns(fields, needs)
    for (const run of this.reader.runs(group, wanted, fromUs, toUs - 1)) {
      for (const field of fields) yield* windowsOf(run, field)
    }
  }

  *figures(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    needs: readonly TierNeed[]
  ): Iterable<TierFigures | TierWindow> {
    const wanted = neededColumns(fields, needs)
    for (const run of this.reader.runs(group, wanted, fromUs, toUs - 1)) {
      for (const field of fields) {
        const figures = figuresOf(run, field, needs)
        if (figures === null) yield* windowsOf(run, field)
        else yield figures
      }
    }
  }
}

/** Spans that touch as one. */
function joined(spans: readonly TierSpan[]): TierSpan[] {
  const out: TierSpan[] = []
  for (const span of spans) {
    const before = out.at(-1)
    if (before?.toUs === span.fromUs) out[out.length - 1] = { fromUs: before.fromUs, toUs: span.toUs }
    else out.push(span)
  }
  return out
}

// Computes the windows of tiers and writes them as segments. Runs in a worker over a snapshot of raw
// segments and heads; with a simulated disk it runs inline.
//
// A window is folded from the windows of a finer tier where that is done and no late sample waits there: a day
// takes 24 rows instead of its samples, which have long left memory. The rest is folded from the samples, which
// for the last hour are those of the heads, or of a segment that was written since.
//
// Invariants: a window is computed from all of its raw rows or not at all; writing a window again is
// harmless, since the later segment wins; a failed job leaves no files.
// Not here: choosing what to compute (the daemon's scheduler, with progress.ts), the fold (aggregate.ts).
import type { Disk } from '../disk/disk.ts'
import { segmentPath } from '../engine/file-names.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { bucketOf } from '../series/bucket.ts'
import type { Catalog } from '../series/catalog.ts'
import { type SegmentIds, writeSegment } from '../series/flush-job.ts'
import type { Run } from '../series/run.ts'
import { clip } from '../series/run-edit.ts'
import type { SeriesSource, TierNeed, TierSource, TierSpan } from '../series/source.ts'
import { GroupFold } from './aggregate.ts'
import { type Coverage, Covering } from './coverage.ts'
import { type Tier, tierClass, tierSpanUs } from './tier.ts'

const EVERYTHING: readonly TierNeed[] = ['sum', 'extremes', 'ends', 'dropped', 'sketch']

/** Windows of one tier to compute: those that lie in [fromUs, toUs), of these groups (null: all). */
export interface RollupSpan {
  readonly tier: Tier
  readonly fromUs: number
  readonly toUs: number
  readonly groups: readonly number[] | null
  /** Those of the groups that the tier keeps there. */
  readonly coverage: Coverage
}

/** The buckets of a span: one segment each. */
export function bucketsOf(span: RollupSpan): number[] {
  const spanUs = tierSpanUs(span.tier)
  const buckets: number[] = []
  for (let at = bucketOf(span.fromUs, spanUs); at < span.toUs; at += spanUs) buckets.push(at)
  return buckets
}

/** Computes spans and resolves with the new segments, not yet live; takes one id for each bucket of a span. */
export async function runRollup(
  disk: Disk,
  raw: SeriesSource,
  catalog: Catalog,
  spans: readonly RollupSpan[],
  ids: SegmentIds
): Promise<SegmentInfo[]> {
  const done: SegmentInfo[] = []
  try {
    let next = 0
    for (const span of spans) {
      const spanUs = tierSpanUs(span.tier)
      // The raw rows are read bucket by bucket, so memory is bounded by one group's rows of a bucket.
      for (const bucketUs of bucketsOf(span)) {
        const fromUs = Math.max(span.fromUs, bucketUs)
        const toUs = Math.min(span.toUs, bucketUs + spanUs)
        const id = ids.ids[next++]!
        const place = {
          id,
          // Repaired hours make several segments of one bucket: with one order for all, a merge of some of them
          // with an older segment would stand beside the others as if it were as new.
          order: id,
          class: tierClass(span.tier.name),
          bucketUs,
          spanUs
        }
        const target = { ...place, cause: 'rollup', level: 0, boot: 0 } as const
        const info = await writeSegment(disk, catalog, target, windows(raw, catalog, span, fromUs, toUs))
        if (info !== null) done.push(info)
      }
    }
    return done
  } catch (error) {
    for (const info of done) await disk.remove(segmentPath(info.id))
    throw error
  }
}

function* windows(raw: SeriesSource, catalog: Catalog, span: RollupSpan, fromUs: number, toUs: number) {
  const groups = span.groups ?? new Array(catalog.groupCount).keys()
  const covering = new Covering(span.coverage)
  for (const group of groups) {
    // A late sample's mark may be saved before its group's definition, which a cut then takes.
    if (group >= catalog.groupCount) continue
    if (!covering.keeps(catalog.at(group))) continue
    const run = foldGroup(raw, group, span, fromUs, toUs)
    const part: Run | null = run === null ? null : clip(run, fromUs, toUs - 1)
    if (part !== null) yield { group, runs: [part] }
  }
}

/**
 * The windows of a group, from the coarsest finer tiers that have them and from its samples; from samples alone
 * where a tier is damaged, or its damage would be in a second tier for ever.
 */
function foldGroup(
  raw: SeriesSource,
  group: number,
  span: RollupSpan,
  fromUs: number,
  toUs: number
): Run | null {
  const damages = () => raw.tiers.reduce((sum, tier) => sum + tier.damagesMet, 0)
  const before = damages()
  const run = foldFrom(raw, raw.tiers, group, span, fromUs, toUs)
  return damages() === before ? run : foldFrom(raw, [], group, span, fromUs, toUs)
}

function foldFrom(
  raw: SeriesSource,
  tiers: readonly TierSource[],
  group: number,
  { tier, coverage }: RollupSpan,
  fromUs: number,
  toUs: number
): Run | null {
  const fold = new GroupFold(tier.stepUs, coverage.sketch)
  let parts: (TierSpan & { tier: TierSource | null })[] = [{ tier: null, fromUs, toUs }]
  for (const finer of tiers) {
    if (finer.stepUs >= tier.stepUs || tier.stepUs % finer.stepUs !== 0) continue
    parts = parts.flatMap(part =>
      part.tier === null ? divided(part, finer, group, coverage.sketch) : [part]
    )
  }
  const fields = [...raw.group(group).fields.keys()]
  for (const part of parts) {
    if (part.tier === null) {
      for (const run of raw.runs(group, null, part.fromUs, part.toUs - 1)) fold.addRun(run)
    } else {
      // Windows come field by field: each field has a fold of its own, so only their own order counts.
      for (const window of part.tier.windows(group, fields, part.fromUs, part.toUs, EVERYTHING)) {
        fold.addWindow(window)
      }
    }
  }
  return fold.finish()
}

/** A part to be read, with what a tier can say of it taken out. */
function divided(
  { fromUs, toUs }: TierSpan,
  tier: TierSource,
  group: number,
  level: number | null
): (TierSpan & { tier: TierSource | null })[] {
  const parts: (TierSpan & { tier: TierSource | null })[] = []
  let at = fromUs
  for (const span of tier.exactSpans(group, fromUs, toUs, level)) {
    if (span.fromUs > at) parts.push({ tier: null, fromUs: at, toUs: span.fromUs })
    parts.push({ tier, ...span })
    at = span.toUs
  }
  if (at < toUs) parts.push({ tier: null, fromUs: at, toUs })
  return parts
}

// The scheduled work: dropping what is too old, merging small segments, writing rollup tiers. Each is a
// job of schedule/jobs.ts; the choices are pure functions of lower layers, here they meet the manifest.
//
// While the clock is not known nothing is dropped for its age but by the least that the time can be, and no
// window is rolled up: it would be computed again.
//
// A damaged segment is left out of merges until the next start, and its neighbours go on; it goes by its age as any.
//
// Invariants: one edit of the manifest makes a job's result live, together with the progress that it
// stands for; a job that fails leaves everything as it was and is tried again at its next time; a window
// holds only rows that are on the medium, and a row that comes while its window is computed marks it late.
// Not here: flushing (series/store.ts), compaction of entries (kv), cron (schedule).
import { VarveError } from '../base/errors.ts'
import type { GatewayClock } from '../base/gateway-clock.ts'
import type { Manifest, SegmentInfo } from '../engine/manifest.ts'
import { advanced, HOUR_US, type RollupProgress, type TierProgress } from '../rollup/progress.ts'
import type { RollupSpan } from '../rollup/rollup-job.ts'
import { isTierClass, type Tier, tierClass } from '../rollup/tier.ts'
import { rawGone } from '../rollup/tier-reader.ts'
import type { JobResult } from '../schedule/jobs.ts'
import type { LiveSegment } from '../series/boots.ts'
import { FAMILY_SERIES } from '../series/family.ts'
import type { MergeOutcome } from '../series/merge-job.ts'
import { planMerge } from '../series/merge-plan.ts'
import { expired, type KeepTimes, overSize } from '../series/retention.ts'
import type { SeriesStore } from '../series/store.ts'
import type { SegmentPins } from './segment-pins.ts'
import type { WearPlan } from './wear-control.ts'
import type { Workers } from './workers.ts'

export const PROGRESS_NOTE = 'rollup.progress'
/** Windows are rolled up when they ended so long ago: devices may be late by this. */
const LATENESS_US = 5 * 60_000_000
/** Merges of one run of the job, failed ones too: the next run goes on. */
const MERGES_MAX = 16
/** Why buckets go before their time. */
export const FULL = 'the medium is full'
/** The results of a job that did nothing. */
const HELD = { held: 'the wear budget is used up' }
const TIMELESS = { held: 'the clock is not known' }

export interface MaintenanceParts {
  readonly clock: Pick<GatewayClock, 'nowUs' | 'leastUs' | 'isKnown'>
  readonly manifest: Manifest
  readonly series: SeriesStore
  readonly workers: Pick<Workers, 'merge' | 'rollup' | 'segmentsChanged'>
  readonly pins: SegmentPins
  readonly progress: RollupProgress
  /** Every tier there is: late rows concern all, whichever job repairs them. */
  tiers(): readonly Tier[]
  /** Resolves when all rows that are in the heads now are on the medium. */
  synced(): Promise<void>
  keep(): KeepTimes
  /** Bytes of all segments together that may be kept. */
  sizeMax(): number
  /** What the wear budget bears now. */
  plan(): Pick<WearPlan, 'mayMerge' | 'mayRollup'>
  /** @param why  FULL, or another reason in words */
  onDropped(segments: readonly SegmentInfo[], why: string): void
}

export class Maintenance {
  private readonly parts: MaintenanceParts
  private rolling: Promise<unknown> = Promise.resolve()
  /** Segments that merges found damaged. */
  private readonly damaged = new Set<number>()

  constructor(parts: MaintenanceParts) {
    this.parts = parts
  }

  /** Drops segments that are too old, then the oldest while all together are too large. */
  async retention(): Promise<JobResult> {
    const { clock, keep, sizeMax } = this.parts
    const old = await this.drop(expired(this.seriesSegments(), keep(), clock.leastUs()), 'older than kept')
    const large = overSize(this.seriesSegments(), keep(), sizeMax(), clock.nowUs())
    const over = await this.drop(large, 'over retention.size_max')
    return { dropped_segments: old.length + over.length, freed_bytes: bytesOf(old) + bytesOf(over) }
  }

  /** Drops the oldest buckets until so many bytes are freed: the medium is full. */
  async freeBytes(wanted: number): Promise<number> {
    const segments = this.seriesSegments()
    const ids = overSize(segments, this.parts.keep(), bytesOf(segments) - wanted, this.parts.clock.nowUs())
    return bytesOf(await this.drop(ids, FULL))
  }

  /** Merges small segments while it saves more than it wears. */
  async merge(signal: AbortSignal): Promise<JobResult> {
    const { manifest, workers, clock } = this.parts
    let [merges, bytesIn, bytesOut] = [0, 0, 0]
    if (!this.parts.plan().mayMerge) return HELD
    for (const id of this.damaged) if (!manifest.segments.has(id)) this.damaged.delete(id)
    const failed = new Set<number>()
    let failure: unknown = null
    for (let tries = 0; tries < MERGES_MAX && !signal.aborted && this.parts.plan().mayMerge; tries++) {
      // As they are stored: a merge joins segments of one boot, corrected or not.
      const stored = [...manifest.segments.values()].filter(one => one.family === FAMILY_SERIES)
      const job = planMerge(stored, clock.leastUs(), new Set([...failed, ...this.damaged]))
      if (job === null) break
      const remove = job.inputs.map(input => input.id)
      let outcome: MergeOutcome
      try {
        outcome = await workers.merge(job.inputs)
      } catch (error) {
        // One sector that cannot be read must not end all other merges; which file it is in is not known.
        if (!(error instanceof VarveError && error.code === 'VARVE_IO')) throw error
        failure ??= error
        for (const id of remove) failed.add(id)
        continue
      }
      const { output, damaged } = outcome
      if (damaged !== null) {
        this.damaged.add(damaged.id)
        continue
      }
      await manifest.commit({ add: output === null ? [] : [output], remove })
      this.changed(remove)
      merges++
      bytesIn += job.bytesIn
      bytesOut += output?.bytes ?? 0
    }
    if (failure !== null) throw failure
    return { merges, bytes_in: bytesIn, bytes_out: bytesOut, damaged_segments: this.damaged.size }
  }

  /**
   * Brings tiers up to the newest window that is complete, and computes again, in all tiers, what came
   * late. One run at a time: tiers may have jobs of their own.
   */
  rollup(tiers: readonly Tier[]): Promise<JobResult> {
    const run = this.rolling.then(() => this.rollupOnce(tiers))
    this.rolling = run.catch(() => {})
    return run
  }

  private async rollupOnce(tiers: readonly Tier[]): Promise<JobResult> {
    const { progress, manifest, workers, clock, series } = this.parts
    if (!this.parts.plan().mayRollup) return HELD
    if (!clock.isKnown) return TIMELESS
    const nowUs = clock.nowUs()
    const next = this.nextSpans(tiers, nowUs)
    // Rows that come while windows are computed may come too late for them.
    series.lateBeforeUs = Math.max(series.lateBeforeUs, ...next.map(span => span.toUs))
    const dirty = progress.takeDirty()
    try {
      const spans = [...next, ...this.repairSpans(dirty)]
      if (spans.length === 0) {
        progress.commit(new Map(progress.done))
        return { windows_to: new Date(progress.frontierUs / 1000).toISOString() }
      }
      // In this order: synced() may throw at once, and would leave a rollup behind that nobody awaits.
      const [, segments] = await Promise.all([this.parts.synced(), workers.rollup(spans)])
      const known = new Set(this.parts.tiers().map(tier => tier.name))
      const done = new Map([...progress.done].filter(([name]) => known.has(name)))
      for (const { tier, fromUs, toUs, coverage } of next) {
        done.set(tier.name, advanced(done.get(tier.name), fromUs, toUs, coverage))
      }
      await manifest.commit({ add: segments, notes: [[PROGRESS_NOTE, progress.encode(done)]] })
      progress.commit(done)
      this.changed([])
      return { segments: segments.length, bytes: bytesOf(segments), repaired_hours: dirty.size }
    } catch (error) {
      progress.putBack()
      throw error
    }
  }

  private nextSpans(tiers: readonly Tier[], nowUs: number): RollupSpan[] {
    const spans: RollupSpan[] = []
    for (const tier of tiers) {
      const doneUs = this.parts.progress.done.get(tier.name)?.doneUs
      const fromUs = doneUs ?? Math.floor(this.oldestUs(nowUs) / tier.stepUs) * tier.stepUs
      // What was dropped before the tier began is not in it.
      if (doneUs === undefined) this.parts.progress.setGone(tierClass(tier.name), this.rawGoneUs())
      const toUs = Math.floor((nowUs - LATENESS_US) / tier.stepUs) * tier.stepUs
      if (toUs > fromUs) spans.push({ tier, fromUs, toUs, groups: null, coverage: tier.coverage })
    }
    return spans
  }

  /** Late hours as spans of each tier that is past them; where raw samples are gone nothing is computed again. */
  private repairSpans(dirty: ReturnType<RollupProgress['takeDirty']>): RollupSpan[] {
    const spans: RollupSpan[] = []
    // What was dropped counts, not what might be: a bucket stays whole until its last sample is too old.
    const rawFromUs = this.rawGoneUs()
    for (const tier of this.parts.tiers()) {
      const known = this.parts.progress.done.get(tier.name)
      if (known === undefined) continue
      const { doneUs } = known
      const windows = new Map<number, Set<number> | 'all'>()
      for (const [hour, groups] of dirty) {
        const step = Math.max(tier.stepUs, HOUR_US)
        const fromUs = Math.floor((hour * HOUR_US) / step) * step
        if (fromUs >= doneUs || fromUs < rawFromUs) continue
        const before = windows.get(fromUs)
        if (groups === 'all' || before === 'all') windows.set(fromUs, 'all')
        else windows.set(fromUs, new Set([...(before ?? []), ...groups]))
      }
      for (const [fromUs, groups] of windows) {
        const toUs = Math.min(fromUs + Math.max(tier.stepUs, HOUR_US), doneUs)
        const ids =
          groups === 'all'
            ? Array.from({ length: this.parts.series.catalog.groupCount }, (_, id) => id)
            : [...groups].sort((a, b) => a - b)
        for (const spell of spellsIn(known, fromUs, toUs)) spans.push({ tier, groups: ids, ...spell })
      }
    }
    return spans
  }

  /** Of every class, raw samples since then are all there. */
  private rawGoneUs(): number {
    return Math.max(0, ...rawGone(this.parts.progress).values())
  }

  /** The oldest sample that there is, raw. */
  private oldestUs(nowUs: number): number {
    const heads = this.parts.series.headTimeMinUs
    return Math.min(
      nowUs,
      heads,
      ...this.seriesSegments().flatMap(one => (isTierClass(one.class) ? [] : [one.timeMinUs]))
    )
  }

  private seriesSegments(): LiveSegment[] {
    return this.parts.series.live(this.parts.manifest.segments.values())
  }

  private async drop(ids: readonly number[], why: string): Promise<SegmentInfo[]> {
    if (ids.length === 0) return []
    const dropped = this.seriesSegments().filter(one => ids.includes(one.id))
    const { progress } = this.parts
    for (const { class: name, bucketUs, spanUs } of dropped) progress.setGone(name, bucketUs + spanUs)
    await this.parts.manifest.commit({ remove: [...ids], notes: [[PROGRESS_NOTE, progress.encode()]] })
    this.changed(ids)
    this.parts.onDropped(dropped, why)
    return dropped
  }

  private changed(removed: readonly number[]): void {
    this.parts.workers.segmentsChanged()
    this.parts.pins.retire(removed)
  }
}

/** The parts of a span with what the tier kept in each. */
function spellsIn({ doneUs, spells }: TierProgress, fromUs: number, toUs: number) {
  return spells.flatMap(({ sinceUs, coverage }, i) => {
    const part = { fromUs: Math.max(fromUs, sinceUs), toUs: Math.min(toUs, spells[i + 1]?.sinceUs ?? doneUs) }
    return part.fromUs < part.toUs ? [{ ...part, coverage }] : []
  })
}

function bytesOf(segments: readonly SegmentInfo[]): number {
  return segments.reduce((sum, segment) => sum + segment.bytes, 0)
}

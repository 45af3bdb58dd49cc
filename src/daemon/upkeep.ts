// Puts together what looks after the store: the guard of the medium's free space, retention, merges,
// compaction and rollups, and the scheduler that runs them.
//
// Not here: what each of them does (disk-guard.ts, maintenance.ts, schedule/jobs.ts).
import type { GatewayClock } from '../base/gateway-clock.ts'
import type { Log } from '../base/log.ts'
import { anyRandom } from '../base/random.ts'
import type { Config } from '../config/schema.ts'
import type { NodeDisk } from '../disk/node-disk.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { Jobs } from '../schedule/jobs.ts'
import { DiskGuard } from './disk-guard.ts'
import { compactEntries, type EntryCompactionParts } from './entry-compaction.ts'
import { FULL, Maintenance } from './maintenance.ts'
import * as policy from './policy.ts'
import type { SegmentPins } from './segment-pins.ts'
import type { SmallNotes } from './small-notes.ts'
import type { Storage } from './storage.ts'
import type { WearSteer } from './wear-steer.ts'
import type { Workers } from './workers.ts'

/** The job that joins segments of entries. */
export const COMPACTION = 'compaction'

/** What the daemon's parts stand on. */
export interface Ground {
  /** As it is now: a reload replaces it. */
  readonly config: Config
  readonly disk: NodeDisk
  readonly clock: GatewayClock
  readonly log: Log
  readonly pins: SegmentPins
  /** What was started, to be stopped in the opposite order. */
  readonly stops: (() => Promise<void> | void)[]
  /** Tells of what failed in the background. */
  background(what: string, error: unknown): void
}

export function openGuard(ground: Ground, { series }: Storage, maintenance: () => Maintenance): DiskGuard {
  const guard = new DiskGuard({
    clock: ground.clock,
    reserveBytes: ground.config.data.reserve,
    freeBytes: () => ground.disk.freeBytes(),
    free: wanted => maintenance().freeBytes(wanted),
    refuse: error => series.refuse(error),
    onLow: free =>
      ground.log.warn('the medium is nearly full: dropping the oldest buckets', { free_bytes: free }),
    onError: error => ground.background('watch free space', error)
  })
  ground.stops.push(() => guard.stop())
  return guard
}

export function openMaintenance(
  ground: Ground,
  { engine, series, progress }: Storage,
  workers: Workers,
  steer: WearSteer
): Maintenance {
  const tiers = () => policy.rollupTiers(ground.config).map(({ tier }) => tier)
  return new Maintenance({
    clock: ground.clock,
    manifest: engine.manifest,
    series,
    workers,
    pins: ground.pins,
    progress,
    tiers,
    synced: () => engine.wal.synced(engine.wal.pendingGroup),
    keep: () => policy.keepTimes(policy.retentionPolicy(ground.config).classes, tiers()),
    sizeMax: () => ground.config.retention.sizeMax ?? Number.POSITIVE_INFINITY,
    plan: () => steer.plan,
    onDropped: (segments, why) => tellDropped(ground.log, segments, why)
  })
}

/** A drop for want of space is not what anybody asked for: a warning, with what went. */
function tellDropped(log: Log, segments: readonly SegmentInfo[], why: string): void {
  log[why === FULL ? 'warn' : 'info']('segments dropped', {
    why,
    segments: segments.length,
    bytes: segments.reduce((sum, one) => sum + one.bytes, 0),
    buckets: [
      ...new Set(
        segments.map(one => `${one.class} ${new Date(one.bucketUs / 1000).toISOString().slice(0, 16)}`)
      )
    ].slice(0, 20)
  })
}

export function openJobs(
  ground: Ground,
  maintenance: Maintenance,
  entries: Omit<EntryCompactionParts, 'log'>,
  notes: SmallNotes
): Jobs {
  const { schedule } = ground.config
  const jobs = new Jobs({
    clock: ground.clock,
    random: anyRandom(),
    zone: schedule.timezone,
    jitterMaxMs: schedule.jitter,
    store: notes,
    onFailure: (name, error) => ground.background(`job ${name}`, error)
  })
  jobs.add({ name: 'retention', cron: schedule.retention, run: () => maintenance.retention() })
  jobs.add({ name: 'merge', cron: schedule.merge, run: signal => maintenance.merge(signal) })
  jobs.add({
    name: COMPACTION,
    cron: schedule.merge,
    run: signal => compactEntries({ ...entries, log: ground.log }, signal)
  })
  const tiers = policy.rollupTiers(ground.config)
  for (const cron of new Set(tiers.map(one => one.cron))) {
    const own = tiers.filter(one => one.cron === cron).map(({ tier }) => tier)
    jobs.add({
      name: `rollup ${own.map(tier => tier.name).join(' ')}`,
      cron,
      run: () => maintenance.rollup(own)
    })
  }
  ground.stops.push(() => jobs.stop())
  return jobs
}

// A store with rollups in a directory, without threads: Maintenance over it, readers with and without tiers, and
// rows by the name of their fields.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { GatewayClock } from '../../src/base/gateway-clock.ts'
import { Random } from '../../src/base/random.ts'
import { Maintenance, PROGRESS_NOTE } from '../../src/daemon/maintenance.ts'
import { SegmentPins } from '../../src/daemon/segment-pins.ts'
import { openStorage, type Storage } from '../../src/daemon/storage.ts'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { RollupProgress } from '../../src/rollup/progress.ts'
import { bucketsOf, type RollupSpan, runRollup } from '../../src/rollup/rollup-job.ts'
import { type Tier, tierClass } from '../../src/rollup/tier.ts'
import { openTiered } from '../../src/rollup/tier-reader.ts'
import { countTargets, flushHead } from '../../src/series/flush-job.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { makeLabels } from '../../src/series/label.ts'
import { tryMerge } from '../../src/series/merge-job.ts'
import { KIND, type Kind, type Value } from '../../src/series/sample.ts'
import { SegmentCache } from '../../src/series/segment-cache.ts'
import { HOUR_US, TIERS } from './rollup-times.ts'

const CACHE = { filesMax: 4, indexBytesMax: 1e6 }

export interface World {
  readonly disk: NodeDisk
  readonly storage: Storage
  readonly maintenance: Maintenance
  tiers: readonly Tier[]
  /** What the last rollup read from segments: chunks of samples and of tiers, and files that it opened. */
  lastReads: { raw: number; tiers: number; opened: number }
  /** Told of damage that a rollup meets. */
  onDamage: (error: unknown) => void
  /** Called between the writing of rollup segments and their commit. */
  beforeCommit: () => void
  nowUs: number
}

export async function openWorld(
  dir: string,
  nowUs: number,
  rawKeepUs = Number.POSITIVE_INFINITY,
  tiers = TIERS
): Promise<World> {
  const disk = new NodeDisk(dir)
  const random = new Random(5)
  const storage: Storage = await openStorage({
    disk,
    clock: systemClock,
    readOnly: false,
    series: {
      limits: { seriesMax: 1000, fieldsPerGroupMax: 100 },
      classes: [{ name: 'default', keepUs: rawKeepUs, spanUs: HOUR_US }],
      classify: () => 0,
      flushBytes: 2 ** 30,
      headBytesMax: 2 ** 31,
      onLate: (group, timeUs) => storage.progress.markLate(group, timeUs),
      onFull: () => {},
      afterReaders: callback => callback()
    },
    kv: {},
    wal: { fileBytes: 262_144, filesMax: 8 },
    pace: {},
    anyU32: () => random.u32(),
    onDamage: fail,
    onError: fail
  })
  const { engine, series, progress } = storage
  const { manifest } = engine
  const ids = (count: number) => {
    const all = Array.from({ length: count }, () => manifest.nextSegmentId())
    return { ids: all, order: all[0] ?? 0 }
  }
  series.start(
    {
      rotate: () => engine.wal.rotate(),
      commit: edit => manifest.commit({ ...edit, notes: [[PROGRESS_NOTE, progress.encode()]] }),
      get pendingGroup() {
        return engine.wal.pendingGroup
      }
    },
    storage.catalogFile,
    {
      flush(view, classes) {
        const head = new HeadReader(view, series.shapes)
        return flushHead(disk, head, series.catalog, classes, ids(countTargets(head, classes)))
      }
    }
  )
  const lastReads = { raw: 0, tiers: 0, opened: 0 }
  const world = {
    disk,
    storage,
    nowUs,
    tiers,
    lastReads,
    onDamage: fail as (error: unknown) => void,
    beforeCommit: () => {}
  } as World & {
    maintenance: Maintenance
  }
  world.maintenance = new Maintenance({
    clock: new GatewayClock({ ...systemClock, nowUs: () => world.nowUs }),
    manifest,
    series,
    pins: new SegmentPins(id => void engine.removeFile(id)),
    progress,
    plan: () => ({ mayMerge: true, mayRollup: true }),
    tiers: () => world.tiers,
    synced: () => {
      engine.wal.note(0, 2)
      return engine.wal.synced(engine.wal.pendingGroup)
    },
    keep: () =>
      new Map([
        ['default', rawKeepUs],
        ...world.tiers.map(one => [tierClass(one.name), one.keepUs] as const)
      ]),
    sizeMax: () => Number.POSITIVE_INFINITY,
    onDropped: () => {},
    workers: {
      segmentsChanged: () => {},
      merge: inputs => tryMerge(disk, inputs, series.catalog, manifest.nextSegmentId()),
      async rollup(spans: readonly RollupSpan[]) {
        const count = spans.reduce((sum, span) => sum + bucketsOf(span).length, 0)
        const cache = new SegmentCache(disk, CACHE)
        const reader = openReader(world, true, cache, world.onDamage)
        const made = await runRollup(disk, reader, series.catalog, spans, ids(count))
        const tiersRead = reader.tiers.reduce((sum, tier) => sum + tier.blocksRead, 0)
        world.lastReads = { raw: reader.blocksRead, tiers: tiersRead, opened: cache.counts.opened }
        cache.close()
        world.beforeCommit()
        return made
      }
    }
  })
  return world
}

function fail(error: unknown): never {
  throw error
}

/** @param hasTiers  else samples alone are read */
export function openReader(
  { disk, storage }: World,
  hasTiers = true,
  cache = new SegmentCache(disk, CACHE),
  onDamage: (error: unknown) => void = fail
) {
  const { engine, series } = storage
  const progress = hasTiers ? storage.progress : new RollupProgress()
  const heads = series.views().map(view => new HeadReader(view, series.shapes))
  const segments = [...engine.manifest.segments.values()]
  const reader = openTiered(series.catalog, segments, heads, progress, cache, onDamage)
  // Worlds are small, and their samples cheaper than any tier: it is the tiers that are tested here.
  reader.costOf = () => ({ rows: Number.POSITIVE_INFINITY, chunks: 0, spanUs: 0 })
  return reader
}

/** @param name  of the group; '' as MQTT has it */
export function write(
  { storage }: World,
  group: number,
  timeUs: number,
  values: Record<string, Value>,
  name = ''
): void {
  const { series, engine } = storage
  const kinds = Object.values(values).map(
    (value): Kind =>
      typeof value === 'number' ? KIND.number : typeof value === 'boolean' ? KIND.boolean : KIND.string
  )
  const labels = makeLabels([['topic', `g${group}`]])
  series.begin(series.shape(name, labels, Object.keys(values), kinds), timeUs)
  Object.values(values).forEach((value, i) => {
    if (typeof value === 'string') series.text(i, Buffer.from(value), 0, Buffer.byteLength(value))
    else series.slots[series.at + i] = Number(value)
  })
  series.end()
  engine.wal.note(40, 1)
}

export function temporaryDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'varve-rollup-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

// What the daemon stores with, over any Disk: openStorage(), the store's jobs and the scheduler's, all
// inline instead of in workers, so that a crash test can put a simulated disk below them.
import type { Clock } from '../../src/base/clock.ts'
import { GatewayClock } from '../../src/base/gateway-clock.ts'
import type { Random } from '../../src/base/random.ts'
import { Maintenance, PROGRESS_NOTE } from '../../src/daemon/maintenance.ts'
import { SegmentPins } from '../../src/daemon/segment-pins.ts'
import { openStorage, type Storage } from '../../src/daemon/storage.ts'
import type { Workers } from '../../src/daemon/workers.ts'
import type { Disk } from '../../src/disk/disk.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import { EVERY_GROUP } from '../../src/rollup/coverage.ts'
import { HOUR_US, RollupProgress } from '../../src/rollup/progress.ts'
import { bucketsOf, type RollupSpan, runRollup } from '../../src/rollup/rollup-job.ts'
import { isTierClass, type Tier, tierClass } from '../../src/rollup/tier.ts'
import { openTiered } from '../../src/rollup/tier-reader.ts'
import { countTargets, flushHead } from '../../src/series/flush-job.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { makeLabels } from '../../src/series/label.ts'
import { tryMerge } from '../../src/series/merge-job.ts'
import { SeriesReader } from '../../src/series/reader.ts'
import type { Run } from '../../src/series/run.ts'
import { SegmentCache } from '../../src/series/segment-cache.ts'
import type { ModelRow } from '../series/model.ts'
import { readRuns } from './sent-rows.ts'
import { differences, foldedWindows, tierWindows } from './tier-windows.ts'

export const KEEP_US = 6 * HOUR_US
export const TIERS: readonly Tier[] = [
  { name: '1m', stepUs: 60_000_000, keepUs: Number.POSITIVE_INFINITY, coverage: EVERY_GROUP },
  { name: '1h', stepUs: HOUR_US, keepUs: Number.POSITIVE_INFINITY, coverage: EVERY_GROUP }
]

export interface StoreOptions {
  readonly disk: Disk
  readonly random: Random
  readonly clock: Clock
  readonly wal?: { fileBytes: number; filesMax: number }
  /** Told of what fails in the background. */
  onError(error: unknown): void
}

export interface ReadOptions {
  /** Reads this tier; null: the raw rows. */
  readonly tier?: string | null
  /** Reads what is in memory too; else segments alone. */
  readonly withHeads?: boolean
}

/** A store with everything that is done to it. */
export class InlineStore {
  readonly storage: Storage
  readonly maintenance: Maintenance
  /** Damage told, at open and by readers. */
  readonly damage: Error[]
  private readonly disk: Disk

  private constructor(storage: Storage, options: StoreOptions, damage: Error[]) {
    this.storage = storage
    this.disk = options.disk
    this.damage = damage
    const { engine, series, progress } = storage
    const pins = new SegmentPins(id => engine.removeFile(id).catch(options.onError))
    this.maintenance = new Maintenance({
      clock: options.clock instanceof GatewayClock ? options.clock : new GatewayClock(options.clock),
      manifest: engine.manifest,
      series,
      workers: this.workers(),
      pins,
      progress,
      plan: () => ({ mayMerge: true, mayRollup: true }),
      tiers: () => TIERS,
      synced: () => this.synced(),
      keep: () => new Map([['default', KEEP_US]]),
      sizeMax: () => Number.POSITIVE_INFINITY,
      onDropped: () => {}
    })
  }

  static async open(options: StoreOptions): Promise<InlineStore> {
    const { disk, random, clock } = options
    const damage: Error[] = []
    const storage: Storage = await openStorage({
      disk,
      clock,
      readOnly: false,
      series: {
        limits: { seriesMax: 10_000, fieldsPerGroupMax: 100 },
        classes: [{ name: 'default', keepUs: KEEP_US, spanUs: HOUR_US }],
        classify: () => 0,
        flushBytes: 2 ** 30,
        headBytesMax: 2 ** 31,
        onLate: (group, timeUs) => storage.progress.markLate(group, timeUs),
        onFull: () => {},
        afterReaders: () => {}
      },
      kv: {
        memtableBytesMax: 6000,
        carryBytesMax: random.pick([0, 500]),
        cacheBytesMax: 0,
        compaction: { segmentsMax: 4, tierMin: 2, tierRatio: 2, gainMin: 0.3 }
      },
      wal: { fileBytes: 32_768, filesMax: 4, groupBytesMax: 1 << 20, ...options.wal },
      pace: { delayMaxMs: 0, delayMaxLazyMs: 0, groupBytesTrigger: 8192 },
      anyU32: () => random.u32(),
      onDamage: error => damage.push(error),
      onError: options.onError
    })
    const store = new InlineStore(storage, options, damage)
    const { engine, series, progress } = storage
    series.start(
      {
        rotate: () => engine.wal.rotate(),
        commit: edit =>
          engine.manifest.commit({ ...edit, notes: [...edit.notes, [PROGRESS_NOTE, progress.encode()]] }),
        get pendingGroup() {
          return engine.wal.pendingGroup
        }
      },
      storage.catalogFile,
      {
        flush: (view, classes) => {
          const head = new HeadReader(view, series.shapes)
          return flushHead(disk, head, series.catalog, classes, store.ids(countTargets(head, classes)))
        }
      }
    )
    engine.wal.onFailed(error => series.refuse(error))
    return store
  }

  /** Appends a row of the model: group n is the topic `gn`, field n is `fn`. */
  write({ group, timeUs, values }: ModelRow, urgency: 0 | 1 | 2): void {
    const { series, engine } = this.storage
    const fields = values.map(value => `f${value.field}`)
    const kinds = values.map(value => value.kind)
    series.begin(series.shape('', makeLabels([['topic', `g${group}`]]), fields, kinds), timeUs)
    values.forEach(({ value }, i) => {
      if (typeof value === 'number') series.slots[series.at + i] = value
      else if (typeof value === 'boolean') series.slots[series.at + i] = value ? 1 : 0
      else {
        const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
        series.text(i, bytes, 0, bytes.length)
      }
    })
    series.end()
    engine.wal.note(20, urgency)
  }

  /** Resolves when all that was written is on the medium. */
  synced(): Promise<void> {
    const { wal } = this.storage.engine
    return wal.synced(wal.pendingGroup)
  }

  /** Calls back with a reader of the raw rows, or of a tier. */
  read<T>(callback: (reader: SeriesReader) => T, options: ReadOptions = {}): T {
    const { tier = null, withHeads = true } = options
    const cache = new SegmentCache(this.disk, { filesMax: 64, indexBytesMax: 1e6 })
    const { series, engine } = this.storage
    const isWanted = (info: SegmentInfo) =>
      tier === null ? !isTierClass(info.class) : info.class === tierClass(tier)
    const segments = series.live(engine.manifest.segments.values()).filter(isWanted)
    const views = tier === null && withHeads ? series.views() : []
    const heads = views.map(view => new HeadReader(view, series.shapes))
    const reader = new SeriesReader({ catalog: series.catalog, segments, heads }, cache, error =>
      this.damage.push(error)
    )
    try {
      return callback(reader)
    } finally {
      cache.close()
    }
  }

  /** Windows of tiers that claim to be done and are not what the raw rows say, as sentences. */
  wrongWindows(fromUs: number, raw: readonly Run[][]): string[] {
    const { progress } = this.storage
    const wrongs: string[] = []
    for (const { name, stepUs } of TIERS) {
      const lowUs = Math.ceil(fromUs / HOUR_US) * HOUR_US
      const highUs = (progress.done.get(name)?.doneUs ?? 0) - stepUs
      if (highUs < lowUs) continue
      const tier = this.read(reader => readRuns(reader, raw.length, lowUs, highUs), { tier: name })
      for (const [id, runs] of raw.entries()) {
        const found = tierWindows(tier[id]!)
        const said = foldedWindows(runs, stepUs)
        const isDirty = (startUs: number): boolean => {
          const groups = progress.dirty.get(Math.floor(startUs / HOUR_US))
          return groups === 'all' || (groups?.has(id) ?? false)
        }
        for (const [place, window] of said) {
          const { startUs } = window
          if (startUs < lowUs || startUs > highUs || isDirty(startUs)) continue
          const kept = found.get(place)
          const names = kept === undefined ? ['all'] : differences(window, kept)
          if (names.length > 0) wrongs.push(`tier ${name} of group ${id} at ${place} has another ${names}`)
        }
        for (const [place, { startUs, count, at, others, stales }] of found) {
          const isSome = count + others + stales > 0 || at !== null
          if (said.has(place) || !isSome || isDirty(startUs)) continue
          wrongs.push(
            `tier ${name} of group ${id} has a window at ${place}, of which no raw rows say anything`
          )
        }
      }
    }
    return wrongs.slice(0, 3)
  }

  close(): Promise<void> {
    return this.storage.close()
  }

  private ids(count: number) {
    const ids = Array.from({ length: count }, () => this.storage.engine.manifest.nextSegmentId())
    return { ids, order: ids[0] ?? 0 }
  }

  /** The part of Workers that maintenance calls. */
  private workers(): Workers {
    const { series, engine } = this.storage
    const inline: Pick<Workers, 'segmentsChanged' | 'merge' | 'rollup'> = {
      segmentsChanged: () => {},
      merge: inputs => tryMerge(this.disk, inputs, series.catalog, engine.manifest.nextSegmentId()),
      rollup: (spans: readonly RollupSpan[]) => {
        const ids = this.ids(spans.reduce((sum, span) => sum + bucketsOf(span).length, 0))
        return this.readLong(reader => runRollup(this.disk, reader, series.catalog, spans, ids))
      }
    }
    return inline as Workers
  }

  private async readLong<T>(callback: (reader: SeriesReader) => Promise<T>): Promise<T> {
    const cache = new SegmentCache(this.disk, { filesMax: 64, indexBytesMax: 1e6 })
    const { series, engine } = this.storage
    const segments = series.live(engine.manifest.segments.values())
    for (const info of segments) cache.open(info)
    const heads = series.views().map(view => new HeadReader(view, series.shapes))
    const progress = RollupProgress.decode(this.storage.progress.encode())
    try {
      return await callback(
        openTiered(series.catalog, segments, heads, progress, cache, error => this.damage.push(error))
      )
    } finally {
      cache.close()
    }
  }
}

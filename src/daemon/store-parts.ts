// Opens what the store stands on, from the configuration: storage, worker threads, the keeper of the clock, what
// steers by the wear budget, and the small state that is saved now and then. Each is told to stop in the
// opposite order.
//
// Not here: in which order all of it is put together (compose.ts), the faces (faces.ts), what looks after the
// store while it runs (upkeep.ts).

import { probeFlash, systemTree } from '../disk/flash-probe.ts'
import type { FileSystemFacts } from '../disk/metadata-cost.ts'
import type { WearMeter } from '../disk/wear-meter.ts'
import { ClockKeeper } from './clock-keeper.ts'
import { logClockNews } from './clock-report.ts'
import type { ClockSource } from './clock-source.ts'
import * as policy from './policy.ts'
import { type SmallNotes, WEAR_NOTE } from './small-notes.ts'
import { openStorage, type Storage, type StorageOptions } from './storage.ts'
import type { Ground } from './upkeep.ts'
import { savedOrdinal, type WearLedger } from './wear-ledger.ts'
import { keepTakingSlips } from './wear-slips.ts'
import { WearSteer } from './wear-steer.ts'
import { Workers } from './workers.ts'

/** What the store's parts stand on. */
export interface StoreGround extends Ground {
  readonly meter: WearMeter
  readonly fileSystem: FileSystemFacts
  readonly source: ClockSource
  /** Damage found since the start. */
  readonly damage: { file: string; offset: number; why: string }[]
}

/** What the store tells and asks of parts that are opened after it. */
export interface StoreCalls {
  /** A head is full. */
  onFull(): void
  readonly entryJobs: NonNullable<StorageOptions['entryJobs']>
  /** A flush made a segment of entries. */
  onEntrySegment(): void
}

/** Opens the store: recovery, the WAL replayed. */
export async function openStore(ground: StoreGround, calls: StoreCalls): Promise<Storage> {
  const { config } = ground
  const retention = policy.retentionPolicy(config)
  const { flush: flushBytes, refuse: headBytesMax } = policy.headBytes(config)
  const storage = await openStorage({
    disk: ground.meter,
    clock: ground.clock.careful,
    readOnly: false,
    series: {
      limits: policy.catalogLimits(() => ground.config),
      classes: retention.classes,
      classify: retention.classify,
      flushBytes,
      headBytesMax,
      onLate: (group, timeUs) => storage.progress.markLate(group, timeUs),
      onFull: () => calls.onFull(),
      afterReaders: callback => ground.pins.after(callback)
    },
    kv: {},
    entryJobs: calls.entryJobs,
    onEntrySegment: () => calls.onEntrySegment(),
    wal: {
      fileBytes: config.wal.fileSize,
      filesMax: Math.max(2, Math.floor(config.wal.sizeMax / config.wal.fileSize))
    },
    pace: policy.firstSyncPace(config),
    countAfter: manifest => savedOrdinal(manifest.note(WEAR_NOTE)),
    anyU32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
    onDamage: error => {
      const { file = 'WAL', offset = 0 } = error as { file?: string; offset?: number }
      ground.damage.push({ file, offset, why: error.message })
      ground.log.error('damage found: what it hit is lost, everything else is served', { error })
    },
    onError: error => ground.background('store', error)
  })
  ground.stops.push(() => storage.close())
  return storage
}

/** The worker threads; none runs yet. */
export function openWorkers(ground: StoreGround, storage: Storage): Workers {
  const { query, memory } = ground.config
  const workers = new Workers({
    clock: ground.clock,
    setup: {
      dir: ground.disk.root,
      cache: { filesMax: 256, indexBytesMax: policy.threadIndexBytes(ground.config) },
      fileSystem: ground.fileSystem
    },
    series: storage.series,
    progress: storage.progress,
    manifest: storage.engine.manifest,
    meter: ground.meter,
    pins: ground.pins,
    queryThreads: query.concurrency,
    queriesPerThreadMax: Math.max(1, Math.ceil(query.queueMax / query.concurrency)),
    queryLimits: () => policy.queryLimits(ground.config),
    heapMiBMax: Math.max(256, Math.ceil(memory.max / 2 ** 20)),
    onCorruption: ({ file, offset, why }) => {
      if (ground.damage.some(known => known.file === file && known.offset === offset)) return
      ground.damage.push({ file, offset, why })
      ground.log.error('damage found: its samples are left out', { file, offset, why })
    },
    onDeath: (thread, error) => ground.log.error('worker died and was started anew', { thread, error })
  })
  ground.stops.push(() => workers.close())
  // A flush under way is let finish: what it wrote would have to be written again.
  ground.stops.push(() => storage.series.settled())
  return workers
}

/** What knows whether the time is known. */
export function openKeeper(
  ground: StoreGround,
  { engine, series, progress }: Storage,
  workers: Workers
): ClockKeeper {
  return new ClockKeeper({
    clock: ground.clock,
    source: ground.source,
    series,
    manifest: engine.manifest,
    progress,
    mode: () => ground.config.clock.source,
    onMoved: () => workers.segmentsChanged(),
    onNews: news => logClockNews(ground.log, news),
    onError: error => ground.background('setting the clock', error)
  })
}

/** Starts what steers by the wear budget. */
export function openSteer(
  ground: StoreGround,
  storage: Storage,
  ledger: WearLedger,
  workers: Workers
): WearSteer {
  const steer = new WearSteer({
    clock: ground.clock,
    meter: ground.meter,
    storage,
    ledger,
    segmentIdsOpen: () => workers.segmentIdsOpen,
    probe: () => probeFlash(ground.disk.root, systemTree),
    fileSystemBytes: ground.disk.mediumBytes(),
    config: () => ground.config,
    onState: ({ state, why }) =>
      ground.log[state === 'over' ? 'warn' : 'info'](`wear budget: ${why}`, { state }),
    onNote: note => ground.log.warn(note, { data: ground.disk.root })
  })
  steer.start()
  ground.stops.push(
    () => steer.stop(),
    keepTakingSlips(ground.disk, ground.meter, ground.clock, error =>
      ground.background('count what a backup wrote', error)
    )
  )
  return steer
}

/** Saves small state now and then, and at the stop. */
export function saveNotes(
  ground: StoreGround,
  notes: SmallNotes,
  steer: WearSteer,
  { engine, series }: Storage
): void {
  ground.stops.push(async () => {
    notes.stop()
    if (engine.wal.failure !== null) return
    await engine.manifest.commit({ notes: notes.notes(steer.saved(series.headSamples)) })
  })
  notes.keep({
    clock: ground.clock,
    ledger: () => steer.saved(series.headSamples),
    writtenBytes: () => ground.meter.totalBytes,
    onError: error => ground.background('save notes', error)
  })
}

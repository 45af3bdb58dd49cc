// Opens what is stored: the catalog file, the engine with its WAL replayed into series and entries, and
// what rollups have done. Used by the daemon, and read-only by commands that look into a directory.
//
// Invariants: definitions are read before the WAL is; when the catalog file was damaged, the segments,
// or ends before what the manifest says it held, the segments, which name their groups, fill the gaps.
// Not here: the lock (compose.ts), threads (workers.ts), when anything is flushed (compose.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { CorruptionError, type VarveError } from '../base/errors.ts'
import { readWhole } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'
import { Engine, type WalOptions } from '../engine/engine.ts'
import { CATALOG, segmentPath } from '../engine/file-names.ts'
import type { Manifest } from '../engine/manifest.ts'
import { keepAside } from '../engine/quarantine.ts'
import { RecordFile, type RecordFileOptions } from '../engine/record-file.ts'
import type { PaceOptions } from '../engine/sync-pace.ts'
import { engineFiles } from '../kv/engine-files.ts'
import type { KvJobs } from '../kv/host.ts'
import type { KvLimits } from '../kv/options.ts'
import { KvStore } from '../kv/store.ts'
import { RollupProgress } from '../rollup/progress.ts'
import { isTierClass } from '../rollup/tier.ts'
import { BOOTS_NOTE, Boots } from '../series/boots.ts'
import { defineField, defineGroup } from '../series/catalog.ts'
import { EXTENT_NOTE, readExtent } from '../series/catalog-file.ts'
import { CATALOG_OWNER, FAMILY_SERIES } from '../series/family.ts'
import type { SeriesStorage } from '../series/flush-cycle.ts'
import { SeriesSegment } from '../series/segment-open.ts'
import { SeriesStore, type StoreOptions } from '../series/store.ts'
import { PROGRESS_NOTE } from './maintenance.ts'

export interface StorageOptions {
  readonly disk: Disk
  /** Its wall time expires entries. */
  readonly clock: Clock
  readonly readOnly: boolean
  readonly series: Omit<StoreOptions, 'onCorruption'>
  readonly kv: Partial<KvLimits>
  readonly wal: Partial<WalOptions>
  readonly pace: Partial<PaceOptions>
  /** See EngineOptions. */
  countAfter?(manifest: Manifest): number
  anyU32(): number
  /** Told of damage, by file and place; what it hit is gone, everything else is there. */
  onDamage(error: CorruptionError | VarveError): void
  /** Writes and joins segments of entries in other threads; without it, here. */
  readonly entryJobs?: KvJobs
  /** Told when a flush made a segment of entries. */
  onEntrySegment?(): void
  /** Told of what fails in the background. */
  onError(error: unknown): void
}

export interface Storage {
  readonly engine: Engine
  readonly series: SeriesStore
  readonly kv: KvStore
  readonly progress: RollupProgress
  readonly catalogFile: RecordFile
  close(): Promise<void>
}

/** @throws {VarveError} VARVE_FORMAT_NEWER, VARVE_READ_ONLY, VARVE_DISK_FULL, VARVE_IO */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { disk, clock, readOnly, anyU32, onDamage, onError } = options
  const series = new SeriesStore({ ...options.series, onCorruption: onDamage })
  const { entryJobs, onEntrySegment } = options
  const kv = new KvStore({
    clock,
    limits: options.kv,
    onError,
    onDamage,
    ...(entryJobs === undefined ? {} : { jobs: entryJobs }),
    ...(onEntrySegment === undefined ? {} : { onSegment: onEntrySegment })
  })
  const damage: CorruptionError[] = []
  const catalogFile = await openCatalog(options, series, damage)
  const defined = series.definitions.defined
  const engine = await Engine.open({
    disk,
    clock,
    readOnly,
    owners: [series, kv],
    wal: options.wal,
    pace: options.pace,
    anyU32,
    ...(options.countAfter === undefined ? {} : { countAfter: options.countAfter })
  })
  damage.push(...catalogFile.damage)
  const due = readExtent(engine.manifest.note(EXTENT_NOTE))
  if (damage.length === 0 && (defined.groups < due.groups || defined.series < due.series)) {
    damage.push(new CorruptionError(CATALOG, catalogFile.bytes, 'definitions at its end are missing'))
  }
  for (const error of [...damage, ...engine.damage]) onDamage(error)
  if (damage.length > 0 || engine.manifest.damage.length > 0 || series.catalog.hasStandIns) {
    recogniseGroups(disk, engine, series, onDamage)
    if (!readOnly) await series.definitions.rewrite(catalogFile)
  }
  const note = engine.manifest.note(PROGRESS_NOTE)
  const progress = note === undefined ? new RollupProgress() : RollupProgress.decode(note)
  series.lateBeforeUs = progress.frontierUs
  // Rows that were replayed bear the times at which they were stamped.
  series.correct(Boots.decode(engine.manifest.note(BOOTS_NOTE)))
  if (markAdopted(engine.manifest, series, progress) && !readOnly) {
    await engine.manifest.commit({ notes: [[PROGRESS_NOTE, progress.encode()]] })
  }
  if (!readOnly) {
    const files = engineFiles(disk)
    const host = { wal: engine.wal, manifest: engine.manifest, files }
    for (const { error } of await kv.attach(host)) onDamage(error)
  }
  const close = async () => {
    await kv.close()
    await engine.close()
    catalogFile.close()
  }
  return { engine, series, kv, progress, catalogFile, close }
}

/** The note of the edit that named an adopted segment is lost: its rows may be late. Tells whether any may. */
function markAdopted({ adopted }: Manifest, series: SeriesStore, progress: RollupProgress): boolean {
  const before = progress.version
  for (const { class: name, timeMinUs, timeMaxUs } of series.live(adopted)) {
    if (isTierClass(name) || timeMinUs >= progress.frontierUs) continue
    progress.markLateSpan(timeMinUs, Math.min(timeMaxUs, progress.frontierUs))
  }
  return progress.version > before
}

/**
 * What the series write to.
 * @param notes  small state to be saved with each flush
 */
export function seriesStorage(
  { engine, progress }: Pick<Storage, 'engine' | 'progress'>,
  workers: { segmentsChanged(): void },
  notes: () => [key: string, value: Uint8Array][]
): SeriesStorage {
  return {
    rotate: () => engine.wal.rotate(),
    commit: async edit => {
      // The WAL lets late rows go with this edit: which windows they concern goes with it.
      const late: [string, Uint8Array] = [PROGRESS_NOTE, progress.encode()]
      await engine.manifest.commit({ ...edit, notes: [...edit.notes, late, ...notes()] })
      workers.segmentsChanged()
    },
    get pendingGroup() {
      return engine.wal.pendingGroup
    }
  }
}

/** A file whose header is damaged is kept aside and begun anew: the segments name their groups. */
async function openCatalog(
  { disk, readOnly, anyU32 }: StorageOptions,
  series: SeriesStore,
  damage: CorruptionError[]
): Promise<RecordFile> {
  const options: RecordFileOptions = {
    disk,
    path: CATALOG,
    cause: 'catalog',
    owner: CATALOG_OWNER,
    readOnly,
    anySalt: anyU32,
    keepDamaged: bytes => keepAside(disk, CATALOG, bytes),
    onRecord: (_, payload) => series.definitions.take(payload)
  }
  try {
    return await RecordFile.open(options)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    damage.push(error)
    if (readOnly) return RecordFile.unreadable(options)
    await keepAside(disk, CATALOG, readWhole(disk, CATALOG))
    await disk.remove(CATALOG)
    return RecordFile.open(options)
  }
}

/** Gives groups whose definitions were lost their names back, from the segments that hold them. */
function recogniseGroups(
  disk: Disk,
  engine: Engine,
  series: SeriesStore,
  onDamage: (error: CorruptionError) => void
): void {
  const out = new ByteWriter()
  for (const info of engine.manifest.segments.values()) {
    if (info.family !== FAMILY_SERIES) continue
    let segment: SeriesSegment | null = null
    try {
      segment = new SeriesSegment(disk, segmentPath(info.id))
      out.reset()
      for (const { id, name, labels, fields } of segment.names()) {
        defineGroup(id, name, labels, out)
        for (const [index, field] of fields.entries()) defineField(id, index, field, out)
      }
      series.catalog.replay(new ByteReader(out.written()))
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      onDamage(error)
    } finally {
      segment?.close()
    }
  }
}

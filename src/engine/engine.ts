// The engine: one WAL, one manifest, immutable segments. It knows bytes only; what they mean is with the owners
// of WAL content and of segments (series, kv).
//
// The life of an opened engine: open() recovers and replays into the owners given; owners append and wait for
// groups (wal.ts), write segments (segment-writer.ts), commit them with their checkpoint (manifest.ts), which
// frees WAL files. After a failure (`failure`) it refuses every write, and stays so: close() it and open it
// anew with new owners, which replay what is on the medium. Nothing that was not acknowledged has to be kept.
// Invariants: one process writes in a directory (disk/dir-lock.ts, taken by whoever composes the daemon); an engine
// opened for reading writes nothing.
// Not here: steps of recovery (recovery.ts), the order of structures on the medium (FORMAT.md).
import { type Clock, systemClock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { MANIFEST, SEGMENT_DIR, segmentPath, WAL_DIR } from './file-names.ts'
import { WAL_AHEAD_BYTES, WAL_FILE_BYTES, WAL_FILES_MAX } from './format.ts'
import { Manifest } from './manifest.ts'
import {
  continueWal,
  lostEdit,
  prepareDirectories,
  reconcileSegments,
  replayWal,
  rewriteLast,
  type WrittenSince
} from './recovery.ts'
import { PACE_DEFAULTS, type PaceOptions } from './sync-pace.ts'
import { Wal } from './wal.ts'
import type { WalOwner } from './wal-owner.ts'
import { listWal } from './wal-reader.ts'

export interface WalOptions {
  /** Full size of a WAL file, a multiple of 4096 bytes; on cards of 4 MiB. */
  readonly fileBytes: number
  /** How much of it is written ahead of small groups at a time, a multiple of 4096 bytes. */
  readonly aheadBytes: number
  /** So many files at most; at least 2. */
  readonly filesMax: number
  /** Pending bytes above which Wal.admit() refuses. */
  readonly groupBytesMax: number
}

export const WAL_DEFAULTS: WalOptions = {
  fileBytes: WAL_FILE_BYTES,
  aheadBytes: WAL_AHEAD_BYTES,
  filesMax: WAL_FILES_MAX,
  groupBytesMax: WAL_FILE_BYTES / 2
}

export interface EngineOptions {
  /** The data directory. */
  readonly disk: Disk
  readonly owners: readonly WalOwner[]
  readonly clock?: Clock
  /** Writes nothing; may run beside a daemon. */
  readonly readOnly?: boolean
  readonly wal?: Partial<WalOptions>
  readonly pace?: Partial<PaceOptions>
  /** Groups with a higher ordinal are counted in `since`; asked when the manifest was read. */
  readonly countAfter?: (manifest: Manifest) => number
  /** Draws an integer below 2^32 that nobody can guess (salts, life numbers); the system's by default. */
  readonly anyU32?: () => number
}

/** State for health and metrics. */
export interface EngineStats {
  readonly groups: number
  readonly walBytes: number
  readonly walPaddingBytes: number
  readonly lastSyncMs: number
  readonly syncMsMax: number
  readonly pendingBytes: number
  readonly walFilesPinned: number
  readonly walFiles: number
  readonly walFull: boolean
  readonly diskFull: boolean
  readonly segments: number
  readonly damaged: number
  readonly failure: string | null
}

export class Engine {
  readonly manifest: Manifest
  private readonly disk: Disk
  private readonly found: CorruptionError[]
  private readonly writable: Wal | null
  /** What earlier processes wrote into the WAL after the ordinal that `countAfter` gave. */
  readonly since: WrittenSince

  private constructor(
    disk: Disk,
    manifest: Manifest,
    wal: Wal | null,
    damage: CorruptionError[],
    since: WrittenSince
  ) {
    this.since = since
    this.disk = disk
    this.manifest = manifest
    this.writable = wal
    this.found = damage
  }

  /**
   * Opens or creates a store; the owners have replayed when it resolves. Look at `wal.pressure` then: files may
   * be short already.
   * @throws {VarveError} VARVE_FORMAT_NEWER, VARVE_WAL_OWNER, VARVE_CHANGED (readOnly: open again with new
   * owners), VARVE_NOT_FOUND (readOnly: there is no store), and as Disk
   */
  static async open(options: EngineOptions): Promise<Engine> {
    const { disk, owners, readOnly = false, clock = systemClock, anyU32 = systemU32 } = options
    const countAfter = options.countAfter ?? (() => 0)
    if (readOnly) {
      return openReadOnly(
        disk,
        owners,
        anyU32,
        countAfter,
        (m, d, since) => new Engine(disk, m, null, d, since)
      )
    }
    const walOptions = { ...WAL_DEFAULTS, ...options.wal }
    let wal: Wal | null = null
    await prepareDirectories(disk)
    const manifest = await Manifest.open({
      disk,
      readOnly,
      anySalt: anyU32,
      onCheckpoint: (kind, walFile) => wal?.checkpoint(kind, walFile),
      walSynced: () => wal?.mark ?? null
    })
    const listing = listWal(disk)
    const missing = lostEdit(listing, manifest, owners)
    if (missing !== null) manifest.suspect(missing)
    const unlike = await reconcileSegments(disk, manifest, readOnly)
    const damage = [...manifest.damage, ...unlike]
    const replayed = replayWal(disk, listing, manifest, owners, countAfter(manifest), true)
    damage.push(...replayed.damage)
    if (replayed.last !== null) await rewriteLast(disk, replayed.last)
    const { files, writer } = continueWal(disk, replayed, walOptions, anyU32)
    const pace = { ...PACE_DEFAULTS, ...options.pace }
    const { groupBytesMax } = walOptions
    wal = new Wal({ clock, owners, files, writer, pace, groupBytesMax, checkpoints: replayed.checkpoints })
    wal.prepare()
    return new Engine(disk, manifest, wal, damage, replayed.since)
  }

  /** @throws {VarveError} VARVE_READ_ONLY when opened for reading */
  get wal(): Wal {
    if (this.writable === null) {
      throw new VarveError('VARVE_READ_ONLY', 'Cannot write: the store was opened for reading')
    }
    return this.writable
  }

  /** What was damaged when it was opened, by file and offset. */
  get damage(): readonly CorruptionError[] {
    return this.found
  }

  get stats(): EngineStats {
    const wal = this.writable
    return {
      groups: wal?.stats.groups ?? 0,
      walBytes: wal?.stats.bytes ?? 0,
      walPaddingBytes: wal?.stats.paddingBytes ?? 0,
      lastSyncMs: wal?.stats.lastSyncMs ?? 0,
      syncMsMax: wal?.stats.syncMsMax ?? 0,
      pendingBytes: wal?.pendingBytes ?? 0,
      walFilesPinned: wal?.pressure.filesPinned ?? 0,
      walFiles: wal?.pressure.files ?? 0,
      walFull: wal?.full ?? false,
      diskFull: wal?.pressure.diskFull ?? false,
      segments: this.manifest.segments.size,
      damaged: this.found.length,
      failure: wal?.failure?.message ?? null
    }
  }

  /** Removes the file of a segment that a commit removed and nobody reads. @throws as Disk */
  async removeFile(id: number): Promise<void> {
    if (this.disk.exists(segmentPath(id))) await this.disk.remove(segmentPath(id))
  }

  /** Writes what is pending and closes; after a failure it only closes. */
  async close(): Promise<void> {
    await this.writable?.close()
    await this.manifest.close()
  }
}

async function openReadOnly(
  disk: Disk,
  owners: readonly WalOwner[],
  anySalt: () => number,
  countAfter: (manifest: Manifest) => number,
  make: (manifest: Manifest, damage: CorruptionError[], since: WrittenSince) => Engine
): Promise<Engine> {
  if (!disk.exists(MANIFEST) && disk.list(WAL_DIR).length + disk.list(SEGMENT_DIR).length === 0) {
    throw new VarveError('VARVE_NOT_FOUND', 'Cannot open for reading: there is no store in this directory')
  }
  const onCheckpoint = (): void => {}
  const manifest = await Manifest.open({ disk, readOnly: true, anySalt, onCheckpoint })
  const listing = listWal(disk)
  const missing = lostEdit(listing, manifest, owners)
  if (missing !== null) manifest.suspect(missing)
  const unlike = await reconcileSegments(disk, manifest, true)
  const damage = [...manifest.damage, ...unlike]
  const replayed = replayWal(disk, listing, manifest, owners, countAfter(manifest), false)
  damage.push(...replayed.damage)
  const after = await Manifest.open({ disk, readOnly: true, anySalt, onCheckpoint })
  for (const [kind, walFile] of after.checkpoints) {
    if (manifest.checkpoints.get(kind) === walFile) continue
    throw new VarveError('VARVE_CHANGED', 'Cannot open for reading: a checkpoint moved meanwhile; open again')
  }
  return make(manifest, damage, replayed.since)
}

function systemU32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!
}

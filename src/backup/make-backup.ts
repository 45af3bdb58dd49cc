// Makes a backup of a data directory, beside a running daemon or without one: reads like any reader, takes no lock
// and stops nobody. Segments never change, so each is linked or copied once and kept for the backups to come;
// MANIFEST, CATALOG and the WAL are copied each time.
//
// Consistent: the manifest names what lives, the WAL has what is not in segments, rows and entries alike. Segments
// are taken first, since that may take long; then manifest, catalog and WAL are read in this order, and
// the manifest once more. As long as no checkpoint moved meanwhile, no WAL file that the first one needs was used
// again, and what was read is the store as it was at some moment in between, with all that was synced before.
// Else it begins anew; so too when a segment is gone before it was taken. What was taken stays.
//
// Invariants: BACKUP is written last, so a backup that was cut is none, and the one before is whole until then;
// every copy was read again and has the sum of what was copied. Damage in the data directory is copied, and told.
// Not here: the bytes of BACKUP (backup-file.ts), who pins segments meanwhile (daemon).
import { ByteWriter } from '../base/bytes.ts'
import { CorruptionError, VarveError } from '../base/errors.ts'
import { writeAtomic } from '../disk/atomic-file.ts'
import { HOLDER_FILE, LOCK_FILE } from '../disk/dir-lock.ts'
import type { Disk } from '../disk/disk.ts'
import {
  CATALOG,
  isTemporary,
  MANIFEST,
  SEGMENT_DIR,
  segmentPath,
  WAL_DIR,
  walPath
} from '../engine/file-names.ts'
import { Manifest } from '../engine/manifest.ts'
import { SegmentReader } from '../engine/segment-reader.ts'
import { listWal, readWal } from '../engine/wal-reader.ts'
import { wholePages } from '../engine/wal-record.ts'
import {
  BACKUP,
  type BackedDamage,
  type BackedFile,
  type BackupFacts,
  contentSum,
  placeOf,
  printBackup,
  readBackup,
  STATE_DIRS,
  type StateDir
} from './backup-file.ts'
import { copyFile, sumOf, within } from './copy.ts'

/** How often it begins anew before it gives up. */
const ATTEMPTS_MAX = 20
/** So much of both ends of a segment tells it from any other: header, and footer with its facts. */
const END_BYTES = 4096

export interface BackupOptions {
  /** The data directory. */
  readonly source: Disk
  /** Where the backup is; made when it is not there. */
  readonly target: Disk
  /** Gives a file of the source a second name in the target; false where that cannot be. */
  readonly link: (path: string, to: string) => Promise<boolean>
  /** Kinds of the owners of WAL content. */
  readonly owners: readonly number[]
  readonly nowUs: () => number
  /** Reads again what earlier backups took. */
  readonly verify: boolean
  /** Told how many bytes of segments were read, of how many that are to be; the last grow with the store. */
  readonly onProgress?: (bytes: number, of: number) => void
}

export interface BackupReport {
  readonly number: number
  readonly files: number
  readonly bytes: number
  readonly segmentsLinked: number
  readonly segmentsCopied: number
  /** Taken by earlier backups. */
  readonly segmentsKept: number
  /** Of those linked and copied: whose earlier copy was damaged. */
  readonly segmentsRenewed: number
  readonly bytesCopied: number
  readonly contentSum: string
  readonly damage: readonly BackedDamage[]
}

/**
 * @throws {VarveError} VARVE_BACKUP when the target is something else or of another store; VARVE_CHANGED when the
 *   store changes too fast; VARVE_NOT_FOUND when there is none; VARVE_CORRUPTION for a damaged MANIFEST, BACKUP or
 *   copy; and as Disk
 */
export async function makeBackup(options: BackupOptions): Promise<BackupReport> {
  if (!options.source.exists(MANIFEST))
    throw new VarveError(
      'VARVE_NOT_FOUND',
      `Cannot back up: there is no ${MANIFEST}, so it is no data directory`
    )
  const making = new Making(options, await prepare(options.target))
  return making.run()
}

/** Makes the target's directories. @returns  the backup that is there */
async function prepare(target: Disk): Promise<BackupFacts | null> {
  await target.makeDir('')
  const before = readBackup(target)
  const ours = new Set<string>([BACKUP, LOCK_FILE, HOLDER_FILE, SEGMENT_DIR, ...STATE_DIRS])
  const other = target.list('').find(name => !ours.has(name) && !isTemporary(name))
  if (other !== undefined)
    throw new VarveError('VARVE_BACKUP', `Cannot back up: the target holds ${other}, which is of no backup`)
  for (const dir of [SEGMENT_DIR, ...STATE_DIRS.flatMap(state => [state, `${state}/${WAL_DIR}`])])
    await target.makeDir(dir)
  for (const dir of ['', SEGMENT_DIR, ...STATE_DIRS]) await target.syncDir(dir)
  return before
}

class Making {
  private readonly options: BackupOptions
  private readonly before: BackupFacts | null
  private readonly state: StateDir
  private readonly kept: ReadonlyMap<string, BackedFile>
  private readonly taken = new Map<string, BackedFile>()
  /** By file and offset. */
  private readonly damage = new Map<string, BackedDamage>()
  /** Bytes of segments that were read, and that are to be. */
  private progress = { bytes: 0, of: 0 }
  private readonly counts = {
    segmentsLinked: 0,
    segmentsCopied: 0,
    segmentsKept: 0,
    segmentsRenewed: 0,
    bytesCopied: 0
  }

  constructor(options: BackupOptions, before: BackupFacts | null) {
    this.options = options
    this.before = before
    this.state = before?.state === STATE_DIRS[0] ? STATE_DIRS[1] : STATE_DIRS[0]
    this.kept = new Map(before?.files.map(file => [file.path, file]))
  }

  async run(): Promise<BackupReport> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const manifest = await this.readManifest()
      if (!(await this.takeSegments(manifest))) continue
      const now = await this.readManifest()
      if (!(await this.takeSegments(now))) continue
      const state = await this.takeState(now)
      if (state !== null) return this.finish(now, state)
    }
    throw new VarveError(
      'VARVE_CHANGED',
      `Cannot back up: the store changed faster than it could be copied, ${ATTEMPTS_MAX} times`
    )
  }

  private async readManifest(): Promise<Manifest> {
    const onCheckpoint = (): void => {}
    const { source } = this.options
    const manifest = await Manifest.open({ disk: source, readOnly: true, anySalt: () => 0, onCheckpoint })
    const [error] = manifest.damage
    if (error !== undefined) throw error
    return manifest
  }

  /** False when one is gone: it was merged or dropped meanwhile. */
  private async takeSegments(manifest: Manifest): Promise<boolean> {
    this.expect(manifest)
    for (const { id, bytes } of manifest.segments.values()) {
      const path = segmentPath(id)
      if (this.taken.has(path)) continue
      try {
        this.taken.set(path, (await this.keep(path, bytes)) ?? (await this.take(path)))
      } catch (error) {
        const isGone = error instanceof VarveError && error.code === 'VARVE_NOT_FOUND'
        if (!isGone || (await this.readManifest()).segments.has(id)) throw error
        return false
      }
    }
    await this.options.target.syncDir(SEGMENT_DIR)
    return true
  }

  /** Adds up what is still to be read. */
  private expect({ segments }: Manifest): void {
    const isRead = (path: string) => !this.taken.has(path) && (this.options.verify || !this.kept.has(path))
    const rest = [...segments.values()].filter(({ id }) => isRead(segmentPath(id)))
    this.progress.of = this.progress.bytes + rest.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  private readonly onBytes = (bytes: number): void => {
    const { progress } = this
    progress.bytes += bytes
    // What turns out to be damaged is read again.
    progress.of = Math.max(progress.of, progress.bytes)
    this.options.onProgress?.(progress.bytes, progress.of)
  }

  /** The file that an earlier backup took; null when none did, or its copy is damaged and has to be taken again. */
  private async keep(path: string, bytes: number): Promise<BackedFile | null> {
    const known = this.kept.get(path)
    if (known === undefined) return null
    const { source, target, verify } = this.options
    const isThere = target.facts(path)?.bytes === known.bytes
    const isSame =
      isThere && known.bytes === bytes && Buffer.compare(ends(source, path), ends(target, path)) === 0
    if (!isSame || verify) {
      const isSound = isThere && (await sumOf(target, path, this.onBytes)).sum === known.sum
      if (!isSound) {
        this.counts.segmentsRenewed++
        return null
      }
      if (!isSame)
        throw new VarveError('VARVE_BACKUP', `Cannot back up: ${path} of the backup is that of another store`)
    }
    this.counts.segmentsKept++
    for (const one of this.before!.damage) if (one.file === path) this.tell(one)
    return known
  }

  private async take(path: string): Promise<BackedFile> {
    const { source, target, link } = this.options
    if (target.exists(path)) await target.remove(path)
    let sum: Awaited<ReturnType<typeof sumOf>>
    if (await link(path, path)) {
      this.counts.segmentsLinked++
      sum = await sumOf(target, path, this.onBytes)
    } else {
      sum = await copyFile(source, path, target, path, this.onBytes)
      this.counts.segmentsCopied++
      this.counts.bytesCopied += sum.bytes
      if ((await sumOf(target, path)).sum !== sum.sum) throw new CorruptionError(path, 0, 'the copy differs')
    }
    this.look(path)
    return { path, at: path, ...sum }
  }

  /** Verifies the blocks of a segment. */
  private look(path: string): void {
    try {
      const reader = SegmentReader.open(this.options.target, path)
      try {
        for (const error of reader.damage) this.tell(error)
        for (const { error } of reader.blocks()) if (error !== null) this.tell(error)
      } finally {
        reader.close()
      }
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.tell(error)
    }
  }

  /** Manifest, catalog and WAL; null when a checkpoint moved meanwhile. */
  private async takeState(manifest: Manifest): Promise<BackedFile[] | null> {
    const { source, target } = this.options
    const into = within(target, this.state)
    for (const dir of ['', WAL_DIR])
      for (const name of into.list(dir))
        if (dir !== '' || into.facts(name) !== undefined)
          await into.remove(dir === '' ? name : `${dir}/${name}`)
    const out = new ByteWriter()
    manifest.encode(out)
    await writeAtomic(into, MANIFEST, out.written(), 'other')
    const paths = [MANIFEST]
    if (source.exists(CATALOG)) {
      await copyFile(source, CATALOG, into, CATALOG)
      paths.push(CATALOG)
    }
    const wal = await this.copyWal(into, manifest)
    paths.push(...wal)
    for (const dir of ['', WAL_DIR]) await into.syncDir(dir)
    const after = await this.readManifest()
    for (const [kind, walFile] of after.checkpoints)
      if (manifest.checkpoints.get(kind) !== walFile) return null
    this.lookAtWal(into, manifest)
    const files: BackedFile[] = []
    for (const path of paths) {
      const at = placeOf(path, this.state)
      const sum = await sumOf(target, at)
      this.counts.bytesCopied += sum.bytes
      files.push({ path, at, ...sum })
    }
    return files
  }

  /** The groups of the WAL files that are needed, without what lies behind them. */
  private async copyWal(into: Disk, manifest: Manifest): Promise<string[]> {
    const { source } = this.options
    const paths: string[] = []
    for (const file of listWal(source).used) {
      if (file.sequence < this.neededOf(manifest)) continue
      let groups: Uint8Array | null = null
      readWal(source, [file], null, null, {
        group: (bytes, group) => {
          groups = bytes.subarray(0, group.offset + wholePages(group.bytes))
        },
        lost: error => this.tell(error),
        mended: error => this.tell(error)
      })
      if (groups === null) continue
      await writeAtomic(into, walPath(file.slot), groups, 'other')
      paths.push(walPath(file.slot))
    }
    return paths
  }

  /** What cannot be read of the copied WAL. */
  private lookAtWal(into: Disk, manifest: Manifest): void {
    const needed = this.neededOf(manifest)
    const { walSynced } = manifest
    readWal(
      into,
      listWal(into).used,
      needed === 0 ? null : needed,
      walSynced !== null && walSynced.walFile >= needed ? walSynced : null,
      { group: () => {}, lost: error => this.tell(error), mended: error => this.tell(error) }
    )
  }

  private neededOf({ checkpoints }: Manifest): number {
    return Math.min(...this.options.owners.map(kind => checkpoints.get(kind) ?? 0))
  }

  private tell({ file, offset, why }: BackedDamage): void {
    this.damage.set(`${file} ${offset}`, { file, offset, why })
  }

  private async finish(manifest: Manifest, state: readonly BackedFile[]): Promise<BackupReport> {
    const { target, nowUs } = this.options
    const segments = [...manifest.segments.keys()].map(id => this.taken.get(segmentPath(id))!)
    const files = [...segments, ...state]
    const number = (this.before?.number ?? 0) + 1
    const damage = [...this.damage.values()]
    const facts: BackupFacts = { number, state: this.state, madeUs: nowUs(), files, damage }
    await writeAtomic(target, BACKUP, printBackup(facts), 'other')
    const wanted = new Set(segments.map(({ at }) => at))
    for (const name of target.list(SEGMENT_DIR)) {
      const path = `${SEGMENT_DIR}/${name}`
      if (!wanted.has(path)) await target.remove(path)
    }
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    return { number, files: files.length, bytes, ...this.counts, contentSum: contentSum(files), damage }
  }
}

/** Both ends of a file. */
function ends(disk: Disk, path: string): Uint8Array {
  const file = disk.openRead(path)
  try {
    const bytes = new Uint8Array(2 * END_BYTES)
    file.read(bytes.subarray(0, END_BYTES), 0)
    file.read(bytes.subarray(END_BYTES), Math.max(0, file.size() - END_BYTES))
    return bytes
  } finally {
    file.close()
  }
}

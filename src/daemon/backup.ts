// Joins the backup to the store: who owns what lies in the WAL, links where both directories are on one file
// system, one backup at a time in a directory. Runs in a worker for the daemon and in the command's own process,
// which reads beside a daemon and takes none of its time.
// Not here: making and restoring it (src/backup).
import { basename, dirname, resolve } from 'node:path'
import { type BackupReport, makeBackup } from '../backup/make-backup.ts'
import { type RestoreReport, restoreBackup } from '../backup/restore.ts'
import { systemClock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import { DirLock } from '../disk/dir-lock.ts'
import { fileSystemFacts, probeFlash, systemTree } from '../disk/flash-probe.ts'
import type { FileSystemFacts } from '../disk/metadata-cost.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { type WearCounts, WearMeter } from '../disk/wear-meter.ts'
import { KV_KIND } from '../kv/host.ts'
import { FAMILY_SERIES } from '../series/family.ts'
import { leaveSlip } from './wear-slips.ts'

export type { BackupReport, RestoreReport }

export interface BackupRequest {
  /** The data directory. */
  readonly from: string
  /** Where the backup is or will be. */
  readonly dir: string
  /** Reads again what earlier backups took. */
  readonly verify: boolean
  /** Bytes of segments read, of how many. */
  readonly onProgress?: (bytes: number, of: number) => void
}

/**
 * @param fileSystem  of the data directory
 * @returns also what the medium of the data was made to write; null where the backup lies on another one
 * @throws {VarveError} VARVE_LOCKED (another backup is made there), and as makeBackup()
 */
export async function backUp(
  { from, dir, verify, onProgress }: BackupRequest,
  fileSystem: FileSystemFacts
): Promise<{ report: BackupReport; wear: WearCounts | null }> {
  const source = new NodeDisk(from)
  const target = new NodeDisk(resolve(dir))
  await target.makeDir('')
  const meter = target.sharesMedium(source) ? new WearMeter(target, systemClock, fileSystem) : null
  const lock = await DirLock.take(target)
  try {
    const report = await makeBackup({
      source,
      target: meter ?? target,
      link: (path, to) => source.link(path, target, to),
      owners: [FAMILY_SERIES, KV_KIND],
      nowUs: () => systemClock.nowUs(),
      verify,
      ...(onProgress === undefined ? {} : { onProgress })
    })
    return { report, wear: meter?.take() ?? null }
  } finally {
    lock.release()
  }
}

/**
 * The same in a process of its own, beside a daemon or without one: what it made the medium write is left as a slip.
 * @returns also why that could not be left; null: it was, or nothing was to be counted
 * @throws as backUp()
 */
export async function backUpBeside(
  request: BackupRequest
): Promise<{ report: BackupReport; uncounted: VarveError | null }> {
  const source = new NodeDisk(request.from)
  const { report, wear } = await backUp(
    request,
    fileSystemFacts(probeFlash(source.root, systemTree), source.blockBytes())
  )
  if (wear === null) return { report, uncounted: null }
  try {
    await leaveSlip(source, wear, process.pid, systemClock.nowUs())
    return { report, uncounted: null }
  } catch (error) {
    if (error instanceof VarveError) return { report, uncounted: error }
    throw error
  }
}

/** @throws as restoreBackup() */
export async function restore(
  from: string,
  dir: string,
  onProgress: (bytes: number, of: number) => void
): Promise<RestoreReport> {
  const full = resolve(dir)
  const parent = new NodeDisk(dirname(full))
  await parent.makeDir('')
  return restoreBackup({ backup: new NodeDisk(resolve(from)), parent, name: basename(full), onProgress })
}

/** A report as HTTP and `--json` show it. */
export function backupBody(report: BackupReport): object {
  return {
    number: report.number,
    files: report.files,
    bytes: report.bytes,
    segments_linked: report.segmentsLinked,
    segments_copied: report.segmentsCopied,
    segments_kept: report.segmentsKept,
    segments_renewed: report.segmentsRenewed,
    bytes_copied: report.bytesCopied,
    content_sum: report.contentSum,
    damage: report.damage
  }
}

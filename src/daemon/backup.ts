// Joins the backup to the store: who owns what lies in the WAL, links where both directories are on one file
// system, one backup at a time in a directory. Runs in a worker for the daemon and in the command's own process,
// which reads beside a daemon and takes none of its time.
// Not here: making and restoring it (src/backup).
import { basename, dirname, resolve } from 'node:path'
import { type BackupReport, makeBackup } from '../backup/make-backup.ts'
import { type RestoreReport, restoreBackup } from '../backup/restore.ts'
import { systemClock } from '../base/clock.ts'
import { DirLock } from '../disk/dir-lock.ts'
import type { Disk } from '../disk/disk.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { KV_KIND } from '../kv/host.ts'
import { FAMILY_SERIES } from '../series/family.ts'

export type { BackupReport, RestoreReport }

export interface BackupRequest {
  /** The data directory. */
  readonly from: string
  /** Where the backup is or will be. */
  readonly dir: string
  /** Reads again what earlier backups took. */
  readonly verify: boolean
  readonly onBytes?: (bytes: number) => void
  /** Counts what the target's medium is made to write; the disk itself where it is another medium. */
  readonly through?: (target: NodeDisk) => Disk
}

/** @throws {VarveError} VARVE_LOCKED (another backup is made there), and as makeBackup() */
export async function backUp({ from, dir, verify, onBytes, through }: BackupRequest): Promise<BackupReport> {
  const source = new NodeDisk(from)
  const target = new NodeDisk(resolve(dir))
  await target.makeDir('')
  const lock = await DirLock.take(target)
  try {
    return await makeBackup({
      source,
      target: through?.(target) ?? target,
      link: (path, to) => source.link(path, target, to),
      owners: [FAMILY_SERIES, KV_KIND],
      nowUs: () => systemClock.nowUs(),
      verify,
      ...(onBytes === undefined ? {} : { onBytes })
    })
  } finally {
    lock.release()
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

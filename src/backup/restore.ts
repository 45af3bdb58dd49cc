// Makes a data directory from a backup. It grows under another name beside the one asked for, is verified file by
// file as it is written, and gets its name when all of it is on the medium: a restore that was cut, or a damaged
// backup, leaves no directory that a daemon would open.
//
// Invariants: nothing that is there is touched: the directory must not be there, or be empty.
// Not here: the bytes of BACKUP (backup-file.ts).
import { CorruptionError, VarveError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { CATALOG, MANIFEST, SEGMENT_DIR, WAL_DIR } from '../engine/file-names.ts'
import { BACKUP, type BackedDamage, contentSum, readBackup } from './backup-file.ts'
import { copyFile, sumOf, within } from './copy.ts'

/** What a data directory is called while it is not whole. */
const UNFINISHED = '.restoring'

export interface RestoreOptions {
  readonly backup: Disk
  /** The directory in which the data directory will be. */
  readonly parent: Disk
  readonly name: string
  /** Told of progress: bytes copied of all. */
  readonly onProgress?: (bytes: number, of: number) => void
}

export interface RestoreReport {
  readonly number: number
  readonly madeUs: number
  readonly files: number
  readonly bytes: number
  /** That of the backup, and of what was written. */
  readonly contentSum: string
  /** What was damaged in the data directory when it was backed up. */
  readonly damage: readonly BackedDamage[]
}

/**
 * @throws {VarveError} VARVE_BACKUP (no backup), VARVE_NOT_EMPTY, VARVE_CORRUPTION naming the damaged file of the
 *   backup, and as Disk
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { backup, parent, name } = options
  const facts = readBackup(backup)
  if (facts === null)
    throw new VarveError('VARVE_BACKUP', `Cannot restore: there is no ${BACKUP}, so it is no backup`)
  if (parent.list(name).length > 0 || parent.facts(name) !== undefined)
    throw new VarveError('VARVE_NOT_EMPTY', `Cannot restore into ${name}: it is not empty`)
  const into = within(parent, `${name}${UNFINISHED}`)
  await clear(into)
  try {
    for (const dir of ['', SEGMENT_DIR, WAL_DIR]) await into.makeDir(dir)
    const all = facts.files.reduce((sum, { bytes }) => sum + bytes, 0)
    let done = 0
    for (const { path, at, bytes, sum } of facts.files) {
      const copied = await copyOf(backup, at, into, path, n => {
        done += n
        options.onProgress?.(done, all)
      })
      if (copied.bytes !== bytes || copied.sum !== sum)
        throw new CorruptionError(at, 0, 'the file of the backup is damaged')
      if ((await sumOf(into, path)).sum !== sum) throw new CorruptionError(path, 0, 'the copy differs')
    }
    for (const dir of [SEGMENT_DIR, WAL_DIR, '']) await into.syncDir(dir)
  } catch (error) {
    await clear(into)
    throw error
  }
  await parent.rename(`${name}${UNFINISHED}`, name)
  await parent.syncDir('')
  const { number, madeUs, files, damage } = facts
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { number, madeUs, files: files.length, bytes, contentSum: contentSum(files), damage }
}

async function copyOf(...[from, at, to, path, onBytes]: Required<Parameters<typeof copyFile>>) {
  try {
    return await copyFile(from, at, to, path, onBytes)
  } catch (error) {
    if (error instanceof VarveError && error.code === 'VARVE_NOT_FOUND')
      throw new CorruptionError(at, 0, 'the file of the backup is missing')
    throw error
  }
}

/** Removes what a restore left that did not end. */
async function clear(disk: Disk): Promise<void> {
  for (const dir of [SEGMENT_DIR, WAL_DIR])
    for (const name of disk.list(dir)) await disk.remove(`${dir}/${name}`)
  for (const name of [MANIFEST, CATALOG]) {
    for (const file of [name, `${name}.tmp`]) if (disk.exists(file)) await disk.remove(file)
  }
}

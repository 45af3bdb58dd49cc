// Copies files and sums them up, in pieces, giving way between them: a copy of gigabytes holds up nobody.
// Invariant: a copy has its name if and only if all of it is on the medium (temporary, sync, rename; the caller
// syncs the directory). Not here: which files (make-backup.ts, restore.ts).
import { checksum } from '../base/checksum.ts'
import { TEMPORARY } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'

/** About 5 ms of a slow card. */
const PIECE_BYTES = 128 * 1024

export interface Sum {
  readonly bytes: number
  /** CRC-32. */
  readonly sum: number
}

/** Told of bytes that were read or copied. */
export type OnBytes = (bytes: number) => void

/** Length and checksum of a file. @throws {VarveError} as Disk */
export async function sumOf(disk: Disk, path: string, onBytes: OnBytes = () => {}): Promise<Sum> {
  const file = disk.openRead(path)
  try {
    const piece = new Uint8Array(PIECE_BYTES)
    let [at, sum] = [0, 0]
    for (let n = file.read(piece, 0); n > 0; n = file.read(piece, at)) {
      sum = checksum(piece, 0, n, sum)
      at += n
      onBytes(n)
      await giveWay()
    }
    return { bytes: at, sum }
  } finally {
    file.close()
  }
}

/**
 * Copies a file; its name is durable once its directory is synced.
 * @returns  what was read
 * @throws {VarveError} as Disk; VARVE_NOT_FOUND where there is none
 */
export async function copyFile(
  from: Disk,
  path: string,
  to: Disk,
  at: string,
  onBytes: OnBytes = () => {}
): Promise<Sum> {
  const file = from.openRead(path)
  try {
    const temporary = at + TEMPORARY
    if (to.exists(temporary)) await to.remove(temporary)
    const copy = await to.openWrite(temporary, 'other')
    let [done, sum] = [0, 0]
    try {
      for (;;) {
        const piece = new Uint8Array(PIECE_BYTES)
        const n = file.read(piece, done)
        if (n === 0) break
        sum = checksum(piece, 0, n, sum)
        await copy.write(piece.subarray(0, n), done)
        done += n
        onBytes(n)
        await giveWay()
      }
      await copy.sync()
    } finally {
      copy.close()
    }
    await to.rename(temporary, at)
    return { bytes: done, sum }
  } finally {
    file.close()
  }
}

/** A directory of a disk as a disk. */
export function within(disk: Disk, dir: string): Disk {
  const full = (path: string): string => (path === '' ? dir : `${dir}/${path}`)
  return {
    openRead: path => disk.openRead(full(path)),
    openWrite: (path, cause) => disk.openWrite(full(path), cause),
    exists: path => disk.exists(full(path)),
    list: path => disk.list(full(path)),
    facts: path => disk.facts(full(path)),
    makeDir: path => disk.makeDir(full(path)),
    rename: (from, to) => disk.rename(full(from), full(to)),
    remove: path => disk.remove(full(path)),
    syncDir: path => disk.syncDir(full(path)),
    freeBytes: () => disk.freeBytes()
  }
}

function giveWay(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

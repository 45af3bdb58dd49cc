// One process per directory. The lock is the kernel's own: a POSIX record lock on the file LOCK, taken
// through node:sqlite, the only part of Node that takes one (BEGIN EXCLUSIVE on an empty database, journal
// in memory: no byte of that file is ever written). Beside it LOCK.holder names the holder for people.
//
// Why not the others:
//  - a pid file (pid, start time, boot id) leaves a moment between the look and the write, in which two
//    processes both find a dead holder, and it means nothing across pid namespaces;
//  - an abstract unix socket belongs to a network namespace: two containers that share the volume, the
//    way gateways run daemons, would not see each other;
//  - flock needs a native add-on.
// A record lock goes by inode, is atomic, and the kernel drops it however the holder dies, SIGKILL
// included. Within one process SQLite keeps its own table, so a second take() there is refused as well.
//
// Invariants: LOCK is opened by nobody else (closing any descriptor of it would drop the lock); the lock
// is the record lock alone, LOCK.holder only feeds the message, and a stale one is overwritten.
// Not here: readers (they need no lock).
import { DatabaseSync } from 'node:sqlite'
import { reason, VarveError } from '../base/errors.ts'
import { readWhole, writeAtomic } from './atomic-file.ts'
import type { Disk } from './disk.ts'
import type { NodeDisk } from './node-disk.ts'

export const LOCK_FILE = 'LOCK'
export const HOLDER_FILE = 'LOCK.holder'
const SQLITE_BUSY = 5
const SQLITE_READ_ONLY = 8

/** The right to write in a directory, held until release() or the end of the process. */
export class DirLock {
  private db: DatabaseSync | null

  private constructor(db: DatabaseSync) {
    this.db = db
  }

  /**
   * Takes the lock of the directory that `disk` stands for, making the directory when it is not there.
   * @param through  the same directory, to write through: the meter of the daemon
   * @throws {VarveError} VARVE_LOCKED naming the holder's pid, VARVE_READ_ONLY, VARVE_IO
   */
  static async take(disk: NodeDisk, through: Disk = disk): Promise<DirLock> {
    if (!disk.exists('')) await disk.makeDir('')
    // The first daemon of a directory makes the file here, so that a missing right says so. Never when it
    // is there: closing a second descriptor would drop a lock that this process holds.
    if (!disk.exists(LOCK_FILE)) (await through.openWrite(LOCK_FILE, 'other')).close()
    let db: DatabaseSync | undefined
    try {
      db = new DatabaseSync(`${disk.root}/${LOCK_FILE}`, { timeout: 0 })
      db.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
    } catch (error) {
      db?.close()
      const code = (error as { errcode?: number }).errcode
      if (code === SQLITE_BUSY) {
        throw new VarveError('VARVE_LOCKED', `Cannot open ${disk.root}: ${holderOf(disk)} has it open`)
      }
      throw new VarveError(
        code === SQLITE_READ_ONLY ? 'VARVE_READ_ONLY' : 'VARVE_IO',
        `Cannot lock ${disk.root}: ${reason(error)}`,
        { cause: error }
      )
    }
    const lock = new DirLock(db)
    try {
      const holder = new TextEncoder().encode(`${process.pid} ${process.title}\n`)
      await writeAtomic(through, HOLDER_FILE, holder, 'other')
    } catch (error) {
      lock.release()
      throw error
    }
    return lock
  }

  /** Gives the directory back. */
  release(): void {
    this.db?.close()
    this.db = null
  }
}

function holderOf(disk: NodeDisk): string {
  try {
    const pid = /^\d+/.exec(new TextDecoder().decode(readWhole(disk, HOLDER_FILE)))?.[0]
    return pid === undefined ? 'another process' : `process ${pid}`
  } catch (error) {
    // The holder has the lock but has not written its name yet, or could not.
    return `another process (unnamed: ${reason(error)})`
  }
}

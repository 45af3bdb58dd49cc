// The one door to the medium. Everything that stores goes through a Disk, so that a test can put a disk
// there that fails, fills up or loses power, and so that every byte written is counted by its cause.
//
// What a power cut may do to a Disk, and what an implementation of it for tests does:
//  - a write that was not followed by sync() of that file may vanish, land in part (torn at any byte of
//    any 512-byte sector), or land before or after any other unsynced write;
//  - bytes that were synced stay as they are, unless a later unsynced write covers them;
//  - create, rename, remove and a growing size are durable only after syncDir() of the directory (names)
//    and sync() of the file (size and bytes); a size may land without its bytes, which are zeros then.
// A failed write or sync leaves the bytes it concerned unknown: the owner must not acknowledge what they
// held, and must not trust a later sync that succeeds (the kernel may have dropped the dirty pages).
//
// Reads are synchronous: they happen at open and in worker threads, where an await per block would cost
// more than the read. Writes and syncs are asynchronous: the main thread must not wait for flash.
// Not here: the real one (node-disk.ts), counting (wear-meter.ts), the simulated one (test/kit).

/** Why bytes are written; the wear ledger adds up by these. */
export const CAUSES = ['wal', 'segment', 'merge', 'rollup', 'kv', 'manifest', 'catalog', 'other'] as const
export type Cause = (typeof CAUSES)[number]

/** An open file. Offsets and lengths are in bytes. */
export interface DiskFile {
  readonly path: string
  /** Reads up to `into.length` bytes at `at`; returns how many were there (short only at the end). */
  read(into: Uint8Array, at: number): number
  /** Writes all of `bytes` at `at`, growing the file when needed. The caller must not touch `bytes` until it resolves. */
  write(bytes: Uint8Array, at: number): Promise<void>
  /** All that was written to this file is on the medium when this resolves (fdatasync). */
  sync(): Promise<void>
  /**
   * write(), and then these bytes are on the medium as after sync(), for half the trips to another thread. Of other
   * writes to the file it says nothing.
   */
  writeSynced(bytes: Uint8Array, at: number): Promise<void>
  size(): number
  close(): void
}

export interface FileFacts {
  readonly path: string
  readonly bytes: number
}

/**
 * A directory tree on a medium. Paths are relative to its root, with '/' between names. All methods throw
 * VarveError VARVE_IO (with the system's error as cause), VARVE_DISK_FULL (ENOSPC, EDQUOT) or
 * VARVE_READ_ONLY (EROFS, EACCES, EPERM).
 */
export interface Disk {
  /** Opens an existing file for reading. @throws VARVE_NOT_FOUND */
  openRead(path: string): DiskFile
  /** Opens for reading and writing, creating it (empty) when it is not there. */
  openWrite(path: string, cause: Cause): Promise<DiskFile>
  exists(path: string): boolean
  /** Names in a directory, sorted; empty when it is not there. */
  list(dir: string): string[]
  facts(path: string): FileFacts | undefined
  makeDir(dir: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  syncDir(dir: string): Promise<void>
  /** Bytes free for us on the medium. */
  freeBytes(): number
}

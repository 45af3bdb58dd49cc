// The pool of WAL files. A file is made empty and grows: by groups that reach beyond its end, and by zeros
// written ahead of small ones (wal-room.ts), up to its full size. What is written once stays written: when no
// owner needs its groups any more it is used again under a new sequence number, and never removed or cut. So
// in steady state a WAL creates nothing, deletes nothing, and changes no metadata.
//
// Invariants: a file is free, current, or full and pinned by its sequence number; sequence numbers only grow;
// a file is made on demand and at most filesMax exist; what a free file holds is stale by its life number.
// A medium that is full is a state: the pool goes on with the files it has, and says so (`diskFull`). The last
// MEDIUM_MARGIN_BYTES of it are left to what frees room: a flush and its edit of the manifest.
// Not here: what is in the files (wal-record.ts), who may free them (wal.ts knows the checkpoints).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { WAL_DIR, walPath } from './file-names.ts'
import { PAGE_BYTES, WRITE_BYTES } from './format.ts'

/** A file whose groups are needed until every owner's checkpoint is beyond its sequence number. */
export interface PinnedFile {
  readonly slot: number
  readonly sequence: number
}

/** A file that is there, and how far it is written, bytes. */
export interface FoundFile {
  readonly slot: number
  readonly bytes: number
}

export interface WalFilesOptions {
  readonly disk: Disk
  /** Files grow to this size, and further only under a group that is larger; bytes. */
  readonly fileBytes: number
  readonly filesMax: number
  /** Every file that is there. */
  readonly found: readonly FoundFile[]
  /** Those of them whose groups are needed, ascending by sequence. */
  readonly pinned: readonly PinnedFile[]
}

/** What the WAL leaves of the medium when it grows. */
const MEDIUM_MARGIN_BYTES = 1024 * 1024

export class WalFiles {
  readonly fileBytes: number
  readonly filesMax: number
  private readonly disk: Disk
  /** How far each file is written, by slot. */
  private readonly written: Map<number, number>
  private readonly free: number[]
  private readonly pinned: PinnedFile[]
  private making: Promise<void> | null = null
  /** The last try to make a file, or to let one grow, found no room on the medium. */
  diskFull = false

  constructor({ disk, fileBytes, filesMax, found, pinned }: WalFilesOptions) {
    assert(fileBytes >= PAGE_BYTES && fileBytes % PAGE_BYTES === 0, 'a WAL file is whole pages')
    assert(filesMax >= 2, 'a WAL has at least two files')
    this.disk = disk
    this.fileBytes = fileBytes
    this.filesMax = filesMax
    this.written = new Map(found.map(({ slot, bytes }) => [slot, bytes]))
    this.pinned = [...pinned]
    const taken = new Set(pinned.map(({ slot }) => slot))
    this.free = [...this.written.keys()].filter(slot => !taken.has(slot))
  }

  /** Files whose groups are still needed. */
  get pinnedCount(): number {
    return this.pinned.length
  }

  /** Files that exist. */
  get count(): number {
    return this.written.size
  }

  /** Bytes of all files. */
  get bytes(): number {
    let sum = 0
    for (const bytes of this.written.values()) sum += bytes
    return sum
  }

  /** Whether the medium has room for so many bytes more; `diskFull` tells it afterwards. @throws as Disk */
  mayGrow(bytes: number): boolean {
    this.diskFull = this.disk.freeBytes() < bytes + MEDIUM_MARGIN_BYTES
    return !this.diskFull
  }

  /** The file of a slot is written up to here. */
  grew(slot: number, bytes: number): void {
    this.written.set(slot, bytes)
  }

  /**
   * A file to write from its start, with room for about `bytes`; made when none is free. Null when all are
   * pinned, or when one would have to grow and the medium is full.
   * @throws {VarveError} VARVE_IO and others of Disk, never VARVE_DISK_FULL
   */
  async take(bytes: number): Promise<{ slot: number; file: DiskFile; written: number } | null> {
    if (this.free.length === 0) await this.prepare(0)
    let n = this.free.findIndex(slot => this.written.get(slot)! >= bytes)
    if (n < 0) {
      if (this.free.length === 0 || !this.mayGrow(bytes)) return null
      n = 0
    }
    const slot = this.free[n]!
    const file = await this.disk.openWrite(walPath(slot), 'wal')
    this.free.splice(n, 1)
    return { slot, file, written: this.written.get(slot)! }
  }

  /**
   * Makes a free file when there is none and one is allowed, so that the next take() does not wait.
   * @param aheadBytes  so much of it is written at once
   */
  prepare(aheadBytes: number): Promise<void> {
    if (this.making) return this.making
    if (this.free.length > 0 || this.written.size >= this.filesMax) return Promise.resolve()
    this.making = this.make(aheadBytes).finally(() => {
      this.making = null
    })
    return this.making
  }

  /** The current file ended: its groups are needed until release(). */
  pin(slot: number, sequence: number): void {
    this.pinned.push({ slot, sequence })
  }

  /** No owner needs sequence numbers below `sequence`: their files become free. Returns how many did. */
  release(sequence: number): number {
    let n = 0
    while (n < this.pinned.length && this.pinned[n]!.sequence < sequence)
      this.free.push(this.pinned[n++]!.slot)
    this.pinned.splice(0, n)
    return n
  }

  private async make(aheadBytes: number): Promise<void> {
    if (!this.mayGrow(aheadBytes)) return
    let slot = 1
    while (this.written.has(slot)) slot++
    try {
      const file = await this.disk.openWrite(walPath(slot), 'wal')
      try {
        await writeZeros(file, 0, aheadBytes)
        if (aheadBytes > 0) await file.sync()
      } finally {
        file.close()
      }
      await this.disk.syncDir(WAL_DIR)
      this.written.set(slot, aheadBytes)
      this.free.push(slot)
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'VARVE_DISK_FULL') throw error
      this.diskFull = true
      if (this.disk.exists(walPath(slot))) await this.disk.remove(walPath(slot))
    }
  }
}

/** Fills [at, to) of a file with zeros; not synced. @throws as Disk */
export async function writeZeros(file: DiskFile, at: number, to: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(WRITE_BYTES, to - at))
  for (let from = at; from < to; from += zeros.length) {
    await file.write(zeros.subarray(0, Math.min(zeros.length, to - from)), from)
  }
}

// The pool of WAL files. Each is written full of zeros once and synced, so that later writes in it change no
// metadata; when no owner needs its groups any more it is used again under a new sequence number, and never
// removed: in steady state a WAL creates nothing and deletes nothing.
//
// Invariants: a file is free, current, or full and pinned by its sequence number; sequence numbers only grow;
// a file is made on demand and at most filesMax exist; what a free file holds is stale by its life number.
// A medium that is full is a state: the pool goes on with the files it has, and says so (`diskFull`).
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

export class WalFiles {
  private readonly disk: Disk
  /** Size of a new file, bytes. */
  readonly fileBytes: number
  readonly filesMax: number
  private readonly free: number[]
  private readonly pinned: PinnedFile[]
  private readonly slots: Set<number>
  private making: Promise<void> | null = null
  /** The last try to make a file found no room on the medium. */
  diskFull = false

  /** @param pinned  ascending by sequence; @param free  slots of whole files that hold nothing needed */
  constructor(
    disk: Disk,
    fileBytes: number,
    filesMax: number,
    pinned: readonly PinnedFile[],
    free: readonly number[]
  ) {
    assert(fileBytes >= PAGE_BYTES && fileBytes % PAGE_BYTES === 0, 'a WAL file is whole pages')
    assert(filesMax >= 2, 'a WAL has at least two files')
    this.disk = disk
    this.fileBytes = fileBytes
    this.filesMax = filesMax
    this.free = [...free]
    this.pinned = [...pinned]
    this.slots = new Set([...pinned.map(p => p.slot), ...free])
  }

  /** Files whose groups are still needed. */
  get pinnedCount(): number {
    return this.pinned.length
  }

  /** Files that exist. */
  get count(): number {
    return this.slots.size
  }

  /** Whether a file can be had without waiting for an owner. */
  get available(): boolean {
    return this.free.length > 0 || (this.slots.size < this.filesMax && !this.diskFull)
  }

  /**
   * A file to write from its start, made when none is free; null when all are pinned or the medium is full.
   * @throws {VarveError} VARVE_IO and others of Disk, never VARVE_DISK_FULL
   */
  async take(): Promise<{ slot: number; file: DiskFile } | null> {
    if (this.free.length === 0) await this.prepare()
    const slot = this.free.shift()
    if (slot === undefined) return null
    try {
      return { slot, file: await this.disk.openWrite(walPath(slot), 'wal') }
    } catch (error) {
      this.free.unshift(slot)
      throw error
    }
  }

  /** Makes a free file when there is none and one is allowed, so that the next take() does not wait. */
  prepare(): Promise<void> {
    if (this.making) return this.making
    if (this.free.length > 0 || this.slots.size >= this.filesMax) return Promise.resolve()
    this.making = this.make().finally(() => {
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

  private async make(): Promise<void> {
    let slot = 1
    while (this.slots.has(slot)) slot++
    try {
      const file = await this.disk.openWrite(walPath(slot), 'wal')
      try {
        const zeros = new Uint8Array(Math.min(WRITE_BYTES, this.fileBytes))
        for (let at = 0; at < this.fileBytes; at += zeros.length) {
          await file.write(zeros.subarray(0, Math.min(zeros.length, this.fileBytes - at)), at)
        }
        await file.sync()
      } finally {
        file.close()
      }
      await this.disk.syncDir(WAL_DIR)
      this.slots.add(slot)
      this.free.push(slot)
      this.diskFull = false
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'VARVE_DISK_FULL') throw error
      this.diskFull = true
      if (this.disk.exists(walPath(slot))) await this.disk.remove(walPath(slot))
    }
  }
}

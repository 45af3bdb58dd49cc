// The WAL file in use: where the next group goes, how far the file is written, and when zeros are written ahead.
//
// A group that overwrites costs its pages and nothing else; one that reaches beyond the written end makes the
// sync commit metadata: 20 to 24 KB on ext4, whatever its size. Zeros written ahead cost their size once and
// serve only the first life of the file. So small groups get room written ahead of them, a piece at a time,
// between two syncs; large ones just let the file grow. SMALL_GROUP_BYTES is where both cost the same.
//
// Invariants: groups lie at rising offsets, none beyond what is written but by letting the file grow; zeros are
// written beyond `written` only, and no group goes there while they are under way; nothing is written in a
// file that was closed.
// Not here: the order of groups and files (wal-writer.ts), the pool (wal-files.ts).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { DiskFile } from '../disk/disk.ts'
import { type WalFiles, writeZeros } from './wal-files.ts'

/** Groups of this size on average get room written ahead of them, bytes. */
export const SMALL_GROUP_BYTES = 24 * 1024

export class WalRoom {
  /** Offset of the next group. */
  at = 0
  readonly slot: number
  private readonly file: DiskFile
  private readonly files: WalFiles
  /** Offset up to which the file is written and its size durable. */
  private written: number
  private growing: Promise<void> | null = null

  constructor(files: WalFiles, slot: number, file: DiskFile, written: number) {
    this.files = files
    this.slot = slot
    this.file = file
    this.written = written
  }

  /** Bytes that groups may still take here. */
  get left(): number {
    return Math.max(this.written, this.files.fileBytes) - this.at
  }

  /** Whether a group of so many bytes makes the file grow. */
  grows(bytes: number): boolean {
    return this.at + bytes > this.written
  }

  /** The same once nothing is being written ahead where the group would lie. @throws {VarveError} as Disk */
  async growsAtLast(bytes: number): Promise<boolean> {
    if (this.grows(bytes)) await this.growing
    return this.grows(bytes)
  }

  /**
   * Writes and syncs a group of whole pages; ask growsAtLast() before.
   * @returns  false: the medium had no room for it; it does not count and may be written again, here
   * @throws {VarveError} as Disk: the group's fate is unknown then
   */
  async write(pages: Uint8Array): Promise<boolean> {
    const end = this.at + pages.length
    const grows = this.grows(pages.length)
    assert(!grows || this.growing === null, 'no zeros are written where a group goes')
    try {
      await this.file.writeSynced(pages, this.at)
    } catch (error) {
      if (!grows || !isDiskFull(error)) throw error
      this.files.diskFull = true
      return false
    }
    if (grows) this.wrote(end)
    this.at = end
    return true
  }

  /**
   * Writes zeros ahead when less than half a piece is left of what is written, and syncs them. A medium
   * without room is no failure: groups find their own, or wait for it.
   * @throws {VarveError} as Disk
   */
  async writeAhead(pieceBytes: number): Promise<void> {
    const { written } = this
    const to = Math.min(written + pieceBytes, this.files.fileBytes)
    if (this.growing !== null || written - this.at >= pieceBytes / 2 || to <= written) return
    if (!this.files.mayGrow(to - written)) return
    this.growing = this.grow(to)
    try {
      await this.growing
    } finally {
      this.growing = null
    }
  }

  /** No group follows; the file closes when nothing is under way any more. */
  async close(): Promise<void> {
    // What it fails with is told by writeAhead().
    await this.growing?.catch(() => {})
    this.file.close()
  }

  private async grow(to: number): Promise<void> {
    try {
      await writeZeros(this.file, this.written, to)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      this.files.diskFull = true
      return
    }
    await this.file.sync()
    this.wrote(to)
  }

  private wrote(to: number): void {
    assert(to >= this.written, 'a WAL file never shrinks')
    this.written = to
    this.files.grew(this.slot, to)
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'VARVE_DISK_FULL'
}

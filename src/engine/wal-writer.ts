// Puts groups into WAL files: strictly forward, each group in whole pages of its own, one write and one sync
// a group, no page written twice in one life of a file.
//
// Invariants: one group at a time (so everything before a group is synced when it is written, and `synced` is
// its own offset); a file's sequence number is used up by its first group, not before; the first group of a
// file is a restart point, at which every owner's next payload has to be fresh. Further restart points: after
// RESTART_BYTES, and whenever the group before left more than half of its last page empty, because in a trickle
// the room costs nothing.
// A group larger than the room foreseen overruns the end of its file and lets it grow: correct, but that sync
// pays for metadata; the room is asked for before the owners are drained, so it is rare.
// Not here: when (sync-pace.ts), what (the owners, through wal.ts), the pool (wal-files.ts).
import { assert } from '../base/assert.ts'
import type { ByteWriter } from '../base/bytes.ts'
import type { DiskFile } from '../disk/disk.ts'
import { PAGE_BYTES, RESTART_BYTES } from './format.ts'
import type { WalFiles } from './wal-files.ts'
import { endGroup } from './wal-record.ts'

interface CurrentFile {
  readonly slot: number
  readonly file: DiskFile
  readonly sequence: number
  readonly life: number
  readonly size: number
  at: number
}

export class WalWriter {
  private readonly files: WalFiles
  private readonly anyLife: () => number
  private current: CurrentFile | null = null
  private sinceRestart = 0
  private lastPageUsed = PAGE_BYTES
  /** The sequence number that the next new file gets. */
  nextSequence: number
  /** The ordinal that the next group gets. */
  nextOrdinal: number
  /** A group with that ordinal is on its way to the medium. */
  isWriting = false

  /** @param anyLife  draws the life number of a file, an integer below 2^32 that nobody can guess */
  constructor(files: WalFiles, nextSequence: number, nextOrdinal: number, anyLife: () => number) {
    this.files = files
    this.nextSequence = nextSequence
    this.nextOrdinal = nextOrdinal
    this.anyLife = anyLife
  }

  /** Bytes left in the current file; 0 when there is none. */
  get room(): number {
    return this.current ? this.current.size - this.current.at : 0
  }

  /** Bytes of the current file; 0 when there is none. */
  get used(): number {
    return this.current ? this.current.at : 0
  }

  /** Whether the next group is a restart point. */
  get restart(): boolean {
    const c = this.current
    return (
      c === null || c.at === 0 || this.sinceRestart >= RESTART_BYTES || this.lastPageUsed < PAGE_BYTES / 2
    )
  }

  /**
   * Sees to a file with room for about `bytes`. False: there is none to be had now (all pinned, or the medium
   * is full).
   * @throws {VarveError} as Disk
   */
  async reserve(bytes: number): Promise<boolean> {
    if (this.current && this.room < bytes && this.current.at > 0) this.endFile()
    if (this.current) return true
    const taken = await this.files.take()
    if (taken === null) return false
    this.current = {
      slot: taken.slot,
      file: taken.file,
      sequence: this.nextSequence,
      life: this.anyLife(),
      size: taken.file.size(),
      at: 0
    }
    return true
  }

  /**
   * Writes and syncs what `out` holds (beginGroup, sections) as the next group.
   * @returns bytes written beyond the group's own (padding)
   * @throws {VarveError} as Disk: the group's fate is unknown then and nothing more may be written
   */
  async write(out: ByteWriter): Promise<number> {
    const c = this.current
    assert(c !== null, 'a group is written into a reserved file')
    const { restart } = this
    const bytes = endGroup(out, c.sequence, c.life, this.nextOrdinal, c.at)
    this.isWriting = true
    await c.file.write(out.written(), c.at)
    await c.file.sync()
    this.isWriting = false
    if (c.at === 0) this.nextSequence = c.sequence + 1
    c.at += out.length
    this.nextOrdinal++
    this.sinceRestart = restart ? out.length : this.sinceRestart + out.length
    const padding = out.length - bytes
    this.lastPageUsed = PAGE_BYTES - padding
    return padding
  }

  /** Ends the current file: the next group starts a new one. Returns the sequence number that it will have. */
  endFile(): number {
    const c = this.current
    if (c !== null && c.at > 0) {
      c.file.close()
      this.files.pin(c.slot, c.sequence)
      this.current = null
    }
    return this.nextSequence
  }

  close(): void {
    this.current?.file.close()
    this.current = null
  }
}

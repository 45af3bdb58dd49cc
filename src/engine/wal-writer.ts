// Puts groups into WAL files: strictly forward, each group in whole pages of its own, one write and one sync
// a group, no page written twice in one life of a file.
//
// Invariants: one group at a time (so everything before a group is synced when it is written, and `synced` is
// its own offset); a file's sequence number is used up by its first group, not before; the first group of a
// file is a restart point, at which every owner's next payload has to be fresh. Further restart points: after
// RESTART_BYTES, and, while groups take a page, whenever the one before left more than half of it empty, because
// in a trickle the room costs nothing. (In a bulk load every second group would be one, and name each of a
// thousand shapes again: bytes to write, and to replay.)
// A group larger than the room foreseen overruns the full size of its file: correct, but the file stays larger.
// Not here: when (sync-pace.ts), what (the owners, through wal.ts), how a file grows (wal-room.ts), the pool
// (wal-files.ts).
import { assert } from '../base/assert.ts'
import type { ByteWriter } from '../base/bytes.ts'
import { PAGE_BYTES, RESTART_BYTES } from './format.ts'
import type { WalFiles } from './wal-files.ts'
import { endGroup, wholePages } from './wal-record.ts'
import { SMALL_GROUP_BYTES, WalRoom } from './wal-room.ts'

interface CurrentFile {
  readonly room: WalRoom
  readonly sequence: number
  readonly life: number
}

/** How many groups the average size looks back at, about. */
const AVERAGE_GROUPS = 8

export class WalWriter {
  private readonly files: WalFiles
  private readonly aheadBytes: number
  private readonly anyLife: () => number
  private current: CurrentFile | null = null
  /** The file before, until it is closed. */
  private closing: Promise<void> = Promise.resolve()
  private sinceRestart = 0
  private lastPageUsed = PAGE_BYTES
  private averageBytes = 0
  /** The sequence number that the next new file gets. */
  nextSequence: number
  /** The ordinal that the next group gets. */
  nextOrdinal: number
  /** A group with that ordinal is on its way to the medium. */
  isWriting = false

  /**
   * @param aheadBytes  how much is written ahead of small groups at a time
   * @param anyLife  draws the life number of a file, an integer below 2^32 that nobody can guess
   */
  constructor(
    files: WalFiles,
    aheadBytes: number,
    next: { readonly sequence: number; readonly ordinal: number },
    anyLife: () => number
  ) {
    assert(aheadBytes > 0 && aheadBytes % PAGE_BYTES === 0, 'whole pages are written ahead')
    this.files = files
    this.aheadBytes = Math.min(aheadBytes, files.fileBytes)
    this.nextSequence = next.sequence
    this.nextOrdinal = next.ordinal
    this.anyLife = anyLife
  }

  /** Bytes of the current file; 0 when there is none. */
  get used(): number {
    return this.current?.room.at ?? 0
  }

  /** The file of the newest group, by its sequence number. */
  get sequence(): number {
    return this.nextSequence - 1
  }

  /** Whether the next group is a restart point. */
  get restart(): boolean {
    if (this.used === 0 || this.sinceRestart >= RESTART_BYTES) return true
    return this.averageBytes < 2 * PAGE_BYTES && this.lastPageUsed < PAGE_BYTES / 2
  }

  /**
   * Sees to a file with room for about `bytes`. False: there is none to be had now (all pinned, or the medium
   * is full).
   * @throws {VarveError} as Disk
   */
  async reserve(bytes: number): Promise<boolean> {
    const room = this.current?.room
    if (room !== undefined && room.at > 0) {
      const stays = room.left >= bytes && (!room.grows(bytes) || this.files.mayGrow(bytes))
      if (!stays) this.endFile()
    }
    if (this.current) return true
    const taken = await this.files.take(bytes)
    if (taken === null) return false
    this.current = {
      room: new WalRoom(this.files, taken.slot, taken.file, taken.written),
      sequence: this.nextSequence,
      life: this.anyLife()
    }
    return true
  }

  /**
   * Writes and syncs what `out` holds (beginGroup, sections) as the next group.
   * @returns  bytes written beyond the group's own (padding); null: the medium had no room, nothing of it
   * counts, and the same may be written again before anything else is
   * @throws {VarveError} as Disk: the group's fate is unknown then and nothing more may be written
   */
  async write(out: ByteWriter): Promise<number | null> {
    const c = this.current
    assert(c !== null, 'a group is written into a reserved file')
    const { restart } = this
    const { room } = c
    const grew = await room.growsAtLast(wholePages(out.length))
    const bytes = endGroup(out, c.sequence, c.life, this.nextOrdinal, room.at, grew)
    this.isWriting = true
    const isWritten = await room.write(out.written())
    this.isWriting = false
    if (!isWritten) {
      out.length = bytes
      return null
    }
    this.nextSequence = c.sequence + 1
    this.nextOrdinal++
    this.sinceRestart = restart ? out.length : this.sinceRestart + out.length
    this.averageBytes += (out.length - this.averageBytes) / AVERAGE_GROUPS
    const padding = out.length - bytes
    this.lastPageUsed = PAGE_BYTES - padding
    return padding
  }

  /** Writes ahead of the groups to come, if they are small. @throws {VarveError} as Disk */
  async writeAhead(): Promise<void> {
    if (this.areSmall) await this.current?.room.writeAhead(this.aheadBytes)
  }

  /** Makes the next file, so that the group that needs it does not wait. @throws {VarveError} as Disk */
  prepare(): Promise<void> {
    return this.files.prepare(this.areSmall ? this.aheadBytes : 0)
  }

  /** Ends the current file: the next group starts a new one. Returns the sequence number that it will have. */
  endFile(): number {
    const c = this.current
    if (c !== null && c.room.at > 0) {
      this.files.pin(c.room.slot, c.sequence)
      this.release(c)
    }
    return this.nextSequence
  }

  /** Resolves when no file is open any more. */
  async close(): Promise<void> {
    if (this.current) this.release(this.current)
    await this.closing
  }

  private get areSmall(): boolean {
    return this.averageBytes <= SMALL_GROUP_BYTES
  }

  private release(current: CurrentFile): void {
    const before = this.closing
    this.closing = current.room.close().then(() => before)
    this.current = null
  }
}

// Writes one segment: in order, in writes of WRITE_BYTES, synced once, and only then given its name. Knows
// nothing of what blocks hold; needs no engine, so a worker thread uses it with a Disk of its own.
//
// Invariants: the file has its name if and only if all of it is on the medium (temporary, sync, rename, sync
// directory); one write is under way at a time, and at most two buffers are held while room() is awaited.
// Not here: the bytes (segment-format.ts), which segments live (manifest.ts).
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { dirOf, TEMPORARY } from '../disk/atomic-file.ts'
import type { Cause, Disk, DiskFile } from '../disk/disk.ts'
import { WRITE_BYTES } from './format.ts'
import type { SegmentInfo } from './manifest-edit.ts'
import {
  FOOTER_KIND,
  putBlock,
  putFacts,
  putSegmentHeader,
  putTrailer,
  type SegmentFacts,
  type SegmentHeader
} from './segment-format.ts'

/** Where a block lies: its offset in the file and its whole length, bytes. */
export interface BlockPlace {
  readonly offset: number
  readonly length: number
}

/** A write and the block that made it large enough. */
const BUFFER_BYTES = WRITE_BYTES + 64 * 1024

export class SegmentWriter {
  private readonly disk: Disk
  private readonly path: string
  private readonly file: DiskFile
  private readonly header: SegmentHeader
  private out = new ByteWriter(BUFFER_BYTES)
  /** Made with the first write: most segments are smaller. */
  private spare: ByteWriter | null = null
  private isWriting = false
  private flushed = 0
  private failure: unknown = null
  private writing: Promise<void> = Promise.resolve()
  private ended = false

  private constructor(disk: Disk, path: string, file: DiskFile, header: SegmentHeader) {
    this.disk = disk
    this.path = path
    this.file = file
    this.header = header
    putSegmentHeader(this.out, header)
  }

  /** Starts a segment that will be at `path`. @throws {VarveError} as Disk */
  static async create(disk: Disk, path: string, cause: Cause, header: SegmentHeader): Promise<SegmentWriter> {
    const temporary = path + TEMPORARY
    if (disk.exists(temporary)) await disk.remove(temporary)
    return new SegmentWriter(disk, path, await disk.openWrite(temporary, cause), header)
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.flushed + this.out.length
  }

  /**
   * Adds a block; the payload is copied. Await room() between blocks.
   * @param kind  1 to 254
   * @throws {VarveError} as Disk, for an earlier write that failed
   */
  block(kind: number, payload: Uint8Array): BlockPlace {
    assert(kind > 0 && kind < FOOTER_KIND, 'the kind of a block is 1 to 254')
    return this.put(kind, payload)
  }

  /** Resolves when less than a buffer waits to be written: bounds memory to two buffers. */
  async room(): Promise<void> {
    if (this.out.length >= WRITE_BYTES) await this.writing
    if (this.failure !== null) throw this.failure
  }

  /**
   * Ends the segment; it is durable under its name when this resolves.
   * @param footer  the owner's
   * @returns  what the manifest has to know
   * @throws {VarveError} as Disk; abort() then
   */
  async finish(footer: Uint8Array, facts: SegmentFacts): Promise<SegmentInfo> {
    const payload = new ByteWriter(footer.length + 64)
    putFacts(payload, facts)
    payload.raw(footer)
    const place = this.put(FOOTER_KIND, payload.written())
    putTrailer(this.out, place.offset, place.length)
    this.ended = true
    await this.writing
    if (this.failure !== null) throw this.failure
    if (this.out.length > 0) await this.file.write(this.out.written(), this.flushed)
    const bytes = this.flushed + this.out.length
    await this.file.sync()
    this.file.close()
    await this.disk.rename(this.path + TEMPORARY, this.path)
    await this.disk.syncDir(dirOf(this.path))
    return { ...this.header, ...facts, bytes }
  }

  /** Gives up and removes what was written. */
  async abort(): Promise<void> {
    this.ended = true
    await this.writing
    this.file.close()
    if (this.disk.exists(this.path + TEMPORARY)) await this.disk.remove(this.path + TEMPORARY)
  }

  private put(kind: number, payload: Uint8Array): BlockPlace {
    assert(!this.ended, 'a finished segment takes no blocks')
    if (this.failure !== null) throw this.failure
    const offset = this.bytes
    const length = putBlock(this.out, kind, payload)
    if (this.out.length >= WRITE_BYTES && !this.isWriting) this.flush()
    return { offset, length }
  }

  private flush(): void {
    const full = this.out
    this.out = this.spare ?? new ByteWriter(BUFFER_BYTES)
    this.spare = null
    this.isWriting = true
    const at = this.flushed
    this.flushed += full.length
    this.writing = this.file.write(full.written(), at).then(
      () => {
        full.reset()
        this.spare = full
        this.isWriting = false
        if (this.out.length >= WRITE_BYTES && !this.ended) this.flush()
      },
      error => {
        this.failure = error
      }
    )
  }
}

// Reads one segment. Every block is verified when it is read; a damaged one is an error that names the file
// and the offset, and all others stay readable. Needs no engine: worker threads and tools use it alone.
//
// Invariants: what block() returns passed its checksum and belongs to the caller; reading never writes.
// Not here: the bytes (segment-format.ts), what blocks hold (kv, series), which segments live (manifest.ts).
import { ByteReader } from '../base/bytes.ts'
import { CorruptionError, VarveError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { PAYLOAD_BYTES_MAX } from './format.ts'
import type { SegmentInfo } from './manifest-edit.ts'
import {
  BLOCK_HEADER_BYTES,
  blockAt,
  FOOTER_KIND,
  getFacts,
  getSegmentHeader,
  getTrailer,
  SEGMENT_PREFIX_BYTES,
  type SegmentFacts,
  type SegmentHeader,
  TRAILER_BYTES
} from './segment-format.ts'

const HEADER_READ_BYTES = 512
const CHAIN_BLOCKS = 4

/** A block as blocks() finds it: its payload, or what is wrong with bytes[offset, offset + length). */
export interface FoundBlock {
  readonly offset: number
  readonly length: number
  readonly kind: number
  readonly payload: Uint8Array | null
  readonly error: CorruptionError | null
}

export class SegmentReader {
  readonly path: string
  readonly header: SegmentHeader
  /** From the footer; see footerError when it is damaged. */
  readonly bytes: number
  /** Why the footer cannot be read; null when it can. Only open() by itself refuses such a segment. */
  readonly footerError: CorruptionError | null
  private readonly file: DiskFile
  private readonly start: number
  private readonly end: number
  private readonly ownerFooter: Uint8Array | null
  private readonly knownFacts: SegmentFacts | null

  private constructor(path: string, file: DiskFile, openDamaged: boolean) {
    this.path = path
    this.file = file
    this.bytes = file.size()
    const { header, length } = readHeader(path, file)
    this.header = header
    this.start = length
    const found = this.readFooter()
    if (found instanceof CorruptionError) {
      if (!openDamaged) throw found
      this.footerError = found
      this.end = this.bytes
      this.ownerFooter = null
      this.knownFacts = null
    } else {
      this.footerError = null
      this.end = found.at
      this.ownerFooter = found.footer
      this.knownFacts = found.facts
    }
  }

  /**
   * Opens a segment and verifies its header and footer.
   * @throws {VarveError} VARVE_NOT_FOUND, VARVE_CORRUPTION, VARVE_FORMAT_NEWER, VARVE_IO
   */
  static open(disk: Disk, path: string): SegmentReader {
    return openFile(disk, path, file => new SegmentReader(path, file, false))
  }

  /** Opens a segment whose footer may be damaged, to read what blocks() finds (check, repair). */
  static openDamaged(disk: Disk, path: string): SegmentReader {
    return openFile(disk, path, file => new SegmentReader(path, file, true))
  }

  /** The owner's footer. @throws {CorruptionError} when it is damaged */
  get footer(): Uint8Array {
    if (this.ownerFooter === null) throw this.footerError!
    return this.ownerFooter
  }

  /** What the manifest knows of it. @throws {CorruptionError} when the footer is damaged */
  get info(): SegmentInfo {
    if (this.knownFacts === null) throw this.footerError!
    return { ...this.header, ...this.knownFacts, bytes: this.bytes }
  }

  /**
   * The payload of the block at `offset`.
   * @param length  its whole length as the writer said; saves a read when known
   * @throws {CorruptionError} naming file and offset
   */
  block(offset: number, length?: number): Uint8Array {
    return this.readBlock(offset, length ?? this.lengthAt(offset)).payload
  }

  /** The kind and payload of the block at `offset`. @throws {CorruptionError} naming file and offset */
  kindAndBlock(offset: number, length?: number): { kind: number; payload: Uint8Array } {
    return this.readBlock(offset, length ?? this.lengthAt(offset))
  }

  /** All blocks in order, damaged stretches among them; reads the whole file. */
  *blocks(): Iterable<FoundBlock> {
    let at = this.start
    while (at < this.end) {
      const found = this.tryBlock(at)
      if (found !== null) {
        if (found.kind === FOOTER_KIND && this.footerError !== null) return
        yield found
        at += found.length
        continue
      }
      const next = this.searchBlock(at + 1)
      const error = new CorruptionError(this.path, at, `${next - at} bytes of blocks are damaged`)
      yield { offset: at, length: next - at, kind: 0, payload: null, error }
      at = next
    }
  }

  close(): void {
    this.file.close()
  }

  private lengthAt(offset: number): number {
    const head = new Uint8Array(BLOCK_HEADER_BYTES)
    if (this.file.read(head, offset) < head.length) throw this.damaged(offset)
    return BLOCK_HEADER_BYTES + new DataView(head.buffer).getUint32(4, true)
  }

  private readBlock(offset: number, length: number): { kind: number; payload: Uint8Array } {
    if (offset < this.start || length < BLOCK_HEADER_BYTES || offset + length > this.bytes)
      throw this.damaged(offset)
    const bytes = new Uint8Array(length)
    if (this.file.read(bytes, offset) < length) throw this.damaged(offset)
    const found = blockAt(bytes, new DataView(bytes.buffer), 0)
    if (found === null || found.length !== length) throw this.damaged(offset)
    return { kind: found.kind, payload: bytes.subarray(BLOCK_HEADER_BYTES) }
  }

  private damaged(offset: number): CorruptionError {
    return new CorruptionError(this.path, offset, 'the block is damaged')
  }

  private tryBlock(at: number): FoundBlock | null {
    if (at + BLOCK_HEADER_BYTES > this.end) return null
    const length = this.lengthAt(at)
    if (length > PAYLOAD_BYTES_MAX + BLOCK_HEADER_BYTES || at + length > this.end) return null
    try {
      return { offset: at, length, ...this.readBlock(at, length), error: null }
    } catch (error) {
      if (error instanceof CorruptionError) return null
      throw error
    }
  }

  /** The next offset from `at` on where a valid block begins, or the end. */
  private searchBlock(at: number): number {
    const bytes = new Uint8Array(this.end - at)
    this.file.read(bytes, at)
    const view = new DataView(bytes.buffer)
    for (let i = 0; i + BLOCK_HEADER_BYTES <= bytes.length; i++) {
      if (looksLikeBlocks(bytes, view, i) && blockAt(bytes, view, i) !== null) return at + i
    }
    return this.end
  }

  private readFooter(): { at: number; footer: Uint8Array; facts: SegmentFacts } | CorruptionError {
    const trailerAt = Math.max(0, this.bytes - TRAILER_BYTES)
    const trailer = new Uint8Array(this.bytes - trailerAt)
    this.file.read(trailer, trailerAt)
    const place = getTrailer(trailer, this.bytes)
    if (place === null) return new CorruptionError(this.path, trailerAt, 'the trailer is damaged')
    try {
      const { kind, payload } = this.readBlock(place.at, place.length)
      if (kind !== FOOTER_KIND) return new CorruptionError(this.path, place.at, 'the footer is no footer')
      const from = new ByteReader(payload)
      const facts = getFacts(from)
      return { at: place.at, facts, footer: payload.subarray(from.at) }
    } catch (error) {
      if (error instanceof CorruptionError)
        return new CorruptionError(this.path, place.at, 'the footer is damaged')
      if (error instanceof VarveError && error.code === 'VARVE_TRUNCATED') {
        return new CorruptionError(this.path, place.at, 'the footer makes no sense')
      }
      throw error
    }
  }
}

/**
 * Whether a chain of block headers begins at `at` that reaches the end, or CHAIN_BLOCKS blocks far. Spares the
 * sum over megabytes for each byte that might be the start of a block.
 */
function looksLikeBlocks(bytes: Uint8Array, view: DataView, at: number): boolean {
  let next = at
  for (let hop = 0; hop < CHAIN_BLOCKS; hop++) {
    if (next === bytes.length && hop > 0) return true
    if (next + BLOCK_HEADER_BYTES > bytes.length || bytes[next + 8] === 0) return false
    next += BLOCK_HEADER_BYTES + view.getUint32(next + 4, true)
  }
  return next <= bytes.length
}

function openFile(disk: Disk, path: string, make: (file: DiskFile) => SegmentReader): SegmentReader {
  const file = disk.openRead(path)
  try {
    return make(file)
  } catch (error) {
    file.close()
    throw error
  }
}

function readHeader(path: string, file: DiskFile): { header: SegmentHeader; length: number } {
  let bytes = new Uint8Array(Math.min(HEADER_READ_BYTES, file.size()))
  file.read(bytes, 0)
  const found = getSegmentHeader(path, bytes)
  if (found !== null) return found
  bytes = new Uint8Array(Math.min(SEGMENT_PREFIX_BYTES + 0x10000, file.size()))
  file.read(bytes, 0)
  const again = getSegmentHeader(path, bytes)
  if (again === null) throw new CorruptionError(path, 0, 'the header is cut short')
  return again
}

// Reads one segment. Every block is verified when it is read; a damaged one is an error that names the file
// and the offset, and all others stay readable. Needs no engine: worker threads and tools use it alone.
//
// Damage of what only says where things are costs nothing: without a header the manifest says the same; without
// a trailer the footer is found along the chain of blocks; without a footer blocks() finds every block, from which
// its owner makes anew what the footer said. `damage` names all of it. A file with neither header nor footer is
// not taken for a segment.
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

/** Where the footer lies and what it says. */
interface Ending {
  readonly at: number
  readonly facts: SegmentFacts
  readonly footer: Uint8Array
}

export class SegmentReader {
  readonly path: string
  readonly bytes: number
  /** What of header, footer and trailer is damaged. */
  readonly damage: readonly CorruptionError[]
  private readonly file: DiskFile
  /** Where blocks begin; null when the header does not say. */
  private start: number | null
  /** Where blocks end, at the latest. */
  private readonly end: number
  private readonly knownHeader: SegmentHeader | CorruptionError
  private readonly ending: Ending | CorruptionError

  private constructor(path: string, file: DiskFile) {
    this.path = path
    this.file = file
    this.bytes = file.size()
    const found = readHeader(path, file)
    this.start = found instanceof CorruptionError ? null : found.length
    this.knownHeader = found instanceof CorruptionError ? found : found.header
    const { place, error } = this.readTrailer()
    this.end = place?.at ?? this.bytes
    const ending = place === null ? this.searchFooter(error!) : this.readFooter(place.at, place.length)
    this.ending = ending
    if (!(ending instanceof CorruptionError)) this.end = ending.at
    else if (found instanceof CorruptionError) throw found
    this.damage = [found, error, ending].filter(
      (one, i, all): one is CorruptionError => one instanceof CorruptionError && all.indexOf(one) === i
    )
  }

  /**
   * Opens a segment and verifies its header and footer; `damage` says which of them cannot be read.
   * @throws {VarveError} VARVE_NOT_FOUND, VARVE_CORRUPTION (neither can), VARVE_FORMAT_NEWER, VARVE_IO
   */
  static open(disk: Disk, path: string): SegmentReader {
    const file = disk.openRead(path)
    try {
      return new SegmentReader(path, file)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** False: it is damaged, and blocks before the first one that is found may be as well. */
  get hasHeader(): boolean {
    return !(this.knownHeader instanceof CorruptionError)
  }

  /** @throws {CorruptionError} when it is damaged */
  get header(): SegmentHeader {
    if (this.knownHeader instanceof CorruptionError) throw this.knownHeader
    return this.knownHeader
  }

  /** The owner's footer; null when it is damaged. */
  get footer(): Uint8Array | null {
    return this.ending instanceof CorruptionError ? null : this.ending.footer
  }

  /** What the manifest knows of it. @throws {CorruptionError} when header or footer are damaged */
  get info(): SegmentInfo {
    if (this.ending instanceof CorruptionError) throw this.ending
    return { ...this.header, ...this.ending.facts, bytes: this.bytes }
  }

  /**
   * The payload of the block at `offset`.
   * @param length  its whole length as the writer said; saves a read when known
   * @throws {CorruptionError} naming file and offset
   */
  block(offset: number, length?: number): Uint8Array {
    return this.readBlock(offset, length ?? this.lengthAt(offset)).payload
  }

  /**
   * The payload of the block at `offset` in memory of the caller, which the next block may use again.
   * @param room  at least `length` long
   * @throws {CorruptionError} naming file and offset
   */
  blockInto(room: Uint8Array, offset: number, length: number): Uint8Array {
    return this.readBlock(offset, length, room).payload
  }

  /** The kind and payload of the block at `offset`. @throws {CorruptionError} naming file and offset */
  kindAndBlock(offset: number, length?: number): { kind: number; payload: Uint8Array } {
    return this.readBlock(offset, length ?? this.lengthAt(offset))
  }

  /** All blocks in order, damaged stretches among them; reads the whole file. */
  *blocks(): Iterable<FoundBlock> {
    this.start ??= this.searchBlock(SEGMENT_PREFIX_BYTES)
    let at = this.start
    while (at < this.end) {
      const found = this.tryBlock(at)
      if (found !== null) {
        yield found
        at += found.length
        continue
      }
      const next = this.nextBlock(at)
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

  private readBlock(
    offset: number,
    length: number,
    room?: Uint8Array
  ): { kind: number; payload: Uint8Array } {
    if (offset < SEGMENT_PREFIX_BYTES || length < BLOCK_HEADER_BYTES || offset + length > this.bytes)
      throw this.damaged(offset)
    const bytes = room?.subarray(0, length) ?? new Uint8Array(length)
    if (this.file.read(bytes, offset) < length) throw this.damaged(offset)
    const found = blockAt(bytes, new DataView(bytes.buffer, bytes.byteOffset), 0)
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

  /** Where the next valid block begins behind a damaged one: where that one says, if it is not its length that is damaged. */
  private nextBlock(at: number): number {
    if (at + BLOCK_HEADER_BYTES <= this.end) {
      const stated = at + this.lengthAt(at)
      if (stated === this.end || (stated < this.end && this.tryBlock(stated) !== null)) return stated
    }
    return this.searchBlock(at + 1)
  }

  /** The next offset from `at` on where a valid block begins, or the end. */
  private searchBlock(at: number): number {
    if (at >= this.end) return this.end
    const bytes = new Uint8Array(this.end - at)
    this.file.read(bytes, at)
    const view = new DataView(bytes.buffer)
    for (let i = 0; i + BLOCK_HEADER_BYTES <= bytes.length; i++) {
      if (looksLikeBlocks(bytes, view, i) && blockAt(bytes, view, i) !== null) return at + i
    }
    return this.end
  }

  private readTrailer(): { place: { at: number; length: number } | null; error: CorruptionError | null } {
    const trailerAt = Math.max(0, this.bytes - TRAILER_BYTES)
    const trailer = new Uint8Array(this.bytes - trailerAt)
    this.file.read(trailer, trailerAt)
    const place = getTrailer(trailer, this.bytes)
    const error = place === null ? new CorruptionError(this.path, trailerAt, 'the trailer is damaged') : null
    return { place, error }
  }

  /** Finds the footer without the trailer: it is the block of its kind that the trailer follows. */
  private searchFooter(trailer: CorruptionError): Ending | CorruptionError {
    for (const { kind, offset, length } of this.blocks()) {
      if (kind === FOOTER_KIND && offset + length + TRAILER_BYTES === this.bytes)
        return this.readFooter(offset, length)
    }
    return trailer
  }

  private readFooter(at: number, length: number): Ending | CorruptionError {
    try {
      const { kind, payload } = this.readBlock(at, length)
      if (kind !== FOOTER_KIND) return new CorruptionError(this.path, at, 'the footer is no footer')
      const from = new ByteReader(payload)
      const facts = getFacts(from)
      return { at, facts, footer: payload.subarray(from.at) }
    } catch (error) {
      if (error instanceof CorruptionError) return new CorruptionError(this.path, at, 'the footer is damaged')
      if (error instanceof VarveError && error.code === 'VARVE_TRUNCATED') {
        return new CorruptionError(this.path, at, 'the footer makes no sense')
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

/** @throws {FormatError} */
function readHeader(
  path: string,
  file: DiskFile
): { header: SegmentHeader; length: number } | CorruptionError {
  try {
    for (const most of [HEADER_READ_BYTES, SEGMENT_PREFIX_BYTES + 0x10000]) {
      const bytes = new Uint8Array(Math.min(most, file.size()))
      file.read(bytes, 0)
      const found = getSegmentHeader(path, bytes)
      if (found !== null) return found
    }
    return new CorruptionError(path, 0, 'the header is cut short')
  } catch (error) {
    if (error instanceof CorruptionError) return error
    throw error
  }
}

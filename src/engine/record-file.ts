// A file of checksummed records that grows at its end, and is replaced whole when most of it is dead. The
// manifest is one, the series catalog another; what a record means is theirs.
//
// file    := header record*
// header  := magic u32 "VRVR" | version u16 | owner u16 | salt u32 | crc u32 of bytes 0 to 12          16 bytes
// record  := crc u32 | length u32 | synced u32 | kind u8 | payload[length]                     little-endian
//            0         4            8            12        13
// crc is CRC-32 of bytes 4 to the end, continued from salt (random, so that payload bytes that look like a
// record are never taken for one). synced is how much of the file was safe when the record was written.
// A record is valid if and only if (1) kind is not 0, (2) length <= PAYLOAD_BYTES_MAX, (3) all of it is in the
// file, (4) synced <= its own offset, and (5) crc matches.
// Reading ends at the first invalid record: a torn tail, unless a valid record further on has a synced beyond
// it; then it is corruption, reading goes on there, and the owner is told.
// Example (owner 1, salt 0, one record kind 1, synced 16, payload 2a 2b) =
//   56 52 56 52 01 00 01 00 00 00 00 00 a2 11 19 67 bc cb 20 96 02 00 00 00 10 00 00 00 01 2a 2b
//
// Invariants: what append() took is durable when the sync() after it resolves; after a torn tail or
// corruption the file is replaced before anything is appended, so stale bytes never follow new ones; the end
// that no later record proves synced is written again at open (a process that died may have left it in the
// kernel's memory only). A failed write poisons: nothing more is appended until rewrite() made it anew.
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { checksum } from '../base/checksum.ts'
import { CorruptionError, FormatError, VarveError } from '../base/errors.ts'
import { dirOf, readWhole, TEMPORARY, writeAtomic } from '../disk/atomic-file.ts'
import type { Cause, Disk, DiskFile } from '../disk/disk.ts'
import { PAYLOAD_BYTES_MAX, RECORD_MAGIC, RECORD_VERSION } from './format.ts'

export const RECORD_FILE_HEADER_BYTES = 16
export const RECORD_HEADER_BYTES = 13

export interface RecordFileOptions {
  readonly disk: Disk
  readonly path: string
  readonly cause: Cause
  /** Tells whose records they are: 1 manifest, 2 series catalog. */
  readonly owner: number
  /** Reads only; changes nothing on the medium. */
  readonly readOnly?: boolean
  /** Draws the salt, an integer below 2^32. */
  readonly anySalt: () => number
  /** Called with the whole file before one with damaged records is replaced, to keep it for repair. */
  readonly keepDamaged?: (bytes: Uint8Array) => Promise<void>
  /** Each valid record, in order; the payload is a view that stays as it is. */
  readonly onRecord: (kind: number, payload: Uint8Array) => void
}

/** What reading found. */
interface Found {
  salt: number
  end: number
  /** What the newest record says was synced when it was written. */
  proven: number
  damage: CorruptionError[]
  torn: boolean
}

export class RecordFile {
  /** Damage found at open, by file and offset; records behind it were read. */
  readonly damage: readonly CorruptionError[]
  /** It ended in a torn tail: an unsynced append, or a damaged last record, which looks the same. */
  readonly torn: boolean
  private readonly options: RecordFileOptions
  private salt: number
  private file: DiskFile | null = null
  private end: number
  private synced: number
  private readonly out = new ByteWriter(4096)
  private failure: unknown = null

  private constructor(options: RecordFileOptions, found: Found) {
    this.options = options
    this.damage = found.damage
    this.torn = found.torn
    this.salt = found.salt
    this.end = found.end
    this.synced = found.end
  }

  /**
   * Opens or creates the file and hands over its records.
   * @throws {VarveError} VARVE_FORMAT_NEWER, VARVE_CORRUPTION when the header is damaged, and as Disk
   */
  static async open(options: RecordFileOptions): Promise<RecordFile> {
    const { disk, path } = options
    if (!disk.exists(path)) {
      const file = new RecordFile(options, { salt: 0, end: 0, proven: 0, damage: [], torn: false })
      if (!options.readOnly) await file.rewrite([])
      return file
    }
    const bytes = readWhole(disk, path)
    const kept: { kind: number; payload: Uint8Array }[] = []
    const found = readRecords(path, bytes, options.owner, (kind, payload) => {
      kept.push({ kind, payload })
      options.onRecord(kind, payload)
    })
    const file = new RecordFile(options, found)
    if (options.readOnly) return file
    if (found.damage.length > 0) await options.keepDamaged?.(bytes)
    if (found.torn || found.damage.length > 0) await file.rewrite(kept)
    else await file.reopen(bytes.subarray(found.proven, found.end), found.proven)
    return file
  }

  /** A file that cannot be read, and is not to be written. */
  static unreadable(options: RecordFileOptions): RecordFile {
    assert(options.readOnly === true, 'a file to be written is made anew')
    return new RecordFile(options, { salt: 0, end: 0, proven: 0, damage: [], torn: false })
  }

  /** An earlier write failed: nothing is taken before a rewrite() succeeds. */
  get failed(): boolean {
    return this.failure !== null
  }

  /** Size of the file with what is appended, bytes. */
  get bytes(): number {
    return this.end + this.out.length
  }

  /** Adds a record to what the next sync() writes. @throws {VarveError} VARVE_STORE_FAILED */
  append(kind: number, payload: Uint8Array): void {
    this.check()
    putRecord(this.out, this.salt, this.synced, kind, payload)
  }

  /** Writes what was appended, so that it is not held until sync(). One at a time. @throws {VarveError} as Disk */
  async write(): Promise<void> {
    this.check()
    if (this.out.length === 0) return
    const bytes = this.out.copy()
    this.out.reset()
    const at = this.end
    this.end += bytes.length
    try {
      await this.file!.write(bytes, at)
    } catch (error) {
      this.failure = error
      throw error
    }
  }

  /** Writes and syncs what was appended. One at a time. @throws {VarveError} as Disk */
  async sync(): Promise<void> {
    await this.write()
    const end = this.end
    if (end === this.synced) return
    try {
      await this.file!.sync()
    } catch (error) {
      this.failure = error
      throw error
    }
    this.synced = end
  }

  /**
   * Replaces the whole file, durable when it resolves; what was appended and not synced is dropped. Makes a
   * file sound again whose end is unknown because a write failed. @throws as Disk
   */
  async rewrite(records: Iterable<{ kind: number; payload: Uint8Array }>): Promise<void> {
    assert(!this.options.readOnly, 'a file opened for reading is not written')
    const { disk, path, cause, owner, anySalt } = this.options
    const salt = anySalt()
    const out = new ByteWriter(4096)
    putHeader(out, owner, salt)
    for (const { kind, payload } of records) putRecord(out, salt, 0, kind, payload)
    try {
      await writeAtomic(disk, path, out.written(), cause)
      this.file?.close()
      this.file = await disk.openWrite(path, cause)
    } catch (error) {
      this.failure = error
      throw error
    }
    this.failure = null
    this.salt = salt
    this.end = out.length
    this.synced = out.length
    this.out.reset()
  }

  close(): void {
    this.file?.close()
    this.file = null
  }

  private async reopen(tail: Uint8Array, at: number): Promise<void> {
    const { disk, path, cause } = this.options
    if (disk.exists(path + TEMPORARY)) await disk.remove(path + TEMPORARY)
    this.file = await disk.openWrite(path, cause)
    if (tail.length === 0) return
    await this.file.write(tail, at)
    await this.file.sync()
    await disk.syncDir(dirOf(path))
  }

  private check(): void {
    assert(!this.options.readOnly, 'a file opened for reading is not written')
    if (this.failure === null) return
    throw new VarveError('VARVE_STORE_FAILED', `Cannot write ${this.options.path}: an earlier write failed`, {
      cause: this.failure
    })
  }
}

/** Appends the header of a file. */
export function putHeader(out: ByteWriter, owner: number, salt: number): void {
  const at = out.length
  out.u32(RECORD_MAGIC)
  out.u16(RECORD_VERSION)
  out.u16(owner)
  out.u32(salt)
  out.u32(checksum(out.bytes, at, at + 12))
}

/** Appends one record. */
export function putRecord(
  out: ByteWriter,
  salt: number,
  synced: number,
  kind: number,
  payload: Uint8Array
): void {
  assert(kind > 0 && kind < 256, 'the kind of a record is one byte, not 0')
  assert(payload.length <= PAYLOAD_BYTES_MAX, 'a record has a largest size')
  const at = out.length
  out.u32(0)
  out.u32(payload.length)
  out.u32(synced)
  out.u8(kind)
  out.raw(payload)
  out.view.setUint32(at, checksum(out.bytes, at + 4, out.length, salt), true)
}

/**
 * Reads the bytes of a record file.
 * @throws {CorruptionError} when the header is damaged, {FormatError} when it is newer
 */
export function readRecords(
  path: string,
  bytes: Uint8Array,
  owner: number,
  onRecord: (kind: number, payload: Uint8Array) => void
): Found {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < RECORD_FILE_HEADER_BYTES) throw new CorruptionError(path, 0, 'the header is cut short')
  if (view.getUint32(0, true) !== RECORD_MAGIC)
    throw new CorruptionError(path, 0, 'not a record file of varve')
  if (view.getUint32(12, true) !== checksum(bytes, 0, 12)) {
    throw new CorruptionError(path, 0, 'the header is damaged')
  }
  const version = view.getUint16(4, true)
  if (version > RECORD_VERSION) throw new FormatError(path, version, RECORD_VERSION)
  const found = view.getUint16(6, true)
  if (found !== owner) throw new CorruptionError(path, 6, `records of owner ${found}, not ${owner}`)
  const salt = view.getUint32(8, true)
  const damage: CorruptionError[] = []
  let proven = RECORD_FILE_HEADER_BYTES
  let at = RECORD_FILE_HEADER_BYTES
  while (at < bytes.length) {
    let next = at
    while (
      next < bytes.length &&
      !(validAt(bytes, view, salt, next) && (next === at || syncedAt(view, next) > at))
    ) {
      next++
    }
    if (next === bytes.length) return { salt, end: at, proven, damage, torn: true }
    if (next > at)
      damage.push(new CorruptionError(path, at, `${next - at} bytes of synced records are damaged`))
    const length = view.getUint32(next + 4, true)
    const start = next + RECORD_HEADER_BYTES
    proven = Math.max(proven, syncedAt(view, next))
    onRecord(bytes[next + 12]!, bytes.subarray(start, start + length))
    at = start + length
  }
  return { salt, end: at, proven, damage, torn: false }
}

function syncedAt(view: DataView, at: number): number {
  return view.getUint32(at + 8, true)
}

function validAt(bytes: Uint8Array, view: DataView, salt: number, at: number): boolean {
  if (at + RECORD_HEADER_BYTES > bytes.length || bytes[at + 12] === 0) return false
  const length = view.getUint32(at + 4, true)
  const end = at + RECORD_HEADER_BYTES + length
  if (length > PAYLOAD_BYTES_MAX || end > bytes.length || view.getUint32(at + 8, true) > at) return false
  return checksum(bytes, at + 4, end, salt) === view.getUint32(at, true)
}

// Bytes that are put on the medium in fewer where that pays: sections of the WAL and blocks of segments, by zstd at
// its quickest level. What applications keep (JSON, text, states) takes a half to a tenth; flash is dearer than the 5 us
// a KiB that it takes.
//
//   squeezed := 00 | raw bytes, or 01 | raw bytes varint | zstd frame (RFC 8878)
// Example: 64 bytes 0 1 0 1 ... = 01 40 28 b5 2f fd 20 40 45 00 00 10 00 01 01 00 4b 72 58
//
// Invariants: frames are used where they save an eighth at least; what does not shrink is tried ever more rarely, up to
// every 65th time; more than RAW_BYTES_MAX is never tried, so that no thread is held for longer than some milliseconds.
// Not here: what the bytes are (section.ts, segment.ts), their checksums (engine).
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { ByteReader, type ByteWriter, varintBytes } from '../base/bytes.ts'
import { reason, VarveError } from '../base/errors.ts'

const PLAIN = 0
const FRAME = 1
const RAW_BYTES_MAX = 128 * 1024
const SKIPPED_MAX = 64
const QUICKEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export class Squeezer {
  private readonly rawBytesMin: number
  /** How many are passed over after the next one that does not shrink, and how many of them are left. */
  private skipping = 1
  private left = 0

  /** @param rawBytesMin  fewer bytes are left as they are */
  constructor(rawBytesMin: number) {
    this.rawBytesMin = rawBytesMin
  }

  /** Appends some bytes, squeezed where that pays. */
  put(raw: Uint8Array, out: ByteWriter): void {
    putForm(raw, this.frame(raw), out)
  }

  /** The same behind their number, as a varint. */
  putCounted(raw: Uint8Array, out: ByteWriter): void {
    const frame = this.frame(raw)
    out.varint(frame === null ? 1 + raw.length : 1 + varintBytes(raw.length) + frame.length)
    putForm(raw, frame, out)
  }

  private frame(raw: Uint8Array): Uint8Array | null {
    if (raw.length < this.rawBytesMin || raw.length > RAW_BYTES_MAX) return null
    if (this.left > 0) {
      this.left--
      return null
    }
    const frame = zstdCompressSync(raw, QUICKEST)
    if (frame.length <= raw.length - (raw.length >>> 3)) {
      this.skipping = 1
      return frame
    }
    this.left = this.skipping
    this.skipping = Math.min(2 * this.skipping, SKIPPED_MAX)
    return null
  }
}

function putForm(raw: Uint8Array, frame: Uint8Array | null, out: ByteWriter): void {
  if (frame === null) {
    out.u8(PLAIN)
    out.raw(raw)
    return
  }
  out.u8(FRAME)
  out.varint(raw.length)
  out.raw(frame)
}

/** The raw bytes; a view where they were not squeezed. @throws {VarveError} VARVE_SQUEEZED, VARVE_TRUNCATED */
export function unsqueezed(bytes: Uint8Array): Uint8Array {
  const from = new ByteReader(bytes)
  const form = from.u8()
  if (form === PLAIN) return from.raw(from.left)
  const size = from.varint()
  if (form !== FRAME || size > RAW_BYTES_MAX) throw broken(`form ${form} of ${size} bytes`)
  let raw: Uint8Array
  try {
    raw = zstdDecompressSync(from.raw(from.left), {
      maxOutputLength: Math.max(1, size),
      chunkSize: size + 64
    })
  } catch (cause) {
    throw broken(reason(cause), cause)
  }
  if (raw.length !== size) throw broken(`${raw.length} of ${size} bytes`)
  return raw
}

function broken(why: string, cause?: unknown): VarveError {
  return new VarveError('VARVE_SQUEEZED', `Cannot unsqueeze: ${why}`, { cause })
}

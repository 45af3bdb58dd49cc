// zstd for what has no structure that we know: the one place of the chunk codecs that calls it, so that
// what it may allocate for damaged bytes is bounded once.
//
//   squeezed := varint raw bytes | varint zstd bytes | zstd frame (RFC 8878)
// Example: 64 bytes 0 1 0 1 ... = 40 11 28 b5 2f fd 00 00 45 00 00 10 00 01 01 00 4b 72 58
//
// Not here: what the raw bytes are (codec-double.ts, codec-text.ts).
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { reason, VarveError } from '../base/errors.ts'

/** A frame that asks for a larger window than 8 MiB is not ours. */
const WINDOW_LOG_MAX = 23

/** Appends the squeezed form of some bytes. */
export function encodeSqueezed(raw: Uint8Array, out: ByteWriter): void {
  const squeezed = zstdCompressSync(raw, {
    params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_windowLog]: windowLog(raw.length) }
  })
  out.varint(raw.length)
  out.varint(squeezed.length)
  out.raw(squeezed)
}

function windowLog(bytes: number): number {
  return Math.min(WINDOW_LOG_MAX, Math.max(10, 32 - Math.clz32(bytes)))
}

/**
 * Reads squeezed bytes back.
 * @param rawBytesMax  what the caller can have written at most
 * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED
 */
export function decodeSqueezed(from: ByteReader, rawBytesMax: number): Uint8Array {
  const size = from.varint()
  if (size > rawBytesMax) {
    throw new VarveError(
      'VARVE_CHUNK',
      `Cannot unsqueeze before ${from.at}: ${size} bytes, at most ${rawBytesMax} belong here`
    )
  }
  const squeezed = from.raw(from.varint())
  let raw: Uint8Array
  try {
    raw = zstdDecompressSync(squeezed, {
      maxOutputLength: Math.max(1, size),
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX }
    })
  } catch (cause) {
    throw new VarveError('VARVE_CHUNK', `Cannot unsqueeze before ${from.at}: ${reason(cause)}`, { cause })
  }
  if (raw.length !== size) {
    throw new VarveError('VARVE_CHUNK', `Cannot unsqueeze before ${from.at}: ${raw.length} of ${size} bytes`)
  }
  return raw
}

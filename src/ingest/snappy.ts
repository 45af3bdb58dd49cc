// Snappy's block format, undone: what remote write sends. Ours, since the package for it (snappyjs 0.7) goes
// round for ever on a literal of negative length and accepts a block that ends before its stated length; the
// tests hold this against that package's encoder.
//
//   block   := varint length | element*               length of what comes out, at most 2^32 - 1
//   element := (n - 1) << 2 | 0, literal[n]           n to 60; 60 .. 63: n - 1 in the next 1 .. 4 bytes
//            | offset high 3 bits, (n - 4) << 2 | 1, offset u8               n from 4 to 11
//            | (n - 1) << 2 | 2, offset u16 | (n - 1) << 2 | 3, offset u32   little-endian
// A copy repeats the n bytes that begin `offset` before the end of what is out, which it may overtake.
// Example: "abababab" = 08 04 61 62 09 02
//
// Invariants: nothing is written outside `length` bytes, and exactly so many come out; work is bounded by the
// length, which the caller has checked. Not here: the framing format, which nobody sends over HTTP.
import { VarveError } from '../base/errors.ts'

function broken(why: string, at: number): VarveError {
  return new VarveError('VARVE_SNAPPY', `Cannot undo snappy: ${why} at byte ${at}`)
}

/**
 * How many bytes a block says it holds; look before making room for them.
 * @throws {VarveError} VARVE_SNAPPY when it begins with no length
 */
export function snappyLength(block: Uint8Array): number {
  let length = 0
  let scale = 1
  for (let at = 0; at < 5; at++) {
    const byte = block[at]
    if (byte === undefined) break
    length += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (length > 0xffffffff) break
      return length
    }
    scale *= 0x80
  }
  throw broken('no length of at most 32 bits', 0)
}

/**
 * Undoes a block into the first `snappyLength(block)` bytes of `into`.
 * @throws {VarveError} VARVE_SNAPPY when the block is not whole and sound
 */
export function undoSnappy(block: Uint8Array, into: Uint8Array): void {
  const length = snappyLength(block)
  if (into.length < length) throw new RangeError('there is room for what comes out')
  const end = block.length
  let at = 0
  while (block[at]! >= 0x80) at++
  at++
  let out = 0
  while (at < end) {
    const tag = block[at]!
    const start = at++
    let n = (tag >>> 2) + 1
    if ((tag & 3) === 0) {
      if (n > 60) {
        const bytes = n - 60
        if (end - at < bytes) throw broken('a length is cut', start)
        n = little(block, at, bytes) + 1
        at += bytes
      }
      if (n > end - at) throw broken('a literal is cut', start)
      if (n > length - out) throw broken('more comes out than the block says', start)
      if (n < 32) for (let i = 0; i < n; i++) into[out + i] = block[at + i]!
      else into.set(block.subarray(at, at + n), out)
      at += n
      out += n
      continue
    }
    const bytes = (tag & 3) === 3 ? 4 : tag & 3
    if (end - at < bytes) throw broken('an offset is cut', start)
    let offset = little(block, at, bytes)
    if (bytes === 1) {
      offset += (tag >>> 5) << 8
      n = ((tag >>> 2) & 7) + 4
    }
    at += bytes
    if (offset === 0 || offset > out) throw broken('a copy reaches before the beginning', start)
    if (n > length - out) throw broken('more comes out than the block says', start)
    for (let i = 0; i < n; i++) into[out + i] = into[out + i - offset]!
    out += n
  }
  if (out !== length) throw broken(`it ends after ${out} of ${length} bytes`, end)
}

function little(bytes: Uint8Array, at: number, n: number): number {
  let value = 0
  for (let i = n - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!
  return value
}

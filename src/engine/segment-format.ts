// How a segment begins, how its blocks look and how it ends: a file written once, in order, and never again.
//
// segment := header block* footer trailer                                                       little-endian
// header  := magic u32 "VRVS" | version u16 | length u16 | crc u32 | fields[length]   crc: of version, length, fields
// fields  := id varint | family u8 | class text | bucketUs f64 | spanUs f64
// block   := crc u32 | length u32 | kind u8 | payload[length]        crc: CRC-32 of length, kind and payload
//            0         4            8         9                      kind 1 to 254 is the owner's
// footer  := a block of kind 255; payload := facts | owner's footer
// facts   := order f64 | timeMinUs f64 | timeMaxUs f64 | samples varint | level u8 | boot varint
// trailer := footer's offset u48 | footer's whole length u32 | crc u32 of these | magic u32 "SVRV"     18 bytes
// The whole is readable without the manifest: header and facts say what the manifest says.
// Example: block of kind 1 with payload 2a 2b = 08 91 e6 c8 02 00 00 00 01 2a 2b
// Not here: what blocks hold (kv, series), writing (segment-writer.ts), reading (segment-reader.ts).
import { assert } from '../base/assert.ts'
import { ByteReader, type ByteWriter } from '../base/bytes.ts'
import { checksum } from '../base/checksum.ts'
import { CorruptionError, FormatError, reason } from '../base/errors.ts'
import { PAYLOAD_BYTES_MAX, SEGMENT_END_MAGIC, SEGMENT_MAGIC, SEGMENT_VERSION } from './format.ts'

export const SEGMENT_PREFIX_BYTES = 12
export const BLOCK_HEADER_BYTES = 9
export const TRAILER_BYTES = 18
export const FOOTER_KIND = 255

/** What the start of a segment says. */
export interface SegmentHeader {
  readonly id: number
  readonly family: number
  readonly class: string
  readonly bucketUs: number
  readonly spanUs: number
}

/** What its footer says beside the owner's bytes. */
export interface SegmentFacts {
  readonly order: number
  readonly timeMinUs: number
  readonly timeMaxUs: number
  readonly samples: number
  readonly level: number
  readonly boot: number
}

/** Appends the header. */
export function putSegmentHeader(out: ByteWriter, header: SegmentHeader): void {
  const at = out.length
  out.u32(SEGMENT_MAGIC)
  out.u16(SEGMENT_VERSION)
  out.u16(0)
  out.u32(0)
  out.varint(header.id)
  out.u8(header.family)
  out.text(header.class)
  out.f64(header.bucketUs)
  out.f64(header.spanUs)
  const fields = at + SEGMENT_PREFIX_BYTES
  assert(out.length - fields < 0x10000, 'the header of a segment is shorter than 64 KiB')
  out.view.setUint16(at + 6, out.length - fields, true)
  out.view.setUint32(at + 8, headerSum(out.bytes, at, out.length), true)
}

/** The checksum of a header in bytes[at, end): of all but the magic and itself. */
function headerSum(bytes: Uint8Array, at: number, end: number): number {
  return checksum(bytes, at + SEGMENT_PREFIX_BYTES, end, checksum(bytes, at + 4, at + 8))
}

/**
 * Reads the header from the first bytes of a file.
 * @returns  null when `bytes` are too few; more have to be read
 * @throws {CorruptionError} and {FormatError}
 */
export function getSegmentHeader(
  path: string,
  bytes: Uint8Array
): { header: SegmentHeader; length: number } | null {
  if (bytes.length < SEGMENT_PREFIX_BYTES) throw new CorruptionError(path, 0, 'the header is cut short')
  const from = new ByteReader(bytes)
  if (from.u32() !== SEGMENT_MAGIC) throw new CorruptionError(path, 0, 'not a segment of varve')
  const version = from.u16()
  const end = SEGMENT_PREFIX_BYTES + from.u16()
  const crc = from.u32()
  if (end > bytes.length) return null
  if (headerSum(bytes, 0, end) !== crc) throw new CorruptionError(path, 0, 'the header is damaged')
  if (version > SEGMENT_VERSION) throw new FormatError(path, version, SEGMENT_VERSION)
  try {
    const id = from.varint()
    const family = from.u8()
    const name = from.text()
    return { header: { id, family, class: name, bucketUs: from.f64(), spanUs: from.f64() }, length: end }
  } catch (error) {
    throw new CorruptionError(path, 0, `the header makes no sense (${reason(error)})`)
  }
}

/** Appends a block and returns its whole length. */
export function putBlock(out: ByteWriter, kind: number, payload: Uint8Array): number {
  assert(payload.length <= PAYLOAD_BYTES_MAX, 'a block has a largest size')
  const at = out.length
  out.u32(0)
  out.u32(payload.length)
  out.u8(kind)
  out.raw(payload)
  out.view.setUint32(at, checksum(out.bytes, at + 4, out.length), true)
  return out.length - at
}

/** Whether a valid block fills bytes[at, at + its length], and its whole length; null when not. */
export function blockAt(
  bytes: Uint8Array,
  view: DataView,
  at: number
): { kind: number; length: number } | null {
  if (at + BLOCK_HEADER_BYTES > bytes.length) return null
  const payload = view.getUint32(at + 4, true)
  const length = BLOCK_HEADER_BYTES + payload
  if (payload > PAYLOAD_BYTES_MAX || at + length > bytes.length) return null
  const kind = bytes[at + 8]!
  if (kind === 0 || checksum(bytes, at + 4, at + length) !== view.getUint32(at, true)) return null
  return { kind, length }
}

/** Appends facts, the start of a footer's payload. */
export function putFacts(out: ByteWriter, facts: SegmentFacts): void {
  out.f64(facts.order)
  out.f64(facts.timeMinUs)
  out.f64(facts.timeMaxUs)
  out.varint(facts.samples)
  out.u8(facts.level)
  out.varint(facts.boot)
}

/** @throws {VarveError} VARVE_TRUNCATED */
export function getFacts(from: ByteReader): SegmentFacts {
  return {
    order: from.f64(),
    timeMinUs: from.f64(),
    timeMaxUs: from.f64(),
    samples: from.varint(),
    level: from.u8(),
    boot: from.varint()
  }
}

/** Appends the trailer. */
export function putTrailer(out: ByteWriter, footerAt: number, footerLength: number): void {
  const at = out.length
  out.u32(footerAt >>> 0)
  out.u16(Math.floor(footerAt / 0x100000000))
  out.u32(footerLength)
  out.u32(checksum(out.bytes, at, at + 10))
  out.u32(SEGMENT_END_MAGIC)
}

/** Where the footer lies, or null when the trailer is damaged. `bytes` are the last of the file. */
export function getTrailer(bytes: Uint8Array, fileBytes: number): { at: number; length: number } | null {
  if (bytes.length !== TRAILER_BYTES) return null
  const from = new ByteReader(bytes)
  const at = from.u32() + from.u16() * 0x100000000
  const length = from.u32()
  if (from.u32() !== checksum(bytes, 0, 10) || from.u32() !== SEGMENT_END_MAGIC) return null
  return at + length + TRAILER_BYTES === fileBytes ? { at, length } : null
}

// One group of the WAL: the checksummed unit that one write and one sync put on the medium.
//
// group   := crc u32 | sum u32 | length u32 | file u32 | life u32 | ordinal u48 | synced u32 | version u8 | flags u8
//            0         4         8            12         16         20            26           30           31
//            section*
//            32
// section := owner u8 | length u32 | payload[length]                                         little-endian
//
// crc is CRC-32 of bytes 4 to 32 + length, sum xxHash32 of bytes 8 to 32 + length, length that of the sections. Both
// together say that a group is what was written even where a bit had to be turned back first (wal-bit.ts). file is
// the sequence number of the WAL file's present life and life a random number drawn for it, so that bytes of an
// earlier life of a recycled file, or payload bytes that look like a group, are never taken for one. ordinal
// counts the groups of the store; synced is the offset in the file up to which all was synced when the group was
// written. flags: 1 when the file grew under the group (its bytes were written once, not twice). owner is the kind
// of the owner, 1 to 127, plus 128 when the payload is fresh: readable without any payload before it.
// A group starts at a multiple of PAGE_BYTES and is followed by zeros up to the next. It is valid if and only if
//   (1) it lies in the file whole, (2) crc and sum match, (3) file and life are those of the file's first valid
//   group, (4) synced <= its own offset and whole pages, and (5) its sections fill length exactly.
// A valid group of a version above WAL_VERSION is refused (FormatError).
// Example: file 1, life 7, ordinal 1, synced 0, one fresh section of kind 2 with payload 2a 2b =
//   96 bf 68 ad 93 d3 ad f9 07 00 00 00 01 00 00 00 07 00 00 00 01 00 00 00 00 00 00 00 00 00 01 00 82 02 00 00
//   00 2a 2b
// Not here: which groups make up a WAL (wal-reader.ts), when to write (sync-pace.ts).
import { assert } from '../base/assert.ts'
import type { ByteWriter } from '../base/bytes.ts'
import { checksum } from '../base/checksum.ts'
import { FormatError } from '../base/errors.ts'
import { wordSum } from '../base/word-sum.ts'
import { PAGE_BYTES, WAL_VERSION } from './format.ts'

export const GROUP_HEADER_BYTES = 32
export const SECTION_HEADER_BYTES = 5
const FRESH = 0x80
const GREW = 1

/** A group as found in a file. */
export interface Group {
  /** Offset of the group in its file, bytes. */
  readonly offset: number
  readonly file: number
  readonly life: number
  readonly ordinal: number
  readonly synced: number
  /** The file grew under it. */
  readonly grew: boolean
  /** Bytes with header, without padding. */
  readonly bytes: number
}

/** Bytes rounded up to whole pages. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}

/** Bytes of the group at `at`, with its header and without padding, as that header states them. */
export function statedBytes(view: DataView, at: number): number {
  return GROUP_HEADER_BYTES + view.getUint32(at + 8, true)
}

/** Starts a group in `out`: room for the header. */
export function beginGroup(out: ByteWriter): void {
  out.reset()
  out.zeros(GROUP_HEADER_BYTES)
}

/** Starts a section; returns where, for endSection(). */
export function beginSection(out: ByteWriter, kind: number, fresh: boolean): number {
  assert(kind > 0 && kind < FRESH, 'the kind of an owner is 1 to 127')
  const at = out.length
  out.u8(fresh ? kind | FRESH : kind)
  out.u32(0)
  return at
}

/** Closes the section that began at `at`; one with no payload is taken back. Returns its payload's bytes. */
export function endSection(out: ByteWriter, at: number): number {
  const bytes = out.length - at - SECTION_HEADER_BYTES
  assert(bytes >= 0, 'an owner only appends to a group')
  if (bytes === 0) out.length = at
  else out.view.setUint32(at + 1, bytes, true)
  return bytes
}

/** Fills in the header and pads to whole pages. Returns the bytes of the group without padding. */
export function endGroup(
  out: ByteWriter,
  file: number,
  life: number,
  ordinal: number,
  synced: number,
  grew: boolean
): number {
  const bytes = out.length
  const view = out.view
  view.setUint32(8, bytes - GROUP_HEADER_BYTES, true)
  view.setUint32(12, file, true)
  view.setUint32(16, life, true)
  view.setUint32(20, ordinal >>> 0, true)
  view.setUint16(24, Math.floor(ordinal / 0x100000000), true)
  view.setUint32(26, synced, true)
  out.bytes[30] = WAL_VERSION
  out.bytes[31] = grew ? GREW : 0
  view.setUint32(4, wordSum(out.bytes, 8, bytes), true)
  view.setUint32(0, checksum(out.bytes, 4, bytes), true)
  out.zeros(wholePages(bytes) - bytes)
  return bytes
}

/**
 * The group at `at` of the file's bytes, or null when there is none that is valid. Cheap tests come first: a
 * scan over stale pages must not sum megabytes for each.
 * @param life  what the group must belong to; null: any (the caller compares)
 * @throws {FormatError} when it was written by a newer varve
 */
export function readGroup(
  path: string,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  life: { readonly file: number; readonly life: number } | null
): Group | null {
  if (at + GROUP_HEADER_BYTES > bytes.length) return null
  const end = at + statedBytes(view, at)
  if (end === at + GROUP_HEADER_BYTES || end > bytes.length) return null
  const file = view.getUint32(at + 12, true)
  const lifeFound = view.getUint32(at + 16, true)
  if (life !== null && (life.file !== file || life.life !== lifeFound)) return null
  const synced = view.getUint32(at + 26, true)
  const version = bytes[at + 30]!
  if (synced > at || synced % PAGE_BYTES !== 0 || version === 0) return null
  if (version <= WAL_VERSION && !sectionsFill(view, at + GROUP_HEADER_BYTES, end)) return null
  if (checksum(bytes, at + 4, end) !== view.getUint32(at, true)) return null
  if (wordSum(bytes, at + 8, end) !== view.getUint32(at + 4, true)) return null
  if (version > WAL_VERSION) throw new FormatError(path, version, WAL_VERSION)
  return {
    offset: at,
    file,
    life: lifeFound,
    ordinal: view.getUint32(at + 20, true) + view.getUint16(at + 24, true) * 0x100000000,
    synced,
    grew: (bytes[at + 31]! & GREW) !== 0,
    bytes: end - at
  }
}

function sectionsFill(view: DataView, start: number, end: number): boolean {
  let at = start
  while (at + SECTION_HEADER_BYTES <= end) at += SECTION_HEADER_BYTES + view.getUint32(at + 1, true)
  return at === end
}

/** Calls back with each section of a valid group, in order; payloads are views of `bytes`. */
export function eachSection(
  bytes: Uint8Array,
  group: Group,
  callback: (kind: number, payload: Uint8Array, fresh: boolean) => void
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = group.offset + group.bytes
  let at = group.offset + GROUP_HEADER_BYTES
  while (at < end) {
    const start = at + SECTION_HEADER_BYTES
    const next = start + view.getUint32(at + 1, true)
    const owner = bytes[at]!
    callback(owner & (FRESH - 1), bytes.subarray(start, next), owner >= FRESH)
    at = next
  }
}

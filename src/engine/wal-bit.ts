// Recognises a group of the WAL that is what was written but for one changed bit. Such a group is damage at rest:
// a torn one lacks whole sectors, and to be one bit away from a valid group by chance its checksum would have to meet
// one of as many values as it has bits, of 2^32. That is 1 in 130,000 for a group of a page: enough to name
// damage by, where else it would pass for a torn tail.
//
// The bit is found by what CRC-32 makes of it: a change of bit b, n bytes before the end, changes the sum by a value
// that depends on b and n alone. A changed length is found by trying its 32 bits.
//
// Where it is proven that the group was synced the bit is turned back and the group read (wal-reader.ts), if it is
// of MENDED_BYTES_MAX at most: up to there no change of two or three bits looks like one of a single bit (the
// distance of CRC-32 is 4 up to 91,607 bits; Koopman, 32-Bit Cyclic Redundancy Codes, 2002). A lost group
// would let older values show, and nobody could say of which keys.
// Not here: what proves that a group was synced (wal-reader.ts).
import { checksum } from '../base/checksum.ts'
import { GROUP_HEADER_BYTES, type Group, readGroup } from './wal-record.ts'

/** Groups up to this length are mended, bytes. */
export const MENDED_BYTES_MAX = 11_447
const LENGTH_AT = 4
const FILE_AT = 8
const LIFE_AT = 12
const POLYNOMIAL = 0xedb88320

/** What is known of the group that should stand at a place; null: any. */
export interface Expected {
  readonly life: { readonly file: number; readonly life: number } | null
  readonly ordinal: number | null
}

/**
 * The group at `at` that one bit keeps from being valid; null when there is none.
 * @param bytes  the file; with `mend` the bit is turned back in it, else it is as it was when this returns
 */
export function groupBesideOneBit(
  path: string,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  expected: Expected,
  mend: boolean
): Group | null {
  if (at + GROUP_HEADER_BYTES > bytes.length) return null
  const { life, ordinal } = expected
  if (life !== null) {
    // Stale pages are told by their life at once.
    const file = bitsOf(view.getUint32(at + FILE_AT, true) ^ life.file)
    if (file + bitsOf(view.getUint32(at + LIFE_AT, true) ^ life.life) > 1) return null
  }
  for (const [byte, mask] of candidates(bytes, view, at)) {
    bytes[byte]! ^= mask
    const group = readGroup(path, bytes, view, at, life)
    const isIt = group !== null && group.synced === at && (ordinal === null || group.ordinal === ordinal)
    if (!isIt || !mend || group.bytes > MENDED_BYTES_MAX) bytes[byte]! ^= mask
    if (isIt) return group
  }
  return null
}

/** Bits that may be the changed one: places in the file, and the bit as a mask. */
function* candidates(bytes: Uint8Array, view: DataView, at: number): Iterable<[byte: number, mask: number]> {
  const end = at + GROUP_HEADER_BYTES + view.getUint32(at + LENGTH_AT, true)
  if (end <= bytes.length) {
    const stated = view.getUint32(at, true)
    const difference = (checksum(bytes, at + LENGTH_AT, end) ^ stated) >>> 0
    if (bitsOf(difference) === 1) {
      const bit = 31 - Math.clz32(difference)
      yield [at + (bit >>> 3), 1 << (bit & 7)]
    }
    const place = changedBit(difference, end - at - LENGTH_AT)
    if (place !== null) yield [at + LENGTH_AT + place.byte, 1 << place.bit]
  }
  for (let bit = 0; bit < 32; bit++) yield [at + LENGTH_AT + (bit >>> 3), 1 << (bit & 7)]
}

/** CRC-32 of each byte, without the inversions: what eight steps make of it. */
const effects = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let step = 0; step < 8; step++) sum = (sum >>> 1) ^ (sum & 1 ? POLYNOMIAL : 0)
  return sum >>> 0
})
/** The byte whose effect begins with a byte: effects differ there. */
const byteOf = new Uint8Array(256)
for (const [byte, effect] of effects.entries()) byteOf[effect >>> 24] = byte

/** The bit of `length` bytes whose change changes their CRC-32 by `difference`, or null. */
function changedBit(difference: number, length: number): { byte: number; bit: number } | null {
  let left = difference
  for (let byte = length - 1; byte >= 0; byte--) {
    const cause = byteOf[left >>> 24]!
    const effect = effects[cause]!
    if (effect === left && bitsOf(cause) === 1) return { byte, bit: 31 - Math.clz32(cause) }
    // Back by the eight steps of the bytes behind.
    left = (((left ^ effect) << 8) | cause) >>> 0
  }
  return null
}

function bitsOf(word: number): number {
  let count = 0
  for (let rest = word >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++
  return count
}

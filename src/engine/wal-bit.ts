// Recognises a group of the WAL that is what was written but for one changed bit, and turns that bit back. Such a
// group is damage at rest, and it is read, whether anything proves that it was synced or not: a lost one would let
// older values show, and nobody could say of which keys.
//
// The bit is found by what CRC-32 makes of it: a change of bit b, n bytes before the end, changes the sum by a value
// that depends on b and n alone, and on no other bit of a group (two bits look alike 2^32 - 1 bits apart, 512 MiB).
// A changed length is found by trying its 32 bits. So of n bits of a torn group one could be found by chance in n of 2^32
// tears. That is why a group has a second sum of another kind, which the mended group must match as well, and no
// change of the bit was made for: a torn group, or one with two or three bits changed, passes in n of 2^64 cases, for
// a group of 1 MiB one of 2 * 10^12. A group that is torn and still one bit away from what was written (a byte whose only bit
// was not written yet) becomes exactly that, as if it had been written whole, which no reader can tell from it.
// Not here: what happens with a group then (wal-reader.ts).
import { checksum } from '../base/checksum.ts'
import { GROUP_HEADER_BYTES, type Group, readGroup, statedBytes } from './wal-record.ts'

const SUMMED_AT = 4
const LENGTH_AT = 8
const FILE_AT = 12
const LIFE_AT = 16
const POLYNOMIAL = 0xedb88320

/**
 * The group at `at` that one bit keeps from being valid; null when there is none.
 * @param bytes  the file; the bit is turned back in it when there is one
 * @param life  what the group must belong to; null: any
 */
export function groupBesideOneBit(
  path: string,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  life: { readonly file: number; readonly life: number } | null
): Group | null {
  if (at + GROUP_HEADER_BYTES > bytes.length) return null
  if (life !== null) {
    // Stale pages are told by their life at once.
    const file = bitsOf(view.getUint32(at + FILE_AT, true) ^ life.file)
    if (file + bitsOf(view.getUint32(at + LIFE_AT, true) ^ life.life) > 1) return null
  }
  for (const [byte, mask] of candidates(bytes, view, at)) {
    bytes[byte]! ^= mask
    const group = readGroup(path, bytes, view, at, life)
    if (group !== null && group.synced === at) return group
    bytes[byte]! ^= mask
  }
  return null
}

/** Bits that may be the changed one: places in the file, and the bit as a mask. */
function* candidates(bytes: Uint8Array, view: DataView, at: number): Iterable<[byte: number, mask: number]> {
  const end = at + statedBytes(view, at)
  if (end <= bytes.length) {
    const stated = view.getUint32(at, true)
    const difference = (checksum(bytes, at + SUMMED_AT, end) ^ stated) >>> 0
    if (bitsOf(difference) === 1) {
      const bit = 31 - Math.clz32(difference)
      yield [at + (bit >>> 3), 1 << (bit & 7)]
    }
    const place = changedBit(difference, end - at - SUMMED_AT)
    if (place !== null) yield [at + SUMMED_AT + place.byte, 1 << place.bit]
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

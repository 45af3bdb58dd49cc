// Small collections as Redis packs them within a string: listpack, ziplist and intset; and LZF, by which it shortens
// strings. Read only: DUMP writes none of these.
//
//   listpack := bytes u32 | count u16 | (element | its length backwards)* | ff
//   ziplist  := bytes u32 | last u32 | count u16 | (length of the one before | element)* | ff
//   intset   := width u32 | count u32 | integer of that width *                              all little-endian
// Example: the listpack of "a" and 1 = 0c 00 00 00 02 00 81 61 02 01 01 ff
// Invariants: nothing is read outside of the bytes; what does not fit throws VARVE_TRUNCATED or BadValue.
// Not here: what the elements mean (rdb-value.ts).
import { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

const END = 0xff

/** @throws {VarveError} VARVE_RESP_VALUE */
export function badValue(why: string): never {
  throw new VarveError('VARVE_RESP_VALUE', `Cannot read a value of RDB: ${why}`)
}

function integer(from: ByteReader, bytes: number): Uint8Array {
  let value = 0n
  for (let i = 0; i < bytes; i++) value |= BigInt(from.u8()) << BigInt(8 * i)
  return Buffer.from(BigInt.asIntN(8 * bytes, value).toString())
}

function listpackElement(from: ByteReader): Uint8Array {
  const head = from.u8()
  if (head < 0x80) return Buffer.from(String(head))
  if (head < 0xc0) return from.raw(head & 0x3f)
  if (head < 0xe0) {
    const value = ((head & 0x1f) << 8) | from.u8()
    return Buffer.from(String(value >= 4096 ? value - 8192 : value))
  }
  if (head < 0xf0) return from.raw(((head & 0x0f) << 8) | from.u8())
  if (head === 0xf0) return from.raw(from.u32())
  const bytes = [2, 3, 4, 8][head - 0xf1]
  return bytes === undefined ? badValue(`byte ${head} begins no element`) : integer(from, bytes)
}

/** Bytes of the length of an element that stands behind it. */
function backwardsBytes(length: number): number {
  if (length <= 127) return 1
  if (length < 16_383) return 2
  if (length < 2_097_151) return 3
  return length < 268_435_455 ? 4 : 5
}

/** The elements of a listpack. @throws {VarveError} */
export function readListpack(bytes: Uint8Array): Uint8Array[] {
  const from = new ByteReader(bytes)
  from.skip(6)
  const elements: Uint8Array[] = []
  while (from.bytes[from.at] !== END) {
    const start = from.at
    elements.push(listpackElement(from))
    from.skip(backwardsBytes(from.at - start))
  }
  return elements
}

function ziplistElement(from: ByteReader): Uint8Array {
  if (from.u8() === 0xfe) from.skip(4)
  const head = from.u8()
  if (head < 0x40) return from.raw(head)
  if (head < 0x80) return from.raw(((head & 0x3f) << 8) | from.u8())
  if (head < 0xc0) return from.raw(bigEndian(from, 4))
  switch (head) {
    case 0xc0:
      return integer(from, 2)
    case 0xd0:
      return integer(from, 4)
    case 0xe0:
      return integer(from, 8)
    case 0xf0:
      return integer(from, 3)
    case 0xfe:
      return integer(from, 1)
    default:
      if (head < 0xf1 || head > 0xfd) return badValue(`byte ${head} begins no element`)
      return Buffer.from(String((head & 0x0f) - 1))
  }
}

/** A number of so many bytes, at most 6, the highest first. */
export function bigEndian(from: ByteReader, bytes: number): number {
  let value = 0
  for (let i = 0; i < bytes; i++) value = value * 256 + from.u8()
  return value
}

/** The elements of a ziplist. @throws {VarveError} */
export function readZiplist(bytes: Uint8Array): Uint8Array[] {
  const from = new ByteReader(bytes)
  from.skip(10)
  const elements: Uint8Array[] = []
  while (from.bytes[from.at] !== END) elements.push(ziplistElement(from))
  return elements
}

/** The members of an intset. @throws {VarveError} */
export function readIntset(bytes: Uint8Array): Uint8Array[] {
  const from = new ByteReader(bytes)
  const width = from.u32()
  const count = from.u32()
  if (![2, 4, 8].includes(width) || count * width !== from.left) badValue('an intset of another length')
  return Array.from({ length: count }, () => integer(from, width))
}

/** Undoes LZF. @param length  of what it gives, bytes @throws {VarveError} */
export function unshortened(bytes: Uint8Array, length: number): Uint8Array {
  const from = new ByteReader(bytes)
  const out = new Uint8Array(length)
  let at = 0
  while (from.left > 0) {
    const head = from.u8()
    if (head < 32) {
      const literal = from.raw(head + 1)
      if (at + literal.length > length) badValue('LZF gives more than it says')
      out.set(literal, at)
      at += literal.length
      continue
    }
    const more = head >> 5 === 7 ? from.u8() : 0
    const back = ((head & 0x1f) << 8) + from.u8() + 1
    const n = (head >> 5) + more + 2
    if (back > at || at + n > length) badValue('LZF names bytes outside of it')
    for (let i = 0; i < n; i++, at++) out[at] = out[at - back]!
  }
  return at === length ? out : badValue('LZF gives less than it says')
}

// A second checksum beside CRC-32, for what has to be recognised although a bit of it was changed: what CRC-32 says
// of the bit only finds it, and another sum has to confirm it. xxHash32, because it is not linear as CRC-32 is (another
// CRC of the same polynomial, over halves or in another order, would follow from the first), and because words are
// multiplied in four independent lanes, which JavaScript does about as fast as zlib its CRC-32.
//
// Not here: CRC-32 (checksum.ts), the group that has both (engine/wal-record.ts).
const PRIME1 = 0x9e3779b1 | 0
const PRIME2 = 0x85ebca77 | 0
const PRIME3 = 0xc2b2ae3d | 0
const PRIME4 = 0x27d4eb2f | 0
const PRIME5 = 0x165667b1 | 0
const STRIPE_BYTES = 16

/**
 * xxHash32 of bytes[start, end) with seed 0. Fastest where the first byte lies at a multiple of four of its buffer.
 * @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md; that of "123456789" is 937bad67
 */
export function wordSum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start
  const first = bytes.byteOffset + start
  if (first % 4 !== 0) return wordSum(bytes.slice(start, end))
  const words = new Int32Array(bytes.buffer, first, length >>> 2)
  const striped = length - (length % STRIPE_BYTES)
  let sum = (striped === 0 ? PRIME5 : stripes(words, striped >>> 2)) + length
  for (let i = striped >>> 2; i < words.length; i++) {
    sum = Math.imul(rotated((sum + Math.imul(words[i]!, PRIME3)) | 0, 17), PRIME4)
  }
  for (let at = start + words.length * 4; at < end; at++) {
    sum = Math.imul(rotated((sum + Math.imul(bytes[at]!, PRIME5)) | 0, 11), PRIME1)
  }
  sum = Math.imul(sum ^ (sum >>> 15), PRIME2)
  sum = Math.imul(sum ^ (sum >>> 13), PRIME3)
  return (sum ^ (sum >>> 16)) >>> 0
}

function stripes(words: Int32Array, count: number): number {
  let a = (PRIME1 + PRIME2) | 0
  let b = PRIME2
  let c = 0
  let d = -PRIME1 | 0
  for (let i = 0; i < count; i += 4) {
    a = Math.imul(rotated((a + Math.imul(words[i]!, PRIME2)) | 0, 13), PRIME1)
    b = Math.imul(rotated((b + Math.imul(words[i + 1]!, PRIME2)) | 0, 13), PRIME1)
    c = Math.imul(rotated((c + Math.imul(words[i + 2]!, PRIME2)) | 0, 13), PRIME1)
    d = Math.imul(rotated((d + Math.imul(words[i + 3]!, PRIME2)) | 0, 13), PRIME1)
  }
  return (rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18)) | 0
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

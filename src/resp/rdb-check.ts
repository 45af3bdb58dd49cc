// The end of what DUMP gives: which version of RDB it is written in, and a checksum of all before it.
//
//   payload := value | version u16 | crc u64                                                     little-endian
// crc is CRC-64 of Jones (reflected, polynomial ad93d23594c935a9) over all bytes before it; 0 is taken unchecked by
// Redis, here it is not. Example: the string "a" in version 9 = 00 01 61 09 00 6f 0c be 57 db b0 1e 05
// Not here: values (rdb-value.ts).

/** Redis 5 and newer read it. */
const WRITTEN_VERSION = 9
/** That of Redis 7.2. */
const READ_VERSION_MAX = 11
const END_BYTES = 10

const LOW_POLYNOMIAL = 0xac4bc9b5
const HIGH_POLYNOMIAL = 0x95ac9329
const lows = new Uint32Array(256)
const highs = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let [low, high] = [i, 0]
  for (let bit = 0; bit < 8; bit++) {
    const isSet = (low & 1) === 1
    low = ((low >>> 1) | (high << 31)) >>> 0
    high >>>= 1
    if (!isSet) continue
    low ^= LOW_POLYNOMIAL
    high ^= HIGH_POLYNOMIAL
  }
  lows[i] = low
  highs[i] = high
}

/** CRC-64 as its low and its high 32 bits. */
export function crc64(bytes: Uint8Array): { low: number; high: number } {
  let [low, high] = [0, 0]
  for (let i = 0; i < bytes.length; i++) {
    const at = (low ^ bytes[i]!) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ lows[at]!
    high = (high >>> 8) ^ highs[at]!
  }
  return { low: low >>> 0, high: high >>> 0 }
}

/** The value with its version and checksum. */
export function sealed(value: Uint8Array): Buffer {
  const payload = Buffer.alloc(value.length + END_BYTES)
  payload.set(value)
  payload.writeUInt16LE(WRITTEN_VERSION, value.length)
  const { low, high } = crc64(payload.subarray(0, value.length + 2))
  payload.writeUInt32LE(low, value.length + 2)
  payload.writeUInt32LE(high, value.length + 6)
  return payload
}

/** The value of a payload; null where its version is not known or its checksum is wrong. */
export function unsealed(payload: Buffer): Uint8Array | null {
  const length = payload.length - END_BYTES
  if (length < 1 || payload.readUInt16LE(length) > READ_VERSION_MAX) return null
  const { low, high } = crc64(payload.subarray(0, length + 2))
  const isWhole = payload.readUInt32LE(length + 2) === low && payload.readUInt32LE(length + 6) === high
  return isWhole ? payload.subarray(0, length) : null
}

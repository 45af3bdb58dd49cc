// A Bloom filter over byte strings: says "not here" for certain, or "perhaps". Ten bits a key and six
// probes are wrong about once in a hundred keys that are not there, and save a block read each time else.
//
//   bloom := probes u8 | bits[n]                    n bytes, n * 8 bits, least significant bit first
// Probe i of a key tests bit (hash + i * step) mod (n * 8), step = hash rotated left by 15, made odd (one hash,
// as LevelDB's util/bloom.cc does).
// Example: 6 probes, keys "a" and "b" in 8 bytes = 06 00 00 20 08 02 00 fc 41
//
// Invariants: a filter answers "perhaps" for every key that was added.
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'

const BITS_A_KEY = 10
const PROBES = 6
const PROBES_MAX = 30
const BYTES_MIN = 8

/** A 32-bit hash of a byte string (FNV-1a, finished as MurmurHash3 does). Part of the format. */
export function bloomHash(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Collects hashes and makes their filter. */
export class BloomWriter {
  private hashes = new Uint32Array(1024)
  private count = 0

  add(hash: number): void {
    if (this.count === this.hashes.length) {
      const grown = new Uint32Array(this.count * 2)
      grown.set(this.hashes)
      this.hashes = grown
    }
    this.hashes[this.count++] = hash
  }

  /** The filter of all that was added. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(1 + Math.max(BYTES_MIN, Math.ceil((this.count * BITS_A_KEY) / 8)))
    bytes[0] = PROBES
    const bits = (bytes.length - 1) * 8
    for (let i = 0; i < this.count; i++) {
      let hash = this.hashes[i]!
      const step = ((hash << 15) | (hash >>> 17) | 1) >>> 0
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = hash % bits
        bytes[1 + (bit >>> 3)]! |= 1 << (bit & 7)
        hash = (hash + step) >>> 0
      }
    }
    return bytes
  }
}

/** Whether the key of that hash may be in the filter; false is certain. */
export function bloomMayHold(filter: Uint8Array, hash: number): boolean {
  const bits = (filter.length - 1) * 8
  const step = ((hash << 15) | (hash >>> 17) | 1) >>> 0
  let at = hash
  for (let probe = filter[0]!; probe > 0; probe--) {
    const bit = at % bits
    if ((filter[1 + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false
    at = (at + step) >>> 0
  }
  return true
}

/** Checks that bytes are a filter, once, where they are read. @throws {VarveError} VARVE_TRUNCATED */
export function checkBloom(filter: Uint8Array): Uint8Array {
  if (filter.length < 1 + BYTES_MIN || filter[0]! < 1 || filter[0]! > PROBES_MAX) {
    throw new VarveError(
      'VARVE_TRUNCATED',
      `Cannot read bloom filter: ${filter.length} bytes with ${filter[0] ?? 0} probes`
    )
  }
  return filter
}

assert(PROBES <= PROBES_MAX, 'the filter we write is one we read')

// Values as RocksDB's db_bench makes them, so that every store of a run writes bytes that shrink alike: slices of a pool
// of pieces of 100 bytes, each piece so much random text, repeated until it is full. With a share of 1 they are random
// bytes, which nothing shrinks.

import { Random } from '../src/base/random.ts'

export const VALUE_BYTES = 100
const POOL_BYTES = 2 ** 20

/** @param share  what a compressor can make of them, of their size */
export function valuePool(share: number): Buffer {
  const random = new Random(301)
  const pool = Buffer.alloc(POOL_BYTES)
  const raw = Math.max(1, Math.round(VALUE_BYTES * share))
  for (let at = 0; at < POOL_BYTES; at++) {
    const place = at % VALUE_BYTES
    pool[at] = place >= raw ? pool[at - raw]! : share >= 1 ? random.below(256) : 32 + random.below(95)
  }
  return pool
}

/** The values of a pool, one after the other. */
export class ValueSource {
  private readonly pool: Buffer
  private at = 0

  constructor(share: number) {
    this.pool = valuePool(share)
  }

  next(): Buffer {
    if (this.at + VALUE_BYTES > this.pool.length) this.at = 0
    this.at += VALUE_BYTES
    return this.pool.subarray(this.at - VALUE_BYTES, this.at)
  }
}

// Entries that were read from segments, kept up to a bound of bytes, so that a value that is asked for again costs
// one look into a table: no filter, no search in blocks. The memtable needs none of it, so that what is written is
// only forgotten here.
//
// Invariants: bytes <= bytesMax after every call; what is kept is the newest version of its key, since every write
// of a key forgets it; a value is a copy, which keeps no block in memory.
// Not here: which goes first (base/second-chance.ts), blocks, which serve scans and what is read for the first
// time (block-cache.ts).
import { SecondChance } from '../base/second-chance.ts'
import { Entry } from './entry.ts'

export class HotEntries {
  private readonly kept: SecondChance<string, Entry>
  hits = 0

  constructor(bytesMax: number) {
    this.kept = new SecondChance(bytesMax, 16)
  }

  get bytes(): number {
    return this.kept.weight
  }

  get(stored: string): Entry | undefined {
    const found = this.kept.get(stored)
    if (found !== undefined) this.hits++
    return found
  }

  /** Keeps what a segment gave. */
  put({ stored, version, expiresUs, value, weight, deleted }: Entry): void {
    if (deleted || !this.kept.fits(weight)) return
    this.kept.put(stored, new Entry(stored, version, expiresUs, new Uint8Array(value)), weight)
  }

  /** The key was written. */
  forget(stored: string): void {
    if (this.kept.size > 0) this.kept.delete(stored)
  }

  clear(): void {
    this.kept.clear()
  }
}

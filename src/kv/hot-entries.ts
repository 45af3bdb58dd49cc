// Entries that were read from segments, kept up to a bound of bytes, so that a value that is asked for again costs
// one look into a table: no filter, no search in blocks. Second chance, as in block-cache.ts. The memtable needs
// none of it, so that what is written is only forgotten here.
//
// Invariants: bytes <= bytesMax after every call; what is kept is the newest version of its key, since every write
// of a key forgets it; a value is a copy, which keeps no block in memory.
// Not here: blocks, which serve scans and what is read for the first time (block-cache.ts).
import { Entry } from './entry.ts'

interface Kept {
  readonly entry: Entry
  used: boolean
}

/** One value takes this part of the room at most. */
const SHARE_MAX = 1 / 16

export class HotEntries {
  private readonly bytesMax: number
  private readonly kept = new Map<string, Kept>()
  bytes = 0
  hits = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get(stored: string): Entry | undefined {
    const found = this.kept.get(stored)
    if (found === undefined) return undefined
    this.hits++
    found.used = true
    return found.entry
  }

  /** Keeps what a segment gave. */
  put({ stored, version, expiresUs, value, weight, deleted }: Entry): void {
    if (deleted || weight > this.bytesMax * SHARE_MAX) return
    this.forget(stored)
    const entry = new Entry(stored, version, expiresUs, new Uint8Array(value))
    this.kept.set(stored, { entry, used: false })
    this.bytes += weight
    for (const [oldest, kept] of this.kept) {
      if (this.bytes <= this.bytesMax) break
      this.kept.delete(oldest)
      if (kept.used) {
        kept.used = false
        this.kept.set(oldest, kept)
      } else {
        this.bytes -= kept.entry.weight
      }
    }
  }

  /** The key was written. */
  forget(stored: string): void {
    if (this.kept.size === 0) return
    const known = this.kept.get(stored)
    if (known === undefined) return
    this.kept.delete(stored)
    this.bytes -= known.entry.weight
  }

  clear(): void {
    this.kept.clear()
    this.bytes = 0
  }
}

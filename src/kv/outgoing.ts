// What waits for the WAL: new writes, and entries of the memtable that are repeated in the next file.
//
// Invariants: repeated entries go before new ones, so that a reader meets versions of a key in order.
// Not here: their bytes (section.ts), which are repeated (maintenance.ts).
import type { ByteWriter } from '../base/bytes.ts'
import type { Entry } from './entry.ts'
import { type EntrySlab, slabOfOne } from './entry-log.ts'
import { SECTION_CARRIED, SECTION_NEW, SectionWriter } from './section.ts'

export class Outgoing {
  private readonly written = new SectionWriter(SECTION_NEW)
  private readonly carried = new SectionWriter(SECTION_CARRIED)

  /** Bytes of new writes. */
  get bytes(): number {
    return this.written.bytes
  }

  /** Adds a new write: the record at a word of a slab. */
  add(slab: EntrySlab, word: number): void {
    this.written.add(slab, word)
  }

  /** Repeats entries in the next group; returns the bytes of all that are repeated in it. */
  carry(entries: Iterable<Entry>): number {
    for (const entry of entries) this.carried.add(slabOfOne(entry), 0)
    return this.carried.bytes
  }

  drain(out: ByteWriter): void {
    this.carried.drain(out)
    this.written.drain(out)
  }
}

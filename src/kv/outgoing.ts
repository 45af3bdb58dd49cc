// What waits for the WAL: new writes, and entries of the memtable that are repeated in the next file.
//
// Invariants: repeated entries go before new ones, so that a reader meets versions of a key in order.
// Not here: their bytes (section.ts), which are repeated (maintenance.ts).
import type { ByteWriter } from '../base/bytes.ts'
import type { Entry } from './entry.ts'
import { SECTION_CARRIED, SECTION_NEW, SectionWriter } from './section.ts'

export class Outgoing {
  private readonly written = new SectionWriter()
  private readonly carried = new SectionWriter()

  /** Bytes of new writes. */
  get bytes(): number {
    return this.written.bytes
  }

  add(entry: Entry): void {
    this.written.add(entry)
  }

  /** Repeats entries in the next group; returns the bytes of all that are repeated in it. */
  carry(entries: Iterable<Entry>): number {
    for (const entry of entries) this.carried.add(entry)
    return this.carried.bytes
  }

  drain(out: ByteWriter): void {
    this.carried.drain(SECTION_CARRIED, out)
    this.written.drain(SECTION_NEW, out)
  }
}

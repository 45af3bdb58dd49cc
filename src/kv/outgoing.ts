// What waits for the WAL: new writes, and entries of the memtable that are repeated in the next file.
//
// Invariants: repeated entries go before new ones, so that a reader meets versions of a key in order.
// Not here: their bytes (section.ts), which are repeated (maintenance.ts).
import type { ByteWriter } from '../base/bytes.ts'
import type { Entry } from './entry.ts'
import { SECTION_CARRIED, SECTION_NEW, SectionWriter } from './section.ts'

export class Outgoing {
  private readonly written = new SectionWriter(SECTION_NEW)
  private readonly carried = new SectionWriter(SECTION_CARRIED)

  /** Bytes of new writes. */
  get bytes(): number {
    return this.written.bytes
  }

  /** @param value  of the entry; null: a tombstone */
  add(entry: Entry, value: Uint8Array | null): void {
    this.written.add(entry, value)
  }

  /** Repeats entries in the next group; returns the bytes of all that are repeated in it. */
  carry(entries: Iterable<Entry>): number {
    for (const entry of entries) this.carried.add(entry, entry.deleted ? null : entry.value)
    return this.carried.bytes
  }

  drain(out: ByteWriter): void {
    this.carried.drain(out)
    this.written.drain(out)
  }
}

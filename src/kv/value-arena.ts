// Where the values of a memtable lie: one behind the other in slabs, so that a write costs no typed array of its own
// (0.8 us and 200 bytes, and work for the garbage collector) but a copy and two numbers in its entry.
//
// Invariants: bytes in a slab never change; a slab lives as long as an entry in it does, so that whoever overwrites many
// counts what is dead and moves the others (memtables.ts).
// Not here: entries (entry.ts).
import { Entry, PACKED_BYTES_MAX } from './entry.ts'

/** Many times PACKED_BYTES_MAX, since what is left of a slab at its end is wasted. */
const SLAB_BYTES = 64 * 1024
const NO_ROOM = new Uint8Array(0)

export class ValueArena {
  private slab = NO_ROOM
  private used = 0

  /** An entry whose value is a copy. @param value  null: a tombstone */
  entry(stored: string, version: number, expiresUs: number, value: Uint8Array | null): Entry {
    if (value === null) return new Entry(stored, version, expiresUs, null)
    if (value.length === 0) return new Entry(stored, version, expiresUs, NO_ROOM)
    if (value.length > PACKED_BYTES_MAX) return new Entry(stored, version, expiresUs, new Uint8Array(value))
    const start = this.keep(value)
    return new Entry(stored, version, expiresUs, this.slab, start, value.length)
  }

  /** Moves the value of an entry here, so that the slab where it lay may go. */
  adopt(entry: Entry): void {
    const { value } = entry
    if (value.length === 0 || value.length > PACKED_BYTES_MAX) return
    const start = this.keep(value)
    entry.moved(this.slab, start)
  }

  private keep(value: Uint8Array): number {
    if (this.used + value.length > this.slab.length) {
      this.slab = new Uint8Array(SLAB_BYTES)
      this.used = 0
    }
    const start = this.used
    this.slab.set(value, start)
    this.used = start + value.length
    return start
  }
}

/** Bytes that stay in a slab when nobody needs the entry any more. */
export function packedBytes({ size }: Entry): number {
  return size > PACKED_BYTES_MAX ? 0 : size
}

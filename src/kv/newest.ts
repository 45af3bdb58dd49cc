// The newest entry of every key: memtables, hot entries, then segments. Newest wins; tombstones and expired entries are
// found like any other, since whoever asks has to know of them.
//
// Invariant: a write is told of here in the same turn in which it is made, so that nothing older is found after it.
// Not here: views of a moment (view.ts), what a write has to meet (admission.ts).
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import { HotEntries, type Look } from './hot-entries.ts'
import { byteString } from './key.ts'
import { Memtables } from './memtables.ts'
import type { KvLimits } from './options.ts'
import type { Tables } from './tables.ts'
import { findInSegments } from './view.ts'

export class Newest {
  readonly memtables: Memtables
  readonly hot: HotEntries
  /** Null while the store is not open. */
  tables: Tables | null = null

  constructor({ hotBytesMax, memtableBytesMax }: Pick<KvLimits, 'hotBytesMax' | 'memtableBytesMax'>) {
    this.memtables = new Memtables(memtableBytesMax)
    this.hot = new HotEntries(hotBytesMax)
  }

  /** @throws {VarveError} VARVE_CLOSED, VARVE_CORRUPTION */
  find(stored: string): Entry | undefined {
    const { tables } = this
    if (tables === null) throw new VarveError('VARVE_CLOSED', 'Cannot read store: it is not open')
    const known = this.hot.get(stored) ?? this.memtables.get(stored)
    if (known !== undefined) return known
    const found = findInSegments(tables.segments, stored)
    if (found !== undefined) this.hot.put(found)
    return found
  }

  /**
   * The newest value of a key where it lies, valid until the next call. What was found elsewhere is hot from then on:
   * who looks wants to look again.
   * @param start  how its stored key begins; bytes[from, to) is the rest of it
   * @returns null for a tombstone too
   * @throws {VarveError} VARVE_CLOSED, VARVE_CORRUPTION
   */
  look(start: string, bytes: Uint8Array, from: number, to: number): Look | null {
    const known = this.hot.look(start, bytes, from, to)
    if (known !== null) return known
    const entry = this.find(start + byteString(bytes.subarray(from, to)))
    if (entry === undefined || entry.deleted) return null
    this.hot.put(entry)
    const { value, version, expiresUs } = entry
    return { bytes: value, at: 0, length: value.length, version, expiresUs }
  }

  /** @param value  copied; null: a tombstone */
  write(stored: string, version: number, expiresUs: number, value: Uint8Array | null): Entry {
    this.hot.forget(stored)
    return this.memtables.write(stored, version, expiresUs, value)
  }

  close(): void {
    this.hot.clear()
    this.tables?.close()
    this.tables = null
  }
}

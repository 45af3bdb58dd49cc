// The newest entry of every key: memtables, hot entries, then segments. Newest wins; tombstones and expired entries are
// found like any other, since whoever asks has to know of them.
//
// Invariant: a write is told of here in the same turn in which it is made, so that nothing older is found after it.
// Not here: views of a moment (view.ts), what a write has to meet (admission.ts).
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { ValuePart } from './entry-log.ts'
import { HotEntries, type Look } from './hot-entries.ts'
import type { KeyBytes } from './key-bytes.ts'
import { Memtables } from './memtables.ts'
import type { KvLimits } from './options.ts'
import type { Tables } from './tables.ts'
import { findInSegments } from './view.ts'

export class Newest {
  readonly memtables: Memtables
  readonly hot: HotEntries
  /** Null while the store is not open. */
  tables: Tables | null = null
  private readonly found: Look = { bytes: new Uint8Array(0), at: 0, length: 0, version: 0, expiresUs: 0 }

  constructor({ hotBytesMax, memtableBytesMax }: Pick<KvLimits, 'hotBytesMax' | 'memtableBytesMax'>) {
    this.memtables = new Memtables(memtableBytesMax)
    this.hot = new HotEntries(hotBytesMax)
  }

  /** @throws {VarveError} VARVE_CLOSED, VARVE_CORRUPTION */
  find(key: KeyBytes): Entry | undefined {
    this.open()
    return this.hot.get(key) ?? this.memtables.get(key) ?? this.findInSegments(key)
  }

  /**
   * The newest value of a key where it lies, valid until the next call.
   * @returns null for a tombstone too
   * @throws {VarveError} VARVE_CLOSED, VARVE_CORRUPTION
   */
  look(key: KeyBytes): Look | null {
    this.open()
    const { hot, memtables, found } = this
    const known = hot.look(key)
    if (known !== null) return known
    const there = memtables.look(key, found)
    if (there !== 'absent') return there === 'found' ? found : null
    const entry = this.findInSegments(key)
    if (entry === undefined || entry.deleted) return null
    const { value, version, expiresUs } = entry
    return { bytes: value, at: 0, length: value.length, version, expiresUs }
  }

  /** @param value  copied @returns the address of its record in the memtable */
  write(key: KeyBytes, version: number, expiresUs: number, value: ValuePart): number {
    this.hot.forget(key)
    return this.memtables.write(key, version, expiresUs, value)
  }

  close(): void {
    this.hot.clear()
    this.tables?.close()
    this.tables = null
  }

  /** What is found is hot from then on. */
  private findInSegments(key: KeyBytes): Entry | undefined {
    const { segments } = this.open()
    if (segments.length === 0) return undefined
    const found = findInSegments(segments, key.stored)
    if (found !== undefined) this.hot.put(key, found)
    return found
  }

  private open(): Tables {
    const { tables } = this
    if (tables === null) throw new VarveError('VARVE_CLOSED', 'Cannot read store: it is not open')
    return tables
  }
}

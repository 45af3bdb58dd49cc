// What can be asked of a store: entries, ranges, moments, changes. What changes it is on top of this (store.ts).
//
// Invariant: a read sees every write that was made before it, synced or not; who must not act on what a cut may take
// back waits for its group.
// Not here: finding the newest (newest.ts), views (view.ts), what a watch gives (watch.ts).
import type { Clock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { History } from './history.ts'
import type { Look } from './hot-entries.ts'
import { EVERYTHING, KeyMaker } from './key.ts'
import { Newest } from './newest.ts'
import type { KvLimits } from './options.ts'
import type { Tables } from './tables.ts'
import { type ScanOptions, Snapshot } from './view.ts'
import { Watch } from './watch.ts'

export abstract class Reads {
  protected readonly clock: Clock
  protected readonly keys: KeyMaker
  protected readonly newest: Newest
  protected readonly history: History
  protected readonly onDamage: ((error: CorruptionError) => void) | undefined

  constructor(
    clock: Clock,
    limits: KvLimits,
    history: History,
    onDamage: ((error: CorruptionError) => void) | undefined
  ) {
    this.clock = clock
    this.keys = new KeyMaker(limits.keyBytesMax)
    this.newest = new Newest(limits)
    this.history = history
    this.onDamage = onDamage
  }

  /** The version of the newest write: after put(), that of the put. */
  abstract get lastVersion(): number

  /** @throws {VarveError} VARVE_KEY, VARVE_NAMESPACE, VARVE_CLOSED, VARVE_CORRUPTION */
  get(ns: string, key: string | Uint8Array): Entry | undefined {
    const found = this.newest.find(this.keys.take(ns, key))
    return found?.visible(found.expiresUs === 0 ? 0 : this.clock.nowUs()) ? found : undefined
  }

  /**
   * Reads a value where it lies: for a face that copies it out at once. The key is bytes[from, to).
   * @returns null: not there; else valid until the store is called again
   * @throws as get()
   */
  look(ns: string, bytes: Uint8Array, from: number, to: number): Look | null {
    const found = this.newest.look(this.keys.takePart(ns, bytes, from, to))
    if (found === null || found.expiresUs === 0 || this.clock.nowUs() < found.expiresUs) return found
    return null
  }

  has(ns: string, key: string | Uint8Array): boolean {
    return this.get(ns, key) !== undefined
  }

  /** The value of a key, or another. */
  getOrDefault(ns: string, key: string | Uint8Array, otherwise: Uint8Array): Uint8Array {
    return this.get(ns, key)?.value ?? otherwise
  }

  /** Entries of a range in order, as of the first one asked for; later writes are not seen. */
  *scan(ns: string, options: ScanOptions = {}): Generator<Entry, void, undefined> {
    const snapshot = this.snapshot()
    try {
      yield* snapshot.scan(ns, options)
    } finally {
      snapshot.close()
    }
  }

  /** A view of the store as it is now; close it. */
  snapshot(): Snapshot {
    const { keys, newest, clock, lastVersion, onDamage } = this
    return new Snapshot(
      keys,
      newest.memtables.pin(),
      this.tables().pin(),
      clock.nowUs(),
      lastVersion,
      onDamage
    )
  }

  /**
   * The changes of a range after a version, as they become durable.
   * @param ns     null: every namespace
   * @param after  a version that was seen (of an entry, a snapshot or an earlier watch); default: now
   * @throws {VarveError} VARVE_WATCH_OLD when changes after it are not kept any more
   */
  watch(ns: string | null, options: { prefix?: string | Uint8Array; after?: number } = {}): Watch {
    this.tables()
    const range = ns === null ? EVERYTHING : this.keys.range(ns, options.prefix)
    return new Watch(this.history, range, options.after ?? this.lastVersion)
  }

  /** Names of namespaces that hold something, in order. */
  namespaces(): string[] {
    const snapshot = this.snapshot()
    try {
      return [...snapshot.namespaces()]
    } finally {
      snapshot.close()
    }
  }

  /** The live segments. @throws {VarveError} VARVE_CLOSED */
  protected tables(): Tables {
    const { tables } = this.newest
    if (tables === null) throw new VarveError('VARVE_CLOSED', 'Cannot use store: it is not open')
    return tables
  }
}

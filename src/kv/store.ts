// The key-value store: entries in namespaces, newest wins over memtable and segments, every write in the
// WAL that it shares with the series.
//
// A write changes memory at once and returns the WAL group that will hold it: acknowledge it when that
// group is synced (wal.synced(group) or onSynced), not before. Reads see writes at once.
//
// Invariants:
//  - versions only grow, over restarts too: a start skips some (recovery.ts), so that a version that was
//    read but lost in a power cut never names another write (ifVersion and fencing tokens rest on it);
//  - a batch is one contiguous run of one WAL section: whole after a crash, or not there;
//  - after a failed WAL nothing is accepted until the store is opened anew.
// Not here: what a write has to meet (admission.ts), when and how entries move to segments (upkeep.ts,
// maintenance.ts), reading ranges (view.ts), the WAL (engine).
import { assert } from '../base/assert.ts'
import type { ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { CompactionChoice } from '../engine/compaction-plan.ts'
import { checkBatch, checkCondition, checkRoom, checkValue } from './admission.ts'
import { BlockCache } from './block-cache.ts'
import { countAfter } from './counter.ts'
import { mayBeThere, onceEach } from './damage.ts'
import { Entry } from './entry.ts'
import { History } from './history.ts'
import { KV_KIND, type KvHost, type KvWal, type Urgency } from './host.ts'
import { KeyMaker } from './key.ts'
import { type FlushOutcome, openSegments, readVersions, versionsNote } from './maintenance.ts'
import { Memtables } from './memtables.ts'
import { type KvLimits, type KvOptions, kvLimits } from './options.ts'
import { Outgoing } from './outgoing.ts'
import { Recovery } from './recovery.ts'
import { type KvStatistics, statisticsOf } from './statistics.ts'
import { Tables } from './tables.ts'
import { Upkeep } from './upkeep.ts'
import { findInSegments, type ScanOptions, Snapshot } from './view.ts'
import { Watch } from './watch.ts'
import type { Condition, PutOptions, Write } from './write.ts'

export class KvStore {
  readonly kind = KV_KIND
  private readonly clock: Clock
  private readonly limits: KvLimits
  private readonly keys: KeyMaker
  private readonly onError: (error: unknown) => void
  private readonly onDamage: ((error: CorruptionError) => void) | undefined
  private readonly memtables = new Memtables()
  private readonly cache: BlockCache
  private readonly history: History
  private readonly recovery: Recovery
  private readonly pending = new Outgoing()
  private readonly upkeep: Upkeep
  private host: KvHost | null = null
  private tables: Tables | null = null
  private version = 0
  private group = 0

  constructor(options: KvOptions) {
    this.clock = options.clock
    this.onError = options.onError
    this.onDamage = options.onDamage && onceEach(options.onDamage)
    this.limits = kvLimits(options.limits ?? {})
    this.keys = new KeyMaker(this.limits.keyBytesMax)
    this.cache = new BlockCache(this.limits.cacheBytesMax)
    this.history = new History(this.limits.historyBytesMax)
    this.recovery = new Recovery(this.memtables, this.history)
    this.upkeep = new Upkeep({
      maintained: () => this.maintained(),
      weight: () => this.memtables.activeWeight,
      memtableBytesMax: this.limits.memtableBytesMax,
      onError: this.onError
    })
  }

  // --- what the WAL asks of an owner ---

  replay(payload: Uint8Array): void {
    assert(this.host === null, 'the WAL is replayed before the store is attached')
    this.recovery.replay(payload)
  }

  lost(): void {
    this.recovery.lost()
  }

  drain(out: ByteWriter): void {
    this.pending.drain(out)
  }

  /**
   * Joins the store to the opened engine, after the WAL was replayed. Reads and writes work from then on.
   * @param readOnly  nothing is written, not even the mark of this start
   * @returns what of its segments is damaged: tell it. A key that was in a damaged block is an error when it is
   *   asked for, and missing in a scan; everything else is whole.
   */
  async attach(host: KvHost, readOnly = false): Promise<{ id: number; error: CorruptionError }[]> {
    assert(this.host === null, 'a store is attached once')
    const tables = new Tables(host.files, this.onError)
    const damaged = openSegments(host, this.cache, tables)
    const versions = readVersions(host.manifest)
    const start = this.recovery.finish(
      versions,
      tables.segments.map(({ segment }) => segment.facts.versionMax)
    )
    if (!readOnly) {
      await host.manifest.commit({ notes: [versionsNote({ ...versions, next: start })] })
      host.wal.onSynced(group => this.history.synced(group))
      host.wal.onPressure(pressure => this.upkeep.pressed(pressure))
    }
    this.version = start
    this.tables = tables
    this.host = host
    return damaged
  }

  /**
   * Refuses everything from now on, waits for a flush or compaction under way, ends watches, closes segments.
   * Close the store first and the engine then: what is pending is drained and synced as the engine closes.
   */
  async close(): Promise<void> {
    await this.upkeep.settled()
    this.history.close()
    this.tables?.close()
    this.tables = null
    this.host = null
  }

  // --- reads ---

  /** @throws {VarveError} VARVE_KEY, VARVE_NAMESPACE, VARVE_CLOSED, VARVE_CORRUPTION */
  get(ns: string, key: string | Uint8Array): Entry | undefined {
    const found = this.find(this.keys.stored(ns, key))
    return found?.visible(found.expiresUs === 0 ? 0 : this.clock.nowUs()) ? found : undefined
  }

  has(ns: string, key: string | Uint8Array): boolean {
    return this.get(ns, key) !== undefined
  }

  /** The value of a key, or another where it has none. */
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
    return new Snapshot(
      this.keys,
      this.memtables.pin(),
      this.open().tables.pin(),
      this.clock.nowUs(),
      this.version,
      this.onDamage
    )
  }

  /**
   * The changes of a range after a version, as they become durable.
   * @param after  a version that was seen (of an entry, a snapshot or an earlier watch); default: now
   * @throws {VarveError} VARVE_WATCH_OLD when changes after it are not kept any more
   */
  watch(ns: string, options: { prefix?: string | Uint8Array; after?: number } = {}): Watch {
    this.open()
    return new Watch(this.history, this.keys.range(ns, options.prefix), options.after ?? this.version)
  }

  /** The version of the newest write: after put(), that of the put. */
  get lastVersion(): number {
    return this.version
  }

  /** The WAL group of the newest write. */
  get lastGroup(): number {
    return this.group
  }

  // --- writes ---

  /**
   * Sets a key.
   * @returns the WAL group that holds the write
   * @throws {ConflictError} when the condition does not hold
   * @throws {VarveError} VARVE_KEY, VARVE_VALUE, VARVE_NAMESPACE; VARVE_BUSY, VARVE_MEMORY, VARVE_WAL_FULL,
   *   VARVE_STORE_FAILED, VARVE_CLOSED when the store cannot take it: nothing was changed
   */
  put(ns: string, key: string | Uint8Array, value: Uint8Array, options: PutOptions = NO_OPTIONS): number {
    const stored = this.keys.stored(ns, key)
    checkValue(value, options.expiresUs ?? 0, this.limits)
    const { wal } = this.ready(stored.length + value.length)
    this.checkCondition(stored, options)
    this.write(new Entry(stored, ++this.version, options.expiresUs ?? 0, new Uint8Array(value)), wal)
    return this.done(wal, stored.length + value.length, options.urgency ?? 1)
  }

  /** Removes a key. Where nothing is, nothing is written. @returns and throws as put() */
  delete(
    ns: string,
    key: string | Uint8Array,
    options: Condition & { urgency?: Urgency } = NO_OPTIONS
  ): number {
    const stored = this.keys.stored(ns, key)
    const { wal } = this.ready(stored.length)
    this.checkCondition(stored, options)
    if (!mayBeThere(() => this.find(stored))) return this.group
    this.write(new Entry(stored, ++this.version, 0, null), wal)
    return this.done(wal, stored.length, options.urgency ?? 1)
  }

  /**
   * Makes all writes or none, over any keys and namespaces; conditions are judged before the first.
   * @throws as put(), and VARVE_BATCH over batchBytesMax
   */
  batch(writes: readonly Write[], urgency: Urgency = 1): number {
    const stored = writes.map(write => this.keys.stored(write.ns, write.key))
    const bytes = checkBatch(writes, stored, this.limits)
    const { wal } = this.ready(bytes)
    if (writes.length === 0) return this.group
    for (let i = 0; i < writes.length; i++) this.checkCondition(stored[i]!, writes[i]!)
    for (let i = 0; i < writes.length; i++) {
      const write = writes[i]!
      const value = write.op === 'put' ? new Uint8Array(write.value) : null
      const expiresUs = write.op === 'put' ? (write.expiresUs ?? 0) : 0
      this.write(new Entry(stored[i]!, ++this.version, expiresUs, value), wal)
    }
    return this.done(wal, bytes, urgency)
  }

  /**
   * Reads, changes and writes a key as one step.
   * @param change  gives the new value; null deletes; undefined leaves all as it is
   * @returns and throws as put()
   */
  update(
    ns: string,
    key: string | Uint8Array,
    change: (now: Entry | undefined) => Uint8Array | null | undefined,
    options: PutOptions = NO_OPTIONS
  ): number {
    const value = change(this.get(ns, key))
    if (value === undefined) return this.group
    return value === null ? this.delete(ns, key, options) : this.put(ns, key, value, options)
  }

  /**
   * Adds to a counter: a whole number in decimal text; an absent one is 0. Keeps its expiry.
   * @throws {VarveError} VARVE_COUNTER when it is no whole number within 2^53; else as put()
   */
  add(
    ns: string,
    key: string | Uint8Array,
    by: number,
    urgency: Urgency = 1
  ): { value: number; group: number } {
    const now = this.get(ns, key)
    const value = countAfter(now?.value, by)
    const group = this.put(ns, key, Buffer.from(String(value)), { expiresUs: now?.expiresUs ?? 0, urgency })
    return { value, group }
  }

  // --- maintenance ---

  /**
   * Lets the WAL files before now go: entries go to a segment, or onward in the WAL where they are few.
   * One flush runs at a time; a call while one runs gives that one.
   * @param wanted  'segment': never carry
   * @throws {VarveError} of the disk; nothing is lost then, and it may be tried again
   */
  flush(wanted: 'any' | 'segment' = 'any'): Promise<FlushOutcome> {
    return this.upkeep.flush(wanted)
  }

  /**
   * Joins segments where the plan finds it worth its writing; one job at most.
   * @param clockKnown  false: nothing is taken as expired
   */
  compact(budgetBytes = Number.POSITIVE_INFINITY, clockKnown = true): Promise<CompactionChoice> {
    return this.upkeep.compact(budgetBytes, clockKnown ? this.clock.nowUs() : 0)
  }

  /** Sizes and counts, for status and metrics. */
  statistics(): KvStatistics {
    const { memtables, pending, cache, history, version } = this
    const { segments } = this.open().tables
    return { version, ...statisticsOf({ segments, memtables, pending, cache, history }) }
  }

  private maintained() {
    const { wal, manifest, files, tables } = this.open()
    const { memtables, cache, limits } = this
    const carry = (entries: Iterable<Entry>) => {
      const group = wal.pendingGroup
      wal.note(this.pending.carry(entries), 1)
      return group
    }
    return {
      ...{ wal, manifest, files, memtables, tables, cache, limits, carry },
      lastVersion: () => this.version
    }
  }

  private open(): KvHost & { readonly tables: Tables } {
    const { host, tables } = this
    if (host === null || tables === null)
      throw new VarveError('VARVE_CLOSED', 'Cannot use store: it is not open')
    return { ...host, tables }
  }

  private find(stored: string): Entry | undefined {
    const { tables } = this
    if (tables === null) throw new VarveError('VARVE_CLOSED', 'Cannot read store: it is not open')
    return this.memtables.get(stored) ?? findInSegments(tables.segments, stored)
  }

  private checkCondition(stored: string, condition: Condition): void {
    checkCondition(condition, this.clock.nowUs(), () => this.find(stored))
  }

  /** Refuses a write that cannot be kept. */
  private ready(bytes: number): KvHost {
    const { host, limits } = this
    if (host === null) throw new VarveError('VARVE_CLOSED', 'Cannot write: the store is not open')
    host.wal.admit(0)
    checkRoom(bytes, this.pending.bytes, this.memtables.weight, limits)
    return host
  }

  private write(entry: Entry, wal: KvWal): void {
    this.pending.add(entry)
    this.memtables.put(entry)
    this.history.push(entry, wal.pendingGroup)
  }

  /** The group is read before the WAL is told: it may begin to write, and then collects the next one. */
  private done(wal: KvWal, bytes: number, urgency: Urgency): number {
    this.group = wal.pendingGroup
    wal.note(bytes, urgency)
    this.upkeep.written()
    return this.group
  }
}

const NO_OPTIONS = {}

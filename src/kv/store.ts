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
// Not here: reads (reads.ts), what a write has to meet (admission.ts) and goes through (write-path.ts), when and how
// entries move to segments (upkeep.ts, maintenance.ts), the WAL (engine).
import { assert } from '../base/assert.ts'
import type { ByteWriter } from '../base/bytes.ts'
import type { CorruptionError } from '../base/errors.ts'
import { checkBatch, checkCondition, checkValue } from './admission.ts'
import { BlockCache } from './block-cache.ts'
import type { CompactionOutcome } from './compaction.ts'
import { runCompaction } from './compaction-run.ts'
import { countAfter } from './counter.ts'
import { mayBeThere, onceEach } from './damage.ts'
import type { Entry } from './entry.ts'
import { runFlush } from './flush-run.ts'
import { History } from './history.ts'
import { KV_KIND, type KvHost, type KvJobs, type Urgency } from './host.ts'
import type { KeyBytes } from './key-bytes.ts'
import { type FlushOutcome, openSegments, readVersions, versionsNote } from './maintenance.ts'
import { type Notation, patched } from './merge-patch.ts'
import { type KvLimits, type KvOptions, kvLimits } from './options.ts'
import { Reads } from './reads.ts'
import { Recovery } from './recovery.ts'
import { type KvStatistics, statisticsOf } from './statistics.ts'
import { Tables } from './tables.ts'
import { Upkeep } from './upkeep.ts'
import { type VerifyReport, verifySegments } from './verify.ts'
import type { Condition, PutOptions, Write } from './write.ts'
import { WritePath } from './write-path.ts'

export class KvStore extends Reads {
  readonly kind = KV_KIND
  private readonly limits: KvLimits
  private readonly onError: (error: unknown) => void
  private readonly jobs: KvJobs
  /** Segments that compaction could not read. */
  private readonly leftOut = new Set<number>()
  private readonly cache: BlockCache
  private readonly recovery: Recovery
  private readonly path: WritePath
  private readonly upkeep: Upkeep
  private host: KvHost | null = null

  constructor(options: KvOptions) {
    const limits = kvLimits(options.limits ?? {})
    const history = new History(limits.historyBytesMax)
    super(options.clock, limits, history, options.onDamage && onceEach(options.onDamage))
    this.onError = options.onError
    this.limits = limits
    this.cache = new BlockCache(limits.cacheBytesMax)
    this.recovery = new Recovery(this.newest.memtables, history)
    this.jobs = options.jobs ?? {
      flush: task => runFlush(this.open().files, task),
      compact: task => runCompaction(this.open().files, task)
    }
    this.upkeep = new Upkeep({
      onSegment: options.onSegment ?? (() => {}),
      maintained: () => this.maintained(),
      weight: () => this.newest.memtables.activeWeight,
      memtableBytesMax: limits.memtableBytesMax,
      onError: this.onError
    })
    const { newest } = this
    this.path = new WritePath({ limits, newest, history, onWritten: () => this.upkeep.written() })
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
    this.path.pending.drain(out)
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
    this.path.version = start
    this.path.wal = host.wal
    this.newest.tables = tables
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
    this.newest.close()
    this.path.wal = null
    this.host = null
  }

  override get lastVersion(): number {
    return this.path.version
  }

  /** The WAL group of the newest write. */
  get lastGroup(): number {
    return this.path.group
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
    return this.set(this.keys.take(ns, key), value, 0, value.length, options)
  }

  /** Sets the key bytes[keyFrom, keyTo) to bytes[from, to): for a face that has both in what came. @returns and throws as put() */
  putPart(ns: string, bytes: Uint8Array, keyFrom: number, keyTo: number, from: number, to: number): number {
    return this.set(this.keys.takePart(ns, bytes, keyFrom, keyTo), bytes, from, to, NO_OPTIONS)
  }

  /** Removes a key. Where nothing is, nothing is written. @returns and throws as put() */
  delete(
    ns: string,
    key: string | Uint8Array,
    options: Condition & { urgency?: Urgency } = NO_OPTIONS
  ): number {
    const stored = this.keys.take(ns, key)
    this.path.room(stored.length)
    this.checkCondition(stored, options)
    if (!mayBeThere(() => this.newest.find(stored))) return this.path.group
    this.path.write(stored, null, 0, 0, 0)
    return this.path.done(stored.length, options.urgency ?? 1)
  }

  /**
   * Makes all writes or none, over any keys and namespaces; conditions are judged before the first.
   * @throws as put(), and VARVE_BATCH over batchBytesMax
   */
  batch(writes: readonly Write[], urgency: Urgency = 1): number {
    let keyBytes = 0
    for (const { ns, key } of writes) keyBytes += this.keys.take(ns, key).length
    const bytes = checkBatch(writes, keyBytes, this.limits)
    this.path.room(bytes)
    if (writes.length === 0) return this.path.group
    for (const write of writes) this.checkCondition(this.keys.take(write.ns, write.key), write)
    for (const write of writes) {
      const stored = this.keys.take(write.ns, write.key)
      if (write.op === 'put') {
        this.path.write(stored, write.value, 0, write.value.length, write.expiresUs ?? 0)
      } else this.path.write(stored, null, 0, 0, 0)
    }
    return this.path.done(bytes, urgency)
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
    if (value === undefined) return this.path.group
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

  /**
   * Changes a structured value in part, by a merge patch (RFC 7396); an absent one is an empty object. Keeps its
   * expiry unless another is given.
   * @returns the whole value after it, and the WAL group
   * @throws {VarveError} VARVE_PATCH when value or patch are not of that notation; else as put()
   */
  patch(
    ns: string,
    key: string | Uint8Array,
    patch: Uint8Array,
    notation: Notation = 'json',
    options: PutOptions = NO_OPTIONS
  ): { value: Uint8Array; group: number } {
    const now = this.get(ns, key)
    const value = patched(now?.value, patch, notation)
    const group = this.put(ns, key, value, { expiresUs: now?.expiresUs ?? 0, ...options })
    return { value, group }
  }

  /**
   * Makes all that run() writes one piece of one WAL group, as in batch(): whole after a crash, or not there.
   * Reads in between see it. Where run() throws, what was written before stays.
   * @param run  synchronous
   */
  together<T>(run: () => T): T {
    return this.path.together(run)
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
  compact(budgetBytes = Number.POSITIVE_INFINITY, clockKnown = true): Promise<CompactionOutcome> {
    return this.upkeep.compact(budgetBytes, clockKnown ? this.clock.nowUs() : 0)
  }

  /** Reads everything in segments and checks it. @param onDamage  told of each block that cannot be read */
  verify(onDamage: (error: CorruptionError) => void = () => {}): Promise<VerifyReport> {
    return verifySegments(this.open().tables.pin(), onDamage)
  }

  /** Sizes and counts, for status and metrics. */
  statistics(): KvStatistics {
    const { segments } = this.open().tables
    const { cache, history } = this
    const { memtables, hot } = this.newest
    const { pending, version } = this.path
    const { compactions } = this.upkeep
    return { version, ...statisticsOf({ segments, memtables, pending, cache, hot, history, compactions }) }
  }

  private maintained() {
    const { wal, manifest, files, tables } = this.open()
    const { cache, limits, jobs, leftOut } = this
    const onDamage = this.onDamage ?? this.onError
    const { memtables } = this.newest
    const carry = (entries: Iterable<Entry>) => {
      const group = wal.pendingGroup
      wal.note(this.path.pending.carry(entries), 1)
      return group
    }
    return {
      ...{ wal, manifest, files, memtables, tables, cache, limits, carry, jobs, leftOut, onDamage },
      nowUs: () => this.clock.nowUs(),
      lastVersion: () => this.path.version
    }
  }

  private open(): KvHost & { readonly tables: Tables } {
    const tables = this.tables()
    return { ...this.host!, tables }
  }

  private set(key: KeyBytes, bytes: Uint8Array, from: number, to: number, options: PutOptions): number {
    const { expiresUs = 0, urgency = 1 } = options
    const size = key.length + to - from
    checkValue(to - from, expiresUs, this.limits)
    this.path.room(size)
    this.checkCondition(key, options)
    this.path.write(key, bytes, from, to, expiresUs)
    return this.path.done(size, urgency)
  }

  private checkCondition(stored: KeyBytes, condition: Condition): void {
    if (condition.ifVersion === undefined && condition.ifAbsent === undefined) return
    checkCondition(condition, this.clock.nowUs(), () => this.newest.find(stored))
  }
}

const NO_OPTIONS: PutOptions = {}

// A store in the own process: what open() gives. Its methods hand out namespaces, queues and leases; it owns the
// engine, the lock of the directory and the upkeep, and gives them back when it is closed.
//
// Every write resolves when it is on the medium. Writes that are made at the same time share one sync, so that a
// hundred callers that wait cost what one does.
// Invariants: an open database keeps the process alive, as an open socket does: close it, or say `await using`; after
// close() everything throws VARVE_CLOSED.
// Not here: opening (open.ts), what namespaces, queues and leases do (namespace.ts, queue.ts, leases.ts).
import type { Clock } from '../base/clock.ts'
import type { CorruptionError } from '../base/errors.ts'
import type { WalStats } from '../engine/wal-owner.ts'
import { Leases } from '../kv/lease.ts'
import { Queues } from '../kv/queue.ts'
import type { KvStatistics } from '../kv/statistics.ts'
import type { KvStore } from '../kv/store.ts'
import type { VerifyReport } from '../kv/verify.ts'
import type { Snapshot } from '../kv/view.ts'
import type { Write } from '../kv/write.ts'
import { type Codec, json } from './codec.ts'
import { Coordination } from './leases.ts'
import { landed, Namespace } from './namespace.ts'
import { Queue } from './queue.ts'

/** Longer than any timer needs; a timer that is referenced keeps the process alive. */
const ALIVE_MS = 2 ** 30

/** What a database stands on. */
export interface Ground {
  readonly store: KvStore
  readonly clock: Clock
  /** Resolves when a WAL group is on the medium. @throws {VarveError} VARVE_SYNC_FAILED */
  synced(group: number): Promise<void>
  /** Joins segments until nothing is worth the writing. */
  compact(): Promise<void>
  /** What this process put into the WAL. */
  readonly written: Pick<WalStats, 'groups' | 'bytes' | 'paddingBytes'>
  close(): Promise<void>
}

/** Sizes and counts of a store, and what this process has put into its WAL. */
export interface DatabaseStatistics extends KvStatistics {
  /** Groups of writes, each one sync. */
  readonly syncs: number
  readonly walBytes: number
  /** Bytes of them that fill pages up. */
  readonly walPaddingBytes: number
}

/** A write of a batch, made by put() and delete() of a namespace's `writes`. */
export type BatchWrite = Write

/** What a snapshot sees of a namespace. */
export interface NamespaceView<T> {
  get(key: string): T | undefined
  entries(): Iterable<readonly [key: string, value: T]>
}

export class Database {
  private readonly ground: Ground
  private readonly queues: Queues
  private readonly alive = setInterval(() => {}, ALIVE_MS)
  private closing: Promise<void> | null = null
  /** Locks with a time to live and a fencing token. */
  readonly leases: Coordination

  constructor(ground: Ground) {
    this.ground = ground
    const { store, clock } = ground
    this.queues = new Queues(store, clock)
    this.leases = new Coordination(new Leases(store, clock), group => ground.synced(group))
  }

  /**
   * The entries of a namespace, with values of one type.
   * @param codec  how values are written; default: JSON
   */
  namespace<T = unknown>(name: string, codec: Codec<T> = json<T>()): Namespace<T> {
    return new Namespace(this.ground, name, codec)
  }

  /** A durable queue. @param codec  how messages are written; default: JSON */
  queue<T = unknown>(name: string, codec: Codec<T> = json<T>()): Queue<T> {
    return new Queue(this.queues, group => this.ground.synced(group), name, codec)
  }

  /**
   * Makes all writes or none, over any keys of any namespaces. @returns the version of the last
   * @throws {ConflictError} when a condition does not hold; @throws {VarveError} as Namespace.put(), VARVE_BATCH
   */
  batch(writes: readonly BatchWrite[]): Promise<number> {
    return landed(this.ground, () => this.ground.store.batch(writes))
  }

  /** A view of all entries as they are now. Close it, or say `using`. */
  snapshot(): DatabaseSnapshot {
    return new DatabaseSnapshot(this.ground.store.snapshot())
  }

  /** The newest version: where a watch that begins now goes on. */
  get version(): number {
    return this.ground.store.lastVersion
  }

  statistics(): DatabaseStatistics {
    const { store, written } = this.ground
    const { groups: syncs, bytes: walBytes, paddingBytes: walPaddingBytes } = written
    return { ...store.statistics(), syncs, walBytes, walPaddingBytes }
  }

  /** Rewrites segments where it saves more than it wears; happens by itself as well. */
  compact(): Promise<void> {
    return this.ground.compact()
  }

  /** Reads everything that is stored and checks it. */
  verify(onDamage?: (error: CorruptionError) => void): Promise<VerifyReport> {
    return this.ground.store.verify(onDamage)
  }

  /** Writes what is pending and gives the directory back; again: waits for the same. */
  close(): Promise<void> {
    clearInterval(this.alive)
    this.closing ??= this.ground.close()
    return this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** All entries as they were at one moment. */
export class DatabaseSnapshot {
  private readonly snapshot: Snapshot

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
  }

  /** The newest version that is in it: a watch after it misses nothing. */
  get version(): number {
    return this.snapshot.version
  }

  /** What it has of a namespace. */
  of<T>({ name, codec }: Namespace<T>): NamespaceView<T> {
    const { snapshot } = this
    return {
      get: key => {
        const entry = snapshot.get(name, key)
        return entry && codec.decode(entry.value)
      },
      *entries() {
        for (const entry of snapshot.scan(name)) yield [entry.keyText, codec.decode(entry.value)]
      }
    }
  }

  close(): void {
    this.snapshot.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

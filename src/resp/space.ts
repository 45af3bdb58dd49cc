// The store as commands use it: reads and writes that remember for which WAL group the reply has to wait, and
// sections whose writes land together.
//
// A reply waits for what it says: a write for its own group, a read for the group of what it saw, when that is
// not on the medium yet. So nobody is told of a value that a power cut takes back. The store knows versions, not
// groups, of entries: marks of (group, newest version) tell which versions are durable. What cannot be told
// from them, a key that is not there, is taken as changed by the newest write.
//
// Invariants: durable only grows; wait is never less than the group of what was read or written.
// Not here: which key holds what (database.ts), when replies go out (connection.ts).

import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Entry } from '../kv/entry.ts'
import type { Look } from '../kv/hot-entries.ts'
import type { KvStore } from '../kv/store.ts'
import type { ScanOptions } from '../kv/view.ts'

/** What replies wait for. The daemon's gate fits it. */
export interface SyncGate {
  readonly syncedGroup: number
  /** Called after each sync. */
  onSynced(listener: (group: number) => void): void
  onFailed(listener: (error: Error) => void): void
  /** Somebody stands still until the pending group is synced. */
  note(bytes: number, urgency: 0 | 1 | 2): void
}

interface Mark {
  readonly group: number
  version: number
}

export class Space {
  readonly clock: Clock
  /** The reply to the command that runs waits for this group; 0: for none. */
  wait = 0
  private readonly store: KvStore
  private readonly gate: SyncGate
  /** Versions up to it are on the medium. */
  private durable = 0
  private marks: Mark[] = []
  private generation = 0

  constructor(store: KvStore, gate: SyncGate, clock: Clock) {
    this.store = store
    this.gate = gate
    this.clock = clock
    if (store.lastGroup <= gate.syncedGroup) this.durable = store.lastVersion
    gate.onSynced(group => this.synced(group))
  }

  get syncedGroup(): number {
    return this.gate.syncedGroup
  }

  /** The version of the newest write. */
  get version(): number {
    return this.store.lastVersion
  }

  /** @param key  a byte string */
  get(ns: string, key: string): Entry | undefined {
    const entry = this.store.get(ns, storeKey(key))
    if (entry === undefined || entry.version > this.durable) this.sawNothing()
    return entry
  }

  /** The value of the key bytes[from, to) where it lies: to be copied out before anything else is asked. */
  look(ns: string, bytes: Uint8Array, from: number, to: number): Look | null {
    const found = this.store.look(ns, bytes, from, to)
    if (found === null || found.version > this.durable) this.sawNothing()
    return found
  }

  put(ns: string, key: string, value: Uint8Array, expiresUs = 0): void {
    this.wrote(this.store.put(ns, storeKey(key), value, expiresUs === 0 ? NORMAL : { expiresUs }))
  }

  /** Sets the key bytes[keyFrom, keyTo) to bytes[from, to). */
  putPart(ns: string, bytes: Uint8Array, keyFrom: number, keyTo: number, from: number, to: number): void {
    this.wrote(this.store.putPart(ns, bytes, keyFrom, keyTo, from, to))
  }

  delete(ns: string, key: string): void {
    this.wrote(this.store.delete(ns, storeKey(key)))
  }

  /** Entries in order. The keys of the options are byte strings. */
  *scan(
    ns: string,
    options: Pick<ScanOptions, 'reverse' | 'limit'> & Bounds
  ): Generator<Entry, void, undefined> {
    this.sawNothing()
    const { prefix, from, to, reverse, limit } = options
    yield* this.store.scan(ns, {
      ...(prefix === undefined ? {} : { prefix: storeKey(prefix) }),
      ...(from === undefined ? {} : { from: storeKey(from) }),
      ...(to === undefined ? {} : { to: storeKey(to) }),
      ...(reverse === undefined ? {} : { reverse }),
      ...(limit === undefined ? {} : { limit })
    })
  }

  /** Makes what run() writes one piece: whole after a crash, or not there. */
  together<T>(run: () => T): T {
    return this.store.together(run)
  }

  /** What the reply waits for, and nothing for the next one. */
  takeWait(): number {
    const { wait } = this
    this.wait = 0
    return wait
  }

  /** A number that no other collection has or had: it names the elements of one. */
  nextGeneration(): number {
    this.generation = Math.max(this.generation, this.store.lastVersion) + 1
    return this.generation
  }

  private wrote(group: number): void {
    if (group > this.wait) this.wait = group
    const { marks, store } = this
    const last = marks.at(-1)
    if (last !== undefined && last.group === group) last.version = store.lastVersion
    else if (group > this.gate.syncedGroup) marks.push({ group, version: store.lastVersion })
  }

  private sawNothing(): void {
    const group = this.store.lastGroup
    if (group > this.gate.syncedGroup && group > this.wait) this.wait = group
  }

  private synced(group: number): void {
    const { marks, store } = this
    if (store.lastGroup <= group) {
      this.durable = store.lastVersion
      marks.length = 0
      return
    }
    let n = 0
    while (n < marks.length && marks[n]!.group <= group) n++
    if (n === 0) return
    assert(marks[n - 1]!.version >= this.durable, 'what is durable stays so')
    this.durable = marks[n - 1]!.version
    marks.splice(0, n)
  }
}

interface Bounds {
  prefix?: string
  from?: string
  to?: string
}

const NORMAL = {}

/** The store takes texts as UTF-8: bytes beyond ASCII go as bytes. */
function storeKey(key: string): string | Uint8Array {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0x7f) return Buffer.from(key, 'latin1')
  return key
}

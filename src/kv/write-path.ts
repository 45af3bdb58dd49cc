// What each write goes through: room is asked for, the version is given, memory changes, and the WAL is told which
// group will hold it.
//
// Invariants: nothing is changed before room() has agreed; versions of one store only grow; the group is read before
// the WAL is told, which may begin to write and then collects the next one.
// Not here: conditions and sizes (admission.ts), when entries move to segments (upkeep.ts).
import { VarveError } from '../base/errors.ts'
import { checkRoom } from './admission.ts'
import { wordOf } from './entry-log.ts'
import type { History } from './history.ts'
import type { KvWal, Urgency } from './host.ts'
import type { KeyBytes } from './key-bytes.ts'
import type { Newest } from './newest.ts'
import type { KvLimits } from './options.ts'
import { Outgoing } from './outgoing.ts'

export interface WritePathParts {
  readonly limits: KvLimits
  readonly newest: Newest
  readonly history: History
  /** A write was taken. */
  readonly onWritten: () => void
}

export class WritePath {
  readonly pending = new Outgoing()
  /** Null while the store is not open. */
  wal: KvWal | null = null
  /** The version of the newest write, and the group that holds it. */
  version = 0
  group = 0
  private readonly parts: WritePathParts
  /** What the writes of together() have to be noted as; null outside of it. */
  private gathered: { bytes: number; urgency: Urgency } | null = null

  constructor(parts: WritePathParts) {
    this.parts = parts
  }

  /** Whether so many bytes can be kept. @throws {VarveError} VARVE_CLOSED, VARVE_BUSY, VARVE_MEMORY, and of the WAL */
  room(bytes: number): void {
    const { wal, parts } = this
    if (wal === null) throw new VarveError('VARVE_CLOSED', 'Cannot write: the store is not open')
    wal.admit(0)
    checkRoom(bytes, this.pending.bytes, parts.newest.memtables.weight, parts.limits)
  }

  /** @param value  copied; null: a tombstone */
  write(key: KeyBytes, value: Uint8Array | null, expiresUs: number): void {
    const { newest, history } = this.parts
    const address = newest.write(key, ++this.version, expiresUs, value)
    const slab = newest.memtables.slabOf(address)
    const word = wordOf(address)
    this.pending.add(slab, word)
    history.push(slab, word, this.wal!.pendingGroup)
  }

  /** All of a write or a batch is made. @returns its group */
  done(bytes: number, urgency: Urgency): number {
    const { gathered } = this
    const wal = this.wal!
    this.group = wal.pendingGroup
    if (gathered !== null) {
      gathered.bytes += bytes
      if (urgency > gathered.urgency) gathered.urgency = urgency
      return this.group
    }
    wal.note(bytes, urgency)
    this.parts.onWritten()
    return this.group
  }

  /** The WAL is told of all that run() writes at once, when it has ended: so it is one piece of one group. */
  together<T>(run: () => T): T {
    if (this.gathered !== null) return run()
    const gathered = { bytes: 0, urgency: 0 as Urgency }
    this.gathered = gathered
    try {
      return run()
    } finally {
      this.gathered = null
      if (gathered.bytes > 0) this.done(gathered.bytes, gathered.urgency)
    }
  }
}

// What each write goes through: room is asked for, the version is given, memory changes, and the WAL is told which
// group will hold it.
//
// Invariants: nothing is changed before room() has agreed; versions of one store only grow; the group is read before
// the WAL is told, which may begin to write and then collects the next one.
// Not here: conditions and sizes (admission.ts), when entries move to segments (upkeep.ts).
import { VarveError } from '../base/errors.ts'
import { checkRoom } from './admission.ts'
import { type ValuePart, wordOf } from './entry-log.ts'
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

/** The one value in the making: it is copied before anything else is written. */
const value: ValuePart = { bytes: null, from: 0, to: 0 }

export class WritePath {
  readonly pending = new Outgoing()
  /** Null while the store is not open. */
  wal: KvWal | null = null
  /** The version of the newest write, and the group that holds it. */
  version = 0
  group = 0
  private readonly parts: WritePathParts
  /** What the writes of together() have to be noted as. */
  private readonly gathered: { bytes: number; urgency: Urgency } = { bytes: 0, urgency: 0 }
  private isTogether = false

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

  /** @param bytes  hold the value, [from, to), which is copied; null: a tombstone */
  write(key: KeyBytes, bytes: Uint8Array | null, from: number, to: number, expiresUs: number): void {
    const { newest, history } = this.parts
    value.bytes = bytes
    value.from = from
    value.to = to
    const address = newest.write(key, ++this.version, expiresUs, value)
    value.bytes = null
    const slab = newest.memtables.slabOf(address)
    const word = wordOf(address)
    this.pending.add(slab, word)
    history.push(slab, word, this.wal!.pendingGroup)
  }

  /** All of a write or a batch is made. @returns its group */
  done(bytes: number, urgency: Urgency): number {
    const wal = this.wal!
    this.group = wal.pendingGroup
    if (this.isTogether) {
      const { gathered } = this
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
    if (this.isTogether) return run()
    const { gathered } = this
    gathered.bytes = 0
    gathered.urgency = 0
    this.isTogether = true
    try {
      return run()
    } finally {
      this.isTogether = false
      if (gathered.bytes > 0) this.done(gathered.bytes, gathered.urgency)
    }
  }
}

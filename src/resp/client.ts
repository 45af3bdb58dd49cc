// What is kept of one connection between its commands: who it is, which database it uses, what it queued,
// watches, hears and waits for.
// Not here: its bytes (connection.ts).
import type { ForeignNamespace } from '../kv/foreign.ts'
import type { Args } from './args.ts'
import type { Command } from './command.ts'
import type { Database } from './database.ts'
import type { Hub } from './hub.ts'
import type { Reply } from './reply.ts'

export type Role = 'read' | 'write' | 'admin'

/** A command that waits for a key. */
export interface Waiter {
  readonly db: Database
  readonly keys: readonly string[]
  /** Tries again; true: it replied. */
  attempt(): boolean
  /** The reply when the time is over. */
  timeOut(out: Reply): void
  cancel: () => void
}

/** A command that MULTI queued. */
export interface Queued {
  readonly command: Command
  readonly args: Args
}

/** What a client needs of its connection. */
export interface Wire {
  readonly remote: string
  readonly local: string
  /** Writes a reply or a message outside of the client's own turn. */
  aside(write: (out: Reply) => void): void
  /** Goes on with commands that wait, soon. */
  proceed(): void
  end(): void
  /** Bytes that wait to be sent. */
  readonly queued: number
}

export class Client {
  readonly id: number
  readonly hub: Hub
  readonly wire: Wire
  readonly sinceMs: number
  activeMs: number
  out: Reply
  db: Database
  /** A namespace that somebody else keeps, chosen in place of a database. */
  foreign: ForeignNamespace | null = null
  protocol: 2 | 3 = 2
  name = ''
  libName = ''
  libVersion = ''
  lastCommand = ''
  user = 'default'
  /** What it may do; null: it has to show who it is. */
  roles: ReadonlySet<Role> | null
  /** null outside of MULTI. */
  queued: Queued[] | null = null
  queuedBytes = 0
  /** A command could not be queued: EXEC refuses. */
  isQueueBad = false
  /** EXEC runs: nobody waits. */
  isInExec = false
  /** A watched key was changed. */
  isWatchBroken = false
  readonly watched = new Set<string>()
  /** Versions of watched strings, which other faces may change too. */
  readonly watchedVersions = new Map<string, number>()
  channels: Set<string> | null = null
  patterns: Set<string> | null = null
  /** Waits for a key, or for an answer: nothing of it runs. */
  waiter: Waiter | null = null
  isAwaiting = false
  replies: 'on' | 'off' | 'skip' | 'skip-next' = 'on'
  /** Closes when what was replied is sent. */
  isLeaving = false

  constructor(id: number, hub: Hub, wire: Wire, out: Reply) {
    this.id = id
    this.hub = hub
    this.wire = wire
    this.out = out
    this.db = hub.database(0)
    this.roles = hub.rolesAtFirst()
    this.sinceMs = this.activeMs = hub.clock.monotonicMs()
  }

  get isBlocked(): boolean {
    return this.waiter !== null || this.isAwaiting
  }

  get subscriptions(): number {
    return (this.channels?.size ?? 0) + (this.patterns?.size ?? 0)
  }

  /** Forgets what MULTI queued, and what is watched. */
  discard(): void {
    this.queued = null
    this.queuedBytes = 0
    this.isQueueBad = false
    this.hub.watches.clear(this)
    this.watchedVersions.clear()
  }

  may(role: Role): boolean {
    const { roles } = this
    return roles !== null && (roles.has(role) || roles.has('admin'))
  }
}

// What all connections share: databases, the table of commands, who waits for which key, who watches what, who
// hears which channel, and the counts that INFO tells.
// Not here: each of these (their own files), sockets (server.ts).
import type { Clock } from '../base/clock.ts'
import type { ForeignNamespaces } from '../kv/foreign.ts'
import { Blocking } from './blocking.ts'
import type { Client, Role } from './client.ts'
import type { ChangeListener, Database } from './database.ts'
import { Databases } from './databases.ts'
import { Graveyard } from './graveyard.ts'
import type { RespLimits } from './limits.ts'
import { Notifications } from './notifications.ts'
import { PubSub, type Topics } from './pub-sub.ts'
import { Reply } from './reply.ts'
import type { SeriesFace } from './series-face.ts'
import { Settings } from './settings.ts'
import type { Space } from './space.ts'
import { Sweep } from './sweep.ts'
import { CommandTable } from './table.ts'
import { Watches } from './watches.ts'

/** Who may do what. The daemon fills it from the tokens that HTTP takes too. */
export interface Gatekeeper {
  /** False: everybody may do everything. */
  readonly isNeeded: boolean
  /** What a token allows; null when it is not known. @param name  null: any */
  roles(name: string | null, token: string): ReadonlySet<Role> | null
}

export interface HubParts {
  readonly space: Space
  readonly clock: Clock
  readonly limits: RespLimits
  readonly gatekeeper: Gatekeeper
  /** Null: channels are heard by RESP clients only. */
  readonly topics: Topics | null
  /** Null: there are no TS commands. */
  readonly series: SeriesFace | null
  /** Namespaces that SELECT takes by their names. */
  readonly foreign: ForeignNamespaces
  readonly version: string
  readonly notify: string
  readonly onError: (error: unknown) => void
}

const EVERYTHING: ReadonlySet<Role> = new Set<Role>(['admin'])

export class Hub implements ChangeListener {
  readonly space: Space
  readonly clock: Clock
  readonly limits: RespLimits
  readonly gatekeeper: Gatekeeper
  readonly series: SeriesFace | null
  readonly foreign: ForeignNamespaces
  readonly version: string
  readonly commands: CommandTable
  readonly out: Reply
  readonly pubSub: PubSub
  readonly blocking: Blocking
  readonly watches = new Watches()
  readonly notifications: Notifications
  readonly settings: Settings
  readonly clients = new Map<number, Client>()
  readonly graveyard: Graveyard
  readonly databases: Databases
  readonly sweep: Sweep
  readonly startedMs: number
  readonly counts = {
    commands: 0,
    connections: 0,
    rejected: 0,
    errors: 0,
    expired: 0,
    hits: 0,
    misses: 0,
    changes: 0
  }
  port = 0
  private clientId = 0

  constructor(parts: HubParts) {
    this.space = parts.space
    this.clock = parts.clock
    this.limits = parts.limits
    this.gatekeeper = parts.gatekeeper
    this.series = parts.series
    this.foreign = parts.foreign
    this.version = parts.version
    this.startedMs = parts.clock.monotonicMs()
    this.commands = new CommandTable(parts.series !== null)
    this.out = new Reply(parts.limits.replyBytesMax)
    this.pubSub = new PubSub(parts.topics)
    this.blocking = new Blocking(parts.clock)
    this.notifications = new Notifications(this.pubSub, parts.clock)
    this.settings = new Settings(parts.limits, this.notifications, parts.notify)
    this.graveyard = new Graveyard(parts.space, parts.clock, parts.onError)
    this.databases = new Databases(parts.space, this.graveyard, this)
    this.sweep = new Sweep(this, parts.onError)
  }

  /** @throws {ReplyError} when there is no database of that number */
  database(index: number): Database {
    return this.databases.get(index)
  }

  /** SWAPDB: clients stay with their numbers, and see what the other held. */
  exchange(a: Database, b: Database): void {
    this.databases.exchange(a, b)
    this.counts.changes++
    const isThere = (key: string) => a.has(key) || b.has(key)
    for (const { index } of [a, b]) {
      this.watches.exchanged(index, isThere)
      this.blocking.exchanged(index, isThere)
    }
    this.notifications.exchanged(a, b)
  }

  nextClientId(): number {
    return ++this.clientId
  }

  rolesAtFirst(): ReadonlySet<Role> | null {
    return this.gatekeeper.isNeeded ? null : EVERYTHING
  }

  get listens(): boolean {
    return !(this.watches.isEmpty && this.blocking.isEmpty && this.notifications.isOff)
  }

  get wantsNew(): boolean {
    return this.notifications.tells('n')
  }

  changed(db: Database, key: string, kind: string, what: string): void {
    if (kind === 'x') this.counts.expired++
    this.counts.changes++
    this.watches.changed(db.index, key)
    this.blocking.changed(db.index, key)
    this.notifications.changed(db, key, kind, what)
  }

  start(): void {
    this.graveyard.start()
    this.sweep.start()
  }

  close(): void {
    this.graveyard.stop()
    this.sweep.stop()
    this.notifications.stop()
  }
}

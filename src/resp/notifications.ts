// Keyspace notifications: changes of keys as messages on __keyspace@N__:key and __keyevent@N__:what, of the
// classes that are switched on.
//
// A string that expires is gone for every reader at once, but nothing happens then. So while expired keys are to be told
// of, keys that get a time to live are remembered here until it is over: the nearest ones, a bounded number, those of
// this run of the program only. Collections are met by the sweep (sweep.ts).
// Not here: delivering (pub-sub.ts).
import type { Clock } from '../base/clock.ts'
import type { Database } from './database.ts'
import type { PubSub } from './pub-sub.ts'
import { fail } from './reply-error.ts'

const CLASSES = 'g$lshzxetdnm'
/** What A stands for. */
const ALL = 'g$lshzxetd'
const EXPIRING_MAX = 100_000
const LOOK_MS = 100

export class Notifications {
  private readonly pubSub: PubSub
  private readonly clock: Clock
  private on: ReadonlySet<string> = new Set()
  /** Keys with a time to live, by database and name. */
  private readonly expiring = new Map<string, { db: Database; key: string; atUs: number }>()
  private cancel: (() => void) | null = null

  constructor(pubSub: PubSub, clock: Clock) {
    this.pubSub = pubSub
    this.clock = clock
  }

  /** The classes in Redis' order, A for all. */
  get flags(): string {
    const { on } = this
    const isAll = [...ALL].every(one => on.has(one))
    const classes = isAll
      ? `A${['m', 'n'].filter(one => on.has(one)).join('')}`
      : [...CLASSES].filter(one => on.has(one)).join('')
    return `${classes}${on.has('K') ? 'K' : ''}${on.has('E') ? 'E' : ''}`
  }

  /** @throws {ReplyError} for an unknown class */
  set(flags: string): void {
    const on = new Set<string>()
    for (const one of flags) {
      if (one === 'A') for (const each of ALL) on.add(each)
      else if (CLASSES.includes(one) || one === 'K' || one === 'E') on.add(one)
      else
        fail(
          "ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
        )
    }
    this.on = on
    if (!this.tells('x')) this.expiring.clear()
  }

  get isOff(): boolean {
    return this.on.size === 0
  }

  /** Whether changes of a class are told. */
  tells(kind: string): boolean {
    return this.on.has(kind) && (this.on.has('K') || this.on.has('E'))
  }

  changed(db: Database, key: string, kind: string, what: string): void {
    if (this.on.size === 0 || kind === '') return
    if (this.tells('x')) this.watchExpiry(db, key)
    if (!this.tells(kind)) return
    if (this.on.has('K')) this.pubSub.deliver(`__keyspace@${db.index}__:${key}`, Buffer.from(what))
    if (this.on.has('E')) this.pubSub.deliver(`__keyevent@${db.index}__:${what}`, Buffer.from(key, 'latin1'))
  }

  private watchExpiry(db: Database, key: string): void {
    const name = `${db.index} ${key}`
    const entry = db.space.get(db.strings, key)
    const atUs = entry?.expiresUs ?? 0
    if (atUs === 0) this.expiring.delete(name)
    else if (this.expiring.size < EXPIRING_MAX) {
      this.expiring.set(name, { db, key, atUs })
      this.later()
    }
  }

  /** What one database held is the other's now. */
  exchanged(a: Database, b: Database): void {
    const held = [...this.expiring.values()].filter(({ db }) => db === a || db === b)
    for (const { db, key } of held) this.expiring.delete(`${db.index} ${key}`)
    for (const { db, key, atUs } of held) {
      const now = db === a ? b : a
      this.expiring.set(`${now.index} ${key}`, { db: now, key, atUs })
    }
  }

  private later(): void {
    this.cancel ??= this.clock.after(LOOK_MS, () => {
      this.cancel = null
      const nowUs = this.clock.nowUs()
      for (const [name, { db, key, atUs }] of this.expiring) {
        if (atUs > nowUs) continue
        this.expiring.delete(name)
        if (!db.has(key)) db.changed(key, 'x', 'expired')
        db.space.takeWait()
      }
      if (this.expiring.size > 0) this.later()
    })
  }

  stop(): void {
    this.cancel?.()
  }
}

// What CONFIG GET tells and CONFIG SET takes. Clients read a few settings at connect, test suites set some; what a
// setting of Redis governs here is another matter: only notify-keyspace-events and the sizes that OBJECT ENCODING
// speaks of have an effect, and none outlives the program. The configuration of varve is varve.toml.
import { globMatches } from './glob.ts'
import type { RespLimits } from './limits.ts'
import type { Notifications } from './notifications.ts'
import { fail } from './reply-error.ts'

const KEPT: Readonly<Record<string, string>> = {
  'hash-max-listpack-entries': '128',
  'hash-max-listpack-value': '64',
  'hash-max-ziplist-entries': '128',
  'hash-max-ziplist-value': '64',
  'list-max-listpack-size': '-2',
  'list-max-ziplist-size': '-2',
  'list-compress-depth': '0',
  'set-max-intset-entries': '512',
  'set-max-listpack-entries': '128',
  'set-max-listpack-value': '64',
  'zset-max-listpack-entries': '128',
  'zset-max-listpack-value': '64',
  'zset-max-ziplist-entries': '128',
  'zset-max-ziplist-value': '64'
}
const SAME: Readonly<Record<string, string>> = {
  'hash-max-ziplist-entries': 'hash-max-listpack-entries',
  'hash-max-ziplist-value': 'hash-max-listpack-value',
  'list-max-ziplist-size': 'list-max-listpack-size',
  'zset-max-ziplist-entries': 'zset-max-listpack-entries',
  'zset-max-ziplist-value': 'zset-max-listpack-value'
}

export class Settings {
  private readonly kept = new Map(Object.entries(KEPT))
  private readonly fixed: ReadonlyMap<string, string>
  private readonly notifications: Notifications

  constructor(limits: RespLimits, notifications: Notifications, notify: string) {
    this.notifications = notifications
    notifications.set(notify)
    this.fixed = new Map([
      ['appendonly', 'yes'],
      ['appendfsync', 'always'],
      ['save', ''],
      ['databases', '16'],
      ['maxmemory', '0'],
      ['maxmemory-policy', 'noeviction'],
      ['maxclients', String(limits.connectionsMax)],
      ['timeout', String(Math.floor(limits.idleMs / 1000))],
      ['proto-max-bulk-len', String(limits.wordBytesMax)]
    ])
  }

  number(name: string): number {
    return Number(this.kept.get(name))
  }

  /** Settings whose names match any of the patterns. */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const all = [...this.fixed, ...this.kept, ['notify-keyspace-events', this.notifications.flags] as const]
    return all
      .filter(([name]) => patterns.some(pattern => globMatches(pattern, name, true)))
      .map(([name, value]) => [name, value])
  }

  /** @throws {ReplyError} when it cannot be set while running */
  set(name: string, value: string): void {
    const known = name.toLowerCase()
    if (known === 'notify-keyspace-events') {
      this.notifications.set(value)
      return
    }
    if (this.kept.has(known)) {
      if (!/^-?\d{1,15}$/.test(value)) {
        fail(
          `ERR CONFIG SET failed (possibly related to argument '${name}') - argument couldn't be parsed into an integer`
        )
      }
      this.kept.set(known, value)
      const same = SAME[known] ?? Object.keys(SAME).find(old => SAME[old] === known)
      if (same !== undefined) this.kept.set(same, value)
      return
    }
    if (!this.fixed.has(known)) fail(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`)
    if (this.fixed.get(known) === value) return
    fail(`ERR CONFIG SET failed (possibly related to argument '${name}') - can't set immutable config`)
  }
}

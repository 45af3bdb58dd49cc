// Which clients watch which keys, so that a change breaks their EXEC.
//
// Strings may be changed through other faces too, which tell nobody here: WATCH keeps the version of the newest write
// as well, and EXEC looks whether a watched key has a later one (multi-commands.ts).
import type { Client } from './client.ts'

function nameOf(db: number, key: string): string {
  return `${db} ${key}`
}

export class Watches {
  private readonly watchers = new Map<string, Set<Client>>()

  get isEmpty(): boolean {
    return this.watchers.size === 0
  }

  add(client: Client, db: number, key: string): void {
    const name = nameOf(db, key)
    client.watched.add(name)
    const clients = this.watchers.get(name)
    if (clients === undefined) this.watchers.set(name, new Set([client]))
    else clients.add(client)
  }

  /** Forgets all that a client watches. */
  clear(client: Client): void {
    for (const name of client.watched) {
      const clients = this.watchers.get(name)
      clients?.delete(client)
      if (clients?.size === 0) this.watchers.delete(name)
    }
    client.watched.clear()
    client.isWatchBroken = false
  }

  changed(db: number, key: string): void {
    if (this.watchers.size === 0) return
    for (const client of this.watchers.get(nameOf(db, key)) ?? []) client.isWatchBroken = true
  }

  /** A database holds other keys now. @param isThere  whether a key is there, or was before */
  exchanged(db: number, isThere: (key: string) => boolean): void {
    const start = nameOf(db, '')
    for (const [name, clients] of this.watchers) {
      if (!name.startsWith(start) || !isThere(name.slice(start.length))) continue
      for (const client of clients) client.isWatchBroken = true
    }
  }
}

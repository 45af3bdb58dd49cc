// Clients that wait for an element: BLPOP and its kind. Who waits longest for a key is served first, after the
// command that changed it has ended; one that cannot be served yet stays where it is.
//
// Invariants: a client waits for one command at most; who is gone waits for nothing.
// Not here: what is tried (the commands give it).
import type { Clock } from '../base/clock.ts'
import type { Client, Waiter } from './client.ts'
import type { Database } from './database.ts'
import type { Reply } from './reply.ts'

export class Blocking {
  private readonly clock: Clock
  private readonly waiting = new Map<string, Set<Client>>()
  private ready = new Set<string>()
  private isServing = false

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** How many clients wait. */
  get count(): number {
    const clients = new Set<Client>()
    for (const some of this.waiting.values()) for (const client of some) clients.add(client)
    return clients.size
  }

  /**
   * Tries a command, and lets the client wait for the keys where it cannot be done.
   * @param timeoutMs  0: for ever
   */
  wait(
    client: Client,
    keys: readonly string[],
    timeoutMs: number,
    attempt: () => boolean,
    timeOut: (out: Reply) => void
  ): void {
    if (attempt()) return
    if (client.isInExec) {
      timeOut(client.out)
      return
    }
    const { db } = client
    const waiter: Waiter = { db, keys, attempt, timeOut, cancel: () => {} }
    client.waiter = waiter
    for (const key of keys) {
      const name = nameOf(db, key)
      const clients = this.waiting.get(name)
      if (clients === undefined) this.waiting.set(name, new Set([client]))
      else clients.add(client)
    }
    if (timeoutMs > 0) {
      waiter.cancel = this.clock.after(timeoutMs, () => this.release(client, out => timeOut(out)))
    }
  }

  /** Ends a wait with a reply. @returns false when it did not wait */
  release(client: Client, write: (out: Reply) => void): boolean {
    if (client.waiter === null) return false
    this.forget(client)
    client.wire.aside(write)
    client.wire.proceed()
    return true
  }

  /** The client waits no more. */
  forget(client: Client): void {
    const { waiter } = client
    if (waiter === null) return
    client.waiter = null
    waiter.cancel()
    for (const key of waiter.keys) {
      const name = nameOf(waiter.db, key)
      const clients = this.waiting.get(name)
      clients?.delete(client)
      if (clients?.size === 0) this.waiting.delete(name)
    }
  }

  /** Nobody waits. */
  get isEmpty(): boolean {
    return this.waiting.size === 0
  }

  changed(db: number, key: string): void {
    if (this.waiting.size === 0) return
    const name = `${db} ${key}`
    if (this.waiting.has(name)) this.ready.add(name)
  }

  /** A database holds other keys now: who waits for one of them tries again. */
  exchanged(db: number, isThere: (key: string) => boolean): void {
    const start = `${db} `
    for (const name of this.waiting.keys()) {
      if (name.startsWith(start) && isThere(name.slice(start.length))) this.ready.add(name)
    }
  }

  /** Serves who waits for keys that were changed. What serving changes is served too. */
  serve(): void {
    if (this.ready.size === 0 || this.isServing) return
    this.isServing = true
    try {
      while (this.ready.size > 0) {
        const names = this.ready
        this.ready = new Set()
        for (const name of names)
          for (const client of [...(this.waiting.get(name) ?? [])]) this.attempt(client)
      }
    } finally {
      this.isServing = false
    }
  }

  private attempt(client: Client): void {
    const { waiter } = client
    if (waiter === null) return
    let done = false
    client.wire.aside(() => {
      done = client.hub.space.together(waiter.attempt)
    })
    if (!done) return
    this.forget(client)
    client.wire.proceed()
  }
}

function nameOf(db: Database, key: string): string {
  return `${db.index} ${key}`
}

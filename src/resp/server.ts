// The RESP server: accepts connections, and tells them when groups are synced.
//
// Somebody who waits for a reply stands still: once in a turn of the event loop the store is told, after all that came
// in that turn has run, so that fifty clients share one sync.
// Invariants: after a failed sync nobody gets a held reply; connections are bounded.
// Not here: what a connection does (connection.ts).
import { createServer, type Server, type Socket } from 'node:net'
import { VarveError } from '../base/errors.ts'
import { LentSocket } from '../base/lent-socket.ts'
import type { KvStore } from '../kv/store.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { Hub, type HubParts } from './hub.ts'
import { Space, type SyncGate } from './space.ts'

export interface RespOptions extends Omit<HubParts, 'space'> {
  readonly host: string
  readonly port: number
  readonly store: KvStore
  readonly gate: SyncGate
}

const IDLE_LOOK_MS = 1_000
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, pauseOnConnect: true }

export class RespServer implements ConnectionHost {
  readonly hub: Hub
  readonly host: string
  inputBytes = 0
  private readonly gate: SyncGate
  private readonly server: Server
  private readonly connections = new Set<Connection>()
  private waiting = new Set<Connection>()
  private isNudging = false
  private cancelIdle: () => void = () => {}

  private constructor(options: RespOptions) {
    const { store, gate, clock, host } = options
    this.host = host
    this.gate = gate
    this.hub = new Hub({ ...options, space: new Space(store, gate, clock) })
    gate.onSynced(group => this.synced(group))
    gate.onFailed(() => {
      for (const connection of [...this.waiting]) connection.end()
    })
    this.server = createServer(SOCKET_OPTIONS, socket => this.accept(socket))
  }

  /** @throws {VarveError} VARVE_LISTEN when the port cannot be had */
  static async open(options: RespOptions): Promise<RespServer> {
    const server = new RespServer(options)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.server.once('error', reject)
    server.server.listen({ host: options.host, port: options.port, backlog: 1024 }, resolve)
    try {
      await promise
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new VarveError(
        'VARVE_LISTEN',
        `Cannot listen for RESP on ${options.host}:${options.port}: ${why}`
      )
    }
    server.hub.port = server.port
    server.hub.start()
    server.lookIdle()
    return server
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get connectionCount(): number {
    return this.connections.size
  }

  private accept(socket: Socket): void {
    const { hub } = this
    if (this.connections.size >= hub.limits.connectionsMax) {
      hub.counts.rejected++
      socket.on('error', () => {})
      socket.end('-ERR max number of clients reached\r\n')
      // It came paused: its end would never be read.
      socket.resume()
      return
    }
    hub.counts.connections++
    const connection = new Connection(new LentSocket(socket), this)
    this.connections.add(connection)
    hub.clients.set(connection.client.id, connection.client)
  }

  held(connection: Connection): void {
    this.waiting.add(connection)
    if (this.isNudging) return
    this.isNudging = true
    setImmediate(this.nudge)
  }

  private readonly nudge = () => {
    this.isNudging = false
    try {
      this.gate.note(0, 2)
    } catch (error) {
      // The store has failed or closed: who waits is told by onFailed, or by the end of the connection.
      if (!(error instanceof VarveError)) throw error
    }
  }

  gone(connection: Connection): void {
    const { hub } = this
    const { client } = connection
    this.connections.delete(connection)
    this.waiting.delete(connection)
    hub.clients.delete(client.id)
    hub.watches.clear(client)
    hub.blocking.forget(client)
    hub.pubSub.forget(client)
  }

  private synced(group: number): void {
    for (const connection of this.waiting) {
      connection.synced(group)
      if (!connection.isHolding) this.waiting.delete(connection)
    }
    if (this.waiting.size > 0 && !this.isNudging) {
      this.isNudging = true
      setImmediate(this.nudge)
    }
  }

  private lookIdle(): void {
    const { clock, limits, clients } = this.hub
    if (limits.idleMs === 0) return
    this.cancelIdle = clock.after(IDLE_LOOK_MS, () => {
      const latest = clock.monotonicMs() - limits.idleMs
      for (const client of clients.values()) {
        if (client.activeMs < latest && client.subscriptions === 0 && !client.isBlocked) client.wire.end()
      }
      this.lookIdle()
    })
  }

  /** Takes no more, waits for what is held, at most drainMs, and closes every connection. */
  async close(drainMs = 5_000): Promise<void> {
    const { hub } = this
    this.cancelIdle()
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    const until = hub.clock.monotonicMs() + drainMs
    if (this.waiting.size > 0) this.nudge()
    while (this.waiting.size > 0 && hub.clock.monotonicMs() < until) {
      await new Promise<void>(resolve => setTimeout(resolve, 5))
    }
    hub.close()
    for (const connection of [...this.connections]) connection.end()
    await closed
  }
}

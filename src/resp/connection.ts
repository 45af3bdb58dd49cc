// One connection: bytes in, commands run in order, replies out in order, each when what it says is durable.
//
// A turn runs all commands that have come. What they replied is one piece; it goes out at once when nothing of it
// waits for a sync, else it is held for the group that it waits for, and pieces behind it wait too. Commands
// do not wait: the next ones run while replies are held, so that pipelined writes share a sync.
//
// Invariants: pieces leave in the order in which they were made; a piece never leaves before its group is synced;
// who does not take his replies has no further command run.
// Not here: cutting bytes (parser.ts), running a command (execute.ts), accepting sockets (server.ts).
import type { LentSocket } from '../base/lent-socket.ts'
import { Client, type Wire } from './client.ts'
import { execute } from './execute.ts'
import { HeldReplies } from './held.ts'
import type { Hub } from './hub.ts'
import { Parser } from './parser.ts'
import { Reply, type Taken } from './reply.ts'
import { ReplyError } from './reply-error.ts'

/** What a connection tells its server. */
export interface ConnectionHost {
  readonly hub: Hub
  /** Bytes that all connections keep of what is not complete. */
  inputBytes: number
  /** Replies wait for a sync. */
  held(connection: Connection): void
  gone(connection: Connection): void
}

/** Bytes that are read ahead of a client that waits. */
const AHEAD_BYTES_MAX = 1024 * 1024

export class Connection implements Wire {
  readonly client: Client
  private readonly host: ConnectionHost
  private readonly socket: LentSocket
  private readonly parser: Parser
  private readonly heldReplies = new HeldReplies()
  private kept = 0
  private deferred: ((out: Reply) => void)[] | null = null
  private isPumping = false
  private isClosed = false
  private isProceeding = false
  private isPaused = false

  constructor(socket: LentSocket, host: ConnectionHost) {
    const { hub } = host
    this.host = host
    this.socket = socket
    this.parser = new Parser(hub.limits)
    this.client = new Client(hub.nextClientId(), hub, this, hub.out)
    socket.onLent = (lent, length) => this.took(lent, length)
    socket.on('drain', () => this.proceed())
    socket.on('error', () => {})
    socket.on('close', () => this.closed())
  }

  get remote(): string {
    return `${this.socket.remoteAddress}:${this.socket.remotePort}`
  }

  get local(): string {
    return `${this.socket.localAddress}:${this.socket.localPort}`
  }

  get queued(): number {
    return this.heldReplies.bytes + this.socket.writableLength
  }

  get isHolding(): boolean {
    return !this.heldReplies.isEmpty
  }

  private took(lent: Buffer, length: number): void {
    if (this.isClosed || this.client.isLeaving) return
    this.parser.feed(lent, length)
    this.pump()
  }

  /** Runs what has come, as far as it may. */
  private pump(): void {
    if (this.isPumping || this.isClosed) return
    const { client, parser } = this
    const { hub } = this.host
    const { out, space, limits } = hub
    client.activeMs = hub.clock.monotonicMs()
    client.out = out
    out.protocol = client.protocol
    parser.isStranger = client.roles === null
    this.isPumping = true
    let wait = 0
    try {
      while (!client.isBlocked && !client.isLeaving && out.length + this.queued < limits.outputBytesMax) {
        if (!parser.next()) break
        execute(hub, client, parser.args)
        if (this.deferred !== null) {
          for (const write of this.deferred) write(out)
          this.deferred = null
        }
        const group = space.takeWait()
        if (group > wait) wait = group
      }
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      out.error(error.message)
      client.isLeaving = true
    } finally {
      this.isPumping = false
    }
    if (out.length > 0) this.send(wait, out.take())
    if (client.isLeaving) {
      this.leave()
      return
    }
    parser.keep()
    this.account()
  }

  /** Counts what is kept, and stops reading who sends ahead. */
  private account(): void {
    const { host, parser, client } = this
    const kept = parser.kept + client.queuedBytes
    host.inputBytes += kept - this.kept
    this.kept = kept
    if (host.inputBytes > host.hub.limits.inputBytesMax && kept > AHEAD_BYTES_MAX) {
      this.aside(out => out.error('ERR too many bytes of commands are waiting in all connections'))
      this.leave()
      return
    }
    const mayRead = parser.waiting <= AHEAD_BYTES_MAX || !(client.isBlocked || this.isFull)
    if (mayRead === this.isPaused) {
      this.isPaused = !mayRead
      if (mayRead) this.socket.resume()
      else this.socket.pause()
    }
  }

  private get isFull(): boolean {
    return this.queued >= this.host.hub.limits.outputBytesMax
  }

  aside(write: (out: Reply) => void): void {
    if (this.isClosed) return
    const { client } = this
    const { hub } = this.host
    if (client.isInExec) {
      // Replies of EXEC are one array: what it makes its own client hear comes behind it.
      this.deferred ??= []
      this.deferred.push(write)
      return
    }
    if (this.isPumping) {
      write(client.out)
      return
    }
    const before = client.out
    const waited = hub.space.takeWait()
    const out = new Reply(hub.limits.replyBytesMax, 512)
    out.protocol = client.protocol
    client.out = out
    write(out)
    client.out = before
    // What a command tells others is as durable as what it tells who sent it.
    const wait = Math.max(waited, hub.space.takeWait())
    hub.space.wait = wait
    if (out.length > 0) this.send(wait, out.take())
    // A client that waits for nothing and reads nothing is a subscriber that is too slow.
    if (this.queued > hub.limits.outputBytesMax * 2) this.end()
  }

  proceed(): void {
    if (this.isProceeding || this.isClosed) return
    this.isProceeding = true
    setImmediate(() => {
      this.isProceeding = false
      this.pump()
    })
  }

  /** The group is on the medium: lets go what waited for it. */
  synced(group: number): void {
    if (this.isClosed) return
    const ready = this.heldReplies.release(group)
    if (ready === null) return
    this.write(ready)
    if (this.client.isLeaving && this.heldReplies.isEmpty) this.socket.end()
    else if (this.parser.waiting > 0) this.proceed()
  }

  end(): void {
    this.socket.destroy()
  }

  private send(group: number, piece: Taken): void {
    if (this.isClosed) return
    const { heldReplies, host } = this
    if (heldReplies.isEmpty && group <= host.hub.space.syncedGroup) {
      this.write(piece)
      return
    }
    heldReplies.hold(group, piece)
    host.held(this)
  }

  private write(piece: Taken): void {
    if (typeof piece === 'string') this.socket.write(piece, 'latin1')
    else this.socket.write(piece)
  }

  /** Ends when what was replied is sent. */
  private leave(): void {
    this.client.isLeaving = true
    if (this.heldReplies.isEmpty) this.socket.end()
  }

  private closed(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.host.inputBytes -= this.kept
    this.heldReplies.clear()
    this.host.gone(this)
  }
}

// The broker: joins the parts. Connections are doors, aedes keeps the handshakes, and every message enters
// through one gate.
//
// Invariants: a message enters through Intake only; a sync failure acknowledges nothing, and closes who waits.
// Not here: sockets (listeners.ts), packets (door.ts), aedes (handshakes.ts), what the broker says itself
// (own-messages.ts, sys-announcer.ts), configuration (daemon).
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { VarveError } from '../base/errors.ts'
import { Auth, type AuthOptions } from './auth.ts'
import { Door } from './door.ts'
import type { DoorHost } from './door-host.ts'
import { FanOut } from './fan-out.ts'
import { type BrokerLog, Handshakes } from './handshakes.ts'
import type { InnerStream } from './inner-stream.ts'
import { Intake, type PublishSink, type SyncGate } from './intake.ts'
import { type BrokerLimits, brokerLimits } from './limits.ts'
import { type Listener, type ListenOptions, listen } from './listeners.ts'
import { Outlets } from './outlet.ts'
import { OwnMessages, type OwnOptions } from './own-messages.ts'
import { REASON } from './packet.ts'
import { Patience } from './patience.ts'
import { RetainedMessages, type RetainedStore } from './retained.ts'
import type { TopicService } from './service.ts'
import { type Session, SessionStore } from './session.ts'
import { type BrokerStats, newStats } from './stats.ts'
import { SubscriptionTrie } from './subscription-trie.ts'
import { SyncWatch } from './sync-watch.ts'
import { SysAnnouncer } from './sys-announcer.ts'
import { TopicCache } from './topic-cache.ts'

export interface BrokerOptions {
  clock: Clock
  sink: PublishSink
  gate: SyncGate
  /** Null: retained messages live in memory only. */
  retained: RetainedStore | null
  auth: AuthOptions
  listen: readonly ListenOptions[]
  limits?: Partial<BrokerLimits>
  /** False: every packet goes through aedes. */
  fastPath?: boolean
  /** Time between $SYS updates, ms; 0: none. */
  sysMs?: number
  /** What $SYS/broker/version says. */
  version: string
  log: BrokerLog
  /** Topics that the daemon serves itself. */
  services?: (broker: Broker) => readonly TopicService[]
}

/** How often it looks for subscribers that are stuck and sessions that are over, ms. */
export const sweepMs = 1_000

export class Broker implements DoorHost {
  readonly limits: BrokerLimits
  readonly stats: BrokerStats = newStats()
  readonly topics: TopicCache
  readonly intake: Intake
  readonly gate: SyncGate
  readonly sessions: SessionStore
  readonly outlets: Outlets
  readonly patience: Patience
  readonly clock: Clock
  readonly fastPath: boolean
  readonly retained: RetainedMessages
  readonly listeners: Listener[] = []
  readonly syncWatch: SyncWatch
  private readonly options: BrokerOptions
  private readonly trie = new SubscriptionTrie<Session>()
  private readonly fanOut: FanOut
  private readonly auth: Auth
  private readonly handshakes: Handshakes
  private readonly doors = new Set<Door>()
  private readonly connecting = new Set<Door>()
  private readonly services: readonly TopicService[]
  private readonly own: OwnMessages
  private readonly announcer: SysAnnouncer
  private cancelSweep: () => void = () => {}
  private isClosing = false
  private isRefusalLogged = false

  private constructor(options: BrokerOptions) {
    this.options = options
    this.limits = { ...brokerLimits, ...options.limits }
    this.clock = options.clock
    this.gate = options.gate
    this.fastPath = options.fastPath ?? true
    const monotonicMs = (): number => this.clock.monotonicMs()
    this.sessions = new SessionStore({ limits: this.limits, stats: this.stats, trie: this.trie, monotonicMs })
    this.retained = new RetainedMessages(this.limits, options.retained, monotonicMs())
    this.services = options.services?.(this) ?? []
    this.topics = new TopicCache(this.limits, this.trie, this.services)
    this.fanOut = new FanOut(this.topics, this.stats, monotonicMs)
    const { gate, clock, stats } = this
    const { pendingBytesMax } = this.limits
    this.syncWatch = new SyncWatch({ gate, clock, stats, pendingBytesMax }, () => {
      for (const door of this.doors) door.proceed()
    })
    this.outlets = new Outlets(this.limits.subscriberBytesMax, this.limits.subscribersBytesMax)
    this.patience = new Patience(clock)
    this.auth = new Auth(options.auth)
    this.intake = new Intake({
      sink: options.sink,
      retained: this.retained,
      fanOut: this.fanOut,
      stats: this.stats,
      onRefused: error => this.refused(error)
    })
    const { topics, intake, fanOut, retained, sessions, trie } = this
    this.own = new OwnMessages({ topics, intake, gate })
    this.announcer = new SysAnnouncer(
      { clock, stats, trie, retained, sessions, gate, fanOut, own: this.own },
      options.version
    )
    this.handshakes = new Handshakes({
      limits: this.limits,
      sessions: this.sessions,
      retained: this.retained,
      auth: this.auth,
      log: options.log,
      services: this.services,
      onReady: door => this.ready(door),
      onWill: (will, door) => this.own.sendWill(will, door)
    })
  }

  /**
   * Opens the broker and its listeners.
   * @throws {VarveError} VARVE_LISTEN when an address cannot be had (nothing stays open then)
   */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    await broker.handshakes.open()
    options.gate.onFailed(error => {
      options.log.warn({ error: error.message }, 'sync failed: nothing that waits for it is acknowledged')
    })
    broker.sweepLater()
    broker.announcer.start(options.sysMs ?? 10_000)
    try {
      for (const listener of options.listen) {
        broker.listeners.push(
          await listen(listener, {
            handshakeMs: broker.limits.connectTimeoutMs,
            connectionsMax: broker.limits.connectionsMax,
            packetBytesMax: broker.limits.packetBytesMax,
            onConnection: (wire, remote) => broker.accept(wire, remote)
          })
        )
      }
    } catch (error) {
      await broker.close(0)
      throw error
    }
    return broker
  }

  /**
   * Publishes a message of the daemon's own: to the sink, to subscribers, to the retained messages.
   * Resolves when it is on the medium.
   * @throws {VarveError} VARVE_TOPIC when the topic is not one; VARVE_MQTT_REFUSED when the store refuses
   */
  async publish(topic: string, payload: Uint8Array | string, options: OwnOptions = {}): Promise<void> {
    await this.syncWatch.durable(this.publishNow(topic, payload, options))
  }

  /** The same at once. @returns the WAL group that holds it; 0: none @throws as publish() */
  publishNow(topic: string, payload: Uint8Array | string, options: OwnOptions = {}): number {
    return this.own.publish(topic, payload, options)
  }

  /** Other users from now on; who is connected keeps the rights it was given. */
  setAuth(options: AuthOptions): void {
    this.auth.replace(options)
  }

  /**
   * Delivers a message of the daemon's own to subscribers only; nothing is stored. @throws as publish()
   * @param properties  of MQTT 5, as bytes
   */
  relay(
    topic: string,
    payload: Uint8Array | string,
    qos: 0 | 1 | 2 = 0,
    properties: Uint8Array | null = null
  ): void {
    this.fanOut.route({ ...this.own.publication(topic, payload, qos, false), properties })
  }

  /** As relay(), but who is connected and cannot be given it is disconnected, rather than miss it. */
  relayWhole(topic: string, payload: Uint8Array, qos: 0 | 1 | 2): void {
    const publication = this.own.publication(topic, payload, qos, false)
    this.fanOut.routeWhole(publication, session => {
      const door = session.owner as Door | null
      this.options.log.warn({ client: session.clientId, topic }, 'watcher too slow: disconnected')
      door?.end(REASON.quota)
    })
  }

  /** Whether anybody subscribes to something whose first level is this. */
  hasSubscribers(root: string): boolean {
    return this.trie.hasRoot(root)
  }

  /**
   * Ends: takes no more, waits for what is unacknowledged, then closes every connection. Wills are not sent:
   * no device failed.
   * @param drainMs  longest wait for acknowledgements
   */
  async close(drainMs = 5_000): Promise<void> {
    if (this.isClosing) return
    this.isClosing = true
    this.cancelSweep()
    this.announcer.stop()
    for (const listener of this.listeners) listener.close()
    await this.syncWatch.drain(drainMs)
    this.handshakes.forgetWills()
    for (const door of [...this.doors]) door.end(REASON.shutdown)
    await this.handshakes.close()
    this.syncWatch.close()
  }

  // ---- doors

  private accept(wire: Duplex, remote: string): void {
    const { limits, stats } = this
    // Who says nothing shuts nobody out: the one that has said nothing for longest goes.
    const silent = this.connecting.size >= limits.connectingMax ? this.silent() : undefined
    if (silent !== undefined) {
      stats.connectionsRefused++
      silent.close()
    }
    if (
      this.isClosing ||
      this.doors.size >= limits.connectionsMax ||
      this.connecting.size >= limits.connectingMax
    ) {
      stats.connectionsRefused++
      wire.on('error', () => {})
      wire.destroy()
      return
    }
    const door = new Door(wire, remote, this)
    this.doors.add(door)
    this.connecting.add(door)
    stats.connections = this.doors.size
  }

  /** The oldest connection that has not sent its CONNECT. */
  private silent(): Door | undefined {
    for (const door of this.connecting) if (door.connect === null) return door
    return undefined
  }

  introduce(stream: InnerStream, door: Door): () => void {
    return this.handshakes.introduce(stream, door)
  }

  settled(door: Door): void {
    this.connecting.delete(door)
  }

  private ready(door: Door): void {
    const { stats } = this
    stats.clients++
    stats.clientsTotal++
    stats.clientsMax = Math.max(stats.clientsMax, stats.clients)
    door.open()
    if (!door.isClosed) this.handshakes.resume(door)
  }

  closed(door: Door): void {
    this.doors.delete(door)
    this.syncWatch.remove(door)
    this.stats.connections = this.doors.size
    if (door.isOpen) this.stats.clients--
  }

  private refused(error: VarveError): void {
    if (this.isRefusalLogged) return
    this.isRefusalLogged = true
    this.options.log.warn({ code: error.code, error: error.message }, 'the store refuses messages')
  }

  private sweepLater(): void {
    this.cancelSweep = this.clock.after(sweepMs, () => {
      const nowMs = this.clock.monotonicMs()
      const { subscriberStuckMs } = this.limits
      for (const door of [...this.doors]) {
        door.forgiveSilence()
        if (subscriberStuckMs === 0 || door.subscriber.stuckSinceMs === 0) continue
        if (nowMs - door.subscriber.stuckSinceMs < subscriberStuckMs) continue
        this.stats.subscribersStuck++
        this.options.log.warn(
          { client: door.clientId, remote: door.remote },
          'subscriber too slow: disconnected'
        )
        door.end(REASON.quota)
      }
      this.sessions.sweep()
      this.isRefusalLogged = false
      this.sweepLater()
    })
  }

  /** Memory of what grows with clients and topics, in bytes, roughly. */
  get memory() {
    let outgoing = 0
    for (const door of this.doors) outgoing += door.outlet.queued
    return { topics: this.topics.bytes, retained: this.retained.bytes, outgoing }
  }
}

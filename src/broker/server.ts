// The broker: owns aedes and joins the parts. aedes keeps the MQTT handshakes (CONNECT and takeover, keep-alive,
// SUBSCRIBE, UNSUBSCRIBE, the QoS 2 exchange, wills); the door of each connection does the rest.
//
// aedes 1.2.0 refuses MQTT 5 (CONNACK return code 1 to protocol level 5), so a version 5 client reaches it in
// version 4 form. Offered in version 5: reason codes, properties passed on (user properties, content type,
// response topic, correlation data, expiry), no local, retain as published, retain handling, session expiry,
// receive maximum, packet size maximum, assigned client id, DISCONNECT with a reason. Not offered, and said so in
// CONNACK: topic aliases to us, subscription ids, shared subscriptions, extended authentication. A will's delay
// is taken as 0.
//
// Invariants: a message enters through Intake only; a sync failure acknowledges nothing, and closes who waits.
// Not here: sockets (listeners.ts), packets (door.ts), configuration (daemon).
import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import { Auth, type AuthOptions } from './auth.ts'
import { Door } from './door.ts'
import type { DoorHost } from './door-host.ts'
import { FanOut, type Publication } from './fan-out.ts'
import type { InnerStream } from './inner-stream.ts'
import { Intake, type PublishSink, type SyncGate } from './intake.ts'
import { type BrokerLimits, brokerLimits } from './limits.ts'
import { type Listener, type ListenOptions, listen } from './listeners.ts'
import { FlushList } from './outlet.ts'
import { REASON } from './packet.ts'
import { AedesPersistence, silentEmitter } from './persistence.ts'
import { parsePublishProperties } from './properties.ts'
import { RetainedMessages, type RetainedStore } from './retained.ts'
import { type Message, type Session, SessionStore } from './session.ts'
import { type BrokerStats, newStats } from './stats.ts'
import { isShared } from './subscribe-packet.ts'
import { SubscriptionTrie } from './subscription-trie.ts'
import { SyncWatch } from './sync-watch.ts'
import { sysTopics } from './sys-topics.ts'
import { TopicCache } from './topic-cache.ts'
import { LAZY, NORMAL } from './urgency.ts'

/** Where the broker's lines for operators go; a pino logger fits. */
export interface BrokerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

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
}

/** The parts of an aedes client that we use. */
interface AedesClient {
  id: string
  conn: Duplex
  closed: boolean
  will: AedesPublish | null
  _keepaliveTimer: NodeJS.Timeout | null
}

interface AedesPublish {
  topic: string
  payload: Buffer | string
  qos: 0 | 1 | 2
  retain: boolean
}

type Done = (error?: Error | null) => void

const sweepMs = 1_000

export class Broker implements DoorHost {
  readonly limits: BrokerLimits
  readonly stats: BrokerStats = newStats()
  readonly topics: TopicCache
  readonly intake: Intake
  readonly gate: SyncGate
  readonly sessions: SessionStore
  readonly flushList = new FlushList()
  readonly clock: Clock
  readonly fastPath: boolean
  readonly retained: RetainedMessages
  readonly listeners: Listener[] = []
  readonly syncWatch: SyncWatch
  private readonly options: BrokerOptions
  private readonly trie = new SubscriptionTrie<Session>()
  private readonly fanOut: FanOut
  private readonly auth: Auth
  private readonly aedes: Aedes
  private readonly doors = new Set<Door>()
  private readonly connecting = new Set<Door>()
  private readonly doorOf = new WeakMap<Duplex, Door>()
  private readonly sysValues = new Map<string, string>()
  private readonly startedMs: number
  private cancelSweep: () => void = () => {}
  private cancelSys: () => void = () => {}
  private isClosing = false
  private isRefusalLogged = false

  private constructor(options: BrokerOptions) {
    this.options = options
    this.limits = { ...brokerLimits, ...options.limits }
    this.clock = options.clock
    this.gate = options.gate
    this.fastPath = options.fastPath ?? true
    this.startedMs = this.clock.monotonicMs()
    const monotonicMs = (): number => this.clock.monotonicMs()
    this.sessions = new SessionStore({ limits: this.limits, stats: this.stats, trie: this.trie, monotonicMs })
    this.retained = new RetainedMessages(this.limits, options.retained, monotonicMs())
    this.topics = new TopicCache(this.limits, this.trie)
    this.fanOut = new FanOut(this.topics, this.stats, monotonicMs)
    const { gate, clock, stats } = this
    const { pendingBytesMax } = this.limits
    this.syncWatch = new SyncWatch({ gate, clock, stats, pendingBytesMax }, () => {
      for (const door of this.doors) door.proceed()
    })
    this.auth = new Auth(options.auth)
    this.intake = new Intake({
      sink: options.sink,
      retained: this.retained,
      fanOut: this.fanOut,
      stats: this.stats,
      onRefused: error => this.refused(error)
    })
    this.aedes = new Aedes({
      mq: silentEmitter,
      persistence: new AedesPersistence(
        this.sessions,
        client => this.doorOf.get((client as AedesClient).conn)?.session ?? null
      ),
      connectTimeout: this.limits.connectTimeoutMs,
      maxTopicLevels: this.limits.levelsMax,
      maxClientsIdLength: this.limits.clientIdBytesMax,
      maxInflightInbound: 0,
      drainTimeout: 0,
      authenticate: (client, _name, _password, done) => this.authenticate(client as never, done as never),
      authorizeSubscribe: (client, sub, done) => this.authorizeSubscribe(client as never, sub, done as never),
      authorizePublish: (client, packet, done) =>
        this.authorizePublish(client as never, packet as never, done)
    })
  }

  /**
   * Opens the broker and its listeners.
   * @throws {VarveError} VARVE_LISTEN when an address cannot be had (nothing stays open then)
   */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    await broker.aedes.listen()
    broker.watchAedes()
    options.gate.onFailed(error => {
      options.log.warn({ error: error.message }, 'sync failed: nothing that waits for it is acknowledged')
    })
    broker.sweepLater()
    if ((options.sysMs ?? 10_000) > 0) broker.announceSys()
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
  async publish(
    topic: string,
    payload: Uint8Array | string,
    options: { qos?: 0 | 1 | 2; retain?: boolean } = {}
  ): Promise<void> {
    const publication = this.publication(topic, payload, options.qos ?? 0, options.retain ?? false)
    const refusal = this.intake.accept(publication, null)
    if (refusal !== 0) {
      throw new VarveError('VARVE_MQTT_REFUSED', `Cannot publish ${topic}: the store refuses it`)
    }
    const { group } = this.intake
    this.gate.note(publication.end, publication.qos === 0 ? LAZY : NORMAL)
    await this.syncWatch.durable(group)
  }

  /** Other users from now on; who is connected keeps the rights it was given. */
  setAuth(options: AuthOptions): void {
    this.auth.replace(options)
  }

  /** Delivers a message of the daemon's own to subscribers only; nothing is stored. @throws as publish() */
  relay(topic: string, payload: Uint8Array | string, qos: 0 | 1 | 2 = 0): void {
    this.fanOut.route(this.publication(topic, payload, qos, false))
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
    this.cancelSys()
    for (const listener of this.listeners) listener.close()
    await this.syncWatch.drain(drainMs)
    for (const client of Object.values(
      (this.aedes as unknown as { clients: Record<string, AedesClient> }).clients
    )) {
      client.will = null
    }
    for (const door of [...this.doors]) door.end(REASON.shutdown)
    await new Promise<void>(resolve => this.aedes.close(resolve))
    this.syncWatch.close()
  }

  // ---- doors

  private accept(wire: Duplex, remote: string): void {
    const { limits, stats } = this
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

  introduce(stream: InnerStream, door: Door): () => void {
    this.doorOf.set(stream, door)
    const client = this.aedes.handle(stream as never) as unknown as AedesClient
    return () => client._keepaliveTimer?.refresh()
  }

  settled(door: Door): void {
    this.connecting.delete(door)
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
        if (subscriberStuckMs === 0 || door.stuckSinceMs === 0) continue
        if (nowMs - door.stuckSinceMs < subscriberStuckMs) continue
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

  // ---- aedes

  private watchAedes(): void {
    const { aedes } = this
    aedes.on('clientReady', client => this.ready(client as unknown as AedesClient))
    aedes.on('subscribe', (subs, client) => this.subscribed(subs as never, client as unknown as AedesClient))
    aedes.on('unsubscribe', (filters, client) => {
      const door = this.doorOf.get((client as unknown as AedesClient).conn)
      if (door === undefined || door.isClosed) return
      for (const filter of filters) door.session!.unsubscribe(filter)
      door.pass()
    })
    aedes.on('keepaliveTimeout', client => {
      this.doorOf.get((client as unknown as AedesClient).conn)?.end(REASON.keepAlive)
    })
    // Without listeners aedes throws; the door has counted and closed already.
    aedes.on('clientError', () => {})
    aedes.on('connectionError', () => {})
    aedes.on(
      'error' as never,
      ((error: Error) => {
        this.options.log.warn({ error: error.message }, 'aedes failed')
      }) as never
    )
  }

  private authenticate(client: AedesClient, done: (error: object | null, ok: boolean | null) => void): void {
    const door = this.doorOf.get(client.conn)!
    const { username, password, clean, version } = door.connect!
    this.auth
      .admit(username ?? undefined, password ?? undefined, door.clientId, () => !door.isClosed)
      .catch((error: unknown) => {
        this.options.log.warn({ user: username, error: reason(error) }, 'cannot check password')
        return null
      })
      .then(rights => {
        door.connect!.password = null
        if (door.isClosed) return
        if (rights === null) {
          this.options.log.info(
            { client: door.clientId, user: username, remote: door.remote },
            'client refused'
          )
          done({ returnCode: username === null ? 5 : 4 }, null)
          return
        }
        const before = (this.aedes as unknown as { clients: Record<string, AedesClient> }).clients[
          door.clientId
        ]
        if (before !== undefined && version !== undefined) this.doorOf.get(before.conn)?.end(REASON.taken)
        door.admitted(rights, clean)
        done(null, true)
      })
  }

  private ready(client: AedesClient): void {
    const { stats } = this
    const door = this.doorOf.get(client.conn)!
    if (door.isClosed) return
    stats.clients++
    stats.clientsTotal++
    stats.clientsMax = Math.max(stats.clientsMax, stats.clients)
    door.open()
  }

  private authorizeSubscribe(
    client: AedesClient,
    sub: { topic: string },
    done: (error: Error | null, sub?: object | null) => void
  ): void {
    const door = this.doorOf.get(client.conn)!
    const session = door.session!
    const isKnown = session.subscriptions.has(sub.topic)
    const isFull = !isKnown && session.subscriptions.size >= this.limits.subscriptionsMax
    if (!isFull && !isShared(sub.topic) && door.rights!.maySubscribe(sub.topic)) {
      done(null, sub)
      return
    }
    if (isKnown) session.unsubscribe(sub.topic)
    done(null, null)
  }

  private subscribed(granted: { topic: string; qos: number }[], client: AedesClient): void {
    const door = this.doorOf.get(client.conn)
    if (door === undefined || door.isClosed) return
    const wanted = new Map<string, Message['qos']>()
    for (const { topic, qos } of granted) if (qos < 3) wanted.set(topic, qos as 0 | 1 | 2)
    door.subscribed(wanted, filter => this.retained.matching(filter))
    door.pass()
  }

  private authorizePublish(client: AedesClient | null, packet: AedesPublish, done: Done): void {
    const door = client === null ? undefined : this.doorOf.get(client.conn)
    if (door === undefined || client === null) {
      done(new VarveError('VARVE_MQTT_REFUSED', 'Cannot publish: no such connection'))
      return
    }
    if (client.will === packet) this.sendWill(packet, door)
    else if (!door.isClosed) door.takeHanded(Buffer.from(packet.payload as Buffer))
    done(null)
  }

  private sendWill(will: AedesPublish, door: Door): void {
    const publication = this.publication(will.topic, will.payload, will.qos, will.retain)
    const properties = door.connect?.will?.properties
    const parsed = properties === undefined ? null : parsePublishProperties(properties, 0, properties.length)
    if (parsed !== null && properties!.length > 0) {
      publication.properties = properties!
      publication.expiryAt = parsed.expiryAt
      publication.expirySeconds = parsed.expirySeconds
    }
    publication.from = door.session
    publication.clientId = door.clientId
    if (this.intake.accept(publication, door.rights) === 0) {
      this.gate.note(publication.end, will.qos === 0 ? LAZY : NORMAL)
    }
  }

  private publication(
    topic: string,
    payload: Uint8Array | string,
    qos: 0 | 1 | 2,
    retain: boolean
  ): Publication {
    const entry = this.topics.named(topic)
    if (entry === null) throw new VarveError('VARVE_TOPIC', `Cannot publish ${topic}: not a topic`)
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    return {
      entry,
      bytes,
      start: 0,
      end: bytes.length,
      qos,
      retain,
      properties: null,
      expiryAt: -1,
      expirySeconds: 0,
      packetStart: -1,
      packetVersion: 4,
      from: null,
      clientId: ''
    }
  }

  private announceSys(): void {
    const gauges = {
      version: this.options.version,
      uptimeSeconds: Math.floor((this.clock.monotonicMs() - this.startedMs) / 1000),
      subscriptions: this.trie.count,
      retained: this.retained.count,
      retainedBytes: this.retained.bytes,
      sessionsAway: Math.max(0, this.sessions.away),
      pendingBytes: this.gate.pendingBytes
    }
    for (const [topic, value] of sysTopics(this.stats, gauges)) {
      if (this.sysValues.get(topic) === value) continue
      this.sysValues.set(topic, value)
      const publication = this.publication(topic, value, 0, true)
      this.retained.setVolatile(this.fanOut.keep(publication))
      this.fanOut.route(publication)
    }
    this.cancelSys = this.clock.after(this.options.sysMs ?? 10_000, () => this.announceSys())
  }
}

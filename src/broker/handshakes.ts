// Owns aedes and lets it keep the MQTT handshakes: CONNECT and takeover, keep-alive, SUBSCRIBE and UNSUBSCRIBE,
// the QoS 2 exchange, wills. Its hooks ask our own parts who may do what, and every message that it brings
// ends in the door that handed it over, or for a will in the one gate of all messages.
//
// aedes 1.2.0 refuses MQTT 5 (CONNACK return code 1 to protocol level 5), so a version 5 client reaches it in
// version 4 form. Offered in version 5: reason codes, properties passed on (user properties, content type,
// response topic, correlation data, expiry), no local, retain as published, retain handling, session expiry,
// receive maximum, packet size maximum, assigned client id, DISCONNECT with a reason. Not offered, and said so in
// CONNACK: topic aliases to us, subscription ids, shared subscriptions, extended authentication. A will's delay
// is taken as 0.
//
// Invariants: aedes delivers nothing and keeps nothing (persistence.ts); a hook of a closed door does nothing.
// Not here: packets (door.ts), their way to aedes (aedes-link.ts), messages of our own (own-messages.ts).
import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import mqttPacket from 'mqtt-packet'
import { reason, VarveError } from '../base/errors.ts'
import type { Auth } from './auth.ts'
import type { Door } from './door.ts'
import type { BrokerLimits } from './limits.ts'
import { REASON } from './packet.ts'
import { AedesPersistence, silentEmitter } from './persistence.ts'
import type { RetainedMessages } from './retained.ts'
import { type Feed, serviceOf, type TopicService } from './service.ts'
import type { Message, SessionStore } from './session.ts'
import { isShared } from './subscribe-packet.ts'

/** Where the broker's lines for operators go; a pino logger fits. */
export interface BrokerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** A PUBLISH as aedes holds it. */
export interface AedesPublish {
  topic: string
  payload: Buffer | string
  qos: 0 | 1 | 2
  retain: boolean
}

/** The parts of an aedes client that we use. */
interface AedesClient {
  id: string
  conn: Duplex
  closed: boolean
  will: AedesPublish | null
  _keepaliveTimer: NodeJS.Timeout | null
}

type Done = (error?: Error | null) => void

export interface HandshakeParts {
  readonly limits: BrokerLimits
  readonly sessions: SessionStore
  readonly retained: RetainedMessages
  readonly auth: Auth
  readonly log: BrokerLog
  readonly services: readonly TopicService[]
  /** CONNECT was accepted. */
  onReady(door: Door): void
  /** The connection ended without leave. */
  onWill(will: AedesPublish, door: Door): void
}

// aedes' encoder else keeps a Buffer for each number of two bytes: 7 MiB from the first packet on, for packets
// that are rare here.
mqttPacket.writeToStream.cacheNumbers = false

export class Handshakes {
  private readonly parts: HandshakeParts
  private readonly aedes: Aedes
  private readonly doorOf = new WeakMap<Duplex, Door>()

  constructor(parts: HandshakeParts) {
    const { limits } = parts
    this.parts = parts
    this.aedes = new Aedes({
      mq: silentEmitter,
      persistence: new AedesPersistence(
        parts.sessions,
        client => this.doorOf.get((client as AedesClient).conn)?.session ?? null
      ),
      connectTimeout: limits.connectTimeoutMs,
      maxTopicLevels: limits.levelsMax,
      maxClientsIdLength: limits.clientIdBytesMax,
      maxInflightInbound: 0,
      drainTimeout: 0,
      authenticate: (client, _name, _password, done) => this.authenticate(client as never, done as never),
      authorizeSubscribe: (client, sub, done) => this.authorizeSubscribe(client as never, sub, done as never),
      authorizePublish: (client, packet, done) =>
        this.authorizePublish(client as never, packet as never, done)
    })
  }

  async open(): Promise<void> {
    await this.aedes.listen()
    this.watch()
  }

  /** Ends aedes. */
  async close(): Promise<void> {
    await new Promise<void>(resolve => this.aedes.close(resolve))
  }

  /** No will is sent from now on: no device failed. */
  forgetWills(): void {
    for (const client of Object.values(this.clients)) client.will = null
  }

  /** Gives a connection's stream to aedes; returns a function that restarts its keep-alive timer. */
  introduce(stream: Duplex, door: Door): () => void {
    this.doorOf.set(stream, door)
    const client = this.aedes.handle(stream as never) as unknown as AedesClient
    return () => client._keepaliveTimer?.refresh()
  }

  private get clients(): Record<string, AedesClient> {
    return (this.aedes as unknown as { clients: Record<string, AedesClient> }).clients
  }

  private watch(): void {
    const { aedes } = this
    aedes.on('clientReady', client => this.ready(client as unknown as AedesClient))
    aedes.on('subscribe', (subs, client) => this.subscribed(subs as never, client as unknown as AedesClient))
    aedes.on('unsubscribe', (filters, client) => {
      const door = this.doorOf.get((client as unknown as AedesClient).conn)
      if (door === undefined || door.isClosed) return
      for (const filter of filters) door.session!.unsubscribe(filter)
      door.aedes!.pass()
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
        this.parts.log.warn({ error: error.message }, 'aedes failed')
      }) as never
    )
  }

  private authenticate(client: AedesClient, done: (error: object | null, ok: boolean | null) => void): void {
    const door = this.doorOf.get(client.conn)!
    const { username, password, clean, version } = door.connect!
    this.parts.auth
      .admit(username ?? undefined, password ?? undefined, door.clientId, () => !door.isClosed)
      .catch((error: unknown) => {
        this.parts.log.warn({ user: username, error: reason(error) }, 'cannot check password')
        return null
      })
      .then(rights => {
        door.connect!.password = null
        if (door.isClosed) return
        if (rights === null) {
          this.parts.log.info(
            { client: door.clientId, user: username, remote: door.remote },
            'client refused'
          )
          done({ returnCode: username === null ? 5 : 4 }, null)
          return
        }
        const before = this.clients[door.clientId]
        if (before !== undefined && version !== undefined) this.doorOf.get(before.conn)?.end(REASON.taken)
        door.admitted(rights, clean)
        done(null, true)
      })
  }

  private ready(client: AedesClient): void {
    const door = this.doorOf.get(client.conn)!
    if (!door.isClosed) this.parts.onReady(door)
  }

  private authorizeSubscribe(
    client: AedesClient,
    sub: { topic: string },
    done: (error: Error | null, sub?: object | null) => void
  ): void {
    const door = this.doorOf.get(client.conn)!
    const session = door.session!
    const isKnown = session.subscriptions.has(sub.topic)
    const isFull = !isKnown && session.subscriptions.size >= this.parts.limits.subscriptionsMax
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
    const { services, retained } = this.parts
    for (const filter of wanted.keys()) serviceOf(services, filter)?.subscribing(filter)
    door.aedes!.subscribed(wanted, {
      retained: filter => serviceOf(services, filter)?.retained(filter) ?? retained.matching(filter),
      feed: (filter, wantsRetained, wake) => this.feed(filter, wantsRetained, wake)
    })
    door.aedes!.pass()
  }

  /** Feeds of a session that goes on with the subscriptions it had: what they missed is told as what is there now. */
  resume({ session }: Door): void {
    for (const [filter, { qos }] of session!.subscriptions) {
      const feed = this.feed(filter, true, () => session!.pump())
      if (feed !== null) session!.follow(filter, feed, qos)
    }
  }

  private feed(filter: string, wantsRetained: boolean, wake: () => void): Feed | null {
    return serviceOf(this.parts.services, filter)?.feed?.(filter, wantsRetained, wake) ?? null
  }

  private authorizePublish(client: AedesClient | null, packet: AedesPublish, done: Done): void {
    const door = client === null ? undefined : this.doorOf.get(client.conn)
    if (door === undefined || client === null) {
      done(new VarveError('VARVE_MQTT_REFUSED', 'Cannot publish: no such connection'))
      return
    }
    if (client.will === packet) this.parts.onWill(packet, door)
    else if (!door.isClosed) door.takeHanded(Buffer.from(packet.payload as Buffer))
    done(null)
  }
}

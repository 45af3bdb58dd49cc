// What the broker's tests share: a sink that remembers, a gate that opens by hand, a raw MQTT client, and
// brokers on free loopback ports.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import mqttPacket from 'mqtt-packet'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import type { PublishSink, SyncGate } from '../../src/broker/intake.ts'
import type { RetainedMessage, RetainedStore } from '../../src/broker/retained.ts'
import { Broker, type BrokerOptions } from '../../src/broker/server.ts'

export interface Stored {
  topic: string
  payload: Buffer
  qos: number
  retain: boolean
  client: string
  group: number
}

/** Sink and gate in one: each publish joins the pending group; sync() makes it durable. */
export class FakeStore implements PublishSink, SyncGate, RetainedStore {
  readonly stored: Stored[] = []
  readonly notes: { bytes: number; urgency: number }[] = []
  readonly retained = new Map<string, RetainedMessage>()
  pendingGroup = 1
  syncedGroup = 0
  pendingBytes = 0
  /** Sync at the next turn of the event loop, as a fast disk would. */
  isAuto: boolean
  refusal: VarveError | null = null
  private scheduled = false
  private readonly listeners: ((group: number) => void)[] = []
  private readonly failures: ((error: Error) => void)[] = []

  constructor(isAuto = true) {
    this.isAuto = isAuto
  }

  publish(
    topic: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    qos: number,
    retain: boolean,
    client: string
  ) {
    if (this.refusal !== null) throw this.refusal
    const payload = Buffer.from(bytes.subarray(start, end))
    this.stored.push({ topic, payload, qos, retain, client, group: this.pendingGroup })
    return this.schedule()
  }

  load(): Iterable<RetainedMessage> {
    return [...this.retained.values()]
  }

  put(message: RetainedMessage): number {
    this.retained.set(message.topic, { ...message, payload: Buffer.from(message.payload) })
    return this.schedule()
  }

  delete(topic: string): number {
    this.retained.delete(topic)
    return this.schedule()
  }

  note(bytes: number, urgency: 0 | 1 | 2): void {
    this.notes.push({ bytes, urgency })
  }

  onSynced(listener: (group: number) => void): void {
    this.listeners.push(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.failures.push(listener)
  }

  sync(): void {
    this.syncedGroup = this.pendingGroup++
    for (const listener of this.listeners) listener(this.syncedGroup)
  }

  fail(): void {
    this.refusal = new VarveError('VARVE_STORE_FAILED', 'Cannot write: the disk failed')
    for (const listener of this.failures) listener(this.refusal)
  }

  private schedule(): number {
    if (this.isAuto && !this.scheduled) {
      this.scheduled = true
      setImmediate(() => {
        this.scheduled = false
        this.sync()
      })
    }
    return this.pendingGroup
  }
}

export const silentLog = { info: () => {}, warn: () => {} }

export async function startBroker(store: FakeStore, options: Partial<BrokerOptions> = {}): Promise<Broker> {
  return Broker.open({
    clock: systemClock,
    sink: store,
    gate: store,
    retained: store,
    auth: { allowAnonymous: true, users: [] },
    listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    sysMs: 0,
    version: 'test',
    log: silentLog,
    ...options
  })
}

export function portOf(broker: Broker): number {
  return broker.listeners[0]!.port
}

/** A connected client of the mqtt package. */
export async function client(broker: Broker, options: IClientOptions = {}): Promise<MqttClient> {
  return mqtt.connectAsync({ host: '127.0.0.1', port: portOf(broker), reconnectPeriod: 0, ...options })
}

export interface Received {
  topic: string
  text: string
  qos: number
  retain: boolean
  dup: boolean
  properties?: object
}

/** Collects what a client receives. */
export function inbox(from: MqttClient): Received[] {
  const received: Received[] = []
  from.on('message', (topic, payload, packet) => {
    const { qos, retain, dup, properties } = packet
    received.push({
      topic,
      text: payload.toString(),
      qos,
      retain,
      dup,
      ...(properties === undefined ? {} : { properties })
    })
  })
  return received
}

const turnsMax = 50

/** How long a machine that has much else to do may take for anything, ms. */
const waitMsMax = 60_000

/** Waits until the condition holds; false when it did not in a long time. */
export async function until(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + waitMsMax
  // Most of what is waited for takes a few turns of the event loop; a timer's tick each would be most of a test.
  for (let turn = 0; !condition(); turn++) {
    if (performance.now() > end) return false
    await new Promise(resolve => (turn < turnsMax ? setImmediate(resolve) : setTimeout(resolve, 2)))
  }
  return true
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Pauses; returns how much longer than that it took, ms: what a busy machine adds, and nobody but it is to blame for. */
export async function pauseLate(ms: number): Promise<number> {
  const began = performance.now()
  await pause(ms)
  return performance.now() - began - ms
}

/** Time goes by twenty times slower: whoever is quick here is so on a busy machine too. */
export const slowClock: Clock = {
  nowUs: () => systemClock.nowUs(),
  monotonicMs: () => systemClock.monotonicMs() / 20,
  after: (ms, callback) => systemClock.after(ms * 20, callback)
}

/** Bytes of a packet in a protocol version. */
export function bytesOf(packet: object, version = 4): Buffer {
  return mqttPacket.generate(packet as never, { protocolVersion: version })
}

/** A socket that speaks bytes. */
export class RawClient {
  readonly socket: Socket
  readonly packets: Record<string, unknown>[] = []
  isClosed = false

  private constructor(socket: Socket, version: number) {
    this.socket = socket
    const parser = mqttPacket.parser({ protocolVersion: version })
    parser.on('packet', packet => this.packets.push(packet as never))
    parser.on('error', () => {})
    socket.on('data', chunk => parser.parse(chunk as Buffer))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
  }

  static async open(broker: Broker, connectPacket: object | null = {}, version = 4): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port: portOf(broker), noDelay: true })
    await once(socket, 'connect')
    const raw = new RawClient(socket, version)
    if (connectPacket === null) return raw
    raw.send(
      { cmd: 'connect', clientId: `raw-${++rawCount}`, clean: true, keepalive: 0, ...connectPacket },
      version
    )
    await until(() => raw.packets.length > 0 || raw.isClosed)
    return raw
  }

  send(packet: object | Buffer, version = 4): void {
    if (Buffer.isBuffer(packet)) this.socket.write(packet)
    else this.socket.write(bytesOf({ protocolId: 'MQTT', protocolVersion: version, ...packet }, version))
  }

  of(cmd: string): Record<string, unknown>[] {
    return this.packets.filter(packet => packet.cmd === cmd)
  }

  end(): void {
    this.socket.destroy()
  }
}

let rawCount = 0

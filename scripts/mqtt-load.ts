// An MQTT load in a process of its own: raw sockets, packets encoded before the clock starts, QoS 1
// pipelined up to a window, acknowledgements counted and timed. The standard workload's devices are dealt
// out over the connections; each connection repeats its packets, of which it holds as many as its window.
//
//   node scripts/mqtt-load.ts --port 1883 [--connections 50] [--messages 600000 | --seconds 10] [--window 1000]
//        [--rate N]  messages a second in all; without it as fast as acknowledgements allow
//        [--seed 1]
//
// Prints one line of JSON (LoadOutcome) when everything sent is acknowledged, or when the broker closes.
// Not here: brokers (bench-peers.ts), figures (bench-mqtt.ts, bench-stall.ts).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import mqttPacket from 'mqtt-packet'
import { quantile } from './bench-report.ts'
import { jsonOf, standard, topicOf, Workload } from './workload.ts'

export interface LoadOutcome {
  readonly sent: number
  readonly acked: number
  readonly payloadBytes: number
  readonly seconds: number
  /** From writing a packet to reading its PUBACK, ms. */
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Why it ended before everything was acknowledged. */
  readonly fault: string | null
}

export interface LoadOptions {
  readonly port: number
  readonly connections?: number
  readonly messages?: number
  readonly seconds?: number
  readonly window?: number
  readonly rate?: number
}

/** Runs the load in another process. */
export async function runLoad(options: LoadOptions): Promise<LoadOutcome> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(process.execPath, [import.meta.filename, ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let text = ''
  child.stdout.on('data', piece => (text += piece))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`Cannot load port ${options.port}: the generator ended with ${code}`)
  return JSON.parse(text)
}

/** Pre-encoded packets, one after the other, with identifiers 1 to count. */
interface Ring {
  readonly bytes: Buffer
  /** Where each packet begins; one more for the end. */
  readonly starts: Uint32Array
}

function makeRings(connections: number, window: number, seed: number): Ring[] {
  const workload = new Workload({ ...standard, seed, startMs: 0, late: 0 })
  const packets: Buffer[][] = Array.from({ length: connections }, () => [])
  while (packets.some(ring => ring.length < window)) {
    for (const message of workload.next()) {
      const ring = packets[message.device % connections]!
      if (ring.length === window) continue
      const [topic, payload] = [topicOf(message.device), jsonOf(message)]
      ring.push(
        mqttPacket.generate({
          cmd: 'publish',
          topic,
          payload,
          qos: 1,
          messageId: ring.length + 1,
          dup: false,
          retain: false
        })
      )
    }
  }
  return packets.map(ring => {
    const starts = new Uint32Array(ring.length + 1)
    for (const [i, packet] of ring.entries()) starts[i + 1] = starts[i]! + packet.length
    return { bytes: Buffer.concat(ring), starts }
  })
}

async function open(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clientId,
      clean: true,
      keepalive: 0
    })
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (answer[0] !== 0x20 || answer[3] !== 0)
    throw new Error(`Cannot connect: the broker answers ${answer.toString('hex')}`)
  return socket
}

/** One connection: what may be sent, what is under way. */
class Publisher {
  sent = 0
  acked = 0
  /** How many may be sent in all, so far. */
  allowed = 0
  private readonly socket: Socket
  private readonly ring: Ring
  private readonly count: number
  private readonly sentAt: Float64Array
  private readonly waits: number[]
  private rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, ring: Ring, waits: number[]) {
    this.socket = socket
    this.ring = ring
    this.count = ring.starts.length - 1
    this.sentAt = new Float64Array(this.count)
    this.waits = waits
    socket.on('data', (bytes: Buffer) => this.take(bytes))
  }

  /** Sends what is allowed and fits the window. */
  pump(): void {
    const { ring, count } = this
    let n = Math.min(this.allowed - this.sent, count - (this.sent - this.acked))
    while (n > 0) {
      const first = this.sent % count
      const last = Math.min(count, first + n)
      this.sentAt.fill(performance.now(), first, last)
      this.socket.write(ring.bytes.subarray(ring.starts[first], ring.starts[last]))
      this.sent += last - first
      n -= last - first
    }
  }

  /** Counts PUBACKs: 40 02 and the identifier. */
  private take(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const now = performance.now()
    let at = 0
    for (; at + 4 <= all.length; at += 4) {
      if (all[at] !== 0x40) throw new Error(`Cannot read from the broker: packet type ${all[at]! >> 4}`)
      this.waits.push(now - this.sentAt[all.readUInt16BE(at + 2) - 1]!)
      this.acked++
    }
    this.rest = all.subarray(at)
    this.pump()
  }
}

/** Allows `rate` messages a second in all; without a rate everything at once. */
function pace(publishers: readonly Publisher[], messages: number, rate: number | null): () => void {
  const share = (total: number, i: number) =>
    Math.floor(total / publishers.length) + (i < total % publishers.length ? 1 : 0)
  const allow = (total: number) => {
    for (const [i, publisher] of publishers.entries()) {
      publisher.allowed = share(total, i)
      publisher.pump()
    }
  }
  if (rate === null) {
    allow(messages)
    return () => {}
  }
  const started = performance.now()
  const timer = setInterval(() => allow(Math.min(messages, ((performance.now() - started) / 1000) * rate)), 2)
  return () => clearInterval(timer)
}

async function load(options: Required<LoadOptions> & { seed: number }): Promise<LoadOutcome> {
  const { port, connections, window, seed, seconds } = options
  const rate = options.rate > 0 ? options.rate : null
  const rings = makeRings(connections, window, seed)
  const waits: number[] = []
  const sockets = await Promise.all(rings.map((_, i) => open(port, `load-${process.pid}-${i}`)))
  const publishers = sockets.map((socket, i) => new Publisher(socket, rings[i]!, waits))
  let fault: string | null = null
  for (const socket of sockets) {
    socket.on('close', () => (fault ??= 'the broker closed a connection'))
    socket.on('error', error => (fault ??= error.message))
  }
  const sum = (name: 'sent' | 'acked') => publishers.reduce((total, publisher) => total + publisher[name], 0)
  const started = performance.now()
  const endPace = pace(publishers, options.messages, rate)
  let quietSince = started
  let acked = 0
  while (fault === null) {
    await new Promise(resolve => setTimeout(resolve, 5))
    const now = performance.now()
    if (now - started > seconds * 1000) {
      endPace()
      for (const publisher of publishers) publisher.allowed = publisher.sent
    }
    if (sum('acked') > acked) [acked, quietSince] = [sum('acked'), now]
    if (now - quietSince > 30_000) fault = 'no acknowledgement for 30 s'
    const isSent = now - started > seconds * 1000 || sum('sent') >= options.messages
    if (isSent && sum('acked') === sum('sent')) break
  }
  endPace()
  const took = (performance.now() - started) / 1000
  const bytesEach = rings[0]!.bytes.length / window
  const outcome = { sent: sum('sent'), acked: sum('acked'), payloadBytes: bytesEach * sum('sent'), fault }
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
  const ackMs = { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), max: quantile(waits, 1) }
  return { ...outcome, seconds: took, ackMs }
}

if (import.meta.main) {
  const number = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      port: number,
      connections: number,
      messages: number,
      seconds: number,
      window: number,
      rate: number,
      seed: number
    }
  })
  const of = (name: keyof typeof values, other: number) => Number(values[name] ?? other)
  const outcome = await load({
    port: of('port', 1883),
    connections: of('connections', 50),
    messages: of('messages', Number.MAX_SAFE_INTEGER),
    seconds: of('seconds', values.messages === undefined ? 10 : 3600),
    window: of('window', 1000),
    rate: of('rate', 0),
    seed: of('seed', 1)
  })
  console.log(JSON.stringify(outcome))
}

// A flood of one broker and its listeners, each in a process of its own, so that a row can tell who was the
// limit: 50 publishers on pre-encoded packets, and subscribers on '#' that only count bytes.
//
// Publishers never have more than a window unhandled, or what lies in socket buffers when the time is up would
// take minutes to deliver; QoS 0 counts as handled when a PINGREQ behind it is answered.
//
// A process that could not have gone faster was never idle: it ran, or waited for a processor. That share of
// the time is read from the scheduler's own account of its main thread (schedstat).
// Not here: which brokers, which rows, the bounds (bench-broker.ts).
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import mqttPacket from 'mqtt-packet'

export const payload =
  '{"temperature":21.4,"humidity":40.1,"battery":3011,"power":12.25,"count":123456,"state":"on!!!"}'

export interface Flood {
  readonly port: number
  readonly qos: 0 | 1
  readonly connections: number
  readonly subscribers: number
  /** Of the subscribers, how many read 64 KiB a second only. */
  readonly slow: number
  readonly seconds: number
  /** Messages that one publisher may have unhandled. */
  readonly window: number
}

/** What a flood came to. Rates are over the time of publishing, shares after everything sent has arrived. */
export interface FloodOutcome {
  /** Taken by the broker. */
  readonly handledPerS: number
  /** To the subscribers that are not slow, all together. */
  readonly deliveredPerS: number
  /** Of what was published, what the unluckiest subscriber that is not slow got. */
  readonly deliveredMin: number
  readonly published: number
  /** Share of the time in which the process was not idle. */
  readonly busy: { readonly broker: number; readonly publishers: number; readonly subscribers: number }
}

interface Published {
  readonly published: number
  readonly handled: number
  readonly seconds: number
}

/** Messages each quick subscriber has received. */
type Received = readonly number[]

function encode(packet: object): Buffer {
  return mqttPacket.generate(packet as never)
}

const topic = 'site1/dev00/telemetry'
const delivery = encode({ cmd: 'publish', topic, payload, qos: 0 })
const batch = 50
const pingreq = Buffer.from([0xc0, 0])

async function open(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    encode({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 0 })
  )
  await once(socket, 'data')
  return socket
}

/** Calls back with the number of whole packets of one size that came. */
function count(socket: Socket, packetBytes: number, add: (n: number) => void): void {
  let rest = 0
  socket.on('data', chunk => {
    rest += chunk.length
    const whole = Math.floor(rest / packetBytes)
    rest -= whole * packetBytes
    add(whole)
  })
}

/** One connection: sends batches while its window has room. */
class Publisher {
  published = 0
  handled = 0
  private readonly socket: Socket
  private readonly bytes: Buffer
  private readonly window: number

  constructor(socket: Socket, own: string, { qos, window }: Flood) {
    const packets = Array.from({ length: batch }, (_, n) =>
      encode({ cmd: 'publish', topic: own, payload, qos, messageId: n + 1 })
    )
    if (qos === 0) packets.push(pingreq)
    this.socket = socket
    this.bytes = Buffer.concat(packets)
    this.window = window
    // A PINGRESP of two bytes answers a batch, a PUBACK of four one message.
    count(socket, qos === 0 ? 2 : 4, n => {
      this.handled += qos === 0 ? n * batch : n
      if (!stopped) this.pump()
    })
  }

  pump(): void {
    while (this.published - this.handled <= this.window - batch) {
      this.published += batch
      this.socket.write(this.bytes)
    }
  }
}

let stopped = false

/** Publishes as fast as the broker handles. */
async function publish(flood: Flood): Promise<void> {
  const publishers: Publisher[] = []
  for (let i = 0; i < flood.connections; i++) {
    const own = topic.replace('00', String(i).padStart(2, '0'))
    publishers.push(new Publisher(await open(flood.port, `pub${i}`), own, flood))
  }
  const sum = (name: 'published' | 'handled') => publishers.reduce((total, one) => total + one[name], 0)
  process.send!('ready')
  await once(process, 'message')
  const started = performance.now()
  for (const publisher of publishers) publisher.pump()
  await sleep(flood.seconds * 1000)
  stopped = true
  const outcome = { handled: sum('handled'), seconds: (performance.now() - started) / 1000 }
  const all: Published = { ...outcome, published: sum('published') }
  process.send!(all)
}

/** Subscribes to everything; tells what it has counted when asked. */
async function subscribe({ port, subscribers, slow }: Flood): Promise<void> {
  const received = new Array<number>(subscribers - slow).fill(0)
  for (let i = 0; i < subscribers; i++) {
    const socket = await open(port, `sub${i}`)
    socket.write(encode({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }))
    await once(socket, 'data')
    if (i < received.length) {
      count(socket, delivery.length, n => {
        received[i]! += n
      })
      continue
    }
    socket.pause()
    setInterval(() => socket.read(), 1000)
  }
  process.send!('ready')
  process.on('message', () => process.send!(received))
}

async function start(role: 'publish' | 'subscribe', flood: Flood): Promise<ChildProcess> {
  const child = fork(import.meta.filename, [role, JSON.stringify(flood)])
  process.prependListener('exit', () => child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

async function ask<T>(child: ChildProcess): Promise<T> {
  child.send('go')
  const [answer] = (await once(child, 'message')) as [T]
  return answer
}

/** Time in which the main thread ran or waited for a processor, s. */
function busySeconds(pid: number): number {
  const [ran, waited] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return (Number(ran) + Number(waited)) / 1e9
}

const sumOf = (received: Received): number => received.reduce((sum, n) => sum + n, 0)

/** Asks until nothing more arrives. */
async function settled(listeners: ChildProcess): Promise<Received> {
  let last = await ask<Received>(listeners)
  for (;;) {
    await sleep(300)
    const now = await ask<Received>(listeners)
    if (sumOf(now) === sumOf(last)) return now
    last = now
  }
}

/** Floods the broker with that process id. */
export async function runFlood(brokerPid: number, flood: Flood): Promise<FloodOutcome> {
  const listeners = flood.subscribers > 0 ? await start('subscribe', flood) : null
  const publishers = await start('publish', flood)
  const pids = [brokerPid, publishers.pid!, listeners?.pid ?? publishers.pid!]
  const before = pids.map(busySeconds)
  const { published, handled, seconds } = await ask<Published>(publishers)
  const busy = pids.map((pid, i) => Math.min(1, (busySeconds(pid) - before[i]!) / seconds))
  const during = listeners === null ? [] : await ask<Received>(listeners)
  const all = listeners === null ? [] : await settled(listeners)
  for (const child of [publishers, listeners]) child?.kill('SIGKILL')
  return {
    published,
    handledPerS: handled / seconds,
    deliveredPerS: sumOf(during) / seconds,
    deliveredMin: all.length === 0 ? 1 : Math.min(...all) / published,
    busy: { broker: busy[0]!, publishers: busy[1]!, subscribers: busy[2]! }
  }
}

if (import.meta.main) {
  const flood = JSON.parse(process.argv[3]!) as Flood
  await (process.argv[2] === 'publish' ? publish(flood) : subscribe(flood))
}

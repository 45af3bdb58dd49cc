// A load for soaks, in a process of its own: MQTT 5 over raw sockets, QoS 1, so that each message's fate is
// known by its reason code. Messages go round over so many topics, each with new values, at a steady rate.
//
//   node scripts/soak-load.ts --port 1883 --topics 2000 --fields 5 --rate 2000 --seconds 60
//        [--first 0]        number of the first topic
//        [--connections 10] [--window 1000]  unacknowledged messages a connection
//
// One field is a bare number; more are a JSON object. Without --rate as fast as acknowledgements allow. Prints
// one line of JSON (SoakOutcome). Not here: which topics mean what (soak-memory.ts, soak-disk-full.ts).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import mqttPacket from 'mqtt-packet'

export interface SoakOutcome {
  readonly sent: number
  /** Acknowledged with reason code 0: these must be found again. */
  readonly stored: number
  /** Acknowledged with another reason code, by that code. */
  readonly refused: Readonly<Record<string, number>>
  readonly seconds: number
  /** Longest wait from sending to PUBACK, ms. */
  readonly ackMsMax: number
  /** Why it ended early. */
  readonly fault: string | null
}

export interface SoakLoadOptions {
  readonly port: number
  readonly topics: number
  readonly fields: number
  readonly rate?: number
  readonly seconds?: number
  readonly messages?: number
  readonly first?: number
  readonly connections?: number
  readonly window?: number
}

/** Runs the load in another process. */
export async function runSoakLoad(options: SoakLoadOptions): Promise<SoakOutcome> {
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

export function soakTopic(number: number): string {
  return `soak/site${number % 100}/device${number}/telemetry`
}

const names = ['temperature', 'humidity', 'pressure', 'voltage', 'rssi', 'current', 'power', 'light']

/** Values that move as sensors do: a slow wave and the last digit's noise. */
function payloadOf(number: number, count: number, fields: number): string {
  const value = (field: number) =>
    (20 + 5 * Math.sin(count / 50 + number + field) + ((count * 7 + number * 3 + field) % 10) / 100).toFixed(
      2
    )
  if (fields === 1) return value(0)
  return `{${Array.from({ length: fields }, (_, i) => `"${names[i]}":${value(i)}`).join(',')}}`
}

/** A PUBLISH of MQTT 5 with QoS 1 and no properties. */
function publishPacket(topic: string, payload: string, id: number): Buffer {
  const length = 2 + topic.length + 2 + 1 + payload.length
  const head = length < 128 ? 2 : 3
  const packet = Buffer.allocUnsafe(head + length)
  packet[0] = 0x32
  packet[1] = head === 2 ? length : (length & 127) | 128
  if (head === 3) packet[2] = length >>> 7
  let at = packet.writeUInt16BE(topic.length, head)
  at += packet.write(topic, at, 'latin1')
  at = packet.writeUInt16BE(id, at)
  packet[at++] = 0
  packet.write(payload, at, 'latin1')
  return packet
}

async function open(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const options = { protocolId: 'MQTT', protocolVersion: 5, clientId, clean: true, keepalive: 0 } as const
  socket.write(mqttPacket.generate({ cmd: 'connect', ...options }))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (answer[0] !== 0x20 || answer[3] !== 0) throw new Error(`Cannot connect: ${answer.toString('hex')}`)
  return socket
}

/** One connection, its free packet identifiers and what was answered. */
class Client {
  sent = 0
  answered = 0
  stored = 0
  ackMsMax = 0
  readonly refused: Record<string, number> = {}
  fault: string | null = null
  private readonly socket: Socket
  private readonly free: number[]
  private readonly sentAt: Float64Array
  private rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, window: number) {
    this.socket = socket
    this.free = Array.from({ length: window }, (_, i) => i + 1)
    this.sentAt = new Float64Array(window + 1)
    socket.on('data', bytes => this.take(bytes as Buffer))
    socket.on('error', error => (this.fault ??= error.message))
    socket.on('close', () => (this.fault ??= 'the broker closed'))
  }

  get hasRoom(): boolean {
    return this.free.length > 0 && this.fault === null
  }

  send(topic: string, payload: string): void {
    const id = this.free.pop()!
    this.sentAt[id] = performance.now()
    this.socket.write(publishPacket(topic, payload, id))
    this.sent++
  }

  /** What is written between these two goes out as one piece. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }

  end(): void {
    this.fault ??= ''
    this.socket.destroy()
  }

  private take(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const now = performance.now()
    let at = 0
    while (at + 2 <= all.length && at + 2 + all[at + 1]! <= all.length) {
      const length = all[at + 1]!
      if (all[at] === 0x40) {
        const id = all.readUInt16BE(at + 2)
        const code = length > 2 ? all[at + 4]! : 0
        this.answered++
        // 16: stored, nobody subscribed.
        if (code === 0 || code === 16) this.stored++
        else this.refused[`0x${code.toString(16)}`] = (this.refused[`0x${code.toString(16)}`] ?? 0) + 1
        this.ackMsMax = Math.max(this.ackMsMax, now - this.sentAt[id]!)
        this.free.push(id)
      } else if (all[at] === 0xe0)
        this.fault ??= `DISCONNECT ${all.subarray(at + 2, at + 2 + length).toString('hex')}`
      at += 2 + length
    }
    this.rest = all.subarray(at)
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const known = ['port', 'topics', 'fields', 'rate', 'seconds', 'messages', 'first', 'connections', 'window']
  const { values } = parseArgs({ options: Object.fromEntries(known.map(name => [name, text])) })
  const number = (name: string, other: number) => Number(values[name] ?? other)
  const [port, topics, fields] = [number('port', 1883), number('topics', 2000), number('fields', 5)]
  const [rate, first] = [number('rate', Number.POSITIVE_INFINITY), number('first', 0)]
  const seconds = number('seconds', Number.POSITIVE_INFINITY)
  const messages = number('messages', Number.POSITIVE_INFINITY)
  const clients: Client[] = []
  for (let i = 0; i < number('connections', 10); i++) {
    clients.push(new Client(await open(port, `soak-${process.pid}-${i}`), number('window', 1000)))
  }
  const started = performance.now()
  let sent = 0
  for (;;) {
    const elapsed = (performance.now() - started) / 1000
    const due = Math.min(messages, rate * Math.min(elapsed, seconds))
    for (const client of clients) client.cork()
    const before = sent
    for (let burst = 0; burst < 2000 && sent < due; burst++) {
      // A device stays on its connection, so its messages keep their order.
      const client = clients[(sent % topics) % clients.length]!
      if (!client.hasRoom) break
      const topic = first + (sent % topics)
      client.send(soakTopic(topic), payloadOf(topic, Math.floor(sent / topics), fields))
      sent++
    }
    for (const client of clients) client.uncork()
    if (elapsed >= seconds || sent >= messages || clients.some(client => client.fault !== null)) break
    await sleep(sent === before || sent >= due ? 5 : 0)
  }
  const open_ = () => clients.some(client => client.fault === null && client.answered < client.sent)
  for (const until = performance.now() + 60_000; open_() && performance.now() < until; ) await sleep(10)
  const refused: Record<string, number> = {}
  for (const client of clients) {
    for (const [code, count] of Object.entries(client.refused)) refused[code] = (refused[code] ?? 0) + count
  }
  const outcome: SoakOutcome = {
    sent,
    stored: clients.reduce((sum, client) => sum + client.stored, 0),
    refused,
    seconds: (performance.now() - started) / 1000,
    ackMsMax: clients.reduce((max, client) => Math.max(max, client.ackMsMax), 0),
    fault:
      clients.find(client => client.fault !== null)?.fault ?? (open_() ? 'not acknowledged in 60 s' : null)
  }
  for (const client of clients) client.end()
  console.log(JSON.stringify(outcome))
}

if (import.meta.main) await main()

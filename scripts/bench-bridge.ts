// What users put between a broker and a database today: subscribes to everything at QoS 1, turns JSON
// payloads into line protocol, posts them in one batch a second. In a process of its own, for bench-mqtt.ts,
// with a raw socket and mqtt-packet so that it is no slower than it need be.
//
//   node scripts/bench-bridge.ts MQTT_PORT WRITE_URL
//
// Sends { forwarded } to its parent after each batch; prints nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import mqttPacket from 'mqtt-packet'

export interface Bridge {
  readonly pid: number
  /** Messages that the database has answered for. */
  forwarded(): number
  stop(): void
}

/** Starts it and waits until it is subscribed. */
export async function startBridge(mqttPort: number, writeUrl: string): Promise<Bridge> {
  const child = spawn(process.execPath, [import.meta.filename, String(mqttPort), writeUrl], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  let forwarded = 0
  child.on('message', message => {
    forwarded = (message as { forwarded: number }).forwarded
  })
  await once(child, 'message')
  return { pid: child.pid!, forwarded: () => forwarded, stop: () => child.kill('SIGKILL') }
}

function lineOf(topic: string, payload: Buffer, timeMs: number): string {
  const [site, device] = topic.split('/')
  const fields = Object.entries(JSON.parse(payload.toString())).map(([name, value]) => `${name}=${value}`)
  return `telemetry,device=${device},site=${site} ${fields.join(',')} ${timeMs}`
}

async function bridge(port: number, writeUrl: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const parser = mqttPacket.parser({ protocolVersion: 4 })
  let lines: string[] = []
  let acks: Buffer[] = []
  let forwarded = 0
  parser.on('packet', packet => {
    if (packet.cmd === 'suback') process.send!({ forwarded })
    if (packet.cmd !== 'publish') return
    acks.push(mqttPacket.generate({ cmd: 'puback', messageId: packet.messageId! }))
    lines.push(lineOf(packet.topic, packet.payload as Buffer, Date.now()))
  })
  socket.on('data', piece => {
    parser.parse(piece as Buffer)
    if (acks.length > 0) socket.write(Buffer.concat(acks))
    acks = []
  })
  const clientId = `bridge-${process.pid}`
  socket.write(mqttPacket.generate({ cmd: 'connect', clientId, clean: true, keepalive: 0 }))
  const subscriptions = [{ topic: '#', qos: 1 as const }]
  socket.write(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions }))
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 1000))
    const batch = lines
    lines = []
    if (batch.length === 0) continue
    const reply = await fetch(writeUrl, { method: 'POST', body: batch.join('\n') })
    if (!reply.ok) throw new Error(`Cannot forward: ${reply.status} ${await reply.text()}`)
    forwarded += batch.length
    process.send!({ forwarded })
  }
}

if (import.meta.main) await bridge(Number(process.argv[2]), process.argv[3]!)

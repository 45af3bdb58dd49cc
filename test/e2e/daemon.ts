// The real program for end-to-end tests: `varve serve` on free ports and a directory of its own, real
// clients, and the command line as people call it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import type { Test } from 'tap'
import { programs, startVarve, type Varve } from '../../scripts/varve-process.ts'
import { doors } from '../../src/cli/doors.ts'
import { type Ran, runWith } from '../cli/kit.ts'

/** How long a machine that has much else to do may take for one answer, ms. */
const waitMsMax = 60_000

export function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'varve-e2e-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Starts the daemon on a directory; it is ended with the test. */
export async function serve(t: Test, dataDir: string, ...flags: string[]): Promise<Varve> {
  const varve = await startVarve({ dataDir, flags: ['--ack.delay_max', '20ms', ...flags] })
  t.teardown(() => varve.stop('SIGKILL'))
  return varve
}

/** Runs a command line to its end, in this process: a process costs its start, and tells no more of what was done. */
export function runHere(...args: string[]): Promise<Ran> {
  return runWith(args, { doors, env: {}, pause: ms => sleep(ms) })
}

/** Runs a command line to its end, as people do. */
export async function runVarve(...args: string[]): Promise<Ran> {
  const [command, ...before] = programs.source
  const child = spawn(command, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', piece => (out += piece))
  child.stderr.on('data', piece => (err += piece))
  const [code] = await once(child, 'close')
  return { code, out, err }
}

/** An MQTT client that does not come back by itself. */
export async function connect(t: Test, varve: Varve, more: object = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`, {
    reconnectPeriod: 0,
    ...more
  })
  client.on('error', () => {})
  t.teardown(() => client.end(true))
  return client
}

/** Waits until something holds, or so long that no machine is as busy. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + waitMsMax; !condition() && performance.now() < end; ) await sleep(25)
}

/** The first message that a new subscriber of a filter gets. */
export async function firstMessage(t: Test, varve: Varve, filter: string): Promise<[string, Buffer]> {
  const client = await connect(t, varve)
  const message = new Promise<[string, Buffer]>((resolve, reject) => {
    client.once('message', (topic, payload) => resolve([topic, payload]))
    setTimeout(() => reject(new Error(`Cannot read ${filter}: no message came`)), waitMsMax).unref()
  })
  await client.subscribeAsync(filter, { qos: 1 })
  const first = await message
  client.end(true)
  return first
}

/** Posts line protocol; returns status and body. */
export async function write(varve: Varve, body: string | Uint8Array, query = ''): Promise<[number, string]> {
  const reply = await fetch(`${varve.httpUrl}/write${query}`, { method: 'POST', body: body as BodyInit })
  return [reply.status, await reply.text()]
}

/** A raw connection after CONNECT (MQTT 3.1.1), for packets that no client library sends. */
export async function rawMqtt(t: Test, varve: Varve, clientId: string): Promise<Socket> {
  const socket = connectSocket(varve.mqttPort, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const id = Buffer.from(clientId)
  const head = [0x10, 12 + id.length, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, id.length]
  socket.write(Buffer.concat([Buffer.from(head), id]))
  await once(socket, 'data')
  return socket
}

/** Sends bytes and waits for the broker to close the connection. */
export async function sendAndBeClosed(socket: Socket, bytes: Uint8Array): Promise<boolean> {
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(waitMsMax) })
  socket.resume()
  socket.write(bytes)
  return closed.then(
    () => true,
    () => false
  )
}

/** A PUBLISH packet of QoS 0 as bytes, whatever its topic. */
export function publishPacket(topic: Uint8Array, payload: Uint8Array): Buffer {
  const length = 2 + topic.length + payload.length
  const head = Buffer.from([
    0x30,
    (length & 0x7f) | 0x80,
    length >> 7,
    topic.length >> 8,
    topic.length & 0xff
  ])
  return Buffer.concat([head, topic, payload])
}

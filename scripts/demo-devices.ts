// The devices of the demo: twenty senders of seven kinds, in the forms that real ones use, so that what
// varve does with each can be looked at. Each has a connection of its own.
//
//   kind     how many  topic                     payload                                QoS  every
//   climate  8         garden/climate-N          JSON: temperature, humidity, battery   1    1 s
//   meter    4         house/meter-N/energy      JSON, nested: power.w, power.va, total 1    500 ms
//   pump     2         garden/pump-N             CBOR: running, flow, mode              1    1 s
//   door     2         house/door-N/state        text: open, closed; retained           1    3 s
//   lamp     2         house/lamp-N/level        a bare number                          0    2 s
//   gauge    1         roof/gauge                JSON: an array of timed samples        2    2 s
//   station  1         line protocol over HTTP   weather wind_speed, rain               -    2 s
//
// Invariants: values and beats come from one seed; a device that is not answered sends on (QoS 1 and 2
// messages are kept by its client until acknowledged).
// Not here: starting varve, showing anything (demo.ts).

import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync, type MqttClient } from 'mqtt'
import { encodeCbor } from '../src/base/cbor.ts'
import { Random } from '../src/base/random.ts'

/** What a device sends at one beat. */
interface Publish {
  readonly topic: string
  readonly payload: string | Buffer
  readonly qos: 0 | 1 | 2
  readonly retain?: boolean
}

interface Device {
  readonly everyMs: number
  next(): Publish
}

/** A value that wanders between two bounds by steps, with so many decimals. */
function walk(random: Random, least: number, most: number, step: number, decimals: number): () => number {
  let value = least + (most - least) * (0.3 + 0.4 * random.unit())
  return () => {
    value = Math.min(most, Math.max(least, value + (random.unit() - 0.5) * 2 * step))
    return Number(value.toFixed(decimals))
  }
}

function climate(random: Random, n: number): Device {
  const temperature = walk(random, 4, 34, 0.4, 1)
  const humidity = walk(random, 30, 95, 1, 1)
  let battery = 4200 - random.below(300)
  const topic = `garden/climate-${n}`
  return {
    everyMs: 1000,
    next: () => ({
      topic,
      qos: 1,
      payload: JSON.stringify({
        temperature: temperature(),
        humidity: humidity(),
        battery: (battery -= random.below(20) === 0 ? 1 : 0)
      })
    })
  }
}

function meter(random: Random, n: number): Device {
  const idle = walk(random, 40, 300, 15, 1)
  let bursts = 0
  let total = random.below(5_000_000) / 1000
  const topic = `house/meter-${n}/energy`
  return {
    everyMs: 500,
    next: () => {
      if (bursts > 0) bursts--
      else if (random.below(40) === 0) bursts = 10 + random.below(20)
      const w = Number((idle() + (bursts > 0 ? 2000 : 0)).toFixed(1))
      total += w / 7_200_000
      const power = { w, va: Number((w * 1.08).toFixed(1)) }
      return { topic, qos: 1, payload: JSON.stringify({ power, total: Number(total.toFixed(3)) }) }
    }
  }
}

function pump(random: Random, n: number): Device {
  const flow = walk(random, 8, 14, 0.3, 2)
  let running = n === 1
  const topic = `garden/pump-${n}`
  return {
    everyMs: 1000,
    next: () => {
      if (random.below(15) === 0) running = !running
      const payload = encodeCbor({ running, flow: running ? flow() : 0, mode: running ? 'auto' : 'idle' })
      return { topic, qos: 1, payload }
    }
  }
}

function door(random: Random, n: number): Device {
  const topic = `house/door-${n}/state`
  return {
    everyMs: 3000,
    next: () => ({ topic, qos: 1, retain: true, payload: random.below(4) === 0 ? 'open' : 'closed' })
  }
}

function lamp(random: Random, n: number): Device {
  const topic = `house/lamp-${n}/level`
  return { everyMs: 2000, next: () => ({ topic, qos: 0, payload: String(random.below(101)) }) }
}

function gauge(random: Random): Device {
  const level = walk(random, 0.2, 2.4, 0.05, 3)
  return {
    everyMs: 2000,
    next: () => {
      const nowMs = Date.now()
      const samples = [1500, 1000, 500, 0].map(ago => ({ ts: nowMs - ago, level: level() }))
      return { topic: 'roof/gauge', qos: 2, payload: JSON.stringify(samples) }
    }
  }
}

/** The series that the demo draws. */
export const watched = { match: 'temperature{topic="garden/climate-1"}', topic: 'garden/climate-1' } as const

/** Devices at work. */
export interface Devices {
  readonly count: number
  /** Rejects when a device cannot go on: varve is gone. */
  readonly failed: Promise<never>
  stop(): Promise<void>
}

/** Connects all devices and lets them send until they are stopped. */
export async function startDevices(mqttPort: number, httpUrl: string, seed: number): Promise<Devices> {
  const random = new Random(seed)
  const devices = [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map(n => climate(random, n)),
    ...[1, 2, 3, 4].map(n => meter(random, n)),
    ...[1, 2].map(n => pump(random, n)),
    ...[1, 2].map(n => door(random, n)),
    ...[1, 2].map(n => lamp(random, n)),
    gauge(random)
  ]
  const stopping = new AbortController()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const clients = await Promise.all(
    devices.map((_, i) =>
      connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { clientId: `demo-${i + 1}`, protocolVersion: 5 })
    )
  )
  for (const client of clients) client.on('error', error => failed.reject(error))
  const beats = devices.map((device, i) => beat(device, clients[i]!, random.unit(), stopping.signal))
  const loops = [...beats, station(httpUrl, random, stopping.signal)].map(loop =>
    loop.catch(error => {
      if (!stopping.signal.aborted) failed.reject(error)
    })
  )
  return {
    count: devices.length + 1,
    failed: failed.promise,
    stop: async () => {
      stopping.abort()
      await Promise.all(loops)
      await Promise.all(clients.map(client => client.endAsync(true)))
    }
  }
}

/** Sends at each beat; does not wait for acknowledgements, as devices with a queue do not. */
async function beat(device: Device, client: MqttClient, phase: number, signal: AbortSignal): Promise<void> {
  await sleep(device.everyMs * phase, undefined, { signal })
  while (!signal.aborted) {
    const { topic, payload, qos, retain = false } = device.next()
    client.publish(topic, payload, { qos, retain }, error => {
      if (error && !signal.aborted) client.emit('error', error)
    })
    await sleep(device.everyMs, undefined, { signal })
  }
}

async function station(httpUrl: string, random: Random, signal: AbortSignal): Promise<void> {
  const wind = walk(random, 0, 18, 0.8, 1)
  while (!signal.aborted) {
    const body = `weather,site=roof wind_speed=${wind()},rain=${random.below(10) === 0 ? 't' : 'f'} ${Date.now()}\n`
    const reply = await fetch(`${httpUrl}/write?precision=ms`, { method: 'POST', body, signal })
    if (!reply.ok) throw new Error(`Cannot write: ${reply.status} ${await reply.text()}`)
    await sleep(2000, undefined, { signal })
  }
}

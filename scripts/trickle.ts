// The trickle: 50 samples a second, ten five-field messages a second, one at a time, into each store on an
// ext4 image of its own. varve gets them by MQTT QoS 1 with ack.delay_max 1 s; InfluxDB with a request per
// message or with a request per second; VictoriaMetrics with a request per message; SQLite, in this process, as
// one wide row a message in WAL mode with synchronous=FULL, a transaction each or one a second. All run side by
// side.
// Not here: what is counted meanwhile (bench-flash.ts: bytes, bench-card.ts: every write).

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import { binaries, Poster, type StoreName, startStore } from './bench-peers.ts'
import { type Medium, makeMedium } from './loop-disk.ts'
import { metric, type Program, startVarve } from './varve-process.ts'
import { fieldsPerMessage, jsonOf, lineOf, type Message, standard, topicOf, Workload } from './workload.ts'

export const messagesPerS = 10
export const samplesPerS = messagesPerS * fieldsPerMessage
const imageBytes = 2 * 2 ** 30

export const variants = [
  'varve',
  'varve-commit60',
  'influxdb-message',
  'influxdb-second',
  'victoria-message',
  'sqlite-message',
  'sqlite-second'
] as const
export type Variant = (typeof variants)[number]

/** A store under the trickle. */
export interface Trickle {
  readonly variant: Variant
  readonly medium: Medium
  readonly pid: number
  /** Takes the messages of one tenth of a second; resolves when they are acknowledged. */
  send(messages: readonly Message[], tick: number): Promise<unknown>
  /** Group syncs and WAL bytes so far, of varve. */
  wal(): Promise<{ syncs: number; bytes: number } | null>
  stop(): Promise<unknown>
}

async function varveTrickle(
  variant: Variant,
  program: Program,
  flags: readonly string[],
  dir: string
): Promise<Trickle> {
  const options = variant === 'varve-commit60' ? 'defaults,commit=60' : 'defaults'
  const medium = makeMedium(dir, variant, imageBytes, options)
  const given = flags.includes('--ack.delay_max') ? flags : ['--ack.delay_max', '1s', ...flags]
  const varve = await startVarve({ program, dataDir: medium.path, flags: given })
  const client = await connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`, { clientId: 'trickle' })
  return {
    variant,
    medium,
    pid: varve.pid,
    send: messages =>
      Promise.all(messages.map(m => client.publishAsync(topicOf(m.device), jsonOf(m), { qos: 1 }))),
    async wal() {
      const text = await (await fetch(`${varve.httpUrl}/metrics`)).text()
      return {
        syncs: metric(text, 'varve_wal_groups_total'),
        bytes: metric(text, 'varve_written_bytes_total', 'cause="wal"')
      }
    },
    async stop() {
      await client.endAsync()
      await varve.stop()
    }
  }
}

async function storeTrickle(name: StoreName, variant: Variant, dir: string): Promise<Trickle> {
  const medium = makeMedium(dir, variant, imageBytes)
  const store = await startStore(name, medium.path)
  const poster = new Poster(store, 4)
  let waiting: string[] = []
  const perSecond = variant.endsWith('-second')
  return {
    variant,
    medium,
    pid: store.pid,
    async send(messages, tick) {
      waiting.push(...messages.map(lineOf))
      if (perSecond && tick % messagesPerS !== messagesPerS - 1) return
      const lines = waiting
      waiting = []
      await poster.post(Buffer.from(lines.join('\n')))
    },
    wal: async () => null,
    async stop() {
      poster.close()
      await store.stop()
    }
  }
}

function sqliteTrickle(variant: Variant, dir: string): Trickle {
  const medium = makeMedium(dir, variant, imageBytes)
  const db = new DatabaseSync(join(medium.path, 'samples.db'))
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
  db.exec(
    'CREATE TABLE samples (device, time, temperature, humidity, battery, power, total, PRIMARY KEY (device, time))'
  )
  const insert = db.prepare('INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)')
  const perSecond = variant.endsWith('-second')
  let waiting: Message[] = []
  return {
    variant,
    medium,
    pid: process.pid,
    async send(messages, tick) {
      waiting.push(...messages)
      if (perSecond && tick % messagesPerS !== messagesPerS - 1) return
      db.exec('BEGIN')
      for (const m of waiting)
        insert.run(m.device, m.timeMs, m.temperature, m.humidity, m.battery, m.power, m.total)
      db.exec('COMMIT')
      waiting = []
    },
    wal: async () => null,
    stop: async () => db.close()
  }
}

function start(variant: Variant, program: Program, flags: readonly string[], dir: string): Promise<Trickle> {
  if (variant.startsWith('sqlite')) return Promise.resolve(sqliteTrickle(variant, dir))
  if (variant === 'varve' || variant === 'varve-commit60') return varveTrickle(variant, program, flags, dir)
  return storeTrickle(variant === 'victoria-message' ? 'victoria-metrics' : 'influxdb', variant, dir)
}

/** One message each tenth of a second to everybody, `seconds` long; nobody waits for anybody. */
export async function trickle(
  all: readonly Trickle[],
  messages: readonly Message[],
  seconds: number
): Promise<number> {
  const started = performance.now()
  const pending: Promise<unknown>[] = []
  for (let tick = 0; tick < seconds * messagesPerS; tick++) {
    const message = messages[tick % messages.length]!
    for (const each of all) pending.push(each.send([{ ...message, timeMs: Date.now() }], tick))
    await sleep(Math.max(0, started + (tick + 1) * (1000 / messagesPerS) - performance.now()))
  }
  await Promise.all(pending)
  return (performance.now() - started) / 1000
}

/** Starts all that is installed, each on a medium of its own; says what is not. */
export async function startTrickles(
  names: readonly Variant[],
  program: Program,
  flags: readonly string[],
  dir: string
): Promise<Trickle[]> {
  const peerBinaries = { influxdb: binaries.influxdb, victoria: binaries['victoria-metrics'] }
  const running: Trickle[] = []
  for (const variant of names) {
    const binary = peerBinaries[variant.split('-')[0] as keyof typeof peerBinaries]
    if (binary !== undefined && !existsSync(binary))
      console.log(`${variant} left out: ${binary} is not installed`)
    else running.push(await start(variant, program, flags, dir))
  }
  return running
}

/** A message of each device; the trickle stamps them when it sends them. */
export function trickleMessages(): Message[] {
  return new Workload({ ...standard, startMs: 0, late: 0 }).next()
}

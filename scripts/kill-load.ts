// QoS 1 publishers on a daemon that is killed with SIGKILL under way, and the count afterwards: every message
// that was acknowledged must be stored, and nothing that was not sent. Each connection numbers its messages,
// so that what is found says by itself which they are.
// Not here: how often (kill-soak.ts, test/e2e).

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import { ask, startVarve, type Varve, type VarveOptions } from './varve-process.ts'

/** Unacknowledged messages of a connection. */
const WINDOW = 200

/** What a connection sent and what of it was acknowledged, over all lives of the daemon. */
class Publisher {
  readonly topic: string
  sent = 0
  readonly acknowledged = new Set<number>()
  private client: MqttClient | null = null

  constructor(index: number) {
    this.topic = `kill/c${index}`
  }

  async start(varve: Varve): Promise<void> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`, { reconnectPeriod: 0 })
    client.on('error', () => {})
    this.client = client
    for (let i = 0; i < WINDOW; i++) this.next(client)
  }

  stop(): void {
    this.client?.end(true)
    this.client = null
  }

  private next(client: MqttClient): void {
    if (client !== this.client) return
    const n = this.sent++
    client.publish(this.topic, `{"n":${n}}`, { qos: 1 }, error => {
      if (error) return
      this.acknowledged.add(n)
      this.next(client)
    })
  }
}

export interface KillOptions {
  readonly start: VarveOptions
  readonly kills: number
  readonly connections: number
  /** The daemon lives this long under load before it is killed, at least and at most, ms. */
  readonly lifeMs: readonly [number, number]
  /** Called after each restart. */
  readonly onLife?: (facts: KillFacts) => void
}

export interface KillFacts {
  readonly kills: number
  readonly sent: number
  readonly acknowledged: number
  /** Acknowledged and not found. */
  readonly lost: number
  /** Found and never sent. */
  readonly invented: number
  /** From the start of the process to the first answered query, ms; the longest. */
  readonly restartMs: number
}

/** Kills the daemon again and again; resolves with the count after the last restart. */
export async function killUnderLoad(options: KillOptions): Promise<KillFacts> {
  const { start, kills, connections, lifeMs } = options
  const publishers = Array.from({ length: connections }, (_, i) => new Publisher(i))
  let varve = await startVarve(start)
  let facts: KillFacts = { kills: 0, sent: 0, acknowledged: 0, lost: 0, invented: 0, restartMs: 0 }
  try {
    for (let kill = 1; kill <= kills; kill++) {
      await Promise.all(publishers.map(publisher => publisher.start(varve)))
      // Spread evenly over the span, so that kills meet groups at every age.
      await sleep(lifeMs[0] + ((kill * 0.618) % 1) * (lifeMs[1] - lifeMs[0]))
      await varve.stop('SIGKILL')
      for (const publisher of publishers) publisher.stop()
      const startedMs = performance.now()
      varve = await startVarve(start)
      await ask(varve, '/v1/series?limit=1')
      const restartMs = Math.max(facts.restartMs, performance.now() - startedMs)
      facts = { ...(await count(varve, publishers)), kills: kill, restartMs }
      options.onLife?.(facts)
    }
  } finally {
    await varve.stop('SIGKILL')
  }
  return facts
}

async function count(varve: Varve, publishers: readonly Publisher[]) {
  let [sent, acknowledged, lost, invented] = [0, 0, 0, 0]
  for (const publisher of publishers) {
    const answer = await ask<{ series: { rows: [number, number][] }[] }>(
      varve,
      `/v1/range?match=n&topic=${publisher.topic}`
    )
    const found = new Set(answer.series.flatMap(({ rows }) => rows.map(([, n]) => n)))
    sent += publisher.sent
    acknowledged += publisher.acknowledged.size
    for (const n of publisher.acknowledged) if (!found.has(n)) lost++
    for (const n of found) if (!(n < publisher.sent)) invented++
  }
  return { sent, acknowledged, lost, invented }
}

/** A copy of the sources that acknowledges before the sync: what a test has to find. */
export function plantEarlyAcknowledgement(): { main: string; remove: () => void } {
  const root = join(import.meta.dirname, '..')
  const dir = mkdtempSync(join(tmpdir(), 'varve-planted-'))
  for (const name of ['src', 'package.json']) cpSync(join(root, name), join(dir, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const file = join(dir, 'src/daemon/ingest-sink.ts')
  const text = readFileSync(file, 'utf8')
  const planted = text.replace('> 0 ? this.appender.pendingGroup : 0', '> 0 ? 0 : 0')
  if (planted === text) throw new Error(`Cannot plant a fault in ${file}: the line to change is not there`)
  writeFileSync(file, planted)
  return { main: join(dir, 'src/main.ts'), remove: () => rmSync(dir, { recursive: true, force: true }) }
}

// How fast MQTT QoS 1 messages become durable, and what that costs: 50 connections, five-field JSON,
// pipelined. varve acknowledges what is on the medium; after the load it is killed, started again, and every
// acknowledged sample is counted. Beside it what users run today: mosquitto, a bridge that posts a batch a
// second, VictoriaMetrics; that stack is done when the database has answered for the last batch, and would
// lose data at a power cut.
//
//   node scripts/bench-mqtt.ts [--messages 3000000] [--connections 50] [--window 1000] [--only varve,stack]
//                              [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchArguments } from './bench-arguments.ts'
import { startBridge } from './bench-bridge.ts'
import { binaries, startMosquitto, startStore, type Usage, usage } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { type LoadOutcome, runLoad } from './mqtt-load.ts'
import { countSamples, type Program, startVarve } from './varve-process.ts'
import { fieldsPerMessage, standard } from './workload.ts'

const bound = { messagesPerS: 500_000, cpuSPerMSamples: 0.45, rssPeakMb: 250 }

interface Figures {
  readonly outcome: LoadOutcome
  /** Until the last message was stored. */
  readonly seconds: number
  readonly cpuS: number
  readonly rssPeakMb: number
}

interface Load {
  readonly messages: number
  readonly connections: number
  readonly window: number
}

function spent(before: readonly Usage[], after: readonly Usage[]): Pick<Figures, 'cpuS' | 'rssPeakMb'> {
  const sum = (list: readonly Usage[], name: 'cpuS' | 'rssPeakMb') =>
    list.reduce((all, one) => all + one[name], 0)
  return { cpuS: sum(after, 'cpuS') - sum(before, 'cpuS'), rssPeakMb: sum(after, 'rssPeakMb') }
}

async function measureVarve(dir: string, program: Program, flags: readonly string[], load: Load) {
  const dataDir = join(dir, 'varve')
  const varve = await startVarve({ program, dataDir, flags })
  const before = usage(varve.pid)
  const outcome = await runLoad({ port: varve.mqttPort, ...load })
  const figures = { outcome, seconds: outcome.seconds, ...spent([before], [usage(varve.pid)]) }
  await varve.stop('SIGKILL')
  const again = await startVarve({ program, dataDir, flags })
  const stored = await countSamples(again)
  await again.stop()
  return { figures, stored }
}

async function measureStack(dir: string, load: Load): Promise<Figures> {
  const store = await startStore('victoria-metrics', join(dir, 'victoria'))
  const broker = await startMosquitto(join(dir, 'mosquitto'))
  const bridge = await startBridge(broker.port, `${store.httpUrl}${store.writePath}`)
  const pids = [store.pid, broker.pid, bridge.pid]
  const before = pids.map(usage)
  const started = performance.now()
  const outcome = await runLoad({ port: broker.port, ...load })
  let quietS = 0
  for (let last = -1; bridge.forwarded() < outcome.acked && quietS < 10; quietS += 0.1) {
    if (bridge.forwarded() > last) [last, quietS] = [bridge.forwarded(), 0]
    await sleep(100)
  }
  const seconds = (performance.now() - started) / 1000
  const figures = { outcome, seconds, ...spent(before, pids.map(usage)) }
  if (bridge.forwarded() < outcome.acked) {
    console.log(`the stack stored ${bridge.forwarded()} of ${outcome.acked} acknowledged messages`)
  }
  bridge.stop()
  await broker.stop()
  await store.stop()
  return figures
}

function row(name: string, { outcome, seconds, cpuS, rssPeakMb }: Figures) {
  return {
    broker: name,
    'messages/s': round(outcome.acked / seconds),
    'CPU s per M samples': round((cpuS / outcome.acked / fieldsPerMessage) * 1e6),
    'peak RSS MB': round(rssPeakMb),
    'ack ms p50': round(outcome.ackMs.p50),
    p99: round(outcome.ackMs.p99),
    max: round(outcome.ackMs.max),
    'payload bytes': round(outcome.payloadBytes / outcome.sent)
  }
}

const known = ['varve', 'stack'] as const
const { names, program, flags, dir, number } = benchArguments(known, ['messages', 'connections', 'window'])
const load = {
  messages: number('messages', 3e6),
  connections: number('connections', 50),
  window: number('window', 1000)
}
printHead('bench-mqtt: QoS 1 to durable samples', {
  workload: `${round(load.messages)} messages of five fields, ${standard.devices} devices over ${load.connections} connections, window ${load.window}, payload bytes are the whole packet's`,
  bounds: [
    `varve: at least ${round(bound.messagesPerS)} messages/s durable, no loss after SIGKILL`,
    `varve: at most ${bound.cpuSPerMSamples} CPU s per million samples, peak RSS under ${bound.rssPeakMb} MB`
  ]
})
const rows = []
for (const name of names) {
  if (name === 'varve') {
    const { figures, stored } = await measureVarve(dir, program, flags, load)
    const { outcome, seconds, cpuS, rssPeakMb } = figures
    const samples = outcome.acked * fieldsPerMessage
    rows.push(row(name, figures))
    if (outcome.fault !== null) console.log(`FAIL  the load ended early: ${outcome.fault}`)
    judge('varve messages unacknowledged', outcome.sent - outcome.acked, '<=', 0)
    judge('varve messages/s', outcome.acked / seconds, '>=', bound.messagesPerS)
    judge('varve CPU s per million samples', (cpuS / samples) * 1e6, '<=', bound.cpuSPerMSamples)
    judge('varve peak RSS', rssPeakMb, '<=', bound.rssPeakMb, ' MB')
    judge('varve acknowledged samples lost after SIGKILL', samples - stored, '<=', 0)
    judge('varve samples that nobody sent', stored - outcome.sent * fieldsPerMessage, '<=', 0)
  } else if (existsSync(binaries.mosquitto) && existsSync(binaries['victoria-metrics'])) {
    rows.push(row('mosquitto + bridge + VM', await measureStack(dir, load)))
  } else console.log('stack left out: mosquitto or victoria-metrics is not installed')
}
printTable(rows)

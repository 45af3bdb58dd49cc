// How fast the broker alone takes and delivers messages, and what one message of one of 500 connections
// costs, beside mosquitto in the same run on the same work.
//
//   node scripts/bench-broker.ts [--only varve,aedes,daemon,mosquitto] [--rows flood,single] [--seconds 3]
//                                [--flood 0,2] [--connections 50] [--single 500] [--rate 20000] [--profile DIR]
//                                [--program source|binary] [--dir DIR] [--varve "--flag value"]
//
// varve: the broker with a sink that keeps nothing and a gate that is always open; aedes: the same without the
// fast path; daemon: all of `varve serve`, which acknowledges after the sync. mosquitto keeps its defaults but
// for bounds on what is queued: it acknowledges before it writes anything, and never syncs.
// The load runs in processes of its own and shares the machine with the broker: compare rows of one run. CPU
// is of the broker's process alone. `busy` is the share of time in which a process was not idle: the one near
// 100 % was the limit.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { brokerLimits } from '../src/broker/limits.ts'
import { benchArguments } from './bench-arguments.ts'
import { binaries, startMosquitto, usage } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { type RunningBroker, startAlone } from './broker-alone.ts'
import { payload, runFlood } from './broker-flood.ts'
import { runLoad } from './mqtt-load.ts'
import { startVarve } from './varve-process.ts'

const bound = { deliveredPerS: 100_000, cpuOfMosquitto: 2 }

/** Rows of the flood. */
const floods = [
  { qos: 0, subscribers: 0, slow: 0, window: 5000 },
  { qos: 1, subscribers: 0, slow: 0, window: 5000 },
  { qos: 0, subscribers: 1, slow: 0, window: 5000 },
  { qos: 1, subscribers: 1, slow: 0, window: 5000 },
  { qos: 0, subscribers: 100, slow: 0, window: 100 },
  { qos: 0, subscribers: 100, slow: 1, window: 100 }
] as const

const known = ['varve', 'aedes', 'daemon', 'mosquitto'] as const
type Name = (typeof known)[number]
type Row = Record<string, string | number>

const args = benchArguments(known, ['seconds', 'connections', 'single', 'rate'], ['rows', 'profile', 'flood'])
const seconds = args.number('seconds', 3)
const connections = args.number('connections', 50)
const single = args.number('single', 500)
const rate = args.number('rate', 20_000)
const rows = (args.text('rows') ?? 'flood,single').split(',')
const only = args.text('flood')?.split(',')
let started = 0

const percent = (share: number) => `${(100 * share).toFixed(0)} %`

async function start(name: Name): Promise<RunningBroker> {
  if (name === 'mosquitto') return startMosquitto(join(args.dir, `mosquitto-${started++}`))
  if (name !== 'daemon') return startAlone(name === 'varve', args.text('profile'))
  const { program, flags, dir } = args
  const varve = await startVarve({ program, dataDir: join(dir, `varve-${started++}`), flags })
  return { pid: varve.pid, port: varve.mqttPort, stop: () => varve.stop() }
}

async function flood(name: Name, row: (typeof floods)[number]): Promise<{ row: Row; deliveredPerS: number }> {
  const running = await start(name)
  const before = usage(running.pid)
  const outcome = await runFlood(running.pid, { port: running.port, connections, seconds, ...row })
  const after = usage(running.pid)
  await running.stop()
  const { deliveredPerS, busy, published } = outcome
  const isHeard = row.subscribers > 0
  return {
    deliveredPerS,
    row: {
      broker: name,
      QoS: row.qos,
      subscribers: row.slow > 0 ? `${row.subscribers} (${row.slow} slow)` : row.subscribers,
      'messages/s': round(outcome.handledPerS),
      'delivered/s': isHeard ? round(deliveredPerS) : '-',
      'least share': isHeard ? percent(outcome.deliveredMin) : '-',
      'CPU us a message': round(((after.cpuS - before.cpuS) / published) * 1e6),
      'peak MB': round(after.rssPeakMb),
      'busy broker': percent(busy.broker),
      publishers: percent(busy.publishers),
      listeners: isHeard ? percent(busy.subscribers) : '-'
    }
  }
}

/** Connections that send one message at a time. `perS` 0: as many as are acknowledged. */
async function singles(
  name: Name,
  running: RunningBroker,
  perS: number
): Promise<{ row: Row; cpuUs: number }> {
  const before = usage(running.pid)
  const load = { port: running.port, connections: single, window: 1, seconds: 2 * seconds }
  const outcome = await runLoad(perS === 0 ? load : { ...load, rate: perS })
  const after = usage(running.pid)
  const cpuUs = ((after.cpuS - before.cpuS) / outcome.acked) * 1e6
  const userUs = ((after.userS - before.userS) / outcome.acked) * 1e6
  if (outcome.fault !== null) throw new Error(`Cannot measure ${name}: ${outcome.fault}`)
  const row = {
    broker: name,
    asked: perS === 0 ? 'all' : `${round(perS)}/s`,
    'messages/s': round(outcome.acked / outcome.seconds),
    'CPU us a message': round(cpuUs),
    'of it user': round(userUs),
    'ack ms p50': round(outcome.ackMs.p50),
    p99: round(outcome.ackMs.p99)
  }
  return { row, cpuUs }
}

async function measureFloods(names: readonly Name[]): Promise<void> {
  const table: Row[] = []
  let delivered = 0
  for (const name of names) {
    for (const one of floods.filter((_, i) => only === undefined || only.includes(String(i)))) {
      if (name === 'daemon' || (name === 'aedes' && one.subscribers > 1)) continue
      const { row, deliveredPerS } = await flood(name, one)
      table.push(row)
      if (name === 'varve' && one.qos === 0 && one.subscribers === 1) delivered = deliveredPerS
    }
  }
  printTable(table)
  if (!names.includes('varve')) return
  judge("varve delivered to one QoS 0 subscriber on '#', messages/s", delivered, '>=', bound.deliveredPerS)
}

async function measureSingles(names: readonly Name[]): Promise<void> {
  const table: Row[] = []
  const cost = new Map<string, number>()
  for (const name of names) {
    const running = await start(name)
    // Code is compiled and senders are known after some seconds of a life of months.
    await singles(name, running, 0)
    await singles(name, running, 0)
    for (const perS of [rate, 0]) {
      const { row, cpuUs } = await singles(name, running, perS)
      table.push(row)
      cost.set(`${name} ${perS}`, cpuUs)
    }
    await running.stop()
  }
  printTable(table)
  for (const perS of [rate, 0]) {
    const [own, peer] = [cost.get(`daemon ${perS}`), cost.get(`mosquitto ${perS}`)]
    if (own === undefined || peer === undefined) continue
    const what = `daemon's CPU of a message, ${perS === 0 ? 'all' : `${round(perS)}/s`}, over mosquitto's`
    judge(what, own / peer, '<=', bound.cpuOfMosquitto)
  }
}

const { subscriberBytesMax, subscribersBytesMax } = brokerLimits
printHead('bench-broker: taking and delivering messages', {
  workload: `${connections} connections flood, ${payload.length}-byte JSON, ${seconds} s a row; ${single} connections send one five-field message at a time, ${2 * seconds} s a row after a warm-up twice as long`,
  bounds: [
    `varve: one QoS 0 subscriber on '#' gets at least ${round(bound.deliveredPerS)} messages/s while publishers flood`,
    `varve: at most ${round(subscriberBytesMax)} bytes are queued for a subscriber, ${round(subscribersBytesMax)} for all together`,
    `daemon: a message of one of ${single} connections costs at most ${bound.cpuOfMosquitto} times mosquitto's CPU`
  ]
})
const names = args.names.filter(name => name !== 'mosquitto' || existsSync(binaries.mosquitto))
if (names.length < args.names.length) console.log('mosquitto left out: it is not installed')
if (rows.includes('flood')) await measureFloods(names)
if (rows.includes('single')) await measureSingles(names)
process.exit()

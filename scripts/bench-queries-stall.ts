// Whether queries delay acknowledgements: devices publish with QoS 1 at a moderate rate to the running daemon,
// first while nobody asks, then while ten clients ask heavy questions one after the other, each of which reads
// every sample. Both are measured in the same run, the calm one before and after, since the machine's speed drifts.
//
//   node scripts/bench-queries-stall.ts [--samples 5000000] [--seconds 15] [--rate 1000] [--clients 10]
//                                       [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { Poster, startStore, usage } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { runLoad } from './mqtt-load.ts'
import { QueryClient } from './query-client.ts'
import { startVarve, type Varve } from './varve-process.ts'
import { lineBodies, standard } from './workload.ts'

const boundMs = 50
const ackDelayMaxMs = 100
const { program, flags, dir, number } = benchArguments(['varve'], ['samples', 'seconds', 'rate', 'clients'])
const [samples, seconds] = [number('samples', 5e6), number('seconds', 15)]
const [rate, clients] = [number('rate', 1000), number('clients', 10)]
printHead('bench-queries-stall: acknowledgements under heavy queries', {
  workload: `${round(samples)} samples stored; ${rate} messages/s QoS 1 on 50 connections, ack.delay_max ${ackDelayMaxMs} ms, ${seconds} s calm, ${seconds} s with ${clients} clients that read everything, ${seconds} s calm`,
  bounds: [
    `p99 of acknowledgements under queries within ${boundMs} ms of the calm one (the slower of the two)`
  ]
})

/** Each reads every sample of a field, in ways that no head of a chunk tells. */
function heavy(client: number): string {
  const field = ['temperature', 'humidity', 'power', 'battery', 'total'][client % 5]!
  const query = `sum(quantile_over_time(0.9${client}, telemetry_${field}[1h]))`
  const endS = Math.floor(Date.now() / 1000)
  const spanS = (samples / 5 / standard.devices) * (standard.roundMs / 1000)
  const parameters = { query, start: String(endS - spanS), end: String(endS), step: '600', tier: 'raw' }
  return `/api/v1/query_range?${new URLSearchParams(parameters)}`
}

/** Asks again and again until the time; returns how many were answered. */
async function keepAsking(varve: Varve, client: number, until: number): Promise<number> {
  const connection = new QueryClient(varve.httpUrl)
  let answered = 0
  while (performance.now() < until) {
    await connection.ask(heavy(client))
    answered++
  }
  connection.close()
  return answered
}

const dataDir = join(dir, 'varve')
const given = [
  '--ack.delay_max',
  `${ackDelayMaxMs}ms`,
  '--query.time_max',
  '10m',
  '--query.cache_max',
  '0',
  ...flags
]
const history = await startStore('varve', dataDir, { program, flags: given })
const filler = new Poster(history, 2)
const startMs = Date.now() - (samples / 5 / standard.devices) * standard.roundMs - 60_000
await filler.postAll(lineBodies({ ...standard, startMs }, samples, 5000), 2)
filler.close()
await fetch(`${history.httpUrl}/v1/flush`, { method: 'POST' })
await history.stop()

const varve = await startVarve({ program, dataDir, flags: given })
const load = () => runLoad({ port: varve.mqttPort, rate, seconds })
const before = await load()
const cpuBefore = usage(varve.pid).cpuS
const until = performance.now() + seconds * 1000
const [busy, ...answered] = await Promise.all([
  load(),
  ...Array.from({ length: clients }, (_, client) => keepAsking(varve, client, until))
])
const cpuS = usage(varve.pid).cpuS - cpuBefore
const after = await load()
await varve.stop()

printTable(
  [
    ['calm, before', before] as const,
    [`${clients} clients ask`, busy] as const,
    ['calm, after', after] as const
  ].map(([what, { ackMs, acked, sent }]) => ({
    what,
    'PUBACK p50 ms': round(ackMs.p50),
    p99: round(ackMs.p99),
    max: round(ackMs.max),
    acked: round(acked),
    unacked: sent - acked
  }))
)
console.log(
  `${answered.reduce((sum, one) => sum + one, 0)} heavy queries were answered, ${round(cpuS)} CPU s of the daemon`
)
const calmMs = Math.max(before.ackMs.p99, after.ackMs.p99)
judge('p99 under queries, over the calm one', busy.ackMs.p99 - calmMs, '<=', boundMs, ' ms')
judge('messages unacknowledged', busy.sent - busy.acked, '<=', 0)

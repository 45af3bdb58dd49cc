// How long queries take, side by side on the same data: varve (the daemon over HTTP, by /v1 and by PromQL),
// VictoriaMetrics and InfluxDB are asked six questions, warm (the median of several asks in a row) and cold
// (the first question to a server that was just started, nothing of its files in the page cache). Every store
// must give the same answer. Then varve alone: a month of samples every 10 s as a dashboard of 12 panels, cold,
// and the six questions about the last hours of a long history beside a ten times shorter one.
//
//   node scripts/bench-query.ts [--samples 20000000] [--warm 15] [--cold 3] [--growth 10000000] [--times 10]
//                               [--part peers,month,growth] [--only varve,victoria-metrics,influxdb]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]
//
// VictoriaMetrics keeps results of range queries; what it takes without is printed, not judged.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchArguments } from './bench-arguments.ts'
import { installed, Poster, type Store, type StoreName, startStore, usage } from './bench-peers.ts'
import { judge, median, printHead, printTable, round } from './bench-report.ts'
import { dropPageCache, QueryClient } from './query-client.ts'
import { measureGrowth } from './query-growth.ts'
import {
  agree,
  type Digest,
  dashboard,
  digest,
  type Face,
  type Question,
  questions
} from './query-questions.ts'
import { lineBodies, standard } from './workload.ts'

const bounds = { monthMs: 300, influxTimes: 5, blocksTimes: 1.5, growthTimes: 1.5 }
const known: readonly StoreName[] = ['varve', 'victoria-metrics', 'influxdb']
const faces: Readonly<Record<StoreName, readonly Face[]>> = {
  varve: ['varve /v1', 'varve PromQL'],
  'victoria-metrics': ['victoria-metrics'],
  influxdb: ['influxdb']
}
const { names, program, flags, dir, number, text } = benchArguments(
  known,
  ['samples', 'warm', 'cold', 'growth', 'times'],
  ['part']
)
const parts = (text('part') ?? 'peers,month,growth').split(',')
const [samples, warmTimes, coldTimes] = [number('samples', 20e6), number('warm', 15), number('cold', 3)]

printHead('bench-query: six questions over HTTP', {
  workload: `${round(samples)} samples, ${standard.devices} devices x 5 fields every ${standard.roundMs / 1000} s, 1 % late; medians of ${warmTimes} warm and ${coldTimes} cold asks`,
  bounds: [
    "varve, each face, warm and cold: at most VictoriaMetrics' median, and a fifth of InfluxDB's",
    `a month at 10 s, 12 panels, cold: at most ${bounds.monthMs} ms`,
    `the same question to ${number('times', 10)} times the history: at most ${bounds.blocksTimes} times the blocks and ${bounds.growthTimes} times the time`
  ]
})

/** Medians in ms by question and face. */
type Medians = Map<string, Partial<Record<Face | 'no cache', number>>>

/** Writes the workload and waits until the store has settled. */
async function fill(store: Store, startMs: number, count: number, devices = standard.devices): Promise<void> {
  const poster = new Poster(store, 4)
  await poster.postAll(lineBodies({ ...standard, devices, startMs }, count, 5000), 4)
  poster.close()
  if (store.name !== 'varve') {
    // VictoriaMetrics shows what it took within a second.
    await sleep(5000)
    return
  }
  // A flush that runs already has not all rows: the second has the rest.
  for (const path of [
    '/v1/flush',
    '/v1/flush',
    '/v1/run-job?name=merge',
    '/v1/run-job?name=rollup%201m%201h%201d'
  ]) {
    const reply = await fetch(`${store.httpUrl}${path}`, { method: 'POST' })
    if (!reply.ok) throw new Error(`Cannot settle varve: ${path}: ${reply.status} ${await reply.text()}`)
  }
}

async function started(name: StoreName, place: string): Promise<Store> {
  return startStore(name, place, { program, flags })
}

async function askWarm(store: Store, path: string): Promise<number> {
  const client = new QueryClient(store.httpUrl)
  await client.ask(path)
  const times: number[] = []
  for (let i = 0; i < warmTimes; i++) times.push((await client.ask(path)).ms)
  client.close()
  return median(times)
}

async function askCold(name: StoreName, place: string, ask: (client: QueryClient) => Promise<number>) {
  const times: number[] = []
  for (let i = 0; i < coldTimes; i++) {
    dropPageCache(place)
    const store = await started(name, place)
    const client = new QueryClient(store.httpUrl)
    times.push(await ask(client))
    client.close()
    await store.stop()
  }
  return median(times)
}

async function measure(
  name: StoreName,
  place: string,
  asked: readonly Question[],
  warm: Medians,
  cold: Medians
) {
  const digests = new Map<string, Digest>()
  const store = await started(name, place)
  const cpuBefore = usage(store.pid).cpuS
  for (const { name: question, paths } of asked) {
    for (const face of faces[name]) {
      const path = paths[face]
      if (path === undefined) continue
      const client = new QueryClient(store.httpUrl)
      digests.set(`${question} / ${face}`, digest((await client.ask(path)).text))
      client.close()
      const row = warm.get(question) ?? {}
      row[face] = await askWarm(store, path)
      if (face === 'victoria-metrics') row['no cache'] = await askWarm(store, `${path}&nocache=1`)
      warm.set(question, row)
    }
  }
  console.log(
    `      ${name}: ${round(usage(store.pid).cpuS - cpuBefore)} CPU s for the warm asks, ${round(usage(store.pid).rssMb)} MB resident`
  )
  await store.stop()
  for (const { name: question, paths } of asked) {
    for (const face of faces[name]) {
      const path = paths[face]
      if (path === undefined) continue
      const row = cold.get(question) ?? {}
      row[face] = await askCold(name, place, async client => (await client.ask(path)).ms)
      cold.set(question, row)
    }
  }
  return digests
}

function report(kind: string, medians: Medians): void {
  console.log(`\n${kind}, ms`)
  printTable(
    [...medians].map(([question, row]) => ({
      question,
      ...Object.fromEntries(Object.entries(row).map(([face, ms]) => [face, round(ms)]))
    }))
  )
  for (const [question, row] of medians) {
    for (const face of faces.varve) {
      const own = row[face]
      if (own === undefined) continue
      const [victoria, influx] = [row['victoria-metrics'], row.influxdb]
      if (victoria !== undefined) judge(`${kind}: ${question}, ${face}`, own, '<=', victoria, ' ms')
      if (influx !== undefined) {
        judge(
          `${kind}: ${question}, ${face}, InfluxDB / ${bounds.influxTimes}`,
          own,
          '<=',
          influx / bounds.influxTimes,
          ' ms'
        )
      }
    }
  }
}

async function comparePeers(): Promise<void> {
  const spanMs = Math.ceil(samples / 5 / standard.devices) * standard.roundMs
  const startMs = Date.now() - spanMs - 900_000
  const asked = questions({ startMs, endMs: startMs + spanMs + standard.jitterMs })
  const [warm, cold]: [Medians, Medians] = [new Map(), new Map()]
  const digests = new Map<string, Digest>()
  for (const name of installed(names)) {
    const place = join(dir, name)
    const store = await started(name, place)
    await fill(store, startMs, samples)
    await store.stop()
    for (const [key, found] of await measure(name, place, asked, warm, cold)) digests.set(key, found)
  }
  report('warm', warm)
  report('cold', cold)
  for (const { name: question } of asked) {
    const found = [...digests].filter(([key]) => key.startsWith(`${question} / `))
    const strangers = found.filter(([, one]) => !agree(one, found[0]![1]))
    judge(`${question}: answers that differ`, strangers.length, '<=', 0)
    if (strangers.length > 0)
      for (const [key, one] of found) console.log(`      ${key}: ${one.join(' values, sum ')}`)
  }
}

async function measureMonth(): Promise<void> {
  const monthMs = 30 * 86_400_000
  const place = join(dir, 'month')
  const startMs = Date.now() - monthMs - 900_000
  const devices = 3
  const store = await started('varve', place)
  await fill(store, startMs, (monthMs / standard.roundMs) * devices * 5, devices)
  await store.stop()
  const paths = dashboard({ startMs, endMs: startMs + monthMs })
  const ms = await askCold('varve', place, client => client.askAll(paths))
  judge('a month at 10 s, 12 panels, cold', ms, '<=', bounds.monthMs, ' ms')
}

if (parts.includes('peers')) await comparePeers()
if (parts.includes('month') && names.includes('varve')) await measureMonth()
if (parts.includes('growth') && names.includes('varve')) {
  const short = number('growth', 10e6)
  const rows = await measureGrowth(join(dir, 'growth'), [short, short * number('times', 10)], warmTimes)
  console.log('')
  printTable(rows.map(({ cells }) => cells))
  for (const { question, blocksTimes, timeTimes } of rows.filter(row => row.blocksTimes !== null)) {
    judge(`${question}: blocks, longer / shorter history`, blocksTimes!, '<=', bounds.blocksTimes)
    judge(`${question}: time, longer / shorter history`, timeTimes!, '<=', bounds.growthTimes)
  }
}

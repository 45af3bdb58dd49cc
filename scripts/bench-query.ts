// How long queries take, side by side on the same data: varve (the daemon over HTTP, by /v1 and by PromQL),
// VictoriaMetrics and InfluxDB are asked six questions, warm (the median of several asks in a row, after a second
// of them) and cold (the first question to a server that was started with nothing of its files in the page cache
// and says that it is ready; how long the start took is printed). Every store must give the same answer. Then
// varve alone: a month of samples every 10 s as a dashboard of 12 panels, cold, and questions about the last
// hours of a long history beside a ten times shorter one.
//
//   node scripts/bench-query.ts [--samples 20000000] [--warm 15] [--cold 3]
//                               [--growth 10000000] [--times 10]
//                               [--part peers,month,growth] [--only varve,victoria-metrics,influxdb]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]
//
// varve keeps answers (query.cache_max) and VictoriaMetrics results of range queries, these on the medium too, so
// that a restarted one may have them. Warm, varve is asked twice: as it comes, beside VictoriaMetrics as it comes,
// and with nothing kept ("evaluated"), beside VictoriaMetrics with nocache=1. A restarted varve has no answers, so
// cold it is held to both.
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
import { ask } from './varve-process.ts'
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
    "varve, each face, warm (as it comes, and evaluated) and cold: at most VictoriaMetrics' median (as it comes, and without its cache), and a fifth of InfluxDB's",
    `a month at 10 s, 12 panels, cold: at most ${bounds.monthMs} ms`,
    `the same question to ${number('times', 10)} times the history: at most ${bounds.blocksTimes} times the blocks and ${bounds.growthTimes} times the time`
  ]
})

/** Before it is timed warm, a question is asked for so long, at most so often. */
const warmUpMs = 1000
const warmUpsMax = 200

const noCache = 'victoria-metrics, nocache'
type Column = Face | `${Face}, evaluated` | typeof noCache
/** Medians in ms by question. */
type Medians = Map<string, Partial<Record<Column, number>>>

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
  const { jobs } = await ask<{ jobs: { name: string }[] }>(store, '/v1/status')
  const names = ['merge', ...jobs.map(({ name }) => name).filter(name => name.startsWith('rollup'))]
  const runs = names.map(name => `/v1/run-job?name=${encodeURIComponent(name)}`)
  for (const path of ['/v1/flush', '/v1/flush', ...runs]) {
    const reply = await fetch(`${store.httpUrl}${path}`, { method: 'POST' })
    if (!reply.ok) throw new Error(`Cannot settle varve: ${path}: ${reply.status} ${await reply.text()}`)
  }
}

async function started(name: StoreName, place: string, more: readonly string[] = []): Promise<Store> {
  return startStore(name, place, { program, flags: [...flags, ...more] })
}

async function askWarm(store: Store, path: string): Promise<number> {
  const client = new QueryClient(store.httpUrl)
  // Files are in the page cache then, caches filled and code compiled, in whatever language a store is written.
  const until = performance.now() + warmUpMs
  for (let i = 0; i < warmUpsMax && (i === 0 || performance.now() < until); i++) await client.ask(path)
  const times: number[] = []
  for (let i = 0; i < warmTimes; i++) times.push((await client.ask(path)).ms)
  client.close()
  return median(times)
}

async function askCold(name: StoreName, place: string, ask: (client: QueryClient) => Promise<number>) {
  const times: number[] = []
  const starts: number[] = []
  for (let i = 0; i < coldTimes; i++) {
    dropPageCache(place)
    const began = performance.now()
    const store = await started(name, place)
    starts.push(performance.now() - began)
    const client = new QueryClient(store.httpUrl)
    times.push(await ask(client))
    client.close()
    await store.stop()
  }
  return { ms: median(times), readyMs: median(starts) }
}

/** What each column asks a store. */
function columnsOf(name: StoreName, { paths }: Question): [column: Column, path: string][] {
  const columns: [Column, string][] = []
  for (const face of faces[name]) {
    const path = paths[face]
    if (path === undefined) continue
    columns.push([face, path])
    if (face === 'victoria-metrics') columns.push([noCache, `${path}&nocache=1`])
  }
  return columns
}

function enter(medians: Medians, question: string, column: Column, ms: number): void {
  const row = medians.get(question) ?? {}
  row[column] = ms
  medians.set(question, row)
}

/** Asks each question warm; returns what the answers come to. */
async function measureWarm(name: StoreName, place: string, asked: readonly Question[], warm: Medians) {
  const digests = new Map<string, Digest>()
  const store = await started(name, place)
  const client = new QueryClient(store.httpUrl)
  const cpuBefore = usage(store.pid).cpuS
  for (const question of asked) {
    for (const [column, path] of columnsOf(name, question)) {
      digests.set(`${question.name} / ${column}`, digest((await client.ask(path)).text))
      enter(warm, question.name, column, await askWarm(store, path))
    }
  }
  client.close()
  const { cpuS, rssMb } = usage(store.pid)
  console.log(
    `      ${name}: ${round(cpuS - cpuBefore)} CPU s for the warm asks, ${round(rssMb)} MB resident`
  )
  await store.stop()
  if (name !== 'varve') return digests
  const evaluating = await started(name, place, ['--query.cache_max', '0'])
  for (const question of asked) {
    for (const [face, path] of columnsOf(name, question)) {
      enter(warm, question.name, `${face as Face}, evaluated`, await askWarm(evaluating, path))
    }
  }
  await evaluating.stop()
  return digests
}

async function measureCold(name: StoreName, place: string, asked: readonly Question[], cold: Medians) {
  const starts: number[] = []
  for (const question of asked) {
    for (const [column, path] of columnsOf(name, question)) {
      const { ms, readyMs } = await askCold(name, place, async client => (await client.ask(path)).ms)
      enter(cold, question.name, column, ms)
      starts.push(readyMs)
    }
  }
  console.log(`      ${name}: ${round(median(starts))} ms from its start until it is ready, cold (median)`)
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
    const { influxdb } = row
    for (const face of faces.varve) {
      const pairs: [Column, Column][] =
        kind === 'warm'
          ? [
              [face, 'victoria-metrics'],
              [`${face}, evaluated`, noCache]
            ]
          : [
              [face, 'victoria-metrics'],
              [face, noCache]
            ]
      for (const [own, other] of pairs) {
        if (row[own] === undefined || row[other] === undefined) continue
        judge(`${kind}: ${question}, ${own}, beside ${other}`, row[own], '<=', row[other], ' ms')
      }
      for (const own of new Set(pairs.map(([own]) => own))) {
        if (row[own] === undefined || influxdb === undefined) continue
        const bound = influxdb / bounds.influxTimes
        judge(`${kind}: ${question}, ${own}, InfluxDB / ${bounds.influxTimes}`, row[own], '<=', bound, ' ms')
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
    for (const [key, found] of await measureWarm(name, place, asked, warm)) digests.set(key, found)
    await measureCold(name, place, asked, cold)
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
  const { ms, readyMs } = await askCold('varve', place, client => client.askAll(paths))
  console.log(`\n      varve: ${round(readyMs)} ms from its start until it is ready, cold, with a month`)
  judge('a month at 10 s, 12 panels, cold', ms, '<=', bounds.monthMs, ' ms')
}

if (parts.includes('peers')) await comparePeers()
if (parts.includes('month') && names.includes('varve')) await measureMonth()
if (parts.includes('growth') && names.includes('varve')) {
  const short = number('growth', 10e6)
  const lengths = [short, short * number('times', 10)]
  const rows = await measureGrowth(join(dir, 'growth'), lengths, warmTimes, { program, flags })
  console.log('')
  printTable(rows.map(({ cells }) => cells))
  for (const { question, blocksTimes, timeTimes } of rows.filter(row => row.blocksTimes !== null)) {
    judge(`${question}: blocks, longer / shorter history`, blocksTimes!, '<=', bounds.blocksTimes)
    judge(`${question}: time, longer / shorter history`, timeTimes!, '<=', bounds.growthTimes)
  }
}

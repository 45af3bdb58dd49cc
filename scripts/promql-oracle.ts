// Compares varve's PromQL with a real Prometheus on the same random data: starts it with its remote-write
// receiver, sends the samples, asks both the same queries, and prints what agrees and each difference.
//
//   node scripts/promql-oracle.ts [--seed=1] [--random=500] [--compliance=promql-test-queries.yml]
//                                 [--prometheus=prometheus] [--only=text | --query=expr ...] [--show=40]
//
// varve is asked with the rules of Prometheus 2 (ranges closed at their start), since Debian's is 2.42.
// Numbers agree within 1e-9 relative; two errors agree when they are of one type. `ties` counts answers of
// topk and bottomk that differ only in which series of equal values stayed; `explained` counts answers that
// differ only where 2.42 is known to be off and later versions are not: see isExplained().
// Exit: 0 none differs, 1 else.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { VarveError } from '../src/base/errors.ts'
import { Random } from '../src/base/random.ts'
import { answer } from '../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS } from '../src/query/limits.ts'
import {
  DEFAULT_PROMQL_OPTIONS,
  readInstantRequest,
  readRangeRequest
} from '../src/query/promql/parameters.ts'
import { ArraySource, STALE } from '../test/promql/array-source.ts'
import { fingerprint, type OracleSeries, oracleSeries, remoteWrites, SPAN_MS } from './oracle-data.ts'
import { compliance, randomQuery, systematic } from './oracle-queries.ts'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    random: { type: 'string', default: '500' },
    compliance: { type: 'string' },
    prometheus: { type: 'string', default: 'prometheus' },
    only: { type: 'string' },
    query: { type: 'string', multiple: true },
    show: { type: 'string', default: '40' }
  }
})

const START_MS = 1_700_000_000_000
const TOLERANCE = 1e-9

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port')
  return address.port
}

/** A Prometheus with the samples in it. */
async function startPrometheus(all: readonly OracleSeries[]): Promise<{ url: string; stop(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'promql-oracle-'))
  writeFileSync(join(dir, 'prometheus.yml'), 'global: {}\n')
  const port = await freePort()
  const child = spawn(
    options.prometheus,
    [
      `--config.file=${dir}/prometheus.yml`,
      `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--storage.tsdb.retention.time=100y',
      '--log.level=error'
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] }
  )
  const stop = () => {
    child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  for (let i = 0; ; i++) {
    const isReady = await fetch(`${url}/-/ready`).then(
      response => response.ok,
      () => false
    )
    if (isReady) break
    if (i > 300) throw new Error('Cannot start prometheus: not ready within 30 s')
    await sleep(100)
  }
  for (const body of remoteWrites(all, START_MS)) {
    const response = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      body: Buffer.from(body),
      headers: { 'content-encoding': 'snappy', 'x-prometheus-remote-write-version': '0.1.0' }
    })
    if (!response.ok) throw new Error(`Cannot write: ${response.status} ${await response.text()}`)
  }
  return { url, stop }
}

function sourceOf(all: readonly OracleSeries[]): ArraySource {
  return new ArraySource(
    all.map(({ name, labels, times, values }) => {
      const numbers = new Float64Array(values.length)
      values.forEach((value, i) => {
        if (value === 'stale') numbers.set(STALE, i)
        else numbers[i] = value
      })
      return { name, labels, times: Float64Array.from(times, ms => ms * 1000), values: numbers }
    })
  )
}

interface Answer {
  readonly status: string
  readonly errorType?: string
  readonly error?: string
  readonly data?: { resultType: string; result: unknown }
}

interface Question {
  readonly path: 'query' | 'query_range'
  readonly parameters: Readonly<Record<string, string>>
}

async function askPrometheus(url: string, { path, parameters }: Question): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(parameters)
  })
  return (await response.json()) as Answer
}

function askVarve(source: ArraySource, { path, parameters }: Question): Answer {
  const given = new Map(Object.entries({ ...parameters, rules: '2' }).map(([name, value]) => [name, [value]]))
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  try {
    const read = path === 'query' ? readInstantRequest : readRangeRequest
    const pieces = answer(source, read(given, systemClock.nowUs(), DEFAULT_PROMQL_OPTIONS), context)
    return JSON.parse(Buffer.concat([...pieces]).toString())
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    const isBad = ['VARVE_PROMQL', 'VARVE_PROMQL_TYPE', 'VARVE_PARAMETER'].includes(error.code)
    return { status: 'error', errorType: isBad ? 'bad_data' : 'execution', error: error.message }
  }
}

type Pair = [number, string]
interface Found {
  readonly metric: Record<string, string>
  readonly value?: Pair
  readonly values?: Pair[]
}

function isSame(a: string, b: string): boolean {
  if (a === b) return true
  const [x, y] = [a, b].map(text => Number(text.replace('Inf', 'Infinity'))) as [number, number]
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y))
}

/**
 * Where Prometheus 2.42 is off and varve does as later versions do, or as the rule of the language asks:
 *  - an average of values that sum to 0 came out as rounding dust, being carried along as a running mean;
 *  - the date of a number beyond the calendar is what an overflow makes of it there, and NaN here;
 *  - timestamp() of a selector with both @ and offset reads beside what it has loaded.
 */
function isExplained(query: string, theirs: string | null, ours: string | null): boolean {
  if (/timestamp\(.*@.*offset/.test(query)) return true
  if (theirs === null || ours === null) return false
  if (/avg/.test(query) && Math.abs(Number(theirs)) < 1e-12 && Math.abs(Number(ours)) < 1e-12) return true
  return /(day|days)_(of|in)_|hour|minute|month|year/.test(query) && ours === 'NaN'
}

/** Samples by labels and time. */
function samples(result: readonly Found[]): Map<string, string> {
  const all = new Map<string, string>()
  for (const { metric, value, values } of result) {
    const key = JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const [time, text] of values ?? [value!]) all.set(`${key} @${time}`, text)
  }
  return all
}

/** The first difference between two answers, or null; 'tie' or 'explained' for what is not counted as one. */
function difference(theirs: Answer, ours: Answer, query: string): string | null {
  if (theirs.status !== ours.status)
    return `theirs ${theirs.error ?? theirs.status}, ours ${ours.error ?? ours.status}`
  if (theirs.status === 'error') {
    if (theirs.errorType !== ours.errorType)
      return `theirs ${theirs.errorType} ${theirs.error}, ours ${ours.errorType} ${ours.error}`
    return null
  }
  const [a, b] = [theirs.data!, ours.data!]
  if (a.resultType !== b.resultType) return `type ${a.resultType} and ${b.resultType}`
  if (a.resultType === 'scalar' || a.resultType === 'string') {
    const [x, y] = [a.result, b.result] as [Pair, Pair]
    return x[0] === y[0] && (x[1] === y[1] || isSame(x[1], y[1])) ? null : `${x} and ${y}`
  }
  const [x, y] = [samples(a.result as Found[]), samples(b.result as Found[])]
  const faults: string[] = []
  let explained = 0
  for (const [key, value] of x) {
    const own = y.get(key)
    if (own === undefined) {
      if (isExplained(query, value, null)) explained++
      else faults.push(`only theirs: ${key} ${value}`)
    } else if (isSame(value, own)) continue
    else if (isExplained(query, value, own)) explained++
    else faults.push(`${key}: theirs ${value}, ours ${own}`)
  }
  for (const [key, value] of y) {
    if (x.has(key)) continue
    if (isExplained(query, null, value)) explained++
    else faults.push(`only ours: ${key} ${value}`)
  }
  if (faults.length === 0) {
    if (explained > 0) return 'explained'
    if (!/^sort/.test(query)) return null
    const order = (data: typeof a) => (data.result as Found[]).map(({ value }) => value?.[1] ?? '').join()
    return a.resultType === 'vector' && order(a) !== order(b) ? `order ${order(a)} and ${order(b)}` : null
  }
  const sorted = (all: Map<string, string>) =>
    Array.from(all, ([key, value]) => `${key.replace(/^.*@/, '')} ${value}`)
      .sort()
      .join()
  if (/topk|bottomk/.test(query) && x.size === y.size && sorted(x) === sorted(y)) return 'tie'
  return `${faults.length} of ${x.size} samples: ${faults.slice(0, 3).join('; ')}`
}

function questions(queries: readonly string[]): Question[] {
  const seconds = (ms: number) => String((START_MS + ms) / 1000)
  return queries.flatMap((query): Question[] => [
    { path: 'query', parameters: { query, time: seconds(SPAN_MS * 0.6 + 1234) } },
    {
      path: 'query_range',
      parameters: { query, start: seconds(600_000), end: seconds(SPAN_MS + 600_000), step: '97' }
    }
  ])
}

async function main(): Promise<void> {
  const seed = Number(options.seed)
  const all = oracleSeries(seed, START_MS)
  const source = sourceOf(all)
  const random = new Random(seed)
  const sets: [string, string[]][] = [
    ['systematic', systematic()],
    ['random', Array.from({ length: Number(options.random) }, () => randomQuery(random, 1 + random.below(3)))]
  ]
  if (options.compliance !== undefined) sets.push(['compliance', compliance(options.compliance)])
  if (options.query !== undefined) sets.splice(0, sets.length, ['given', options.query])
  const count = all.reduce((sum, { times }) => sum + times.length, 0)
  console.log(`seed ${seed}: ${all.length} series, ${count} samples, data ${fingerprint(all)}`)
  const prometheus = await startPrometheus(all)
  let differing = 0
  try {
    for (const [name, queries] of sets) {
      const chosen = queries.filter(query => options.only === undefined || query.includes(options.only))
      let agree = 0
      let errors = 0
      let empty = 0
      let ties = 0
      let explained = 0
      let differ = 0
      for (const question of questions(chosen)) {
        const theirs = await askPrometheus(prometheus.url, question)
        const ours = askVarve(source, question)
        const found = difference(theirs, ours, question.parameters.query!)
        if (found === null) {
          agree++
          if (theirs.status === 'error') errors++
          else if (Array.isArray(theirs.data!.result) && theirs.data!.result.length === 0) empty++
        } else if (found === 'tie') ties++
        else if (found === 'explained') explained++
        else {
          differ++
          if (differ <= Number(options.show))
            console.log(`DIFFERS ${question.path} ${question.parameters.query}\n    ${found}`)
        }
      }
      differing += differ
      console.log(
        `${name}: ${chosen.length} queries asked twice, ${agree} agree (${errors} errors, ${empty} empty), ${ties} ties, ${explained} explained, ${differ} differ`
      )
    }
  } finally {
    prometheus.stop()
  }
  process.exitCode = differing === 0 ? 0 : 1
}

await main()

// Compares varve's PromQL with a real Prometheus on the same random data: starts it with its remote-write
// receiver, sends the samples, asks both the same queries, and prints what agrees and each difference.
//
//   node scripts/promql-oracle.ts [--seed=1] [--random=500] [--compliance=promql-test-queries.yml]
//                                 [--prometheus=prometheus] [--only=text | --query=expr ...] [--show=40] [--store]
//
// varve evaluates over arrays, or with --store in a daemon whose samples lie in segments, tiers and memory
// (oracle-store.ts); then range queries are asked on the windows of tiers too, and `tiers` counts answers that
// were read from some.
// varve is asked with the rules of Prometheus 2 (ranges closed at their start), since Debian's is 2.42.
// Numbers agree within 1e-9 relative; two errors agree when they are of one type. `ties` counts answers of
// topk and bottomk that differ only in which series of equal values stayed; `explained` counts answers that
// differ only where 2.42 is known to be off and later versions are not: see oracle-difference.ts. `unstable` counts
// random answers that differ only in samples which change as much with the order of the series and the 13th
// digit of the data: the last bit of a sum, made large by cos() of a huge number, or a tie in an inner topk().
// `proved` counts answers whose difference is proven to be rounding, made large (oracle-proof.ts).
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
import { type Answer, difference, type Found, isSame, STATUS, samples } from './oracle-difference.ts'
import { cutsOf, type RecordedSeries, RecordedSource } from './oracle-proof.ts'
import { compliance, randomQuery, systematic } from './oracle-queries.ts'
import { startStore } from './oracle-store.ts'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    random: { type: 'string', default: '500' },
    compliance: { type: 'string' },
    prometheus: { type: 'string', default: 'prometheus' },
    only: { type: 'string' },
    query: { type: 'string', multiple: true },
    show: { type: 'string', default: '40' },
    store: { type: 'boolean', default: false }
  }
})

const START_MS = 1_700_000_000_000
/** Of range queries on the windows of the store's tiers, s. */
const ALIGNED_S = 120

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

/** The samples as varve reads them, each multiplied by its factor. */
function sourceOf(all: readonly OracleSeries[], factor: (series: number) => number = () => 1): ArraySource {
  return new ArraySource(
    all.map(({ name, labels, times, values }, series) => {
      const numbers = new Float64Array(values.length)
      values.forEach((value, i) => {
        if (value === 'stale') numbers.set(STALE, i)
        else numbers[i] = value * factor(series)
      })
      return { name, labels, times: Float64Array.from(times, ms => ms * 1000), values: numbers }
    })
  )
}

interface Question {
  readonly path: 'query' | 'query_range'
  readonly parameters: Readonly<Record<string, string>>
}

async function askServer(url: string, { path, parameters }: Question): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(parameters)
  })
  return (await response.json()) as Answer
}

/** Asks a varve with the rules of Prometheus 2, and tells whether it read from tiers. */
async function askStore(url: string, question: Question): Promise<{ answer: Answer; isOfTiers: boolean }> {
  const parameters = { ...question.parameters, rules: '2', explain: '1' }
  const answer = await askServer(url, { ...question, parameters })
  const reads = answer.explain?.flatMap(selector => selector.reads) ?? []
  return { answer, isOfTiers: reads.some(({ from }) => from !== 'raw') }
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

function shuffled<T>(all: readonly T[], random: Random): T[] {
  return all
    .map(one => ({ one, place: random.unit() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one)
}

/** Whether our own answer for a sample changes with the order of the series and a part in 10^13 of the data. */
class Stability {
  private readonly bySample: readonly ArraySource[]
  private readonly bySeries: readonly ArraySource[]

  constructor(all: readonly OracleSeries[], random: Random) {
    const near = () => 1 + (random.unit() - 0.5) * 2e-13
    this.bySample = Array.from({ length: 4 }, () => sourceOf(shuffled(all, random), near))
    this.bySeries = Array.from({ length: 4 }, () => {
      const factors = all.map(near)
      return sourceOf(shuffled(all, random), series => factors[series]!)
    })
  }

  /** A test of the samples of one answer, by their keys of samples(), and of STATUS. */
  of(question: Question, ours: Answer): (key: string) => boolean {
    // What counts equal neighbours would change with any noise: there a series moves as a whole.
    const isExact = /resets|changes|[=!]=|count_values/.test(question.parameters.query!)
    const found = (answer: Answer) => {
      const isVector = answer.status === 'success' && Array.isArray(answer.data!.result)
      return (isVector ? samples(answer.data!.result as Found[]) : new Map<string, string>()).set(
        STATUS,
        answer.status
      )
    }
    const own = found(ours)
    const others = (isExact ? this.bySeries : this.bySample).map(source => found(askVarve(source, question)))
    return key =>
      others.some(other => {
        const [a, b] = [own.get(key), other.get(key)]
        return a === undefined || b === undefined ? a !== b : !isSame(a, b)
      })
  }
}

/** How often it is asked again whether Prometheus gives one answer only. */
const ASKED_AGAIN = 30

/**
 * Whether rounding alone makes the difference: Prometheus gives our answer too when it is asked again (it adds
 * series in the order of a map, and rate() takes a last digit less for a reset), or the query can be cut so that
 * both halves agree (oracle-proof.ts).
 */
async function isProved(
  url: string,
  question: Question,
  theirs: Answer,
  source: ArraySource,
  askOurs: (question: Question) => Promise<Answer>
): Promise<boolean> {
  const { query, time, start, end, step } = question.parameters as Record<string, string>
  const ours = await askOurs(question)
  for (let i = 0; i < ASKED_AGAIN; i++)
    if (difference(await askServer(url, question), ours, query!, null) === null) return true
  const instant = (s: string) => `@ ${Number(s).toFixed(3)}`
  const fixed = (text: string) =>
    text.replaceAll('@ start()', instant(start ?? time!)).replaceAll('@ end()', instant(end ?? time!))
  for (const { inner, outer, stepMs } of cutsOf(query!, DEFAULT_PROMQL_OPTIONS.subqueryStepUs / 1000)) {
    const grid =
      stepMs === null
        ? { start: start ?? time!, end: end ?? time!, step: step ?? '1' }
        : {
            start: String((Math.floor((START_MS - 3600_000) / stepMs) * stepMs) / 1000),
            end: String((START_MS + 2 * SPAN_MS) / 1000),
            step: String(stepMs / 1000)
          }
    const part: Question = { path: 'query_range', parameters: { query: fixed(inner), ...grid } }
    const recorded = await askServer(url, part)
    if (recorded.status !== 'success') continue
    const halves = difference(recorded, await askOurs(part), inner, null)
    if (halves !== null && halves !== 'explained' && halves !== 'tie') continue
    const count = Math.floor((Number(grid.end) - Number(grid.start)) / Number(grid.step) + 1e-9) + 1
    const [fromMs, stepOfMs] = [Math.round(Number(grid.start) * 1000), Math.round(Number(grid.step) * 1000)]
    const steps = Float64Array.from({ length: count }, (_, i) => (fromMs + i * stepOfMs) * 1000)
    const both = new RecordedSource(source.all, recorded.data!.result as RecordedSeries[], steps)
    const remade = askVarve(both, { ...question, parameters: { ...question.parameters, query: outer } })
    if (difference(theirs, remade, query!, null) === null) return true
  }
  return false
}

function questions(queries: readonly string[]): Question[] {
  const seconds = (ms: number) => String((START_MS + ms) / 1000)
  const aligned = (ms: number) => String(Math.ceil((START_MS + ms) / 1000 / ALIGNED_S) * ALIGNED_S)
  return queries.flatMap((query): Question[] => [
    ...(options.store
      ? [
          { path: 'query' as const, parameters: { query, time: aligned(SPAN_MS * 0.7) } },
          {
            path: 'query_range' as const,
            parameters: {
              query,
              start: aligned(300_000),
              end: aligned(SPAN_MS + 600_000),
              step: String(ALIGNED_S)
            }
          }
        ]
      : []),
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
  const stability = new Stability(all, new Random(seed + 1))
  const random = new Random(seed)
  const sets: [string, string[]][] = [
    ['systematic', systematic()],
    ['random', Array.from({ length: Number(options.random) }, () => randomQuery(random, 1 + random.below(3)))]
  ]
  if (options.compliance !== undefined) sets.push(['compliance', compliance(options.compliance)])
  if (options.query !== undefined) sets.splice(0, sets.length, ['given', options.query])
  const count = all.reduce((sum, { times }) => sum + times.length, 0)
  console.log(`seed ${seed}: ${all.length} series, ${count} samples, data ${fingerprint(all)}`)
  const dir = mkdtempSync(join(tmpdir(), 'promql-oracle-store-'))
  const store = options.store ? await startStore(dir, all, START_MS) : null
  if (store !== null) console.log(`varve: ${store.about}`)
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
      let unstable = 0
      let proved = 0
      let differ = 0
      let tiers = 0
      const asked = questions(chosen)
      for (const question of asked) {
        const theirs = await askServer(prometheus.url, question)
        const stored = store === null ? null : await askStore(store.url, question)
        const ours = stored?.answer ?? askVarve(source, question)
        if (stored?.isOfTiers) tiers++
        const isUnstable = name === 'random' ? () => stability.of(question, ours) : null
        let found = difference(theirs, ours, question.parameters.query!, isUnstable)
        const askOurs = async (one: Question) =>
          store === null ? askVarve(source, one) : (await askStore(store.url, one)).answer
        const isOpen = found !== null && !['tie', 'explained', 'unstable'].includes(found)
        if (isOpen && (await isProved(prometheus.url, question, theirs, source, askOurs))) found = 'proved'
        if (found === null) {
          agree++
          if (theirs.status === 'error') errors++
          else if (Array.isArray(theirs.data!.result) && theirs.data!.result.length === 0) empty++
        } else if (found === 'tie') ties++
        else if (found === 'explained') explained++
        else if (found === 'unstable') unstable++
        else if (found === 'proved') proved++
        else {
          differ++
          if (differ <= Number(options.show))
            console.log(`DIFFERS ${question.path} ${question.parameters.query}\n    ${found}`)
        }
      }
      differing += differ
      console.log(
        `${name}: ${chosen.length} queries asked ${asked.length / Math.max(1, chosen.length)} times, ${agree} agree (${errors} errors, ${empty} empty), ${ties} ties, ${explained} explained, ${unstable} unstable, ${proved} proved, ${differ} differ${store === null ? '' : `; ${tiers} from tiers`}`
      )
    }
  } finally {
    prometheus.stop()
    await store?.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  process.exitCode = differing === 0 ? 0 : 1
}

await main()

// Every function that claims to be answered from tiers, against the same question put to samples alone: PromQL,
// InfluxQL and quantiles of /v1, over gaps, resets, late samples, stale marks, NaN, infinities, strings, and
// samples at the very edges of windows and ranges.
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import type { Cell } from '../../src/query/answer.ts'
import { answer, evaluate } from '../../src/query/evaluate.ts'
import { readInfluxqlRequest } from '../../src/query/influxql/parameters.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { instantResult, rangeResult } from '../../src/query/promql/answer.ts'
import type { Result } from '../../src/query/promql/encode.ts'
import { Explain, type Reads } from '../../src/query/promql/explain.ts'
import { DEFAULT_PROMQL_OPTIONS } from '../../src/query/promql/parameters.ts'
import type { PromqlRangeRequest, RangeRequest, WindowRequest } from '../../src/query/request.ts'
import type { Value } from '../../src/series/sample.ts'
import type { SeriesSource } from '../../src/series/source.ts'
import { HOUR_US, MINUTE_US, START_US, TIERS } from '../kit/rollup-times.ts'
import { openReader, openWorld, temporaryDir, type World, write } from '../kit/rollup-world.ts'
import { seeds } from '../kit/seeds.ts'
import { STALE } from '../promql/array-source.ts'

/** Those of PromQL that tiers answer. */
const FUNCTIONS = [
  'absent_over_time',
  'avg_over_time',
  'count_over_time',
  'delta',
  'first_over_time',
  'increase',
  'last_over_time',
  'max_over_time',
  'min_over_time',
  'present_over_time',
  'rate',
  'sum_over_time',
  'ts_of_first_over_time',
  'ts_of_last_over_time'
]
/** Fields whose sums and changes are exact in any order, so that every answer is equal to the bit. */
const EXACT = ['exact', 'counter', 'on', 'odd', 'state', 'mixed']
const FIELDS = [...EXACT, 'decimal']
const HOURS = 8

function oddValue(random: Random): number {
  return random.pick([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    STALE[0]!,
    STALE[0]!,
    -0,
    0,
    random.below(100) / 4,
    random.below(100) / 4,
    random.below(100) / 4
  ])
}

class Devices {
  private readonly random: Random
  private readonly counters = [0, 0, 0]

  constructor(random: Random) {
    this.random = random
  }

  /** Rows of three devices; about a third of their times are edges of windows. */
  write(world: World, count: number, fromUs: number, toUs: number): void {
    const { random, counters } = this
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const timeUs = fromUs + random.below((toUs - fromUs) / 1e3) * 1e3
      const edgeUs = random.pick([MINUTE_US, 5 * MINUTE_US, HOUR_US])
      times.push(random.chance(0.35) ? Math.floor(timeUs / edgeUs) * edgeUs : timeUs)
    }
    for (const timeUs of times.sort((a, b) => a - b)) {
      const device = random.below(3)
      counters[device] = random.chance(0.02) ? random.below(5) : counters[device]! + random.below(20)
      const values: Record<string, Value> = {
        exact: (random.below(2001) - 1000) / 8,
        counter: counters[device]!,
        decimal: random.below(10_000) / 10 - 300,
        odd: oddValue(random),
        on: random.chance(0.5),
        mixed: random.chance(0.1) ? 'unavailable' : random.below(50),
        ...(random.chance(0.3) ? { huge: (random.below(20) - 10) * 1e307 } : {}),
        ...(random.chance(0.5) ? { state: random.pick(['idle', 'busy']) } : {})
      }
      write(world, device, timeUs, values, 'room')
    }
  }
}

/** Lives through some hours with flushes, rollups and late rows; asks after each. */
async function live(t: Test, seed: number, ask: (world: World, random: Random, nowUs: number) => void) {
  const random = new Random(seed)
  const tiers = [...TIERS, { ...TIERS[1]!, name: '2h', stepUs: 2 * HOUR_US }]
  const world = await openWorld(temporaryDir(t), START_US, Number.POSITIVE_INFINITY, tiers)
  const devices = new Devices(random)
  for (let hour = 2; hour <= HOURS; hour += 2) {
    const nowUs = START_US + hour * HOUR_US
    world.nowUs = nowUs + random.below(10) * MINUTE_US
    devices.write(world, 400, nowUs - 2 * HOUR_US, nowUs - (random.chance(0.5) ? 0 : 40 * MINUTE_US))
    if (random.chance(0.5)) await world.storage.series.flush()
    if (random.chance(0.9)) await world.maintenance.rollup(random.chance(0.7) ? tiers : tiers.slice(0, 2))
    if (random.chance(0.5)) devices.write(world, 6, START_US, nowUs)
    if (random.chance(0.5)) await world.maintenance.rollup(tiers)
    if (random.chance(0.2)) devices.write(world, 3, START_US, nowUs)
    ask(world, random, nowUs)
  }
  await world.storage.close()
}

function anyQuery(random: Random, nowUs: number): PromqlRangeRequest {
  const name = random.pick(FUNCTIONS)
  const field = random.pick([...FIELDS, 'huge'])
  const range = random.pick(['1m', '2m', '5m', '90s', '1h', '2h', '3h', '1d', '61m'])
  const offset = random.pick([
    '',
    '',
    '',
    ' offset 1h',
    ' offset 90s',
    ` @ ${(START_US + 3 * HOUR_US) / 1e6}`
  ])
  const align = random.pick([HOUR_US, HOUR_US, MINUTE_US, 1000])
  const anyUs = START_US + random.below((nowUs - START_US) / 1000) * 1000
  const startUs = Math.floor(anyUs / align) * align
  const steps = random.pick([1, 1, 3, 30])
  const stepUs = random.pick([MINUTE_US, HOUR_US, 2 * HOUR_US, 7 * MINUTE_US, 15e6])
  return {
    kind: 'promql-range',
    query: `${name}(room_${field}[${range}]${offset})`,
    startUs,
    endUs: startUs + (steps - 1) * stepUs,
    stepUs,
    lookbackUs: DEFAULT_PROMQL_OPTIONS.lookbackUs,
    subqueryStepUs: DEFAULT_PROMQL_OPTIONS.subqueryStepUs,
    rules: random.pick(['2', '3', '3']),
    secondsMax: null,
    limit: null,
    tier: 'auto',
    explain: true
  }
}

function budget(): Budget {
  return new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false)
}

function evaluated(source: SeriesSource, request: PromqlRangeRequest, explain = new Explain()): Result {
  if (request.startUs < request.endUs) return rangeResult(source, request, budget(), explain)
  const { startUs, ...rest } = request
  return instantResult(source, { ...rest, kind: 'promql-instant', timeUs: startUs }, budget(), explain)
}

/** The values by series and step; NaN as text, since its bits mean nothing. */
function valuesOf(result: Result): Map<string, number> {
  const found = new Map<string, number>()
  if (result.is !== 'vector' && result.is !== 'matrix') throw new Error(result.is)
  for (const { labels, values, present } of result.series) {
    for (let i = 0; i < values.length; i++) if (present[i] === 1) found.set(`${labels} ${i}`, values[i]!)
  }
  return found
}

function readFromTiers(explain: Explain): number {
  const logs = explain.toJSON() as { reads: Reads[] }[]
  return logs.flatMap(({ reads }) => reads).reduce((sum, { windows }) => sum + windows, 0)
}

t.test('PromQL says from tiers what it says from samples, for every function that claims it', async t => {
  const answered = new Map<string, number>()
  for (const seed of seeds(3)) {
    await live(t, seed, (world, random, nowUs) => {
      const [source, raw] = [openReader(world), openReader(world, false)]
      for (let i = 0; i < 80; i++) {
        const request = anyQuery(random, nowUs)
        const explain = new Explain()
        const found = valuesOf(evaluated(source, request, explain))
        const due = valuesOf(evaluated(raw, request))
        const isExact = EXACT.some(field => request.query.includes(`room_${field}[`))
        const name = request.query.split('(')[0]!
        const same = [...due].every(([place, value]) => {
          const other = found.get(place)
          return (
            Object.is(other, value) || (!isExact && Math.abs(other! - value) <= 1e-9 * Math.abs(value) + 1e-9)
          )
        })
        if (!same || due.size !== found.size) {
          const message = `VARVE_SEED=${seed} ${JSON.stringify(request)}`
          t.same([...found].sort(), [...due].sort(), message)
        }
        if (due.size > 0) answered.set(name, (answered.get(name) ?? 0) + readFromTiers(explain))
      }
      source.close()
      raw.close()
    })
  }
  for (const name of FUNCTIONS) {
    if (name === 'absent_over_time') continue
    t.ok((answered.get(name) ?? 0) > 50, `${name} read ${answered.get(name)} windows of tiers`)
  }
})

function influx(source: SeriesSource, q: string, nowUs: number): string {
  const request = readInfluxqlRequest(new Map([['q', [q]]]), nowUs, () => ['varve'])
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  return Buffer.concat([...answer(source, request, context)]).toString()
}

/** Numbers of a JSON text cut to 12 digits, which is what sums of decimals agree in. */
function rounded(json: string): string {
  return json.replaceAll(/-?\d+\.\d{6,}(?:e[-+]\d+)?/g, text => String(Number(Number(text).toPrecision(12))))
}

t.test('InfluxQL says from tiers what it says from samples', async t => {
  const functions = ['count', 'sum', 'mean', 'min', 'max', 'spread', 'first', 'last', 'median', 'stddev']
  let windows = 0
  for (const seed of seeds(3)) {
    await live(t, seed, (world, random, nowUs) => {
      const [source, raw] = [openReader(world), openReader(world, false)]
      for (const tier of source.tiers) {
        const read = tier.windows.bind(tier)
        tier.windows = function* (...rest) {
          for (const window of read(...rest)) {
            windows++
            yield window
          }
        }
      }
      for (let i = 0; i < 30; i++) {
        const calls = Array.from({ length: 1 + random.below(2) }, () => {
          const call = `${random.pick(functions)}(${random.pick(FIELDS)})`
          return random.chance(0.1) ? `difference(${call.replace('count', 'mean')})` : call
        })
        const step = random.pick(['1h', '2h', '5m', '90s', '30m', '3h'])
        const offset = random.pick(['', '', ', 30m', ', 7s'])
        const from = Math.floor(START_US / 1e6) + random.pick([0, 3600, random.below(9000)])
        const to = from + random.pick([3600, 7200, 10_000, 21_600])
        const by =
          random.chance(0.8) || calls.some(call => call.startsWith('d')) ? `time(${step}${offset})` : ''
        const groupBy = by === '' ? 'GROUP BY topic' : `GROUP BY ${by}${random.pick([', topic', ''])}`
        const zone = random.chance(0.15) ? " tz('Asia/Kathmandu')" : ''
        const end = random.pick(['<', '<='])
        const order = by !== '' && random.chance(0.2) ? ' ORDER BY time DESC' : ''
        const q = `SELECT ${calls.join()} FROM room WHERE time >= ${from}s AND time ${end} ${to}s ${groupBy}${order}${zone}`
        t.equal(rounded(influx(source, q, nowUs)), rounded(influx(raw, q, nowUs)), `VARVE_SEED=${seed} ${q}`)
      }
      source.close()
      raw.close()
    })
  }
  t.ok(windows > 1000, `${windows} windows of tiers`)
})

/** What /v1 is asked of a field, from the first sample to an hour from now. */
function rangeOf(field: string, nowUs: number, windows: WindowRequest): RangeRequest {
  return {
    kind: 'range',
    select: { selectors: [[{ name: '__name__', op: '=', value: `room_${field}` }]], topic: null },
    format: 'json',
    time: 'us',
    limit: null,
    fromUs: START_US,
    toUs: nowUs + HOUR_US,
    order: 'asc',
    windows
  }
}

/** The cells of an answer of /v1 by series and time. */
function rowsOf(source: SeriesSource, request: RangeRequest): Map<string, Cell[]> {
  const found = new Map<string, Cell[]>()
  const answer = evaluate(source, request, budget())
  if (answer.is !== 'rows') throw new Error(answer.is)
  for (const { name, labels, rows } of answer.parts)
    for (const { timeUs, cells } of rows) found.set(`${name} ${labels} ${timeUs}`, [...cells])
  return found
}

t.test('/v1 says from tiers what it says from samples', async t => {
  let fromTiers = 0
  for (const seed of seeds(3)) {
    await live(t, seed, (world, random, nowUs) => {
      const [source, raw] = [openReader(world), openReader(world, false)]
      for (const field of EXACT) {
        const stepUs = random.pick([MINUTE_US, 5 * MINUTE_US, HOUR_US, 2 * HOUR_US])
        const by = random.pick([null, []])
        const functions = random.pick([
          ['count'],
          ['sum', 'avg'],
          ['min', 'max'],
          ['count', 'sum', 'min', 'max', 'avg'],
          ['first', 'last', 'sum']
        ] as const)
        const asked = (explain: boolean) =>
          rangeOf(field, nowUs, { stepUs, functions, by, tier: 'auto', explain })
        // Which of two series has the first of two samples of one time is told by neither.
        if (by !== null && functions.some(fn => fn === 'first')) continue
        for (const [key, cells] of rowsOf(source, asked(true)))
          if (!key.startsWith('raw')) fromTiers += cells[3] as number
        const what = `VARVE_SEED=${seed} ${functions} of ${field} by ${stepUs / MINUTE_US} min`
        t.same([...rowsOf(source, asked(false))], [...rowsOf(raw, asked(false))], what)
      }
      source.close()
      raw.close()
    })
  }
  t.ok(fromTiers > 1000, `${fromTiers} windows of tiers`)
})

t.test('fn=p50 keeps the error that its tier promises, and says raw exactly', async t => {
  let fromTiers = 0
  for (const seed of seeds(2)) {
    await live(t, seed, (world, random, nowUs) => {
      const [source, raw] = [openReader(world), openReader(world, false)]
      const functions = ['p0', 'p5', 'p50', 'p99.9', 'p100', 'count', 'min', 'max'] as const
      for (const field of ['counter', 'on', 'odd', 'mixed', 'exact']) {
        const stepUs = random.pick([HOUR_US, 2 * HOUR_US])
        const request = (explain: boolean) =>
          rangeOf(field, nowUs, { stepUs, functions, by: null, tier: 'auto', explain })
        const asked = request(false)
        const [found, due] = [rowsOf(source, asked), rowsOf(raw, asked)]
        for (const [key, cells] of rowsOf(source, request(true))) {
          if (!key.startsWith('raw')) fromTiers += cells[3] as number
        }
        t.same([...found.keys()], [...due.keys()], `VARVE_SEED=${seed} ${field}`)
        for (const [key, cells] of due) {
          const others = found.get(key)!
          const [min, max] = cells.slice(6) as [number, number]
          const errorMax = 0.01 * Math.max(Math.abs(min), Math.abs(max)) * (1 + 1e-9)
          const isNear = (i: number) => {
            const [value, other] = [cells[i] as number, others[i] as number]
            const isEnd = i === 0 || i >= 4
            return Object.is(value, other) || (!isEnd && Math.abs(value - other) <= errorMax)
          }
          if (!cells.every((_, i) => isNear(i))) t.same(others, cells, `VARVE_SEED=${seed} ${key}`)
        }
      }
      source.close()
      raw.close()
    })
  }
  t.ok(fromTiers > 100, `${fromTiers} windows of tiers`)
})

// Queries that are wrong, too large or meant to hurt: each gets Prometheus' error shape in bounded time, others
// are answered meanwhile, and a client that goes takes its query with it.
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { usage } from '../../scripts/bench-peers.ts'
import { ask, type Varve } from '../../scripts/varve-process.ts'
import { serve, temporary, write } from './daemon.ts'

interface Refusal {
  readonly status: string
  readonly errorType: string
  readonly error: string
}

const START_S = 1_700_000_000
const SERIES = 3000
/** Sorts hundreds of values at each of thousands of steps: what only a limit or the client's going ends. */
const ENDLESS = 'sum(quantile_over_time(0.5, n{id=~"..."}[1h:1s]))'
const RANGE = { start: String(START_S), end: String(START_S + 7200), step: '1' }

async function filled(t: Parameters<typeof serve>[0], ...flags: string[]): Promise<Varve> {
  const varve = await serve(t, temporary(t), ...flags)
  const lines = Array.from({ length: SERIES * 2 }, (_, i) => `n,id=${i % SERIES} value=${i} ${START_S + i}`)
  t.same(await write(varve, lines.join('\n'), '?precision=s'), [204, ''])
  return varve
}

/** Status and body of an API path, and the CPU seconds that the daemon took, however busy the machine is. */
async function refused(varve: Varve, path: string, parameters: Record<string, string>) {
  const before = usage(varve.pid).cpuS
  const reply = await fetch(`${varve.httpUrl}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const body = (await reply.json()) as Refusal
  return { status: reply.status, body, seconds: usage(varve.pid).cpuS - before }
}

t.test('bad queries are refused in Prometheus’ shape, soon, and hurt nobody', async t => {
  const varve = await filled(t, '--query.time_max', '2s', '--query.series_max', '1000')
  const at = { time: String(START_S + SERIES) }
  const few = 'n{id=~"1.."}'
  const bomb = `${'('.repeat(60)}a${')*'.repeat(60)}b`
  const deep = `${'-'.repeat(20_000)}1`
  const cases: [what: string, path: string, Record<string, string>, status: number, type: string, RegExp][] =
    [
      ['a syntax error', 'query', { query: 'sum(' }, 400, 'bad_data', /parse error/],
      ['an unknown function', 'query', { query: 'nonsense(n)' }, 400, 'bad_data', /unknown function/],
      [
        'too many steps',
        'query_range',
        { query: few, ...RANGE, end: '9e9' },
        400,
        'bad_data',
        /exceeded maximum/
      ],
      ['a time that is none', 'query', { query: few, time: 'soon' }, 400, 'bad_data', /"time"/],
      ['too many series', 'query', { query: 'n', ...at }, 422, 'execution', /more than 1000/],
      [
        'series by a regular expression',
        'query',
        { query: '{id=~".+"}', ...at },
        422,
        'execution',
        /more than 1000/
      ],
      ['a huge repeat', 'query', { query: 'n{id=~"(a{1000}){1000}"}', ...at }, 400, 'bad_data', /./],
      ['a deep tree', 'query', { query: deep }, 400, 'bad_data', /./],
      [
        'a subquery of years by the second',
        'query',
        { query: `sum(rate(${few}[5y:1s]))`, ...at },
        422,
        'execution',
        /memory/
      ],
      ['more work than time', 'query_range', { query: ENDLESS, ...RANGE }, 503, 'timeout', /longer than 2 s/]
    ]
  for (const [what, path, parameters, status, type, error] of cases) {
    const found = await refused(varve, path, parameters)
    t.equal(found.status, status, `${what}: ${JSON.stringify(found.body).slice(0, 200)}`)
    t.match(found.body, { status: 'error', errorType: type, error }, what)
    t.ok(found.seconds < 10, `${what} took ${found.seconds} s of CPU`)
  }
  const nested = await refused(varve, 'query', { query: `n{id=~"${bomb}"}`, ...at })
  t.equal(nested.status, 200, 'a pattern that takes others exponential time matches nothing, soon')
  t.ok(nested.seconds < 10, `${nested.seconds} s of CPU`)
  t.ok(usage(varve.pid).rssPeakMb < 600, `${usage(varve.pid).rssPeakMb} MB at most`)
})

t.test('a query that does not end lets others be answered', async t => {
  const varve = await filled(t, '--query.time_max', '10m')
  const before = usage(varve.pid).cpuS
  let isSlowThere = false
  const request = get(
    `${varve.httpUrl}/api/v1/query_range?${new URLSearchParams({ query: ENDLESS, ...RANGE })}`
  )
  for (const event of ['response', 'error'])
    request.on(event, () => {
      isSlowThere = true
    })
  while (usage(varve.pid).cpuS - before < 0.5) await sleep(20)
  const { series } = await ask<{ series: unknown[] }>(varve, '/v1/last?match=n{id="7"}')
  t.equal(series.length, 1)
  t.notOk(isSlowThere, 'another query is answered meanwhile')
  t.equal((await ask<{ queries_open: number }>(varve, '/v1/status')).queries_open, 1)
  request.destroy()
})

t.test('a client that goes ends its query in the worker', async t => {
  const varve = await filled(t, '--query.time_max', '10m', '--query.concurrency', '1')
  const query = new URLSearchParams({ query: ENDLESS, ...RANGE })
  const before = usage(varve.pid).cpuS
  const request = get(`${varve.httpUrl}/api/v1/query_range?${query}`)
  request.on('error', () => {})
  while (usage(varve.pid).cpuS - before < 1) await sleep(50)
  t.equal((await ask<{ queries_open: number }>(varve, '/v1/status')).queries_open, 1)
  request.destroy()
  // There is one worker: this is answered when it is free.
  const { series } = await ask<{ series: unknown[] }>(varve, '/v1/last?match=n{id="7"}')
  t.equal(series.length, 1)
  t.equal((await ask<{ queries_open: number }>(varve, '/v1/status')).queries_open, 0)
})

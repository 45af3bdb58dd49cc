// Whether memory.max holds: what the daemon has resident beyond an empty one, every second, under
//
//   steady  10,000 active series (2,000 devices of five fields) at 10,000 samples/s
//   many    100,000 series (as many topics of one value each) at 20,000 samples/s
//   flood   1,000,000 distinct topics as fast as they are taken, against series.max of 100,000
//
// while a range query runs every five seconds and one over everything each minute. Each load has a daemon of
// its own; the runtime is what the same daemon has resident before anything is sent. At the end everything
// that was acknowledged is counted by a query.
//
//   node scripts/soak-memory.ts [--only steady,many,flood] [--minutes 20] [--topics 1000000]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]
//
// --minutes is for `steady`; `many` runs a quarter of it. Linux only: /proc tells.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChartPoint, lineChart } from '../src/cli/chart.ts'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { runSoakLoad, type SoakLoadOptions, type SoakOutcome } from './soak-load.ts'
import { ask, metric, startVarve, type Varve } from './varve-process.ts'

const mib = 2 ** 20
const settleMs = 5_000
/** Until the thread that waits for a first query has ended: it is no part of an empty daemon. */
const emptyMs = 35_000
const names = ['steady', 'many', 'flood'] as const
const bench = benchArguments(names, ['minutes', 'topics'])
const minutes = bench.number('minutes', 20)

const loads: Readonly<Record<(typeof names)[number], Omit<SoakLoadOptions, 'port'>>> = {
  steady: { topics: 2_000, fields: 5, rate: 2_000, seconds: minutes * 60 },
  many: { topics: 100_000, fields: 1, rate: 20_000, seconds: minutes * 15 },
  flood: { topics: bench.number('topics', 1e6), fields: 1, messages: bench.number('topics', 1e6) }
}

interface Moment {
  readonly ms: number
  readonly rss: number
  /** Of the main thread, from /v1/status. */
  readonly heap: number
  readonly parts: Readonly<Record<string, number>>
}

interface StatusMemory {
  readonly memory: {
    readonly max_bytes: number
    readonly heap_bytes: number
    readonly parts: Readonly<Record<string, number>>
  }
}

function procBytes(pid: number, file: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))
  if (found === null) throw new Error(`Cannot find ${name} in /proc/${pid}/${file}`)
  return Number(found[1]) * 1024
}

/** Looks every second until told to stop. */
async function watch(varve: Varve, moments: Moment[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { memory } = await ask<StatusMemory>(varve, '/v1/status')
    moments.push({
      ms: Date.now(),
      rss: procBytes(varve.pid, 'status', 'VmRSS'),
      heap: memory.heap_bytes,
      parts: memory.parts
    })
    await sleep(1000)
  }
}

/** What dashboards ask every five seconds, and what a report asks each minute. Returns how many were answered. */
async function keepAsking(varve: Varve, signal: AbortSignal): Promise<number> {
  let answered = 0
  for (let turn = 1; !signal.aborted; turn++) {
    const path =
      turn % 12 === 0
        ? '/v1/range?from=-1h&step=1m&fn=avg,max&by=topic&topic=soak/site1/%23'
        : '/v1/range?from=-10m&step=10s&fn=avg&topic=soak/site7/device7/telemetry'
    await ask(varve, path)
    if (turn % 12 === 0) await countSite(varve, turn % 100)
    answered++
    for (let waited = 0; waited < 5_000 && !signal.aborted; waited += 250) await sleep(250)
  }
  return answered
}

async function soak(name: (typeof names)[number]): Promise<void> {
  const { program, dir, flags } = bench
  const varve = await startVarve({ program, dataDir: join(dir, name), flags })
  await sleep(emptyMs)
  const idle = procBytes(varve.pid, 'status', 'VmRSS')
  const moments: Moment[] = []
  const end = new AbortController()
  const background = Promise.all([watch(varve, moments, end.signal), keepAsking(varve, end.signal)])
  background.catch(() => {})
  const outcome = await runSoakLoad({ port: varve.mqttPort, ...loads[name] })
  await sleep(settleMs)
  end.abort()
  const [, queries] = await background
  const { memory } = await ask<StatusMemory>(varve, '/v1/status')
  const peak = moments.reduce((most, one) => (one.rss > most.rss ? one : most))
  const points = moments.map(({ ms, rss }): ChartPoint => [ms, (rss - idle) / mib])
  console.log(
    `\n${lineChart(`${name}: MiB beyond the empty daemon's ${round(idle / mib)} MiB`, points, 100)}`
  )
  printTable([
    {
      load: name,
      'messages sent': outcome.sent,
      stored: outcome.stored,
      'longest ack ms': round(outcome.ackMsMax),
      seconds: round(outcome.seconds),
      'idle MiB': round(idle / mib),
      'peak MiB': round(peak.rss / mib),
      'last MiB': round(moments.at(-1)!.rss / mib),
      'last PSS MiB': round(procBytes(varve.pid, 'smaps_rollup', 'Pss') / mib),
      'shared MiB': round(procBytes(varve.pid, 'status', 'RssShmem') / mib),
      queries
    }
  ])
  const parts = Object.entries(peak.parts).map(([part, bytes]) => `${part} ${round(bytes / mib)}`)
  console.log(`at the peak, MiB: heap of the main thread ${round(peak.heap / mib)}, ${parts.join(', ')}`)
  judge(`${name}: MiB beyond the runtime`, (peak.rss - idle) / mib, '<=', memory.max_bytes / mib, 'MiB')
  await judgeKept(name, varve, outcome)
  await varve.stop()
}

/** Samples of one of the hundred sites that topics are dealt out to: a query has a bound on its series. */
async function countSite(varve: Varve, site: number): Promise<number> {
  const { series } = await ask<{ series: { rows: [number, number][] }[] }>(
    varve,
    `/v1/range?step=1000d&fn=count&by=&topic=soak/site${site}/%23`
  )
  return series.flatMap(({ rows }) => rows).reduce((sum, [, count]) => sum + count, 0)
}

async function countAll(varve: Varve): Promise<number> {
  let sum = 0
  for (let site = 0; site < 100; site++) sum += await countSite(varve, site)
  return sum
}

/** Whatever was acknowledged is a sample or, where series.max was met, a dead letter. */
async function judgeKept(name: string, varve: Varve, { sent, stored, fault }: SoakOutcome): Promise<void> {
  const { fields } = loads[name as keyof typeof loads]
  const text = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  const dead = metric(text, 'varve_dead_letters_total', 'code="series_limit"')
  const found = (await countAll(varve)) / fields + dead
  if (fault !== null) console.log(`the load ended early: ${fault}`)
  judge(`${name}: messages found that were acknowledged`, found - stored, '>=', 0)
  judge(`${name}: messages found that were never sent`, found - sent, '<=', 0)
  judge(`${name}: load ended early`, fault === null ? 0 : 1, '<=', 0)
}

printHead('soak: memory', {
  bounds: ['resident beyond an empty daemon at most memory.max; everything acknowledged is found'],
  workload: `steady ${minutes} min, many ${minutes / 4} min, flood of ${loads.flood.messages} topics`
})
for (const name of bench.names) await soak(name)

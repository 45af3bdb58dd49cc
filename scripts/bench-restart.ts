// From the start of the process to the first answered query, after SIGKILL, with a long history on disk and
// a WAL that holds whatever was not flushed. The history is written once; then each store is killed and
// started several times. The WAL is filled anew before each kill. varve is measured with several lengths of
// history, one directory that grows, to show that the start does not depend on it, and with its phases: the
// program alone (`varve version`), until it is ready, until the answer.
//
//   node scripts/bench-restart.ts [--histories 10000000,20000000,100000000] [--wal 500000] [--times 5]
//                                 [--only varve,influxdb,victoria-metrics] [--program source|binary] [--dir DIR]
//                                 [--varve "--flag value"]
// Peers are measured with the history of 20 M samples, or the longest below it.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, installed, Poster, type StoreName, startStore, usage } from './bench-peers.ts'
import { judge, median, printHead, printTable, round } from './bench-report.ts'
import { programs } from './varve-process.ts'
import { lineBodies, standard } from './workload.ts'

const boundS = 0.5
const boundHistory = 20e6
const boundGrowth = 1.2
const known: readonly StoreName[] = ['varve', 'victoria-metrics', 'influxdb']
const { names, program, flags, dir, number, text } = benchArguments(known, ['wal', 'times'], ['histories'])
const [wal, times] = [number('wal', 500_000), number('times', 5)]
const histories = (text('histories') ?? '10000000,20000000,100000000').split(',').map(Number)

printHead('bench-restart: SIGKILL to first answered query', {
  workload: `${histories.map(round).join(', then ')} samples stored, ${round(wal)} more before each of ${times} kills, ${standard.devices} devices x 5 fields`,
  bounds: [
    `varve: under ${boundS} s with ${round(boundHistory)} samples, the slowest of all restarts`,
    `varve: the median with the longest history at most ${boundGrowth} times that with the shortest`
  ]
})

const roundsOf = (count: number) => Math.ceil(count / 5 / standard.devices)
const perKill = (roundsOf(wal) + 60) * standard.roundMs
const longest = roundsOf(Math.max(...histories)) * standard.roundMs + histories.length * times * perKill
const startMs = Date.now() - longest - 600_000

type Running = Awaited<ReturnType<typeof startStore>>

/** Writes on two connections; waits where a store says that it cannot keep up (503), as its clients do. */
async function write(store: Running, fromMs: number, count: number) {
  const poster = new Poster(store, 2)
  const bodies = lineBodies({ ...standard, startMs: fromMs }, count, 5000)[Symbol.iterator]()
  const connection = async () => {
    for (let next = bodies.next(); !next.done; next = bodies.next()) {
      for (let isTaken = false; !isTaken; ) {
        isTaken = await poster.post(next.value.bytes).then(
          () => true,
          async error => {
            if (!String(error).includes('answers 503')) throw error
            await sleep(200)
            return false
          }
        )
      }
    }
  }
  await Promise.all([connection(), connection()])
  poster.close()
}

/** Asks until there is an answer that holds a value. @throws after a minute */
async function firstAnswer(url: string): Promise<void> {
  for (const until = performance.now() + 60_000; performance.now() < until; ) {
    try {
      const reply = await fetch(url)
      const body = await reply.text()
      if (reply.ok && /"value"|"values"/.test(body)) return
    } catch {
      // Not listening yet.
    }
    await sleep(2)
  }
  throw new Error(`Cannot measure: no value from ${url} within a minute`)
}

/** One restart: seconds until it was ready, and until the answer; CPU seconds it took by then. */
interface Restart {
  readonly readyS: number
  readonly answerS: number
  readonly cpuS: number
}

const rows: Record<string, string | number>[] = []
const mediansS: number[] = []

async function measure(name: StoreName, place: string, lengths: readonly number[]): Promise<void> {
  let store = await startStore(name, place, { program, flags })
  let atMs = startMs
  let stored = 0
  for (const length of lengths) {
    await write(store, atMs, length - stored)
    atMs += roundsOf(length - stored) * standard.roundMs
    stored = length
    // VictoriaMetrics acknowledges what it has in memory only, and would have nothing to answer with.
    if (name === 'victoria-metrics') await sleep(15_000)
    const restarts: Restart[] = []
    for (let i = 0; i < times; i++) {
      await write(store, atMs, wal)
      atMs += perKill
      await store.stop('SIGKILL')
      const started = performance.now()
      store = await startStore(name, place, { program, flags })
      const readyS = (performance.now() - started) / 1000
      await firstAnswer(`${store.httpUrl}${store.lastPath}`)
      const answerS = (performance.now() - started) / 1000
      restarts.push({ readyS, answerS, cpuS: usage(store.pid).cpuS })
    }
    report(name, place, length, restarts)
  }
  await store.stop()
}

function report(name: StoreName, place: string, length: number, restarts: readonly Restart[]): void {
  const answersS = restarts.map(({ answerS }) => answerS)
  const { data, aside } = directoryBytes(name, place)
  rows.push({
    store: name,
    samples: round(length),
    'median s': round(median(answersS)),
    'slowest s': round(Math.max(...answersS)),
    'ready s': round(median(restarts.map(({ readyS }) => readyS))),
    'CPU s': round(median(restarts.map(({ cpuS }) => cpuS))),
    'data MB': round(data / 1e6),
    'aside MB': round(aside / 1e6)
  })
  if (name !== 'varve') return
  mediansS.push(median(answersS))
  if (length === boundHistory) judge('varve slowest restart', Math.max(...answersS), '<=', boundS, ' s')
}

/** How long the program takes to say its version, seconds. */
function programS(): number {
  const [command, ...before] = programs[program]
  const tookS = Array.from({ length: times }, () => {
    const started = performance.now()
    execFileSync(command, [...before, 'version'])
    return (performance.now() - started) / 1000
  })
  return median(tookS)
}

for (const name of installed(names)) {
  const upTo = Math.max(...histories.filter(length => length <= boundHistory), histories[0]!)
  await measure(name, join(dir, name), name === 'varve' ? histories : [upTo])
  if (name !== 'varve') continue
  console.log(`      of it the program alone: ${round(programS())} s (median of \`varve version\`)`)
  if (histories.length > 1)
    judge('varve median, longest / shortest history', mediansS.at(-1)! / mediansS[0]!, '<=', boundGrowth)
}
printTable(rows)

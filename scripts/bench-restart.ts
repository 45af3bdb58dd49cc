// From the start of the process to the first answered query, after SIGKILL, with a long history on disk and
// a WAL that holds whatever was not flushed. The history is written once; then each store is killed and
// started several times. The WAL is filled anew before each kill.
//
//   node scripts/bench-restart.ts [--samples 20000000] [--wal 500000] [--times 5] [--only varve,influxdb,victoria-metrics]
//                                 [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, installed, Poster, type StoreName, startStore } from './bench-peers.ts'
import { judge, median, printHead, printTable, round } from './bench-report.ts'
import { lineBodies, standard } from './workload.ts'

const boundS = 1
const known: readonly StoreName[] = ['varve', 'victoria-metrics', 'influxdb']
const { names, program, flags, dir, number } = benchArguments(known, ['samples', 'wal', 'times'])
const [samples, wal, times] = [number('samples', 20e6), number('wal', 500_000), number('times', 5)]

printHead('bench-restart: SIGKILL to first answered query', {
  workload: `${round(samples)} samples stored, ${round(wal)} more before each of ${times} kills, ${standard.devices} devices x 5 fields`,
  bounds: [`varve: under ${boundS} s, the slowest of all restarts`]
})

const roundsOf = (count: number) => Math.ceil(count / 5 / standard.devices)
const rounds = roundsOf(samples) + times * (roundsOf(wal) + 60)
const startMs = Date.now() - (rounds + 60) * standard.roundMs

async function write(store: Awaited<ReturnType<typeof startStore>>, fromMs: number, count: number) {
  const poster = new Poster(store, 2)
  await poster.postAll(lineBodies({ ...standard, startMs: fromMs }, count, 5000), 2)
  poster.close()
}

/** Asks until there is an answer that holds a value; returns its text. @throws after a minute */
async function firstAnswer(url: string): Promise<string> {
  for (const until = performance.now() + 60_000; performance.now() < until; ) {
    try {
      const reply = await fetch(url)
      const text = await reply.text()
      if (reply.ok && /"value"|"values"/.test(text)) return text
    } catch {
      // Not listening yet.
    }
    await sleep(2)
  }
  throw new Error(`Cannot measure: no value from ${url} within a minute`)
}

const rows = []
for (const name of installed(names)) {
  const place = join(dir, name)
  let store = await startStore(name, place, { program, flags })
  await write(store, startMs, samples)
  // VictoriaMetrics acknowledges what it has in memory only, and would have nothing to answer with.
  if (name === 'victoria-metrics') await sleep(15_000)
  const tookS: number[] = []
  let atMs = startMs + roundsOf(samples) * standard.roundMs
  for (let i = 0; i < times; i++) {
    await write(store, atMs, wal)
    atMs += (roundsOf(wal) + 60) * standard.roundMs
    await store.stop('SIGKILL')
    const started = performance.now()
    store = await startStore(name, place, { program, flags })
    await firstAnswer(`${store.httpUrl}${store.lastPath}`)
    tookS.push((performance.now() - started) / 1000)
  }
  await store.stop()
  const { data, aside } = directoryBytes(name, place)
  rows.push({
    store: name,
    'median s': round(median(tookS)),
    'slowest s': round(Math.max(...tookS)),
    'data MB': round(data / 1e6),
    'aside MB': round(aside / 1e6)
  })
  if (name === 'varve') judge('varve slowest restart', Math.max(...tookS), '<=', boundS, ' s')
}
printTable(rows)

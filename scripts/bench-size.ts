// Bytes per sample at rest. Each store takes the whole workload and is then given what it needs to reach
// its final form: varve is asked to flush, InfluxDB's cache is told to go to files within seconds,
// VictoriaMetrics is forced to merge. varve's WAL and VictoriaMetrics' caches are left out and printed apart
// (aside): WAL files are recycled, so they are a fixed cost of the directory, not of a sample. Rollups are
// written by a schedule and are not part of it.
//
//   node scripts/bench-size.ts [--samples 5000000] [--only varve,influxdb,victoria-metrics]
//                              [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { setTimeout as sleep } from 'node:timers/promises'
import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, installed, Poster, type Store, type StoreName, startStore } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { ask, countSamples, type StatusAnswer } from './varve-process.ts'
import { lineBodies, standard } from './workload.ts'

const boundBytesPerSample = 0.8
const known: readonly StoreName[] = ['varve', 'victoria-metrics', 'influxdb']

/** Waits until the size of a directory has not changed for 5 s. */
async function settled(name: string, dir: string): Promise<void> {
  let bytes = -1
  for (let quiet = 0; quiet < 5; ) {
    await sleep(1000)
    const now = directoryBytes(name, dir).data
    quiet = now === bytes ? quiet + 1 : 0
    bytes = now
  }
}

async function bringToRest(store: Store, dir: string): Promise<void> {
  if (store.name === 'varve') {
    // Twice: a flush under way is joined, and what came after its beginning is flushed then.
    for (let i = 0; i < 2; i++) await fetch(`${store.httpUrl}/v1/flush`, { method: 'POST' })
  }
  if (store.name === 'victoria-metrics') {
    await fetch(`${store.httpUrl}/internal/force_flush`)
    await fetch(`${store.httpUrl}/internal/force_merge`)
  }
  await settled(store.name, dir)
}

/** Samples whose bytes lie in the data files. */
async function samplesAtRest(store: Store, total: number): Promise<number> {
  if (store.name !== 'varve') return total
  return (await ask<StatusAnswer>(store, '/v1/status')).store.samples_stored
}

const { names, program, flags, dir, number } = benchArguments(known, ['samples'])
const samples = number('samples', 5e6)
printHead('bench-size: bytes per sample at rest', {
  workload: `${round(samples)} samples, ${standard.devices} devices x 5 fields every ${standard.roundMs / 1000} s, jitter 0-${standard.jitterMs} ms, ${standard.late * 100} % late, seed ${standard.seed}`,
  bounds: [`varve: at most ${boundBytesPerSample} bytes a sample on disk`]
})
// A cache that was not written to for two seconds goes to its final files (default: ten minutes).
process.env.INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION = '2s'
process.env.INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION = '5s'
const rounds = Math.ceil(samples / 5 / standard.devices)
const startMs = Date.now() - (rounds + 60) * standard.roundMs
const rows = []
for (const name of installed(names)) {
  const place = `${dir}/${name}`
  const store = await startStore(name, place, { program, flags })
  const poster = new Poster(store, 2)
  let total = 0
  const bodies = lineBodies({ ...standard, startMs }, samples, 5000)
  const counted = (function* () {
    for (const body of bodies) {
      total += body.samples
      yield body
    }
  })()
  await poster.postAll(counted, 2)
  poster.close()
  const stored = name === 'varve' ? await countSamples(store) : total
  await bringToRest(store, place)
  const resting = await samplesAtRest(store, total)
  await store.stop()
  const { data, aside } = directoryBytes(name, place)
  rows.push({
    store: name,
    samples: round(total),
    'at rest': round(resting),
    MB: round(data / 1e6),
    'bytes/sample': round(data / resting),
    'aside MB': round(aside / 1e6)
  })
  if (name !== 'varve') continue
  judge('varve samples not in segments', total - resting, '<=', 0)
  judge('varve bytes a sample', data / resting, '<=', boundBytesPerSample)
  judge('varve samples lost', total - stored, '<=', 0)
}
printTable(rows)

// How fast line protocol goes in over HTTP, and what it costs: samples a second, CPU of the server, peak
// memory, bytes on disk and bytes that reached the device, from an empty directory. Every server answers 2xx
// before the next body of a connection is sent. Bodies are made before the clock starts; the poster shares the
// two cores. varve's bytes are taken after a flush, so that they hold WAL and segments of every sample.
//
//   node scripts/bench-write.ts [--samples 5000000] [--lines 5000] [--parallel 4] [--only varve,influxdb,victoria-metrics]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, installed, Poster, type StoreName, startStore, usage } from './bench-peers.ts'
import { judge, printHead, printTable, quantile, round } from './bench-report.ts'
import { makeMedium } from './loop-disk.ts'
import { ask, countSamples } from './varve-process.ts'
import { type Body, lineBodies, standard } from './workload.ts'

const boundSamplesPerS = 1_000_000
const boundDeviceBytes = 4
const imageBytes = 8 * 2 ** 30

/** What is used of /v1/wear. */
interface Wear {
  readonly bytes: Readonly<Record<string, number>>
}

const known: readonly StoreName[] = ['varve', 'victoria-metrics', 'influxdb']

const { names, program, flags, dir, number } = benchArguments(known, ['samples', 'lines', 'parallel'])
const [samples, lines, parallel] = [number('samples', 5e6), number('lines', 5000), number('parallel', 4)]

printHead('bench-write: line protocol over HTTP', {
  workload: `${round(samples)} samples, ${standard.devices} devices x 5 fields, bodies of ${lines} lines, ${parallel} connections, seed ${standard.seed}`,
  bounds: [
    `varve: POST /write at least ${round(boundSamplesPerS)} samples/s with 2 cores, nothing lost`,
    `varve: at most ${boundDeviceBytes} bytes reach the device per sample, WAL and segments together`
  ]
})
const rounds = Math.ceil(samples / 5 / standard.devices)
const startMs = Date.now() - (rounds + 60) * standard.roundMs
const bodies: Body[] = [...lineBodies({ ...standard, startMs }, samples, lines)]
const total = bodies.reduce((sum, body) => sum + body.samples, 0)
const rows = []
for (const name of installed(names)) {
  const medium = makeMedium(dir, name, imageBytes)
  const store = await startStore(name, medium.path, { program, flags })
  const poster = new Poster(store, parallel)
  const before = usage(store.pid)
  const started = performance.now()
  const waits = await poster.postAll(bodies, parallel)
  const seconds = (performance.now() - started) / 1000
  const after = usage(store.pid)
  poster.close()
  const stored = name === 'varve' ? await countSamples(store) : null
  if (name === 'varve') await fetch(`${store.httpUrl}/v1/flush`, { method: 'POST' })
  const written = medium.writtenBytes(store.pid)
  const wear = name === 'varve' ? await ask<Wear>(store, '/v1/wear') : null
  const { data } = directoryBytes(name, medium.path)
  await store.stop()
  medium.close()
  rows.push({
    store: name,
    'samples/s': round(total / seconds),
    'CPU s per M': round(((after.cpuS - before.cpuS) / total) * 1e6),
    'peak RSS MB': round(after.rssPeakMb),
    'answer ms p50': round(quantile(waits, 0.5)),
    p99: round(quantile(waits, 0.99)),
    'on disk B/sample (no WAL, cache)': round(data / total),
    'device B/sample': round(written / total)
  })
  if (rows.length === 1) console.log(`device bytes: ${medium.how}`)
  if (name !== 'varve') continue
  judge('varve samples/s', total / seconds, '>=', boundSamplesPerS)
  judge('varve samples lost', total - stored!, '<=', 0)
  judge('varve device B/sample', written / total, '<=', boundDeviceBytes)
  const causes = Object.entries(wear!.bytes).map(([cause, bytes]) => `${cause} ${round(bytes / total)}`)
  console.log(`      of it by its own ledger: ${causes.join(', ')}`)
}
printTable(rows)

// A running varve that holds the oracle's samples as a gateway does after a while: in segments that were
// flushed and merged, in rollup tiers, in segments not merged yet, late ones beside them, and the newest in memory alone. What it
// answers was read in every way there is: headers of chunks, single chunks, tiers, heads.
//
// Not here: the samples (oracle-data.ts), the questions and what counts as a difference (promql-oracle.ts).

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type OracleSeries, remoteWrites } from './oracle-data.ts'
import { ask, startVarve, type Varve } from './varve-process.ts'

/** Samples of a request, and so of a segment. */
const SLICE_MS = 120_000
/** Small windows, so that two hours of samples have many of them; nothing is so old that it is dropped. */
const CONFIG = `
[retention]
default = "forever"
[[rollup.tiers]]
every = "30s"
keep = "forever"
[[rollup.tiers]]
every = "2m"
keep = "forever"
sketch = "1%"
[[rollup.tiers]]
every = "10m"
keep = "forever"
sketch = "1%"
`

interface Status {
  readonly store: { readonly segments: number; readonly samples_in_memory: number }
  readonly jobs: readonly {
    readonly name: string
    readonly last_result: { readonly merges?: number } | null
  }[]
}

async function post(varve: Varve, path: string, body?: Uint8Array): Promise<void> {
  const headers =
    body === undefined ? {} : { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' }
  const init = body === undefined ? {} : { body: Buffer.from(body), headers }
  const reply = await fetch(`${varve.httpUrl}${path}`, { method: 'POST', ...init })
  if (!reply.ok) throw new Error(`Cannot post ${path}: ${reply.status} ${await reply.text()}`)
}

/** @param dir  an empty directory of the caller */
export async function startStore(
  dir: string,
  all: readonly OracleSeries[],
  startMs: number
): Promise<{ url: string; about: string; stop(): Promise<void> }> {
  const file = join(dir, 'varve.toml')
  writeFileSync(file, CONFIG)
  const varve = await startVarve({ dataDir: join(dir, 'store'), flags: ['--config', file] })
  const { jobs } = await ask<Status>(varve, '/v1/status')
  const run = async (prefix: string) => {
    for (const { name } of jobs) {
      if (name.startsWith(prefix)) await post(varve, `/v1/run-job?name=${encodeURIComponent(name)}`)
    }
  }
  const bodies = [...remoteWrites(all, startMs, SLICE_MS)]
  const place = (part: number) => Math.floor(bodies.length * part)
  const late: Uint8Array[] = []
  const writeLate = async () => {
    for (const body of late.splice(0, 3)) {
      await post(varve, '/api/v1/write', body)
      await post(varve, '/v1/flush')
    }
  }
  for (const [i, body] of bodies.entries()) {
    if (i % 6 === 5 && i < place(0.5)) late.unshift(body)
    else await post(varve, '/api/v1/write', body)
    // The last tenth stays in memory; what comes after the merge, in segments of its own.
    if (i < place(0.9)) await post(varve, '/v1/flush')
    if (i === place(0.6)) await run('merge')
    if (i === place(0.7)) await run('rollup')
    // The first late samples are added to the tiers; of the others the tiers know that they miss them.
    if (i === place(0.75)) await writeLate()
    if (i === place(0.8)) await run('rollup')
    if (i === place(0.85)) await writeLate()
  }
  const { store, jobs: done } = await ask<Status>(varve, '/v1/status')
  const merges = done.find(({ name }) => name === 'merge')?.last_result?.merges ?? 0
  if (merges === 0 || store.samples_in_memory === 0)
    throw new Error(`Cannot fill the store: ${merges} merges, ${store.samples_in_memory} samples in memory`)
  const about = `${store.segments} segments, ${merges} merges, ${store.samples_in_memory} samples in memory alone`
  return { url: varve.httpUrl, about, stop: async () => void (await varve.stop()) }
}

// What the same questions about the last hours cost when the history behind them grows: blocks that are read
// from the medium, counted at the disk of a reader of the directory, and the time of the running daemon. The
// history is written at its full length, so nothing is extrapolated.
// Not here: the verdicts (bench-query.ts).

import { openDirectory } from '../src/daemon/directory.ts'
import type { Disk, DiskFile } from '../src/disk/disk.ts'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { Poster, startStore } from './bench-peers.ts'
import { median, round } from './bench-report.ts'
import { QueryClient } from './query-client.ts'
import type { Program } from './varve-process.ts'
import { lineBodies, standard } from './workload.ts'

export interface GrowthRow {
  readonly question: string
  readonly cells: Record<string, string | number>
  /** Longest history over the shortest; null for a question that asks for all of it. */
  readonly blocksTimes: number | null
  readonly timeTimes: number | null
}

/** Counts reads of segments: each is one block, index or footer. */
class CountingDisk extends NodeDisk implements Disk {
  reads = 0
  bytes = 0
  override openRead(path: string): DiskFile {
    const file = super.openRead(path)
    const read = file.read.bind(file)
    file.read = (into, at) => {
      this.reads++
      const length = read(into, at)
      this.bytes += length
      return length
    }
    return file
  }
}

interface Question {
  readonly name: string
  readonly parameters: (endMs: number) => Record<string, string>
}

const hours = (count: number) => count * 3_600_000
const device = 'telemetry_temperature{device="dev0007"}'
const asked: readonly Question[] = [
  { name: 'one series raw, last hour', parameters: end => ({ match: device, from: `${end - hours(1)}ms` }) },
  {
    name: 'one series by 5 min, last 5 hours',
    parameters: end => ({ match: device, from: `${end - hours(5)}ms`, step: '5m', fn: 'avg', tier: 'raw' })
  },
  {
    name: 'avg by 5 min over 1,000, last hour',
    parameters: end => ({
      match: 'telemetry_temperature',
      from: `${end - hours(1)}ms`,
      step: '5m',
      fn: 'avg',
      by: '',
      tier: 'raw'
    })
  }
]

/**
 * Writes `lengths` samples one after the other into one directory and asks at each length.
 * @param lengths  ascending
 */
export async function measureGrowth(
  dir: string,
  lengths: readonly number[],
  times: number,
  { program, flags }: { readonly program: Program; readonly flags: readonly string[] }
): Promise<GrowthRow[]> {
  const roundsOf = (samples: number) => Math.ceil(samples / 5 / standard.devices)
  const startMs = Date.now() - roundsOf(lengths.at(-1)!) * standard.roundMs - 900_000
  const found = asked.map(() => [] as { reads: number; bytes: number; ms: number }[])
  let stored = 0
  for (const length of lengths) {
    const fromMs = startMs + roundsOf(stored) * standard.roundMs
    const endMs = startMs + roundsOf(length) * standard.roundMs
    // Every question is evaluated: an answer that was kept would cost the same whatever the history.
    const store = await startStore('varve', dir, { program, flags: [...flags, '--query.cache_max', '0'] })
    const poster = new Poster(store, 4)
    await poster.postAll(lineBodies({ ...standard, startMs: fromMs }, length - stored, 5000), 4)
    poster.close()
    await fetch(`${store.httpUrl}/v1/flush`, { method: 'POST' })
    await fetch(`${store.httpUrl}/v1/run-job?name=merge`, { method: 'POST' })
    stored = length
    const client = new QueryClient(store.httpUrl)
    for (const [i, { parameters }] of asked.entries()) {
      const path = `/v1/range?${new URLSearchParams(parameters(endMs))}`
      await client.ask(path)
      const ms: number[] = []
      for (let n = 0; n < times; n++) ms.push((await client.ask(path)).ms)
      found[i]!.push({ reads: 0, bytes: 0, ms: median(ms) })
    }
    client.close()
    await store.stop()
    for (const [i, { parameters }] of asked.entries()) {
      Object.assign(found[i]!.at(-1)!, await countReads(dir, parameters(endMs)))
    }
  }
  return asked.map(({ name }, i) => {
    const [first, last] = [found[i]![0]!, found[i]!.at(-1)!]
    const cells: Record<string, string | number> = { question: name }
    for (const [at, { reads, bytes, ms }] of found[i]!.entries()) {
      cells[`blocks at ${round(lengths[at]!)}`] = reads
      cells[`KB at ${round(lengths[at]!)}`] = round(bytes / 1000)
      cells[`ms at ${round(lengths[at]!)}`] = round(ms)
    }
    return { question: name, cells, blocksTimes: last.reads / first.reads, timeTimes: last.ms / first.ms }
  })
}

/** Reads of segments that one question costs a reader that knows nothing yet. */
async function countReads(
  dir: string,
  parameters: Record<string, string>
): Promise<{ reads: number; bytes: number }> {
  const disk = new CountingDisk(dir)
  const directory = await openDirectory(
    dir,
    error => {
      throw error
    },
    disk
  )
  const before = { reads: disk.reads, bytes: disk.bytes }
  for await (const _ of directory.ask('range', new URLSearchParams(parameters)));
  await directory.close()
  return { reads: disk.reads - before.reads, bytes: disk.bytes - before.bytes }
}

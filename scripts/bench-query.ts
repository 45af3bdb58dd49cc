// How long queries take in the engine itself, without HTTP and threads: a directory is written once, then
// six questions are asked of it, cold (a new cache of segments, the files in the page cache) and warm.
//
//   node scripts/bench-query.ts [--samples 20000000] [--repeat 5] [--dir DIR]
import { systemClock } from '../src/base/clock.ts'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { answer } from '../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS } from '../src/query/limits.ts'
import { readRequest } from '../src/query/parameters.ts'
import type { QueryKind } from '../src/query/request.ts'
import { HeadReader } from '../src/series/head-read.ts'
import { makeLabels } from '../src/series/label.ts'
import { SeriesReader } from '../src/series/reader.ts'
import { KIND } from '../src/series/sample.ts'
import { SegmentCache } from '../src/series/segment-cache.ts'
import { mergeAll, openStore, type TestStore } from '../test/series/test-store.ts'
import { benchArguments } from './bench-arguments.ts'
import { judge, median, printHead, printTable, round } from './bench-report.ts'
import { fieldsPerMessage, type Message, standard, Workload } from './workload.ts'

/** Samples a second that one thread decodes and folds, and that it counts by the heads of chunks. */
const boundFolded = 5e6
const boundCounted = 20e6
const flushEvery = 500_000
const fields = ['temperature', 'humidity', 'battery', 'power', 'total'] as const

const { dir, number } = benchArguments(['varve'], ['samples', 'repeat'])
const samples = number('samples', 20e6)
const repeat = number('repeat', 5)
const startMs = 1_750_000_000_000
printHead('bench-query: six queries in the engine', {
  workload: `${round(samples)} samples, ${standard.devices} devices x 5 fields every ${standard.roundMs / 1000} s, ${standard.late * 100} % late, segments of an hour, the last ${round(flushEvery)} rows in memory at most; median of ${repeat}`,
  bounds: [
    `one thread folds ${round(boundFolded)} samples/s into 5 min windows and counts ${round(boundCounted)} samples/s`
  ]
})

const disk = new NodeDisk(`${dir}/data`)
await disk.makeDir('')
const store = await openStore(disk, undefined, { fileBytes: 16 * 2 ** 20, filesMax: 32 })
await fill(store)
await mergeAll(store, disk)
const endMs = startMs + (samples / fieldsPerMessage / standard.devices) * standard.roundMs
const questions: [string, QueryKind, string][] = [
  ['last of 1,000 series', 'last', 'match=temperature'],
  ['one series, raw', 'range', 'match=temperature{topic="site7/dev7"}'],
  [
    'one series, 24 h by 5 min',
    'range',
    `match=temperature{topic="site7/dev7"}&step=5m&from=${endMs - 864e5}ms`
  ],
  ['avg by 5 min over 1,000', 'range', 'match=temperature&step=5m&by='],
  ['max of each, the last hour', 'range', `match=temperature&step=100d&fn=max&from=${endMs - 36e5}ms`],
  ['count of everything', 'range', 'step=3650d&fn=count&by=']
]
const rows = []
for (const [name, kind, params] of questions) {
  const cold: number[] = []
  const warm: number[] = []
  let bytes = 0
  for (let i = 0; i < repeat; i++) {
    const cache = new SegmentCache(disk, { filesMax: 256, indexBytesMax: 64 * 2 ** 20 })
    for (const times of [cold, warm]) {
      const began = performance.now()
      bytes = ask(cache, kind, params)
      times.push(performance.now() - began)
    }
    cache.close()
  }
  rows.push({
    query: name,
    'cold ms': round(median(cold)),
    'warm ms': round(median(warm)),
    bytes: round(bytes)
  })
  if (name.startsWith('avg')) {
    judge(`${name}, samples/s`, samples / fieldsPerMessage / (median(warm) / 1000), '>=', boundFolded)
  }
  if (name.startsWith('count')) {
    judge(`${name}, samples/s`, samples / (median(warm) / 1000), '>=', boundCounted)
  }
}
console.log('')
printTable(rows)
await store.engine.close()

async function fill({ series, engine }: TestStore): Promise<void> {
  const shapes = Array.from({ length: standard.devices }, (_, device) =>
    series.shape(
      '',
      makeLabels([['topic', `site${device % 10}/dev${device}`]]),
      fields,
      fields.map(() => KIND.number)
    )
  )
  const workload = new Workload({ ...standard, startMs })
  let rows = 0
  for (let flushed = 0; rows * fieldsPerMessage < samples; ) {
    for (const message of workload.next()) append(message, shapes[message.device]!)
    rows += standard.devices
    if (rows % 20_000 === 0) {
      engine.wal.note(1_000_000, 2)
      await engine.wal.synced(engine.wal.pendingGroup)
    }
    if (rows - flushed < flushEvery) continue
    await series.flush()
    flushed = rows
  }
  function append(message: Message, shape: number): void {
    series.begin(shape, message.timeMs * 1000)
    fields.forEach((field, i) => {
      series.slots[series.at + i] = message[field]
    })
    series.end()
  }
}

/** Bytes of the whole answer. */
function ask(cache: SegmentCache, kind: QueryKind, text: string): number {
  const params = new Map<string, string[]>()
  for (const part of text.split('&')) {
    const at = part.indexOf('=')
    params.set(part.slice(0, at), [part.slice(at + 1)])
  }
  const { catalog } = store.series
  const heads = store.series.views().map(view => new HeadReader(view, store.series.shapes.all))
  const segments = [...store.engine.manifest.segments.values()]
  const reader = new SeriesReader({ catalog, segments, heads }, cache, error => {
    throw error
  })
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  let bytes = 0
  for (const piece of answer(reader, readRequest(kind, params, systemClock.nowUs()), context))
    bytes += piece.length
  reader.close()
  return bytes
}

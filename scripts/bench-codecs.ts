// Bytes per sample and speed of the chunk codecs, on the standard workload or on data sets (data-sets.ts).
//
// Usage: node scripts/bench-codecs.ts [--data DIR] [--generated] [--rows N] [--devices N] [--packed]
//   --data DIR   the sets of a directory; --generated  the generated ones
//   --rows N     rows in a chunk, 1 to 4096 (default: 800 for the standard workload, 4096 packed and for sets)
//   --packed     no cold stage: without entropy coder and zstd
//
// On the standard workload also what windows cost: answered from the heads of chunks alone, and of five
// minutes over decoded chunks, times included.
//
// Guards, exit 1 when one fails: every chunk comes back bit for bit; on the standard workload, cold, in chunks of
// 800 rows or more, at most 0.8 bytes per sample, all in, and 1,000 M samples/s from heads; a set decodes at
// 50 M samples/s, the standard workload, packed, in chunks of 4096 rows, at 200 M. Strings are held to no speed.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { ByteReader, ByteWriter } from '../src/base/bytes.ts'
import { Windows } from '../src/query/windows.ts'
import { encodeChunk } from '../src/series/chunk.ts'
import { ChunkView } from '../src/series/chunk-view.ts'
import { KIND } from '../src/series/sample.ts'
import { judge } from './bench-report.ts'
import { bestOf, measure, numbers, type Tally, times } from './chunk-measure.ts'
import { type DataSet, generatedSets, readSets, runsOf, standardGroup } from './data-sets.ts'

const BYTES_PER_SAMPLE_MAX = 0.8
const HEADS_MIN = 1000
const DECODE_COLD_MIN = 50
const DECODE_PACKED_MIN = 200
const WINDOW_US = 300_000_000
const WEEK_US = 604_800_000_000
/** Chunks that windows are measured on. */
const CHUNKS = 60

function report(name: string, tally: Tally): void {
  const { samples, values, times, rows, encodeMs, decodeMs } = tally
  const cell = (value: number, digits: number) => value.toFixed(digits).padStart(9)
  console.log(
    `${name.padEnd(14)}${cell(samples, 0)}${cell(values / samples, 3)}${cell(times / rows, 3)}` +
      `${cell((values + times) / samples, 3)}${cell(samples / encodeMs / 1000, 1)}${cell(samples / decodeMs / 1000, 1)}` +
      `${tally.sound ? '' : '  NOT THE SAME BITS'}`
  )
}

/** Million samples/s of windows: from heads, and of five minutes over what chunks hold. */
function measureWindows(rows: number, cold: boolean): { heads: number; decoded: number } {
  const out = new ByteWriter(1 << 20)
  let headMs = 0
  let decodedMs = 0
  let samples = 0
  for (let seed = 0; seed < CHUNKS; seed++) {
    out.reset()
    encodeChunk(standardGroup(seed, rows).run, out, { cold })
    const chunk = out.copy()
    samples += new ChunkView(new ByteReader(chunk)).columns.length * rows
    headMs += bestOf(20, 20, () => {
      const view = new ChunkView(new ByteReader(chunk))
      const windows = new Windows(WEEK_US)
      for (const column of view.columns) windows.addSummary(view.timeFirstUs, view.timeLastUs, column)
    })
    decodedMs += bestOf(20, 2, () => {
      const view = new ChunkView(new ByteReader(chunk))
      view.times(times)
      view.columns.forEach(({ field, kind, count }, i) => {
        view.numbers(i, numbers)
        const column = { field, kind, present: null, count, numbers, texts: null }
        new Windows(WINDOW_US).add({ rows: view.rows, times, columns: [] }, column)
      })
    })
  }
  return { heads: samples / headMs / 1000, decoded: samples / decodedMs / 1000 }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      generated: { type: 'boolean', default: false },
      rows: { type: 'string' },
      devices: { type: 'string', default: '1000' },
      packed: { type: 'boolean', default: false }
    }
  })
  const cold = !values.packed
  const standard = values.data === undefined && !values.generated
  const rows = Number(values.rows ?? (standard && cold ? 800 : 4096))
  console.log(`machine: ${cpus().length} x ${cpus()[0]?.model}, node ${process.version}, ${process.arch}`)
  console.log(`chunks of ${rows} rows, ${cold ? 'cold' : 'packed'}; encode and decode in million samples/s`)
  console.log(
    'data            samples    values    times    all in   encode   decode   (bytes: a value, a row, a sample)'
  )
  const devices = Array.from({ length: Number(values.devices) }, (_, seed) => seed)
  const own = (): DataSet => ({ name: 'standard', groups: devices.map(seed => standardGroup(seed, rows)) })
  const sets = standard ? [own()] : values.generated ? generatedSets() : readSets(values.data!)
  for (const set of sets) {
    const tally = measure(
      set.groups.flatMap(group => [...runsOf(group, rows)]),
      cold
    )
    report(set.name, tally)
    if (!tally.sound) process.exitCode = 1
    const decoded = tally.samples / tally.decodeMs / 1000
    const texts = set.groups.some(({ run }) => run.columns.some(({ kind }) => kind >= KIND.string))
    if (cold && !texts) judge(`${set.name}: decoded`, decoded, '>=', DECODE_COLD_MIN, ' M/s')
    if (!standard || rows < 800) continue
    if (!cold && rows === 4096)
      judge(`${set.name}: decoded, packed`, decoded, '>=', DECODE_PACKED_MIN, ' M/s')
    const windows = measureWindows(rows, cold)
    console.log(`windows of five minutes over decoded chunks: ${windows.decoded.toFixed(0)} M samples/s`)
    judge('windows from heads', windows.heads, '>=', HEADS_MIN, ' M/s')
    if (!cold) continue
    const bytes = (tally.values + tally.times) / tally.samples
    judge('all in', bytes, '<=', BYTES_PER_SAMPLE_MAX, ' bytes a sample')
  }
}

main()

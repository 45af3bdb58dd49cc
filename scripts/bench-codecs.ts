// Bytes per sample and speed of the chunk codecs. Without arguments: the standard workload (devices of five
// fields, one message every 10 s with 0-200 ms jitter). With --data DIR: each DIR/*.csv.gz, lines of
// `series,timestamp_ms,value`; series of one file with the same name before the last dot are one group.
//
// Usage: node scripts/bench-codecs.ts [--data DIR] [--rows N] [--devices N] [--packed]
//   --rows N   rows in a chunk, 1 to 4096 (default: 800 for the standard workload, 720 for files)
//   --packed   no cold stage: without entropy coder and zstd
//
// Guards: at most 0.8 bytes per sample, all in, on the standard workload (cold, 800 rows or more); every
// chunk is decoded and compared bit for bit. Exit 1 when either fails.
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { ByteWriter } from '../src/base/bytes.ts'
import { Random } from '../src/base/random.ts'
import { CHUNK_ROWS_MAX, encodeChunk } from '../src/series/chunk.ts'
import { ChunkView } from '../src/series/chunk-view.ts'
import type { Column, Run } from '../src/series/run.ts'
import { KIND } from '../src/series/sample.ts'

const BYTES_PER_SAMPLE_MAX = 0.8
/** Decoding is quick: it is timed this often a round. */
const DECODE_ROUNDS = 4

interface Tally {
  samples: number
  values: number
  times: number
  rows: number
  encodeMs: number
  decodeMs: number
  sound: boolean
}

/** Five fields as FACTS.md describes them; `rows` messages of one device. */
function standardRun(seed: number, rows: number): Run {
  const random = new Random(seed)
  const times = new Float64Array(rows)
  const fields = Array.from({ length: 5 }, () => new Float64Array(rows))
  const start = 1_760_000_000_000_000 + random.below(10_000) * 1000
  let temperature = 150 + random.below(150)
  let humidity = 300 + random.below(400)
  let battery = 4100 - random.below(500)
  let counter = random.below(1_000_000)
  let burst = 0
  for (let row = 0; row < rows; row++) {
    times[row] = start + row * 10_000_000 + random.below(201) * 1000
    temperature += random.below(5) - 2
    humidity = Math.min(1000, Math.max(0, humidity + random.below(7) - 3))
    if (random.chance(0.02)) battery--
    if (burst > 0) burst--
    else if (random.chance(0.01)) burst = 1 + random.below(30)
    counter += random.below(10)
    fields[0]![row] = temperature / 10
    fields[1]![row] = humidity / 10
    fields[2]![row] = battery
    fields[3]![row] = (burst > 0 ? 150_000 + random.below(2000) : 200 + random.below(50)) / 100
    fields[4]![row] = counter
  }
  return { rows, times, columns: fields.map((numbers, field) => numberColumn(field, numbers, null, rows)) }
}

function numberColumn(
  field: number,
  numbers: Float64Array,
  present: Uint8Array | null,
  count: number
): Column {
  return { field, kind: KIND.number, present, count, numbers, texts: null }
}

type Samples = Map<number, string>

/** The groups of one file: name before the last dot -> field -> time -> value. */
function readGroups(path: string): Map<string, Map<string, Samples>> {
  const groups = new Map<string, Map<string, Samples>>()
  for (const line of gunzipSync(readFileSync(path)).toString().split('\n')) {
    const [series, time, value] = line.split(',')
    if (series === undefined || time === undefined || value === undefined || series === '') continue
    const dot = /^(.*)\.([^.() ]+)$/.exec(series)
    const name = dot?.[1] ?? ''
    const field = dot?.[2] ?? series
    const group = groups.get(name) ?? new Map<string, Samples>()
    groups.set(name, group)
    const samples = group.get(field) ?? new Map<number, string>()
    group.set(field, samples)
    samples.set(Number(time) * 1000, value)
  }
  return groups
}

function textColumn(field: number, values: string[], present: Uint8Array | null): Column {
  const encoded = values.map(value => Buffer.from(value))
  const offsets = new Uint32Array(values.length + 1)
  encoded.forEach((bytes, i) => {
    offsets[i + 1] = offsets[i]! + bytes.length
  })
  const texts = { bytes: new Uint8Array(Buffer.concat(encoded)), offsets }
  return { field, kind: KIND.string, present, count: values.length, numbers: null, texts }
}

/** Runs of at most `rows` rows of one group. */
function* runsOf(group: Map<string, Samples>, rows: number): Iterable<Run> {
  const fields = [...group.values()]
  const all = [...new Set(fields.flatMap(samples => [...samples.keys()]))].sort((a, b) => a - b)
  for (let at = 0; at < all.length; at += rows) {
    const times = Float64Array.from(all.slice(at, at + rows))
    const columns: Column[] = []
    fields.forEach((samples, field) => {
      const bits = Uint8Array.from(times, time => (samples.has(time) ? 1 : 0))
      const values = [...times].filter(time => samples.has(time)).map(time => samples.get(time)!)
      if (values.length === 0) return
      const present = values.length === times.length ? null : bits
      const numbers = Float64Array.from(values, Number)
      if (numbers.some(Number.isNaN)) columns.push(textColumn(field, values, present))
      else columns.push(numberColumn(field, numbers, present, numbers.length))
    })
    yield { rows: times.length, times, columns }
  }
}

const times = new Float64Array(CHUNK_ROWS_MAX)
const numbers = new Float64Array(CHUNK_ROWS_MAX)
const present = new Uint8Array(CHUNK_ROWS_MAX)

function sameBits(a: Float64Array, b: Float64Array, n: number): boolean {
  const x = new BigUint64Array(a.buffer, a.byteOffset, n)
  const y = new BigUint64Array(b.buffer, b.byteOffset, n)
  return x.every((bits, i) => bits === y[i])
}

function check(run: Run, view: ChunkView): boolean {
  view.times(times)
  let sound = sameBits(run.times, times, run.rows)
  run.columns.forEach((column, i) => {
    if (view.present(i, present) !== (column.present !== null)) sound = false
    if (column.present?.some((bit, row) => bit !== present[row])) sound = false
    if (column.texts !== null) {
      const texts = view.texts(i)
      if (Buffer.compare(texts.bytes, column.texts.bytes) !== 0) sound = false
      if (texts.offsets.some((offset, at) => offset !== column.texts!.offsets[at])) sound = false
      return
    }
    view.numbers(i, numbers)
    if (!sameBits(column.numbers!, numbers, column.count)) sound = false
  })
  return sound
}

function decode(view: ChunkView): void {
  view.times(times)
  view.columns.forEach((column, i) => {
    view.present(i, present)
    if (column.kind === KIND.number) view.numbers(i, numbers)
    else view.texts(i)
  })
}

/** Encodes and decodes all runs `rounds` times; the best times count. */
function measure(runs: readonly Run[], cold: boolean, rounds: number): Tally {
  const tally = {
    samples: 0,
    values: 0,
    times: 0,
    rows: 0,
    encodeMs: Infinity,
    decodeMs: Infinity,
    sound: true
  }
  const out = new ByteWriter(1 << 20)
  for (let round = 0; round < rounds; round++) {
    const chunks: Uint8Array[] = []
    const started = performance.now()
    for (const run of runs) {
      out.reset()
      encodeChunk(run, out, { cold })
      chunks.push(out.copy())
    }
    const encoded = performance.now()
    for (const chunk of chunks) decode(new ChunkView(chunk))
    tally.encodeMs = Math.min(tally.encodeMs, encoded - started)
    tally.decodeMs = Math.min(tally.decodeMs, performance.now() - encoded)
    for (let again = 0; again < DECODE_ROUNDS; again++) {
      const before = performance.now()
      for (const chunk of chunks) decode(new ChunkView(chunk))
      tally.decodeMs = Math.min(tally.decodeMs, performance.now() - before)
    }
    if (round < rounds - 1) continue
    runs.forEach((run, i) => {
      const view = new ChunkView(chunks[i]!)
      tally.sound &&= check(run, view)
      const values = view.columns.reduce((bytes, column) => bytes + column.bytes, 0)
      tally.values += values
      tally.times += chunks[i]!.length - values
      tally.rows += run.rows
      tally.samples += run.columns.reduce((samples, column) => samples + column.count, 0)
    })
  }
  return tally
}

function report(name: string, tally: Tally): void {
  const { samples, values, times, rows, encodeMs, decodeMs } = tally
  const cell = (value: number, digits: number) => value.toFixed(digits).padStart(9)
  console.log(
    `${name.padEnd(14)}${cell(samples, 0)}${cell(values / samples, 3)}${cell(times / rows, 3)}` +
      `${cell((values + times) / samples, 3)}${cell(samples / encodeMs / 1000, 1)}${cell(samples / decodeMs / 1000, 1)}` +
      `${tally.sound ? '' : '  NOT THE SAME BITS'}`
  )
}

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      rows: { type: 'string' },
      devices: { type: 'string', default: '1000' },
      packed: { type: 'boolean', default: false }
    }
  })
  const cold = !values.packed
  const rows = Number(values.rows ?? (values.data === undefined ? 800 : 720))
  const cpu = cpus()[0]?.model ?? 'unknown'
  console.log(`machine: ${cpus().length} x ${cpu}, node ${process.version}, ${process.arch}`)
  console.log(`chunks of ${rows} rows, ${cold ? 'cold' : 'packed'}; encode and decode in million samples/s`)
  console.log(
    'data            samples    values    times    all in   encode   decode   (bytes: a value, a row, a sample)'
  )
  let sound = true
  if (values.data === undefined) {
    const runs = Array.from({ length: Number(values.devices) }, (_, seed) => standardRun(seed, rows))
    const tally = measure(runs, cold, 3)
    report('standard', tally)
    const bytes = (tally.values + tally.times) / tally.samples
    const bounded = cold && rows >= 800
    if (bounded) console.log(`bound: ${bytes.toFixed(3)} <= ${BYTES_PER_SAMPLE_MAX} bytes per sample`)
    sound = tally.sound && (!bounded || bytes <= BYTES_PER_SAMPLE_MAX)
  } else {
    for (const file of readdirSync(values.data).filter(name => name.endsWith('.csv.gz'))) {
      const groups = readGroups(join(values.data, file))
      const tally = measure(
        [...groups.values()].flatMap(group => [...runsOf(group, rows)]),
        cold,
        3
      )
      report(file.replace('.csv.gz', ''), tally)
      sound &&= tally.sound
    }
  }
  process.exitCode = sound ? 0 : 1
}

main()

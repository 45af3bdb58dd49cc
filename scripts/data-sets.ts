// Data sets for the codec benches: files of real samples that are not part of the repository, and generated
// ones that are like them in what codecs see, so that the scripts run without any file.
//
// A file is DIR/<set>.csv or DIR/<set>.csv.gz with lines of `series,timestamp_ms,value`, no head line. Series with
// the same name before the last dot are one group: what one device sends in one message. Values that are not
// all numbers are strings.
//
// Not here: measuring (chunk-measure.ts), the standard workload of bytes on the wire (workload.ts).
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Random } from '../src/base/random.ts'
import type { Column, Run } from '../src/series/run.ts'
import { slice } from '../src/series/run-edit.ts'
import { KIND } from '../src/series/sample.ts'

/** One group of a data set, all rows in one run. */
export interface GroupOfSet {
  readonly name: string
  readonly fields: readonly string[]
  readonly run: Run
}

export interface DataSet {
  readonly name: string
  readonly groups: readonly GroupOfSet[]
}

type Samples = Map<number, string>

function numberColumn(field: number, numbers: Float64Array, present: Uint8Array | null): Column {
  return { field, kind: KIND.number, present, count: numbers.length, numbers, texts: null }
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

function groupOf(name: string, byField: Map<string, Samples>): GroupOfSet {
  const fields = [...byField.keys()]
  const all = [...new Set([...byField.values()].flatMap(samples => [...samples.keys()]))]
  const times = Float64Array.from(all).sort()
  const columns = fields.map((key, field) => {
    const samples = byField.get(key)!
    const values = [...times].filter(time => samples.has(time)).map(time => samples.get(time)!)
    const present =
      values.length === times.length ? null : Uint8Array.from(times, time => (samples.has(time) ? 1 : 0))
    const numbers = Float64Array.from(values, Number)
    return numbers.some(Number.isNaN)
      ? textColumn(field, values, present)
      : numberColumn(field, numbers, present)
  })
  return { name, fields, run: { rows: times.length, times, columns } }
}

function parse(text: string): GroupOfSet[] {
  const groups = new Map<string, Map<string, Samples>>()
  for (const line of text.split('\n')) {
    const [series, time, value] = line.split(',')
    if (series === undefined || time === undefined || value === undefined || series === '') continue
    const dot = /^(.*)\.([^.() ]+)$/.exec(series)
    const name = dot?.[1] ?? ''
    const group = groups.get(name) ?? new Map<string, Samples>()
    groups.set(name, group)
    const field = dot?.[2] ?? series
    const samples = group.get(field) ?? new Map<number, string>()
    group.set(field, samples)
    samples.set(Number(time) * 1000, value)
  }
  return [...groups].map(([name, byField]) => groupOf(name, byField))
}

/** The data sets of a directory, by name, one at a time. */
export function* readSets(dir: string): Iterable<DataSet> {
  for (const file of readdirSync(dir).sort()) {
    const match = /^(.*)\.csv(\.gz)?$/.exec(file)
    if (match === null) continue
    const bytes = readFileSync(join(dir, file))
    yield { name: match[1]!, groups: parse((match[2] === undefined ? bytes : gunzipSync(bytes)).toString()) }
  }
}

/** The rows of a group in runs of at most `rows`, without columns that have no value there. */
export function* runsOf(group: GroupOfSet, rows: number): Iterable<Run> {
  for (let at = 0; at < group.run.rows; at += rows) {
    const part = slice(group.run, at, Math.min(at + rows, group.run.rows))
    if (part !== null) yield part
  }
}

/** A group of number fields with a value in each row. */
function generated(
  name: string,
  fields: readonly string[],
  rows: number,
  next: (row: number, values: Float64Array) => number
): GroupOfSet {
  const times = new Float64Array(rows)
  const columns = fields.map(() => new Float64Array(rows))
  const values = new Float64Array(fields.length)
  for (let row = 0; row < rows; row++) {
    times[row] = next(row, values)
    for (let i = 0; i < values.length; i++) columns[i]![row] = values[i]!
  }
  return {
    name,
    fields,
    run: { rows, times, columns: columns.map((numbers, i) => numberColumn(i, numbers, null)) }
  }
}

const START_US = 1_760_000_000_000_000
const FIELDS = ['temperature', 'humidity', 'battery', 'power', 'total']

/** The standard workload: five fields every 10 s, 0-200 ms jitter; `rows` messages of one device. */
export function standardGroup(seed: number, rows: number, everyUs = 10_000_000): GroupOfSet {
  const random = new Random(seed)
  const start = START_US + random.below(10_000) * 1000
  let temperature = 150 + random.below(150)
  let humidity = 300 + random.below(400)
  let battery = 4100 - random.below(500)
  let counter = random.below(1_000_000)
  let burst = 0
  return generated(`device${seed}`, FIELDS, rows, (row, values) => {
    const time = start + row * everyUs + random.below(201) * 1000
    temperature += random.below(5) - 2
    humidity = Math.min(1000, Math.max(0, humidity + random.below(7) - 3))
    if (random.chance(0.02)) battery--
    if (burst > 0) burst--
    else if (random.chance(0.01)) burst = 1 + random.below(30)
    counter += random.below(10)
    values[0] = temperature / 10
    values[1] = humidity / 10
    values[2] = battery
    values[3] = (burst > 0 ? 150_000 + random.below(2000) : 200 + random.below(50)) / 100
    values[4] = counter
    return time
  })
}

/** A meter: power, voltage, the current that follows from them, and the energy, each minute. */
function meterGroup(seed: number, rows: number): GroupOfSet {
  const random = new Random(seed)
  let watts = 300
  let volts = 2400
  let energy = 0
  return generated('meter', ['power', 'voltage', 'current', 'energy'], rows, (row, values) => {
    watts = Math.max(100, watts + (random.chance(0.1) ? random.below(2000) - 1000 : random.below(5) - 2))
    volts += random.below(9) - 4
    energy += watts
    values[0] = watts / 1000
    values[1] = volts / 10
    values[2] = Math.round((watts / volts) * 50) / 5
    values[3] = energy / 1000
    return START_US + row * 60_000_000
  })
}

/** Instruments with steps of their own, printed rounded; polled about every 4 s. */
function stepsGroup(seed: number, rows: number): GroupOfSet {
  const random = new Random(seed)
  let light = 140
  let humidity = 1100
  let time = START_US
  return generated('steps', ['light', 'humidity', 'average'], rows, (_, values) => {
    if (random.chance(0.3)) light = Math.max(0, light + random.below(5) - 2)
    if (random.chance(0.3)) humidity += random.below(3) - 1
    time += 3_900_000 + random.below(300) * 1000
    values[0] = Math.round((light * 1000) / 7) / 100
    values[1] = Math.round(humidity * 40.48) / 1000
    values[2] = Number(((light + humidity) / 3).toPrecision(15))
    return time
  })
}

/** Sets of the same kinds as real ones; the same for ever. */
export function* generatedSets(): Iterable<DataSet> {
  yield {
    name: 'standard',
    groups: Array.from({ length: 50 }, (_, seed) => standardGroup(seed, 4096))
  }
  yield { name: 'meter', groups: [meterGroup(1, 40_000)] }
  yield { name: 'steps', groups: [stepsGroup(1, 40_000)] }
}

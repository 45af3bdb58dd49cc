// Bytes per sample and speed of the chunk codecs, on the standard workload or on data sets (data-sets.ts).
//
// Usage: node scripts/bench-codecs.ts [--data DIR] [--generated] [--rows N] [--devices N] [--packed]
//   --data DIR   the sets of a directory; --generated  the generated ones
//   --rows N     rows in a chunk, 1 to 4096 (default: 800 for the standard workload, 4096 for sets)
//   --packed     no cold stage: without entropy coder and zstd
//
// Guards: at most 0.8 bytes per sample, all in, on the standard workload (cold, 800 rows or more); every
// chunk is decoded and compared bit for bit. Exit 1 when either fails.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measure, type Tally } from './chunk-measure.ts'
import { type DataSet, generatedSets, readSets, runsOf, standardGroup } from './data-sets.ts'

const BYTES_PER_SAMPLE_MAX = 0.8

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
      generated: { type: 'boolean', default: false },
      rows: { type: 'string' },
      devices: { type: 'string', default: '1000' },
      packed: { type: 'boolean', default: false }
    }
  })
  const cold = !values.packed
  const standard = values.data === undefined && !values.generated
  const rows = Number(values.rows ?? (standard ? 800 : 4096))
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
    if (!standard || !cold || rows < 800) continue
    const bytes = (tally.values + tally.times) / tally.samples
    console.log(`bound: ${bytes.toFixed(3)} <= ${BYTES_PER_SAMPLE_MAX} bytes per sample`)
    if (bytes > BYTES_PER_SAMPLE_MAX) process.exitCode = 1
  }
}

main()

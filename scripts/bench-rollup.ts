// What tiers cost on the medium: segments of 1m, 1h and 1d windows of data sets, without and with sketches, beside
// a segment of their samples; and how far quantiles by the sketches of 1 % are off.
//
//   node scripts/bench-rollup.ts [--data DIR] [--dir DIR]
//   --data DIR  sets of real samples; the form of the files is in data-sets.ts (default: the generated sets)
//
// Columns: `raw` bytes a sample; `window` bytes a window of a series; `share` the tier over the samples, `a sample` its
// bytes by the samples that it sums up; `count` samples a window; `1 %`, `4 %` what sketches add, bytes a window; `off` the greatest error of p50, p90 and p99 by
// sketches of 1 %, over the value.
import { NodeDisk } from '../src/disk/node-disk.ts'
import { SegmentWriter } from '../src/engine/segment-writer.ts'
import { GroupFold } from '../src/rollup/aggregate.ts'
import { windowsOf } from '../src/rollup/tier-windows.ts'
import { CHUNK_ROWS_MAX } from '../src/series/chunk.ts'
import { FAMILY_SERIES } from '../src/series/family.ts'
import { makeLabels } from '../src/series/label.ts'
import { Quantiles } from '../src/series/quantile.ts'
import type { Run } from '../src/series/run.ts'
import { slice } from '../src/series/run-edit.ts'
import { KIND } from '../src/series/sample.ts'
import { SeriesSegmentWriter } from '../src/series/segment-build.ts'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { type DataSet, generatedSets, readSets, standardGroup } from './data-sets.ts'

const steps = { '1m': 60e6, '1h': 3600e6, '1d': 86_400e6 } as const
const shareOfRawMax = 1 / 3
const offMax = 0.01 + 1e-9

/** Runs of at most as many rows as a chunk holds. */
function* cut(run: Run): Generator<Run> {
  for (let row = 0; row < run.rows; row += CHUNK_ROWS_MAX) {
    yield slice(run, row, Math.min(run.rows, row + CHUNK_ROWS_MAX))!
  }
}

async function segmentBytes(set: DataSet, runs: readonly Run[], dir: string): Promise<number> {
  const header = { family: FAMILY_SERIES, class: 'default', bucketUs: 0, spanUs: 1, id: 1 }
  const file = await SegmentWriter.create(new NodeDisk(dir), `${set.name}.segment`, 'segment', header)
  const segment = new SeriesSegmentWriter(file)
  for (const [id, group] of set.groups.entries()) {
    const labels = makeLabels([['device', group.name]])
    segment.group({ id, name: set.name, labels, fields: group.fields }, cut(runs[id]!))
    await file.room()
  }
  return (await segment.finish(1, 0, 0)).bytes
}

function folded(set: DataSet, stepUs: number, level: number | null): Run[] {
  return set.groups.map(({ run }) => {
    const fold = new GroupFold(stepUs, level)
    fold.addRun(run)
    return fold.finish()!
  })
}

/** The greatest relative error of some quantiles by sketches, and how many windows there are. */
function judged(set: DataSet, stepUs: number): { off: number; windows: number; samples: number } {
  const all = { off: 0, windows: 0, samples: 0 }
  for (const [id, run] of folded(set, stepUs, 2).entries()) {
    const raw = set.groups[id]!.run
    for (const column of raw.columns) {
      if (column.kind !== KIND.number) continue
      const exact = new Map<number, Quantiles>()
      let i = 0
      for (let row = 0; row < raw.rows; row++) {
        if (column.present !== null && column.present[row] === 0) continue
        const value = column.numbers![i++]!
        const startUs = Math.floor(raw.times[row]! / stepUs) * stepUs
        if (raw.times[row] === startUs) continue
        let own = exact.get(startUs)
        if (own === undefined) exact.set(startUs, (own = new Quantiles()))
        own.add(value)
      }
      for (const { startUs, count, sketch, min, max } of windowsOf(run, column.field)) {
        all.windows++
        all.samples += count
        if (sketch === null) continue
        const found = new Quantiles()
        found.addSketch(sketch, min, max)
        for (const q of [0.5, 0.9, 0.99]) {
          const due = exact.get(startUs)!.quantile(q)
          const most = Math.max(Math.abs(min), Math.abs(max))
          // Between two values of different sign the error is theirs, not that of the value between them.
          const size = min < 0 && max > 0 ? most : Math.abs(due)
          if (size > 0) all.off = Math.max(all.off, Math.abs(found.quantile(q) - due) / size)
        }
      }
    }
  }
  return all
}

/** Devices of the standard workload that report every ten seconds, for three days, and every second, for one. */
function* everyFew(): Generator<DataSet> {
  const devices = (count: number, rows: number, everyUs: number) =>
    Array.from({ length: count }, (_, seed) => standardGroup(seed, rows, everyUs))
  yield { name: 'every 10 s', groups: devices(8, 3 * 8640, 10e6) }
  yield { name: 'every 1 s', groups: devices(3, 86_400, 1e6) }
}

const { dir, text } = benchArguments([], [], ['data'])
const data = text('data')
printHead('bench-rollup: bytes on the medium of tiers', {
  workload: data === undefined ? 'generated sets' : `sets of ${data}`,
  bounds: [
    `the tier 1h with sketches of 1 %: at most a third of its samples, where a window has at least 60`,
    'quantiles by sketches of 1 %: off by at most 1 %'
  ]
})
const table = []
const verdicts: (() => void)[] = []
for (const set of data === undefined ? [...everyFew(), ...generatedSets()] : readSets(data)) {
  const raw = await segmentBytes(
    set,
    set.groups.map(group => group.run),
    dir
  )
  const samplesAll = set.groups.reduce(
    (sum, { run }) => sum + run.columns.reduce((of, { count }) => of + count, 0),
    0
  )
  for (const [name, stepUs] of Object.entries(steps)) {
    const { off, windows, samples } = judged(set, stepUs)
    // A tier as fine as its samples is nothing that anybody writes.
    if (windows === 0 || samples / windows < 3) continue
    const plain = await segmentBytes(set, folded(set, stepUs, null), dir)
    const fine = await segmentBytes(set, folded(set, stepUs, 2), dir)
    const coarse = await segmentBytes(set, folded(set, stepUs, 4), dir)
    table.push({
      set: set.name,
      raw: round(raw / samplesAll),
      tier: name,
      count: round(samples / windows),
      window: round(plain / windows),
      share: round(plain / raw),
      'a sample': round(plain / samplesAll),
      '1 %': round((fine - plain) / windows),
      '4 %': round((coarse - plain) / windows),
      off: off.toFixed(5)
    })
    verdicts.push(() => {
      if (name === '1h' && samples / windows >= 60)
        judge(`${set.name}: 1h with sketches over its samples`, fine / raw, '<=', shareOfRawMax)
      judge(`${set.name}: error of quantiles of ${name}`, off, '<=', offMax)
    })
  }
}
printTable(table)
for (const verdict of verdicts) verdict()

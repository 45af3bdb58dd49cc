// Bytes on the medium for data sets: a segment of varve, whole (chunks, names, index, checksums, one shared
// time column a group), beside what VictoriaMetrics keeps for the same samples after a forced merge, and beside
// the best of the prototypes that were measured on the same files before varve was begun.
//
//   node scripts/bench-data.ts [--data DIR] [--rows 4096] [--only varve,victoria-metrics] [--dir DIR]
//   --data DIR  sets of real samples; the form of the files is in data-sets.ts (default: the generated sets)
//   --rows N    rows in a chunk, 1 to 4096
//
// Columns, in bytes: `value` a value with its share of heads; `time` a row; `segment` the whole file over all
// samples; `victoria` its directory without caches over the same samples; `prototype` a value in the best
// prototype, without any heads (blocks of 720 rows for --rows up to 1000, else of 8,640).
// VictoriaMetrics takes numbers only: a set with strings is not put beside it.

import { setTimeout as sleep } from 'node:timers/promises'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { SegmentWriter } from '../src/engine/segment-writer.ts'
import { FAMILY_SERIES } from '../src/series/family.ts'
import { makeLabels } from '../src/series/label.ts'
import { KIND } from '../src/series/sample.ts'
import { SeriesSegmentWriter } from '../src/series/segment-build.ts'
import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, installed, Poster, startStore } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { measure } from './chunk-measure.ts'
import { type DataSet, type GroupOfSet, generatedSets, readSets, runsOf } from './data-sets.ts'

const shareOfVictoriaMax = 0.5
const shareOfPrototypeMax = 1.1
const linesPerBody = 5000
/** Bytes a value of the best prototype: blocks of 720, of 8,640 (where it was measured). */
const prototypes: Readonly<Record<string, readonly [number, number]>> = {
  room: [0.33, 0.31],
  household: [0.33, 0.3],
  jena: [1.14, 1.08],
  ett: [2.42, 1.12],
  occupancy: [1.55, 1.55]
}

/** The bytes of a segment that holds the whole set. */
async function segmentBytes(set: DataSet, rows: number, dir: string): Promise<number> {
  const header = { family: FAMILY_SERIES, class: 'default', bucketUs: 0, spanUs: 1, id: 1 }
  const file = await SegmentWriter.create(new NodeDisk(dir), `${set.name}.segment`, 'segment', header)
  const segment = new SeriesSegmentWriter(file)
  for (const [id, group] of set.groups.entries()) {
    const labels = makeLabels([['device', group.name]])
    segment.group({ id, name: set.name, labels, fields: group.fields }, runsOf(group, rows))
    await file.room()
  }
  return (await segment.finish(1, 0, 0)).bytes
}

const escaped = (name: string) => name.replaceAll(/[ ,=]/g, '\\$&')

/** A group as lines with times in ms. */
function* linesOf(set: string, { name, fields, run }: GroupOfSet): Iterable<string> {
  const head = name === '' ? set : `${set},device=${escaped(name)}`
  const keys = fields.map(escaped)
  const at = run.columns.map(() => 0)
  for (let row = 0; row < run.rows; row++) {
    const values: string[] = []
    run.columns.forEach(({ field, present, numbers }, i) => {
      if (present !== null && present[row] === 0) return
      values.push(`${keys[field]}=${numbers![at[i]!]}`)
      at[i] = at[i]! + 1
    })
    yield `${head} ${values.join(',')} ${run.times[row]! / 1000}`
  }
}

function* bodiesOf(set: DataSet): Iterable<{ readonly bytes: Buffer }> {
  let lines: string[] = []
  for (const group of set.groups) {
    for (const line of linesOf(set.name, group)) {
      lines.push(line)
      if (lines.length < linesPerBody) continue
      yield { bytes: Buffer.from(lines.join('\n')) }
      lines = []
    }
  }
  if (lines.length > 0) yield { bytes: Buffer.from(lines.join('\n')) }
}

/** The bytes that VictoriaMetrics keeps, once they have not changed for 5 s. */
async function victoriaBytes(set: DataSet, dir: string): Promise<number> {
  const store = await startStore('victoria-metrics', dir)
  const poster = new Poster(store, 2)
  await poster.postAll(bodiesOf(set), 2)
  poster.close()
  await fetch(`${store.httpUrl}/internal/force_flush`)
  await fetch(`${store.httpUrl}/internal/force_merge`)
  const bytes = () => directoryBytes('victoria-metrics', dir).data
  for (let quiet = 0, before = -1; quiet < 5; ) {
    await sleep(1000)
    const now = bytes()
    quiet = now === before ? quiet + 1 : 0
    before = now
  }
  await store.stop()
  return bytes()
}

const { names, dir, number, text } = benchArguments(['varve', 'victoria-metrics'], ['rows'], ['data'])
const rows = number('rows', 4096)
const data = text('data')
printHead('bench-data: bytes on the medium of whole data sets', {
  workload: `${data === undefined ? 'generated sets' : `sets of ${data}`}, chunks of ${rows} rows`,
  bounds: [
    `a whole segment: at most ${shareOfVictoriaMax} of VictoriaMetrics after a forced merge`,
    `a value: at most ${shareOfPrototypeMax} of the best prototype`
  ]
})
const beside = installed(names).includes('victoria-metrics')
const verdicts: (() => void)[] = []
const table = []
for (const set of data === undefined ? generatedSets() : readSets(data)) {
  const runs = set.groups.flatMap(group => [...runsOf(group, rows)])
  const tally = measure(runs, true)
  const bytes = await segmentBytes(set, rows, dir)
  const numeric = set.groups.every(({ run }) => run.columns.every(({ kind }) => kind === KIND.number))
  const peer = beside && numeric ? await victoriaBytes(set, `${dir}/victoria-${set.name}`) : Number.NaN
  const prototype = prototypes[set.name]?.[rows <= 1000 ? 0 : 1] ?? Number.NaN
  const { samples } = tally
  table.push({
    set: set.name,
    samples: round(samples),
    value: round(tally.values / samples),
    time: round(tally.times / tally.rows),
    segment: round(bytes / samples),
    victoria: Number.isNaN(peer) ? '-' : round(peer / samples),
    prototype: Number.isNaN(prototype) ? '-' : round(prototype)
  })
  verdicts.push(() => {
    judge(`${set.name}: chunks that came back with other bits`, Number(!tally.sound), '<=', 0)
    if (!Number.isNaN(peer))
      judge(`${set.name}: segment over VictoriaMetrics`, bytes / peer, '<=', shareOfVictoriaMax)
    if (Number.isNaN(prototype)) return
    const share = tally.values / samples / prototype
    judge(`${set.name}: value over prototype`, share, '<=', shareOfPrototypeMax)
  })
}
printTable(table)
for (const verdict of verdicts) verdict()

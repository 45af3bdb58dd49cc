// What the compaction plan makes a store write, counted without writing: random overwrites of all keys, flushes of so
// many of them, and the jobs that engine/compaction-plan.ts chooses, with dead bytes known exactly. Rows are limits,
// those of the store first.
//
//   node scripts/kv-plan.ts [--keys 100000] [--memtable 7000] [--puts 800000]
//
// Only the proportions of the numbers count, so that 100,000 and 7,000 stand for a million keys and the memtable of a
// default store, which holds about 65,000 of them.

import { parseArgs } from 'node:util'
import { Random } from '../src/base/random.ts'
import { COMPACTION_LIMITS, type CompactionLimits, planCompaction } from '../src/engine/compaction-plan.ts'
import { printTable, round } from './bench-report.ts'

/** Of an entry of 16 + 100 bytes in a segment that is not squeezed. */
const ENTRY_BYTES = 118

interface Segment {
  readonly id: number
  readonly order: number
  readonly entries: number
  /** 1 for each key that it has. */
  readonly has: Uint8Array
}

const { values: given } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    memtable: { type: 'string', default: '7000' },
    puts: { type: 'string', default: '800000' }
  }
})
const keys = Number(given.keys)
const memtable = Number(given.memtable)
const puts = Number(given.puts)

/** Bytes and dead bytes of segments, newest first. */
function weighed(segments: readonly Segment[]) {
  const newer = new Uint8Array(keys)
  return segments.map(({ id, order, entries, has }) => {
    let dead = 0
    for (let key = 0; key < keys; key++) {
      dead += has[key]! & newer[key]!
      newer[key]! |= has[key]!
    }
    return { id, order, bytes: entries * ENTRY_BYTES, deadBytes: dead * ENTRY_BYTES, tombstoneBytes: 0 }
  })
}

function joined(id: number, inputs: readonly Segment[]): Segment {
  const has = new Uint8Array(keys)
  for (const input of inputs) for (let key = 0; key < keys; key++) has[key]! |= input.has[key]!
  return { id, order: inputs[0]!.order, entries: has.reduce((sum, bit) => sum + bit, 0), has }
}

function lived(limits: CompactionLimits) {
  const random = new Random(1)
  let segments: Segment[] = [{ id: 0, order: 0, entries: keys, has: new Uint8Array(keys).fill(1) }]
  let id = 1
  let has = new Uint8Array(keys)
  let entries = 0
  let flushed = 0
  let rewritten = 0
  let segmentsMax = 0
  let storedMax = 0
  for (let put = 0; put < puts; put++) {
    const key = random.below(keys)
    entries += 1 - has[key]!
    has[key] = 1
    if (entries < memtable) continue
    flushed += entries
    segments.unshift({ id, order: id++, entries, has })
    has = new Uint8Array(keys)
    entries = 0
    for (;;) {
      const { job } = planCompaction(weighed(segments), Number.POSITIVE_INFINITY, limits)
      if (job === null) break
      const made = joined(
        id++,
        segments.filter(segment => job.inputs.includes(segment.id))
      )
      rewritten += made.entries
      segments = [...segments.filter(segment => !job.inputs.includes(segment.id)), made]
      segments.sort((a, b) => b.order - a.order)
    }
    segmentsMax = Math.max(segmentsMax, segments.length)
    storedMax = Math.max(storedMax, segments.reduce((sum, segment) => sum + segment.entries, 0) / keys)
  }
  return { flushed, rewritten, segmentsMax, storedMax }
}

const tried: readonly CompactionLimits[] = [
  COMPACTION_LIMITS,
  { segmentsMax: 12, tierMin: 6, tierRatio: 1.5, gainMin: 1 },
  { segmentsMax: 24, tierMin: 12, tierRatio: 1, gainMin: 1.5 },
  { segmentsMax: 24, tierMin: 24, tierRatio: 1.5, gainMin: 1.5 }
]
console.log(`${puts} random overwrites of ${keys} keys of 16 + 100 bytes, ${memtable} of them a flush`)
printTable(
  tried.map(limits => {
    const { flushed, rewritten, segmentsMax, storedMax } = lived(limits)
    return {
      limits: Object.values(limits).join(', '),
      'flushed/put': round((flushed * ENTRY_BYTES) / puts),
      'joined/put': round((rewritten * ENTRY_BYTES) / puts),
      'segments at most': segmentsMax,
      'stored, of what lives': round(storedMax)
    }
  })
)

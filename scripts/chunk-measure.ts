// Encodes runs to chunks and decodes them, bit for bit, with a clock at hand. Each chunk is done several
// times and its best time counts: on a machine that does other things too, the sum of best times is what
// the work takes, and the time of a whole round is not.
//
// Not here: where runs come from (data-sets.ts), bounds (bench-codecs.ts, bench-data.ts).
import { ByteReader, ByteWriter } from '../src/base/bytes.ts'
import { CHUNK_ROWS_MAX, encodeChunk } from '../src/series/chunk.ts'
import { ChunkView } from '../src/series/chunk-view.ts'
import type { Run } from '../src/series/run.ts'
import { KIND } from '../src/series/sample.ts'

const ENCODE_ROUNDS = 4
const DECODE_ROUNDS = 12
/** A short chunk is decoded this often between two looks at the clock, in rows. */
const ROWS_TIMED = 2000

export interface Tally {
  samples: number
  rows: number
  /** Bytes of columns, heads with them. */
  values: number
  /** All other bytes. */
  times: number
  encodeMs: number
  decodeMs: number
  /** All bits came back. */
  sound: boolean
}

export const times: Float64Array = new Float64Array(CHUNK_ROWS_MAX)
export const numbers: Float64Array = new Float64Array(CHUNK_ROWS_MAX)
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
      // Those of a part of a run begin anywhere.
      const { bytes, offsets } = column.texts
      const begin = offsets[0]!
      const own = bytes.subarray(begin, offsets[column.count])
      if (Buffer.compare(texts.bytes, own) !== 0) sound = false
      if (texts.offsets.some((offset, at) => offset !== offsets[at]! - begin)) sound = false
      return
    }
    view.numbers(i, numbers)
    if (!sameBits(column.numbers!, numbers, column.count)) sound = false
  })
  return sound
}

/** Decodes everything of a chunk, as a query that wants all of it does. */
export function decodeAll(view: ChunkView): void {
  view.times(times)
  for (let i = 0; i < view.columns.length; i++) {
    view.present(i, present)
    if (view.columns[i]!.kind <= KIND.boolean) view.numbers(i, numbers)
    else view.texts(i)
  }
}

/** The best time of `again` calls, each of them `times` runs of `act`, ms a run. */
export function bestOf(again: number, runs: number, act: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < again; round++) {
    const started = performance.now()
    for (let i = 0; i < runs; i++) act()
    best = Math.min(best, (performance.now() - started) / runs)
  }
  return best
}

/** Encodes, decodes and compares all runs. @param cold as encodeChunk() */
export function measure(runs: readonly Run[], cold: boolean): Tally {
  const tally = { samples: 0, values: 0, times: 0, rows: 0, encodeMs: 0, decodeMs: 0, sound: true }
  const out = new ByteWriter(1 << 20)
  // Whole rounds first, so that the first chunks are timed as warm as the last.
  const warm = runs.slice(0, 200)
  for (const run of warm) {
    out.reset()
    encodeChunk(run, out, { cold })
    decodeAll(new ChunkView(new ByteReader(out.copy())))
  }
  for (const run of runs) {
    tally.encodeMs += bestOf(ENCODE_ROUNDS, 1, () => {
      out.reset()
      encodeChunk(run, out, { cold })
    })
    const chunk = out.copy()
    const repeat = Math.max(1, Math.round(ROWS_TIMED / run.rows))
    tally.decodeMs += bestOf(DECODE_ROUNDS, repeat, () => decodeAll(new ChunkView(new ByteReader(chunk))))
    const view = new ChunkView(new ByteReader(chunk))
    tally.sound &&= check(run, view)
    const values = view.columns.reduce((bytes, column) => bytes + column.bytes, 0)
    tally.values += values
    tally.times += chunk.length - values
    tally.rows += run.rows
    tally.samples += run.columns.reduce((samples, column) => samples + column.count, 0)
  }
  return tally
}

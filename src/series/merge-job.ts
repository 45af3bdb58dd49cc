// Rewrites neighbouring segments of one bucket as one. Runs in a worker; with a simulated disk, inline.
//
// Invariants: the output holds exactly what a reader sees in the inputs; the inputs stay live until the
// output is in the manifest. A damaged input ends the job: merging would make the loss final, and the file may
// still be repaired by hand. tryMerge() says which it was, so that it is left out of the next choice. Inputs are read
// as they are stored, without the correction of a boot (boots.ts), and the output is of their boot.
// Not here: choosing (merge-plan.ts), making it live (store.ts).
import { CorruptionError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { segmentPath } from '../engine/file-names.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { Catalog } from './catalog.ts'
import { writeSegment } from './flush-job.ts'
import { SeriesReader } from './reader.ts'
import type { Run } from './run.ts'
import { copied, merge } from './run-edit.ts'
import { CHUNK_ROWS_MAX } from './segment-build.ts'
import { SegmentCache } from './segment-cache.ts'

/** What came of a merge: a segment (null: nothing was left to write), or the input that is damaged. */
export type MergeOutcome =
  | { readonly output: SegmentInfo | null; readonly damaged: null }
  | {
      readonly output: null
      readonly damaged: {
        readonly id: number
        readonly file: string
        readonly offset: number
        readonly why: string
      }
    }

/** As mergeSegments(), but a damaged input is an outcome. @throws {VarveError} as Disk */
export async function tryMerge(
  disk: Disk,
  inputs: readonly SegmentInfo[],
  catalog: Catalog,
  id: number
): Promise<MergeOutcome> {
  try {
    return { output: await mergeSegments(disk, inputs, catalog, id), damaged: null }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const { file, offset, why } = error
    const input = inputs.find(one => segmentPath(one.id) === file)
    if (input === undefined) throw error
    return { output: null, damaged: { id: input.id, file, offset, why } }
  }
}

/**
 * Merges the inputs (neighbours in order); resolves with the new segment, not yet live.
 * @throws {CorruptionError} for an input that is damaged @throws {VarveError} as Disk
 */
export async function mergeSegments(
  disk: Disk,
  inputs: readonly SegmentInfo[],
  catalog: Catalog,
  id: number
): Promise<SegmentInfo | null> {
  const cache = new SegmentCache(disk, { filesMax: inputs.length, indexBytesMax: Number.POSITIVE_INFINITY })
  try {
    const reader = new SeriesReader(
      { catalog, segments: inputs, heads: [] },
      cache,
      (error: CorruptionError) => {
        throw error
      }
    )
    const { class: name, bucketUs, spanUs, boot } = inputs[0]!
    const ascending = [...new Set(inputs.flatMap(info => [...cache.index(info).groups]))].sort(
      (a, b) => a - b
    )
    const groups = function* () {
      for (const group of ascending) {
        yield { group, runs: joined(reader.runs(group, null, bucketUs, bucketUs + spanUs - 1)) }
      }
    }
    const level = 1 + Math.max(...inputs.map(info => info.level))
    const order = inputs.at(-1)!.order
    const target = { id, order, class: name, bucketUs, spanUs, cause: 'merge', level, boot } as const
    return await writeSegment(disk, catalog, target, groups())
  } finally {
    cache.close()
  }
}

/** Short runs joined until they fill a chunk. */
export function* joined(runs: Iterable<Run>): Iterable<Run> {
  let open: Run | null = null
  for (const run of runs) {
    if (open === null) open = copied(run)
    else if (open.rows + run.rows <= CHUNK_ROWS_MAX) open = merge(open, run)
    else {
      yield open
      open = copied(run)
    }
  }
  if (open !== null) yield open
}

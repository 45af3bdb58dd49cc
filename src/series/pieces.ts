// Pieces of a group's rows (a chunk, rows of a head) put together in time: what overlaps is merged row by row,
// what does not goes on as it lies in its piece. Late samples make neighbouring chunks overlap by a few rows, so
// only those few are merged, and a whole chunk may still be told by its head.
//
// Invariants: at equal times the piece of the higher rank wins, and a damaged piece hides what is older in its
// stretch, of which it may have held newer rows; what is given ascends in time and does not overlap.
// Not here: which pieces there are (reader.ts), the merge of two runs (run-edit.ts).
import type { Run } from './run.ts'
import { clip, lowerBound, merge } from './run-edit.ts'
import type { Summary } from './source.ts'

/** Some rows of a group that may overlap others in time. */
export interface Piece {
  readonly firstUs: number
  readonly lastUs: number
  /** Higher wins. */
  readonly rank: number
  /** Null when it is damaged. */
  read(): Run | null
  /** The times alone; null as read(). */
  times(): Float64Array | null
  /** Null when only read() can tell. */
  summary(ends: boolean): Summary | null
}

/** Pieces grouped so that those of different clusters do not overlap; clusters ascend in time. */
export function clusterByTime(pieces: Piece[]): Piece[][] {
  if (pieces.length > 1) pieces.sort((a, b) => a.firstUs - b.firstUs || a.rank - b.rank)
  const clusters: Piece[][] = []
  let cluster: Piece[] = []
  let endUs = Number.NEGATIVE_INFINITY
  for (const piece of pieces) {
    if (piece.firstUs > endUs) clusters.push((cluster = []))
    cluster.push(piece)
    if (piece.lastUs > endUs) endUs = piece.lastUs
  }
  return clusters
}

/** All rows of a cluster as runs that ascend in time. */
export function runsOfCluster(cluster: readonly Piece[]): Run[] {
  if (cluster.length === 1) {
    const run = cluster[0]!.read()
    return run === null ? [] : [run]
  }
  const runs: { run: Run; rank: number; firstUs: number; lastUs: number }[] = []
  const damaged: Piece[] = []
  for (const piece of cluster) {
    const run = piece.read()
    if (run === null) damaged.push(piece)
    else if (run.rows > 0) {
      runs.push({ run, rank: piece.rank, firstUs: run.times[0]!, lastUs: run.times[run.rows - 1]! })
    }
  }
  // Between two neighbouring bounds the same pieces have rows.
  const bounds = new Set<number>()
  for (const { firstUs, lastUs } of [...runs, ...damaged]) bounds.add(firstUs).add(lastUs + 1)
  const cuts = Float64Array.from(bounds).sort()
  const made: Run[] = []
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [fromUs, toUs] = [cuts[i]!, cuts[i + 1]! - 1]
    const isMet = (one: { firstUs: number; lastUs: number }) => one.firstUs <= toUs && one.lastUs >= fromUs
    const rankMin = damaged.reduce((max, one) => (isMet(one) ? Math.max(max, one.rank) : max), 0)
    const meeting = runs.filter(one => one.rank >= rankMin && isMet(one))
    const run = mergeAll(meeting.sort((a, b) => a.rank - b.rank).map(one => clip(one.run, fromUs, toUs)))
    if (run !== null) made.push(run)
  }
  return made
}

/** Merged pairwise, so that n runs cost log n passes; neighbours in rank first. */
function mergeAll(clipped: readonly (Run | null)[]): Run | null {
  let runs = clipped.filter(run => run !== null)
  while (runs.length > 1) {
    const merged: Run[] = []
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(i + 1 < runs.length ? merge(runs[i]!, runs[i + 1]!) : runs[i]!)
    }
    runs = merged
  }
  return runs[0] ?? null
}

/**
 * The summaries of a cluster's pieces, which together say what its rows come to; null when only the rows can
 * tell: a piece has no summary, or two have a row at the same time.
 */
export function summariesOf(cluster: readonly Piece[], ends: boolean): Summary[] | null {
  if (cluster.length > 1 && meet(cluster)) return null
  const found: Summary[] = []
  for (const piece of cluster) {
    const summary = piece.summary(ends)
    if (summary === null) return null
    found.push(summary)
  }
  return found
}

/** Whether two pieces have a row at one time. Those of a cluster overlap, so their times are read. */
function meet(cluster: readonly Piece[]): boolean {
  let known: Float64Array = new Float64Array(0)
  for (const piece of cluster) {
    const times = piece.times()
    if (times === null) return true
    // Pieces ascend by their first time: what is earlier meets none that follows.
    const union = joined(known.subarray(lowerBound(known, known.length, times[0]!)), times)
    if (union === null) return true
    known = union
  }
  return false
}

/** The times of both, ascending; null when one is in both. */
function joined(a: Float64Array, b: Float64Array): Float64Array | null {
  if (a.length === 0) return b
  const all = new Float64Array(a.length + b.length)
  let i = 0
  let k = 0
  for (let n = 0; n < all.length; n++) {
    if (k === b.length || (i < a.length && a[i]! < b[k]!)) all[n] = a[i++]!
    else if (i < a.length && a[i] === b[k]) return null
    else all[n] = b[k++]!
  }
  return all
}

// Pieces of a group's rows (a chunk, rows of a head) put together in time: what overlaps is merged row by row,
// what does not goes on as it lies in its piece. Late samples make neighbouring chunks overlap by a few rows, so
// only those few are merged, and a whole chunk may still be told by its head.
//
// Neighbours that overlap may make one chain of all that was ever written, so a cluster is cut at every end of a
// piece into stretches of which the same pieces have rows; a piece is decoded at the first stretch that it is in
// and its memory is used again after the last.
//
// Invariants: at equal times the piece of the higher rank wins, and a damaged piece hides what is older in its
// stretch, of which it may have held newer rows; what is given ascends in time and does not overlap, and holds
// until the next is asked for.
// Not here: which pieces there are (reader.ts), the merge of two runs (run-edit.ts).
import type { Run } from './run.ts'
import { clip, lowerBound, merge } from './run-edit.ts'
import type { RunRoom, RunRooms } from './run-room.ts'
import type { Order, Summary } from './source.ts'

/** Some rows of a group that may overlap others in time. */
export interface Piece {
  readonly firstUs: number
  readonly lastUs: number
  /** Higher wins. */
  readonly rank: number
  /** The rows, in memory of the room or of their own; null when the piece is damaged. */
  read(room: RunRoom): Run | null
  /** The times alone; as read(). */
  times(room: RunRoom): Float64Array | null
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

/** A piece on its way through the stretches. */
interface Held {
  readonly piece: Piece
  /** Stretches it is still needed in. */
  left: number
  room: RunRoom | null
  /** Null when it is damaged, or not read yet. */
  run: Run | null
}

/** [fromUs, toUs], where the same pieces have rows; by rank. */
interface Stretch {
  readonly fromUs: number
  readonly toUs: number
  readonly held: readonly Held[]
}

/** All rows of a cluster as runs that do not overlap, in the given order; in each, times ascend. */
export function* runsOfCluster(
  cluster: readonly Piece[],
  rooms: RunRooms,
  order: Order = 'asc'
): Generator<Run, void, void> {
  if (cluster.length === 1) {
    const room = rooms.take()
    try {
      const run = cluster[0]!.read(room)
      if (run !== null) yield run
    } finally {
      rooms.give(room)
    }
    return
  }
  const stretches = stretchesOf(cluster)
  if (order === 'desc') stretches.reverse()
  try {
    for (const stretch of stretches) {
      const run = runOf(stretch, rooms)
      if (run !== null) yield run
      for (const held of stretch.held) if (--held.left === 0) release(held, rooms)
    }
  } finally {
    for (const { held } of stretches) for (const one of held) release(one, rooms)
  }
}

function stretchesOf(cluster: readonly Piece[]): Stretch[] {
  const bounds = new Set<number>()
  for (const { firstUs, lastUs } of cluster) bounds.add(firstUs).add(lastUs + 1)
  const cuts = Float64Array.from(bounds).sort()
  const stretches: Stretch[] = []
  let open: Held[] = []
  let next = 0
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [fromUs, toUs] = [cuts[i]!, cuts[i + 1]! - 1]
    open = open.filter(({ piece }) => piece.lastUs >= fromUs)
    while (next < cluster.length && cluster[next]!.firstUs === fromUs) {
      open.push({ piece: cluster[next++]!, left: 0, room: null, run: null })
    }
    for (const held of open) held.left++
    stretches.push({ fromUs, toUs, held: open.toSorted((a, b) => a.piece.rank - b.piece.rank) })
  }
  return stretches
}

/** What the pieces of a stretch come to; null when it has no rows. */
function runOf({ fromUs, toUs, held }: Stretch, rooms: RunRooms): Run | null {
  let parts: Run[] = []
  for (const one of held) {
    if (one.room === null) {
      one.room = rooms.take()
      one.run = one.piece.read(one.room)
    }
    // Damage hides what is older.
    if (one.run === null) parts = []
    else {
      const part = clip(one.run, fromUs, toUs)
      if (part !== null) parts.push(part)
    }
  }
  return mergeAll(parts)
}

function release(held: Held, rooms: RunRooms): void {
  if (held.room !== null) rooms.give(held.room)
  held.room = null
  held.run = null
}

/** Merged pairwise, so that n runs cost log n passes; neighbours in rank first. */
function mergeAll(parts: readonly Run[]): Run | null {
  let runs = parts
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
 * @param meeting  whether they have, where that is known
 */
export function summariesOf(
  cluster: readonly Piece[],
  ends: boolean,
  meeting: () => boolean
): Summary[] | null {
  if (cluster.length > 1 && meeting()) return null
  const found: Summary[] = []
  for (const piece of cluster) {
    const summary = piece.summary(ends)
    if (summary === null) return null
    found.push(summary)
  }
  return found
}

/** Whether two pieces of a cluster have a row at one time. They overlap, so their times are read. */
export function meet(cluster: readonly Piece[], rooms: RunRooms): boolean {
  const room = rooms.take()
  try {
    // Times before the next piece that one of it may be equal to: only where they overlap.
    let open: Float64Array = new Float64Array(0)
    for (const [i, piece] of cluster.entries()) {
      room.clear()
      const times = piece.times(room)
      if (times === null || isShared(open, times)) return true
      const nextUs = cluster[i + 1]?.firstUs ?? Number.POSITIVE_INFINITY
      open = union(from(open, nextUs), from(times, nextUs))
    }
    return false
  } finally {
    rooms.give(room)
  }
}

function from(times: Float64Array, timeUs: number): Float64Array {
  return times.subarray(lowerBound(times, times.length, timeUs))
}

/** Whether a time is in both; both ascend. */
function isShared(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    const apart = a[i]! - b[k]!
    if (apart === 0) return true
    if (apart < 0) i++
    else k++
  }
  return false
}

/** The times of both, ascending, in memory of their own. */
function union(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return a.length === 0 || b.length === 0 ? all : all.sort()
}

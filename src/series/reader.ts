// Answers reads over a snapshot: the segments that were live and the heads as they stood when the reader
// was made. One group at a time, runs are put together from chunks and rows whose times may overlap (late
// data, a head behind a segment): what overlaps is merged, what does not is handed on as it is.
//
// Invariants: at equal times the later write wins: segments by `order`, then the head being flushed, then
// the head; a damaged chunk costs its own samples, and those that earlier writes left of its group between its
// first and its last time: it may have held later values of them. Everything else is read.
// Not here: finding and reading a chunk (chunk-reader.ts), putting them together (pieces.ts), which segments
// are live (engine/manifest), evaluation (query).
import type { CorruptionError } from '../base/errors.ts'
import type { LiveSegment } from './boots.ts'
import type { Catalog, Group } from './catalog.ts'
import { seriesName } from './catalog-names.ts'
import { ChunkReader } from './chunk-reader.ts'
import type { ChunkView } from './chunk-view.ts'
import type { HeadReader } from './head-read.ts'
import type { Matcher } from './matcher.ts'
import { Newest } from './newest.ts'
import { clusterByTime, meet, type Piece, runsOfCluster, summariesOf } from './pieces.ts'
import type { Run } from './run.ts'
import { clip } from './run-edit.ts'
import { RunRooms } from './run-room.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from './sample.ts'
import type { SegmentCache } from './segment-cache.ts'
import { selectSeries } from './select.ts'
import type {
  Last,
  Order,
  ReadCost,
  SeriesNames,
  SeriesSource,
  Summary,
  SummaryColumn,
  TierSource
} from './source.ts'

/** What a reader reads from. */
export interface Snapshot {
  readonly catalog: Catalog
  /** Live segments of series, of the classes to be read. */
  readonly segments: readonly LiveSegment[]
  /** Heads, the older first. */
  readonly heads: readonly HeadReader[]
  /** Coarser forms of the same series, the coarsest first; none when left out. */
  readonly tiers?: readonly TierSource[]
  /** By class, the time before which samples were dropped; a class that is not there lost none. */
  readonly goneUs?: ReadonlyMap<string, number>
}

/** Clusters of which a query remembers whether their pieces meet. */
const MEETINGS_MAX = 16_384

/** One consistent view of all series. Make one per query. */
export class SeriesReader implements SeriesSource {
  private readonly snapshot: Snapshot
  private readonly cache: SegmentCache
  private readonly chunks: ChunkReader
  private readonly rooms = new RunRooms()
  /** What isMeeting() found. */
  private readonly meetings = new Map<string, boolean>()
  private readonly segments: readonly LiveSegment[]
  /** The segments with their ranks, the newest end first. */
  private byEnd: { info: LiveSegment; rank: number }[] | null = null

  constructor(snapshot: Snapshot, cache: SegmentCache, onCorruption: (error: CorruptionError) => void) {
    this.snapshot = snapshot
    this.cache = cache
    this.chunks = new ChunkReader(cache, onCorruption)
    this.segments = [...snapshot.segments].sort((a, b) => a.order - b.order)
  }

  get tiers(): readonly TierSource[] {
    return this.snapshot.tiers ?? []
  }

  get blocksRead(): number {
    return this.chunks.blocksRead
  }

  /** How often a damaged place was met. */
  get damagesMet(): number {
    return this.chunks.damagesMet
  }

  get names(): SeriesNames {
    return this.snapshot.catalog.names
  }

  get damage(): readonly CorruptionError[] {
    return [...this.chunks.damage, ...this.tiers.flatMap(tier => tier.damage ?? [])]
  }

  get sampleDamage(): readonly CorruptionError[] {
    return this.chunks.damage
  }

  get goneUs(): number {
    return Math.max(0, ...(this.snapshot.goneUs?.values() ?? []))
  }

  /** A group's class is that of the segments it is in; in none, it may be any. */
  rawFromUs(group: number): number {
    const goneUs = this.snapshot.goneUs ?? new Map<string, number>()
    if (goneUs.size === 0) return 0
    const classes = new Set<string>()
    for (const info of this.segments) {
      if (classes.has(info.class)) continue
      if (this.chunks.places(info, group, TIME_MIN_US, TIME_MAX_US).length > 0) classes.add(info.class)
    }
    return Math.max(
      0,
      ...Array.from(classes.size > 0 ? classes : goneUs.keys(), name => goneUs.get(name) ?? 0)
    )
  }

  select(
    matchers: readonly Matcher[],
    topicFilter: string | null,
    limit: number,
    among?: Uint32Array
  ): Uint32Array {
    return selectSeries(this.snapshot.catalog, matchers, topicFilter, limit, among)
  }

  place(id: number) {
    return this.snapshot.catalog.place(id)
  }

  series(id: number) {
    const { catalog } = this.snapshot
    const { group, field } = catalog.place(id)
    const { name, labels, fields } = catalog.at(group)
    return { id, name: seriesName(name, fields[field]!), labels, group, field }
  }

  group(id: number): Group {
    return this.snapshot.catalog.at(id)
  }

  *runs(
    group: number,
    fields: readonly number[] | null,
    fromUs: number,
    toUs: number,
    order: Order = 'asc'
  ): Iterable<Run> {
    const pieces = this.pieces(group, fields, fromUs, toUs)
    const clusters = clusterByTime(pieces)
    if (order === 'desc') clusters.reverse()
    for (const cluster of clusters) {
      for (const run of runsOfCluster(cluster, this.rooms, order)) {
        const part = clip(run, fromUs, toUs)
        if (part !== null) yield part
      }
    }
  }

  *folds(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    stepUs: number,
    ends: boolean,
    originUs = 0
  ): Iterable<Run | Summary> {
    for (const cluster of clusterByTime(this.pieces(group, fields, fromUs, toUs))) {
      const summaries = isOneWindow(cluster, fromUs, toUs, stepUs, originUs)
        ? summariesOf(cluster, ends, () => this.isMeeting(cluster, group, fromUs, toUs))
        : null
      if (summaries !== null) {
        yield* summaries
        continue
      }
      for (const run of runsOfCluster(cluster, this.rooms)) {
        const part = clip(run, fromUs, toUs)
        if (part !== null) yield part
      }
    }
  }

  costOf(
    group: number,
    fromUs: number,
    toUs: number,
    stepUs: number,
    originUs: number,
    rowsMax: number
  ): ReadCost {
    let rows = 0
    let chunks = 0
    let firstUs = toUs
    let lastUs = fromUs
    for (const info of this.segments) {
      if (info.timeMaxUs < fromUs || info.timeMinUs > toUs) continue
      for (const place of this.chunks.places(info, group, fromUs, toUs)) {
        const step = Math.floor((place.firstUs - originUs) / stepUs)
        const isOneWindow = Math.floor((place.lastUs - originUs) / stepUs) === step
        chunks++
        if (!isOneWindow || place.firstUs < fromUs || place.lastUs > toUs) rows += place.rows
        firstUs = Math.min(firstUs, place.firstUs)
        lastUs = Math.max(lastUs, place.lastUs)
      }
      if (rows > rowsMax) break
    }
    return { rows, chunks, spanUs: Math.max(0, Math.min(lastUs, toUs) - Math.max(firstUs, fromUs)) }
  }

  last(group: number, fields: readonly number[] | null, toUs: number): Last[] {
    const newest = new Newest(new Set(fields ?? this.group(group).fields.keys()))
    return this.offerAll(group, toUs, newest) ? newest.values() : this.lastOfRuns(group, fields, toUs)
  }

  close(): void {
    this.cache.release()
  }

  /** The same as last(), past damage: by what runs() shows. */
  private lastOfRuns(group: number, fields: readonly number[] | null, toUs: number): Last[] {
    const newest = new Newest(new Set(fields ?? this.group(group).fields.keys()))
    for (const run of this.runs(group, fields, TIME_MIN_US, toUs, 'desc')) {
      if (newest.isSettled(run.times[run.rows - 1]!)) break
      newest.offerRun(run, 0)
    }
    return newest.values()
  }

  /** Offers what may be newest; false when something of it is damaged. */
  private offerAll(group: number, toUs: number, newest: Newest): boolean {
    let rank = this.segments.length + this.snapshot.heads.length
    for (const head of this.snapshot.heads.toReversed()) {
      rank--
      head.newestValues(group, toUs, newest.wanted, last => newest.offer(last, rank))
    }
    this.byEnd ??= this.segments
      .map((info, order) => ({ info, rank: order }))
      .sort((a, b) => b.info.timeMaxUs - a.info.timeMaxUs)
    for (const { info, rank: ownRank } of this.byEnd) {
      if (info.timeMinUs > toUs) continue
      if (newest.isSettled(info.timeMaxUs)) break
      if (!this.lastOfSegment(info, ownRank, group, toUs, newest)) return false
    }
    return true
  }

  private lastOfSegment(
    info: LiveSegment,
    rank: number,
    group: number,
    toUs: number,
    newest: Newest
  ): boolean {
    const room = this.rooms.take()
    try {
      for (const place of this.chunks.places(info, group, TIME_MIN_US, toUs).reverse()) {
        if (newest.isSettled(Math.min(place.lastUs, toUs))) return true
        const isSound = this.chunks.read(info, segment => {
          room.clear()
          if (place.lastUs <= toUs) segment.chunk(place, view => newest.offerChunk(view, rank))
          else {
            const run = clip(segment.run(place, [...newest.wanted], room), TIME_MIN_US, toUs)
            if (run !== null) newest.offerRun(run, rank)
          }
          return true
        })
        if (isSound === null) return false
      }
      return true
    } finally {
      this.rooms.give(room)
    }
  }

  /** Whether pieces of a cluster have a row at one time, which the next selector of the same group asks again. */
  private isMeeting(cluster: readonly Piece[], group: number, fromUs: number, toUs: number): boolean {
    const key = `${group} ${fromUs} ${toUs} ${cluster[0]!.firstUs}`
    let met = this.meetings.get(key)
    if (met === undefined) {
      met = meet(cluster, this.rooms)
      if (this.meetings.size >= MEETINGS_MAX) this.meetings.clear()
      this.meetings.set(key, met)
    }
    return met
  }

  private pieces(group: number, fields: readonly number[] | null, fromUs: number, toUs: number): Piece[] {
    const pieces: Piece[] = []
    let rank = 0
    for (const info of this.segments) {
      rank++
      if (info.timeMaxUs < fromUs || info.timeMinUs > toUs) continue
      for (const place of this.chunks.places(info, group, fromUs, toUs)) {
        pieces.push({
          firstUs: place.firstUs,
          lastUs: place.lastUs,
          rank,
          read: room => this.chunks.read(info, segment => segment.run(place, fields, room)),
          times: room => this.chunks.read(info, segment => segment.run(place, [], room).times),
          summary: ends =>
            this.chunks.read(info, segment => segment.chunk(place, view => summarise(view, fields, ends)))
        })
      }
    }
    for (const head of this.snapshot.heads) {
      rank++
      const run = head.run(group, fields, fromUs, toUs)
      if (run === null) continue
      pieces.push({
        firstUs: run.times[0]!,
        lastUs: run.times[run.rows - 1]!,
        rank,
        read: () => run,
        times: () => run.times.subarray(0, run.rows),
        summary: () => null
      })
    }
    return pieces
  }
}

/** A chunk by its head; null when what is needed is not in there. */
function summarise(chunk: ChunkView, fields: readonly number[] | null, ends: boolean): Summary | null {
  const columns: SummaryColumn[] = []
  for (const column of chunk.columns) {
    if (fields !== null && !fields.includes(column.field)) continue
    if (ends && (column.count < chunk.rows || column.kind === KIND.string || column.kind === KIND.bytes)) {
      return null
    }
    const { field, kind, count, nans, first, last, min, max, sum } = column
    columns.push({ field, kind, count, nans, first, last, min, max, sum })
  }
  return { firstUs: chunk.timeFirstUs, lastUs: chunk.timeLastUs, columns }
}

/** Whether all of a cluster is asked for, and lies in one window. */
function isOneWindow(
  cluster: readonly Piece[],
  fromUs: number,
  toUs: number,
  stepUs: number,
  originUs: number
): boolean {
  const firstUs = cluster[0]!.firstUs
  let lastUs = firstUs
  for (const piece of cluster) if (piece.lastUs > lastUs) lastUs = piece.lastUs
  if (firstUs < fromUs || lastUs > toUs) return false
  return Math.floor((firstUs - originUs) / stepUs) === Math.floor((lastUs - originUs) / stepUs)
}

// Segments of one thread: files stay open and indexes decoded while they are in use, within bounds. Indexes
// outlive their files, so that a query learns which segments have nothing of a group without opening them.
// Queries come back to the same newest segments, so the least recently used go first.
//
// A segment that is to be read at other times than before (boots.ts) is opened anew.
//
// Invariants: never more than filesMax files are open, whatever one query reads, so hold no segment across
// two calls of open(); indexes go between queries only (release()), since a query that walks groups asks
// for each of them again and again. Not here: keeping a dropped file until nobody reads it (the daemon's
// segment pins).
import type { CorruptionError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { segmentPath } from '../engine/file-names.ts'
import type { LiveSegment } from './boots.ts'
import type { SegmentIndex } from './segment-index.ts'
import { SeriesSegment } from './segment-open.ts'

/** Bounds of a cache. */
export interface SegmentCacheLimits {
  readonly filesMax: number
  readonly indexBytesMax: number
}

export class SegmentCache {
  private readonly disk: Disk
  private readonly limits: SegmentCacheLimits
  /** Both in order of last use, the oldest first. */
  private readonly segments = new Map<number, SeriesSegment>()
  private readonly indexes = new Map<number, { index: SegmentIndex; shiftUs: number }>()
  /** What of a segment is damaged that its index was found without, by id. */
  readonly damage = new Map<number, readonly CorruptionError[]>()
  /** Indexes used by the running query. */
  private readonly touched = new Set<number>()
  /** Files opened and indexes decoded so far. */
  readonly counts = { opened: 0, decoded: 0 }

  constructor(disk: Disk, limits: SegmentCacheLimits) {
    this.disk = disk
    this.limits = limits
  }

  /** @throws {CorruptionError} naming the file; VARVE_NOT_FOUND when it is not there */
  open(info: LiveSegment): SeriesSegment {
    const { id, shiftUs = 0 } = info
    const known = this.segments.get(id)
    if (known !== undefined) {
      this.segments.delete(id)
      if (known.shiftUs === shiftUs) {
        this.segments.set(id, known)
        return known
      }
      known.close()
    }
    this.closeOldest(this.limits.filesMax - 1)
    const segment = new SeriesSegment(this.disk, segmentPath(id), shiftUs)
    this.counts.opened++
    this.segments.set(id, segment)
    return segment
  }

  /** Where the chunks of a segment lie. @throws what open() throws */
  index(info: LiveSegment): SegmentIndex {
    const { id, shiftUs = 0 } = info
    let known = this.indexes.get(id)
    if (known?.shiftUs !== shiftUs) {
      const segment = this.open(info)
      known = { index: segment.readIndex(info), shiftUs }
      if (segment.damage.length > 0) this.damage.set(id, segment.damage)
      this.counts.decoded++
      this.indexes.set(id, known)
    }
    this.touched.add(id)
    return known.index
  }

  /** Between queries: forgets the indexes that are over the bound. */
  release(): void {
    for (const id of this.touched) {
      const index = this.indexes.get(id)
      if (index === undefined) continue
      this.indexes.delete(id)
      this.indexes.set(id, index)
    }
    this.touched.clear()
    let bytes = 0
    for (const [id, { index }] of [...this.indexes].reverse()) {
      bytes += index.bytes
      if (bytes > this.limits.indexBytesMax) this.indexes.delete(id)
    }
  }

  /** Closes and forgets segments that are no longer live. */
  keepOnly(live: ReadonlySet<number>): void {
    for (const [id, segment] of this.segments) {
      if (live.has(id)) continue
      segment.close()
      this.segments.delete(id)
    }
    for (const id of this.indexes.keys()) if (!live.has(id)) this.indexes.delete(id)
    for (const id of this.damage.keys()) if (!live.has(id)) this.damage.delete(id)
  }

  close(): void {
    this.keepOnly(new Set())
  }

  private closeOldest(filesMax: number): void {
    for (const [id, segment] of this.segments) {
      if (this.segments.size <= Math.max(0, filesMax)) return
      segment.close()
      this.segments.delete(id)
    }
  }
}

// Finds and reads the chunks of live segments for one query. Damage costs what it hit, never the query: it is told
// once, and the caller learns that something is missing.
//
// Invariants: a segment of which nothing can be read may have held any group at any of its times, so one place
// stands for all of it, which cannot be read.
// Not here: what the rows of several chunks come to (pieces.ts, reader.ts), open files (segment-cache.ts).
import { CorruptionError } from '../base/errors.ts'
import type { LiveSegment } from './boots.ts'
import type { SegmentCache } from './segment-cache.ts'
import type { ChunkPlace, SegmentIndex } from './segment-index.ts'
import type { SeriesSegment } from './segment-open.ts'

const NONE: readonly CorruptionError[] = []

export class ChunkReader {
  /** Chunks of which something was read. */
  blocksRead = 0
  /** How often a damaged place was met. */
  damagesMet = 0
  /** Each damaged place once. */
  readonly damage: CorruptionError[] = []
  private readonly cache: SegmentCache
  private readonly onCorruption: (error: CorruptionError) => void
  /** Segments of which nothing can be read. */
  private readonly unreadable = new Set<number>()
  private readonly told = new Set<string>()

  constructor(cache: SegmentCache, onCorruption: (error: CorruptionError) => void) {
    this.cache = cache
    this.onCorruption = onCorruption
  }

  /** The places of a group's chunks in a segment that touch [fromUs, toUs], ascending in time. */
  places(info: LiveSegment, group: number, fromUs: number, toUs: number): ChunkPlace[] {
    let index: SegmentIndex | null = null
    try {
      if (!this.unreadable.has(info.id)) index = this.cache.index(info)
    } catch (error) {
      this.damaged(error)
      this.unreadable.add(info.id)
    }
    if (index === null) {
      this.damagesMet++
      const { timeMinUs: firstUs, timeMaxUs: lastUs } = info
      const isMet = lastUs >= fromUs && firstUs <= toUs
      return isMet ? [{ block: 0, blockLength: 0, at: 0, length: 0, rows: 0, firstUs, lastUs }] : []
    }
    for (const error of this.cache.damage.get(info.id) ?? NONE) this.damaged(error)
    return index.chunks(group, fromUs, toUs)
  }

  /**
   * Reads of a chunk of a segment; null when it is damaged, or when `read` says that it could not tell, which is
   * no reading: another follows.
   */
  read<T>(info: LiveSegment, read: (segment: SeriesSegment) => T | null): T | null {
    if (this.unreadable.has(info.id)) return null
    try {
      const found = read(this.cache.open(info))
      if (found !== null) this.blocksRead++
      return found
    } catch (error) {
      this.damaged(error)
      return null
    }
  }

  private damaged(error: unknown): void {
    if (!(error instanceof CorruptionError)) throw error
    this.damagesMet++
    const place = `${error.file} ${error.offset}`
    if (this.told.has(place)) return
    this.told.add(place)
    this.damage.push(error)
    this.onCorruption(error)
  }
}

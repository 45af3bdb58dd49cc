// A consistent view of the store: memtables as they were and the segments that were live, pinned. All
// reads are here, the store's own included; newest wins, then tombstones and expired entries vanish.
//
// A scan goes on behind a damaged block. What older segments hold of its keys is not shown then, since the block
// may have held a later value or a tombstone: an entry is missing, and told, but never an old one in its place. Who
// asks for a single such key gets the error.
// Invariants: a view never changes; what it pins is let go by close(), and reads after that are refused.
// Not here: writes (store.ts).
import { type CorruptionError, VarveError } from '../base/errors.ts'
import { bloomHash } from '../engine/bloom.ts'
import { MergeIterator, type SortedCursor } from '../engine/merge-iterator.ts'
import { type Hole, isHidden } from './damage.ts'
import type { Entry } from './entry.ts'
import { byteString, bytesOf, EVERYTHING, type KeyMaker, keyStart } from './key.ts'
import type { MemtableView } from './memtable-view.ts'
import type { LiveSegment, PinnedTables } from './tables.ts'

/** What a scan gives. Text is taken as UTF-8. All bounds hold together. */
export interface ScanOptions {
  /** Only keys that start with this. */
  prefix?: string | Uint8Array
  /** The least key, itself included. */
  from?: string | Uint8Array
  /** The key that ends the range, itself excluded. */
  to?: string | Uint8Array
  /** Greatest key first. */
  reverse?: boolean
  /** The most entries to give; default: all. */
  limit?: number
  /** Goes on after the entry that the cursor came from (cursorOf), in the direction of this scan. */
  cursor?: string
}

/** Names the place of an entry for a later scan; opaque text, safe in a URL. */
export function cursorOf(entry: Entry): string {
  return Buffer.from(bytesOf(entry.stored.slice(keyStart(entry.stored)))).toString('base64url')
}

/** Looks a key up in segments, newest first; tombstones count as found. @throws {CorruptionError} */
export function findInSegments(segments: readonly LiveSegment[], stored: string): Entry | undefined {
  if (segments.length === 0) return undefined
  const hash = bloomHash(stored)
  for (const { segment } of segments) {
    if (!segment.mayHold(stored, hash)) continue
    const found = segment.get(stored)
    if (found !== undefined) return found
  }
  return undefined
}

/** A pinned view; times are judged by the moment it was taken. Close it: it keeps segments from being removed. */
export class Snapshot {
  /** The newest version that is in the view. */
  readonly version: number
  private readonly keys: KeyMaker
  private readonly memtables: readonly MemtableView[]
  private readonly tables: PinnedTables
  private readonly nowUs: number
  private readonly onDamage: ((error: CorruptionError) => void) | undefined
  private open = true

  /**
   * @param memtables  newest first
   * @param onDamage   told of blocks that a scan cannot read; without it the scan throws
   */
  constructor(
    keys: KeyMaker,
    memtables: readonly MemtableView[],
    tables: PinnedTables,
    nowUs: number,
    version: number,
    onDamage?: (error: CorruptionError) => void
  ) {
    this.onDamage = onDamage
    this.keys = keys
    this.memtables = memtables
    this.tables = tables
    this.nowUs = nowUs
    this.version = version
  }

  /** @throws {VarveError} VARVE_KEY, VARVE_NAMESPACE, VARVE_CLOSED, VARVE_CORRUPTION */
  get(namespace: string, key: string | Uint8Array): Entry | undefined {
    this.check()
    const stored = this.keys.stored(namespace, key)
    for (const memtable of this.memtables) {
      const found = memtable.get(stored)
      if (found !== undefined) return found.visible(this.nowUs) ? found : undefined
    }
    const found = findInSegments(this.tables.segments, stored)
    return found?.visible(this.nowUs) ? found : undefined
  }

  /**
   * The entries of a range in key order; read as they are asked for, so that the view must stay open.
   * @throws {VarveError} VARVE_NAMESPACE, VARVE_CLOSED; VARVE_CORRUPTION when nobody is told of damage
   */
  *scan(namespace: string, options: ScanOptions = {}): Generator<Entry, void, undefined> {
    this.check()
    let { low, high } = this.keys.range(namespace, options.prefix, options.from, options.to)
    const reverse = options.reverse === true
    if (options.cursor !== undefined) {
      const at = this.keys.range(namespace).low + byteString(Buffer.from(options.cursor, 'base64url'))
      if (reverse) high = at < high ? at : high
      else low = at >= low ? `${at}\0` : low
    }
    let left = options.limit ?? Number.POSITIVE_INFINITY
    if (low >= high || left <= 0) return
    const holes: Hole[] = []
    for (const merged = this.merged(low, high, reverse, holes); merged.key !== null; merged.next()) {
      const entry = merged.value()
      if (!entry.visible(this.nowUs) || (holes.length > 0 && this.isLost(entry, holes))) continue
      yield entry
      this.check()
      if (--left <= 0) return
    }
  }

  /** The names of namespaces that hold something, in order. @throws as scan() */
  *namespaces(): Generator<string, void, undefined> {
    for (let ns = this.namespaceAfter(''); ns !== null; ns = this.namespaceAfter(ns)) yield ns
  }

  /** The name of the next namespace that holds something; null: there is none. */
  private namespaceAfter(namespace: string): string | null {
    this.check()
    const holes: Hole[] = []
    const merged = this.merged(
      namespace === '' ? EVERYTHING.low : `${namespace}\u0001`,
      EVERYTHING.high,
      false,
      holes
    )
    for (; merged.key !== null; merged.next()) {
      const entry = merged.value()
      if (entry.visible(this.nowUs) && !(holes.length > 0 && isHidden(entry, holes))) return entry.namespace
    }
    return null
  }

  close(): void {
    this.open = false
    this.tables.release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private merged(low: string, high: string, reverse: boolean, holes: Hole[]): SortedCursor<Entry> {
    const { onDamage } = this
    const cursors: SortedCursor<Entry>[] = this.memtables.map(memtable => memtable.cursor(low, high, reverse))
    let newerFrom = Number.POSITIVE_INFINITY
    for (const { segment } of this.tables.segments) {
      const { keyMin, keyMax, versionMin, entries } = segment.facts
      const below = newerFrom
      const onHole =
        onDamage &&
        ((hole: Hole) => {
          holes.push({ ...hole, versionMax: Math.min(hole.versionMax, below - 1) })
          onDamage(hole.error)
        })
      if (keyMax >= low && keyMin < high) cursors.push(segment.cursor(low, high, reverse, onHole))
      if (entries > 0) newerFrom = Math.min(newerFrom, versionMin)
    }
    return new MergeIterator(cursors, reverse)
  }

  /** Whether a later write of an entry's key may be in a damaged block. */
  private isLost(entry: Entry, holes: readonly Hole[]): boolean {
    const { stored, version } = entry
    return (
      isHidden(entry, holes) && !this.memtables.some(memtable => memtable.get(stored)?.version === version)
    )
  }

  private check(): void {
    if (!this.open) throw new VarveError('VARVE_CLOSED', 'Cannot read snapshot: it is closed')
  }
}

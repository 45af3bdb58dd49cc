// The live segments of a store, newest first, and who still reads them. A reader pins the list it found;
// a segment that compaction replaced is closed and its file removed once no pinned list names it.
//
// Invariants:
//  - the list is replaced, never changed: a pinned list stays as it was;
//  - segments are ordered by `order`, greatest first, and of two that hold a key the greater order has
//    the later version. Compaction joins neighbours only, so that the order stays one;
//  - of two with one order one is what a compaction made of the other, whose edit a cut took (recovery adopts
//    such a segment): both are true, and the one that was made is first.
// Not here: what is in a segment (segment.ts), which to join (engine/compaction-plan.ts).

import { assert } from '../base/assert.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { SegmentFiles } from './host.ts'
import type { KvSegment } from './segment.ts'

/** A live segment with what the manifest says of it. */
export interface LiveSegment {
  readonly info: SegmentInfo
  readonly segment: KvSegment
}

/** A list of segments that stay readable until release() is called, once. */
export interface PinnedTables {
  readonly segments: readonly LiveSegment[]
  release(): void
}

export class Tables {
  private list: readonly LiveSegment[] = []
  private readonly pins = new Map<number, number>()
  private readonly gone = new Map<number, LiveSegment>()
  private readonly files: SegmentFiles
  private readonly onError: (error: unknown) => void

  /** @param onError  told when the file of a segment that is gone cannot be removed; it is tried at the next open */
  constructor(files: SegmentFiles, onError: (error: unknown) => void) {
    this.files = files
    this.onError = onError
  }

  /** Newest first. For a read that ends before anything else runs; others pin. */
  get segments(): readonly LiveSegment[] {
    return this.list
  }

  /** Adds some and lets others go, as one step. */
  change(add: readonly LiveSegment[], remove: readonly number[]): void {
    const gone = this.list.filter(live => remove.includes(live.info.id))
    this.list = [...this.list.filter(live => !remove.includes(live.info.id)), ...add].sort(
      (a, b) => b.info.order - a.info.order || b.info.id - a.info.id
    )
    for (let i = 1; i < this.list.length; i++) {
      assert(this.list[i]!.info.id !== this.list[i - 1]!.info.id, 'a segment lives once')
    }
    for (const live of gone) {
      this.gone.set(live.info.id, live)
      this.reclaim(live.info.id)
    }
  }

  pin(): PinnedTables {
    const segments = this.list
    for (const { info } of segments) this.pins.set(info.id, (this.pins.get(info.id) ?? 0) + 1)
    let held = true
    return {
      segments,
      release: () => {
        if (!held) return
        held = false
        for (const { info } of segments) {
          const left = this.pins.get(info.id)! - 1
          if (left > 0) this.pins.set(info.id, left)
          else this.pins.delete(info.id)
          this.reclaim(info.id)
        }
      }
    }
  }

  /** Closes all files; nothing may be read after. */
  close(): void {
    for (const { segment } of [...this.list, ...this.gone.values()]) segment.close()
    this.list = []
    this.gone.clear()
  }

  private reclaim(id: number): void {
    const live = this.gone.get(id)
    if (live === undefined || this.pins.has(id)) return
    this.gone.delete(id)
    live.segment.close()
    this.files.remove(id).catch(this.onError)
  }
}

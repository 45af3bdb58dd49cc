// Gives rows of a head other times: what a boot without a clock stamped, once it is known by how much it was
// off. The pages that such rows lie in are copied and the copies changed, since workers may be reading the
// pages, and a reader must see all of a boot corrected or nothing of it.
//
// Addresses stay what they are, so links, the order of arrival and every place in it hold. What a head knows of
// times (order within groups, latest, oldest) is worked out anew. Costs a pass over all rows of the head on the
// main thread, about 50 ns each, once a boot at most: a head that is full by default takes about 20 ms.
//
// Invariants: a view made before sees no change, also one that a flush under way reads: pages that were replaced
// are not used again; no row comes or goes.
// Not here: by how much (boots.ts), rows in segments (shifted where they are read: segment-open.ts).
import type { Head } from './head.ts'
import { TIME_MAX_US, TIME_MIN_US } from './sample.ts'
import type { Shape } from './shape.ts'

/** What becomes of the rows of one shape. */
export interface RowMove {
  /** The shape that they have from now on. */
  readonly shape: number
  readonly deltaUs: number
}

/**
 * Moves rows.
 * @param moves  by shape id; a shape that is not there keeps its rows as they are
 */
export function moveRows(head: Head, shapes: readonly Shape[], moves: ReadonlyMap<number, RowMove>): void {
  head.forgetTimes()
  for (let page = 0; page < head.pages.length; page++) {
    let isCopy = false
    let at = page === 0 ? 1 : 0
    while (at < head.used[page]!) {
      const id = head.words[page]![at * 2 + 3]!
      const move = moves.get(id)
      if (move !== undefined) {
        if (!isCopy) head.copyPage(page)
        isCopy = true
        const slots = head.doubles[page]!
        slots[at] = Math.min(TIME_MAX_US, Math.max(TIME_MIN_US, slots[at]! + move.deltaUs))
        head.words[page]![at * 2 + 3] = move.shape
      }
      const shape = shapes[move?.shape ?? id]!
      const fields = shape.template.fields.length
      head.noteTime(shape, head.doubles[page]![at]!)
      at += 2 + fields
    }
  }
}

// Reads rows of a head in the order of arrival, from a place on: for who follows what comes in.
//
// Invariant: nothing of the head is kept beyond the call; text values are copies.
// Not here: runs of one group (head-read.ts), rows in the WAL (wal-rows.ts).
import { type Head, TEXT_PAGE_BYTES, TEXT_PAGE_BYTES_LOG2 } from './head.ts'
import { KIND, textValue, type Value } from './sample.ts'
import type { Shape } from './shape.ts'
import type { RowCursor } from './wal-rows.ts'

/** A row where it lies: valid during the call that it is handed to. */
export interface ArrivedRow {
  /** The number of its shape. */
  readonly id: number
  readonly shape: Shape
  readonly timeUs: number
  /** The value of field i of the shape. */
  value(i: number): Value
}

/** Visits the rows from `from` (which stays as it is) to the head's end. */
export function walkRows(
  head: Head,
  from: RowCursor,
  shapes: readonly Shape[],
  visit: (row: ArrivedRow) => void
): void {
  for (let page = from.page; page < head.pages.length; page++) {
    const slots = head.doubles[page]!
    const words = head.words[page]!
    let at = page === from.page ? from.word : 0
    if (page === 0 && at === 0) at = 1
    while (at < head.used[page]!) {
      const id = words[at * 2 + 3]!
      const shape = shapes[id]!
      const { kinds } = shape.template
      const first = at + 2
      visit({
        id,
        shape,
        timeUs: slots[at]!,
        value: i => {
          const kind = kinds[i]!
          if (kind === KIND.number) return slots[first + i]!
          if (kind === KIND.boolean) return slots[first + i] === 1
          return text(head, words[(first + i) * 2]!, words[(first + i) * 2 + 1]!, kind as 2 | 3)
        }
      })
      at = first + kinds.length
    }
  }
}

function text(head: Head, address: number, length: number, kind: 2 | 3): Value {
  const at = address & (TEXT_PAGE_BYTES - 1)
  return textValue(head.texts[address >>> TEXT_PAGE_BYTES_LOG2] ?? EMPTY, at, at + length, kind)
}

const EMPTY = new Uint8Array(0)

// The heads of a store: the one that takes rows and, while a flush runs, the sealed one before it; and how far
// each has been drained into the WAL.
//
// Invariants: at most one head is sealed; a row is in exactly one of the two until the sealed one is let go;
// readers see the older first.
// Not here: when a head is sealed and what becomes of it (store.ts), the rows themselves (head.ts).
import { assert } from '../base/assert.ts'
import { type BootRows, Head, type HeadView, PagePool } from './head.ts'
import { moveRows, type RowMove } from './head-move.ts'
import type { Shape } from './shape.ts'
import type { RowCursor } from './wal-rows.ts'

/** A head and the first of its rows that no WAL group has. */
export interface DrainedHead {
  readonly head: Head
  readonly cursor: RowCursor
}

export interface SealedHead extends DrainedHead {
  /** What was drained before it was sealed lies in WAL files below this one. */
  readonly walFile: number
}

export class Heads {
  open: DrainedHead
  sealed: SealedHead | null = null
  private readonly pool = new PagePool()
  private readonly afterReaders: (callback: () => void) => void

  /** @param afterReaders  calls back when nobody reads any more what views() gave until now */
  constructor(afterReaders: (callback: () => void) => void) {
    this.afterReaders = afterReaders
    this.open = { head: new Head(this.pool), cursor: { page: 0, word: 0 } }
  }

  /** For a reader; what is appended later is not seen. */
  views(): HeadView[] {
    return this.all().map(head => head.view())
  }

  get bytes(): number {
    return this.open.head.bytes + (this.sealed?.head.bytes ?? 0)
  }

  /** Pages that earlier heads gave back and the next one will take, in bytes. */
  get pooledBytes(): number {
    return this.pool.bytes
  }

  get samples(): number {
    return this.open.head.samples + (this.sealed?.head.samples ?? 0)
  }

  /** The times of the oldest and the newest row, us; Infinity and -Infinity when there is none. */
  get timeMinUs(): number {
    return Math.min(...this.all().map(head => head.timeMinUs))
  }

  get timeMaxUs(): number {
    return Math.max(...this.all().map(head => head.timeMaxUs))
  }

  /** The lowest time of the rows that came since the last call, us; Infinity for none. */
  takeLowUs(): number {
    let lowUs = Number.POSITIVE_INFINITY
    for (const head of this.all()) {
      lowUs = Math.min(lowUs, head.lowUs)
      head.lowUs = Number.POSITIVE_INFINITY
    }
    return lowUs
  }

  /** The time of a group's newest row, us; 0 when it has none. */
  newestTimeUs(group: number): number {
    return this.open.head.newestTimeUs(group) || (this.sealed?.head.newestTimeUs(group) ?? 0)
  }

  /** What there is of boots whose times are not known. */
  *bootRows(): Iterable<readonly [boot: number, rows: BootRows]> {
    for (const head of this.all()) yield* head.boots
  }

  /** Every row in the order of arrival, by its shape and time. */
  eachRow(visit: (shape: number, timeUs: number) => void, shapes: readonly Shape[]): void {
    for (const head of this.all()) head.eachRow(visit, shapes)
  }

  /** All rows that are there count as drained: the WAL has them. */
  drained(): void {
    Object.assign(this.open.cursor, endOf(this.open.head))
  }

  /** Rows that follow go to a new head. */
  seal(walFile: number): void {
    assert(this.sealed === null, 'one head is sealed at a time')
    this.open.head.seal()
    this.sealed = { ...this.open, walFile }
    this.open = { head: new Head(this.pool), cursor: { page: 0, word: 0 } }
  }

  /** The rows of the sealed head are in segments. */
  letGo(): void {
    const { pages } = this.sealed!.head
    this.sealed = null
    this.afterReaders(() => this.pool.give(pages))
  }

  /** Gives rows other times; readers that have a view see none of it. */
  move(shapes: readonly Shape[], moves: ReadonlyMap<number, RowMove>): void {
    for (const head of this.all()) moveRows(head, shapes, moves)
  }

  private all(): Head[] {
    return this.sealed === null ? [this.open.head] : [this.sealed.head, this.open.head]
  }
}

/** Whether there are rows that no WAL group has. */
export function hasRows({ head, cursor }: DrainedHead): boolean {
  const end = endOf(head)
  return end.page !== cursor.page || end.word !== cursor.word
}

function endOf(head: Head): RowCursor {
  const page = head.pages.length - 1
  return page < 0 ? { page: 0, word: 0 } : { page, word: head.used[page]! }
}

// Merges sorted cursors into one, newest wins: of the values that several cursors hold for one key only
// that of the first cursor given is seen. Callers list memtables before segments and newer before older.
//
// A linear search for the least key beats a heap here: a store keeps about a dozen cursors at most, and
// keys that are equal must be found in all of them anyway.
//
// Keys are byte strings: JavaScript strings with one byte in each code unit, so that `<` is memcmp.
// V8 compares them with memcmp and keeps them at a byte a byte; a Uint8Array costs 100 bytes more.
// Invariants: every cursor runs in the direction of the merge; a cursor never yields a key twice.
// Not here: what a value is, tombstones (the owner of the values knows them).

/** A position in a sorted sequence, running one way. `key` is null at the end. */
export interface SortedCursor<V> {
  readonly key: string | null
  /** The value at `key`; only while key is not null. */
  value(): V
  next(): void
}

/** The union of the cursors, in their direction; the first cursor that holds a key gives its value. */
export class MergeIterator<V> implements SortedCursor<V> {
  key: string | null = null
  private readonly cursors: readonly SortedCursor<V>[]
  private readonly reverse: boolean
  private winner = -1

  /** @param cursors  newest first, all running the same way */
  constructor(cursors: readonly SortedCursor<V>[], reverse: boolean) {
    this.cursors = cursors
    this.reverse = reverse
    this.choose()
  }

  value(): V {
    return this.cursors[this.winner]!.value()
  }

  /** The index of the cursor whose value is seen; -1 at the end. */
  get source(): number {
    return this.winner
  }

  next(): void {
    const key = this.key
    if (key === null) return
    for (let i = this.winner; i < this.cursors.length; i++) {
      const cursor = this.cursors[i]!
      if (cursor.key === key) cursor.next()
    }
    this.choose()
  }

  private choose(): void {
    let best: string | null = null
    let winner = -1
    for (let i = 0; i < this.cursors.length; i++) {
      const key = this.cursors[i]!.key
      if (key !== null && (best === null || (this.reverse ? key > best : key < best))) {
        best = key
        winner = i
      }
    }
    this.key = best
    this.winner = winner
  }
}

// The table in memory that takes writes until they are flushed. A hash table (key-table.ts) finds the place of a key at
// once, a list (pinned-list.ts) has the value of each place, and a tree (sorted-tree.ts) their order, for whoever wants
// one: it learns of new keys when a view is pinned, all at once. An overwrite touches neither table nor tree.
//
// Chosen by measure (scripts/bench-kv.ts --memtable): to go down a tree takes most of a put, and a Map whose keys are
// sorted on demand 20 ms for a scan after each put.
// Invariants: the tree has the places below `ordered`, and at most UNORDERED_MAX are not, so that no view takes long to
// pin; a pinned view never changes; nothing is ever removed: a delete is a value of its own (tombstone).
// Not here: bytes (the owner counts what its values weigh), versions.
import { ascending } from './key-sort.ts'
import { KeyTable } from './key-table.ts'
import type { SortedCursor } from './merge-iterator.ts'
import { elementOf, type Pieces, PinnedList } from './pinned-list.ts'
import { SortedTree, TreeCursor, type TreeView } from './sorted-tree.ts'

/** Some milliseconds of work. */
const UNORDERED_MAX = 8192

/** A table of byte strings. */
export class Memtable<V> {
  private readonly table = new KeyTable()
  private readonly values = new PinnedList<V>()
  private readonly tree = new SortedTree(this.table.keys)
  private ordered = 0

  /** How many keys it holds. */
  get size(): number {
    return this.values.length
  }

  get(key: string): V | undefined {
    const place = this.table.find(key)
    return place < 0 ? undefined : this.values.at(place)
  }

  /** Sets the value of a key. @returns what it was before */
  put(key: string, value: V): V | undefined {
    const place = this.find(key)
    if (place >= 0) return this.replace(place, value)
    this.add(key, value)
    return undefined
  }

  /** The place of a key, for keyAt() and replace(); -1: it is not there. */
  find(key: string): number {
    return this.table.find(key)
  }

  /** The string of a key that the table keeps anyway. */
  keyAt(place: number): string {
    return this.table.keys[place]!
  }

  /** @returns the value before */
  replace(place: number, value: V): V {
    const before = this.values.at(place)
    this.values.set(place, value)
    return before
  }

  /** @param key  not there yet */
  add(key: string, value: V): void {
    this.table.add(key)
    this.values.push(value)
    if (this.values.length - this.ordered === UNORDERED_MAX) this.order()
  }

  /** All values, in the order in which their keys came. */
  *all(): Generator<V, void, undefined> {
    for (let place = 0; place < this.values.length; place++) yield this.values.at(place)
  }

  /** A frozen view of the table as it is now. */
  pin(): MemtableView<V> {
    this.order()
    return new MemtableView(this.tree.pin(), this.values.pin())
  }

  /** Tells the tree of new keys. */
  private order(): void {
    const { size, ordered, table, tree } = this
    if (ordered === size) return
    if (size - ordered === 1) tree.add(ordered)
    else tree.addAll(ascending(ordered, size, table.keys))
    this.ordered = size
  }
}

/** A table as it was when it was pinned. */
export class MemtableView<V> {
  private readonly tree: TreeView
  private readonly values: Pieces<V>

  constructor(tree: TreeView, values: Pieces<V>) {
    this.tree = tree
    this.values = values
  }

  get size(): number {
    return this.tree.size
  }

  get(key: string): V | undefined {
    const place = this.tree.find(key)
    return place < 0 ? undefined : elementOf(this.values, place)
  }

  /** The keys in [low, high) in order, or backwards. @param high  null: no upper bound */
  cursor(low: string, high: string | null, reverse = false): SortedCursor<V> {
    return new MemtableCursor(this.tree, this.values, low, high, reverse)
  }
}

class MemtableCursor<V> extends TreeCursor implements SortedCursor<V> {
  private readonly values: Pieces<V>

  constructor(tree: TreeView, values: Pieces<V>, low: string, high: string | null, reverse: boolean) {
    super(tree, low, high, reverse)
    this.values = values
  }

  value(): V {
    return elementOf(this.values, this.place)
  }
}

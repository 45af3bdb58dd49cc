// The order of byte strings (see merge-iterator.ts): a B+tree of their places in a list that only grows. Its nodes are
// copied on write once a view of them was pinned: a view costs nothing to take and never changes, and scans run on one,
// so that a scan and writes never meet. Places take half of what the keys themselves would, and are nothing that the
// garbage collector follows.
//
// Invariants:
//  - a node is changed in place only while node.epoch === this.epoch: pin() raises the epoch, so that
//    all nodes reachable from a pinned root are frozen for ever;
//  - the keys of a leaf's places ascend strictly; places[i] of an inner node is that of the least key below kids[i + 1];
//  - nothing is ever removed.
// Not here: values, finding the place of one key fast (memtable.ts).

interface Node {
  epoch: number
  places: number[]
  /** Of an inner node, one more than places; null in a leaf. */
  kids: Node[] | null
}

const NODE_PLACES_MAX = 48
/** How full a tree is made that is made at once: room for some that come later. */
const NODE_PLACES_MADE = 40
/** Of so many keys of the tree one has to come for it to be made anew rather than changed. */
const REMADE_SHARE_MIN = 16

/** The first index whose key is >= the key. */
function lowerBound(keys: readonly string[], places: readonly number[], key: string): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[places[middle]!]! < key) low = middle + 1
    else high = middle
  }
  return low
}

/** The first index whose key is > the key: of an inner node, the kid that holds the key. */
function upperBound(keys: readonly string[], places: readonly number[], key: string): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (key < keys[places[middle]!]!) high = middle
    else low = middle + 1
  }
  return low
}

/** A tree as it was when it was pinned. */
export class TreeView {
  readonly size: number
  /** By place; more than the tree has. */
  readonly keys: readonly string[]
  readonly root: Node

  constructor(keys: readonly string[], root: Node, size: number) {
    this.keys = keys
    this.root = root
    this.size = size
  }

  /** The place of a key; -1: it is not there. */
  find(key: string): number {
    const { keys } = this
    let node = this.root
    while (node.kids !== null) node = node.kids[upperBound(keys, node.places, key)]!
    const place = node.places[lowerBound(keys, node.places, key)]
    return place !== undefined && keys[place] === key ? place : -1
  }
}

export class SortedTree {
  private readonly keys: readonly string[]
  private epoch = 0
  private root: Node = { epoch: 0, places: [], kids: null }
  private size = 0
  /** The nodes above the leaf of the place that is added, and which kid of each was taken. */
  private readonly path: Node[] = []
  private readonly taken: number[] = []

  /** @param keys  by place; it may grow */
  constructor(keys: readonly string[]) {
    this.keys = keys
  }

  /** A frozen view of the tree as it is now. */
  pin(): TreeView {
    this.epoch++
    return new TreeView(this.keys, this.root, this.size)
  }

  /** Adds places whose keys are not there yet. @param places  their keys ascend */
  addAll(places: readonly number[]): void {
    if (places.length * REMADE_SHARE_MIN < this.size) for (const place of places) this.add(place)
    else this.remake(places)
  }

  /** Adds a place whose key is not there yet. */
  add(place: number): void {
    const { keys, path, taken } = this
    const key = keys[place]!
    let node = (this.root = this.own(this.root))
    path.length = 0
    taken.length = 0
    while (node.kids !== null) {
      const at = upperBound(keys, node.places, key)
      const kid = this.own(node.kids[at]!)
      node.kids[at] = kid
      path.push(node)
      taken.push(at)
      node = kid
    }
    node.places.splice(lowerBound(keys, node.places, key), 0, place)
    this.size++
    if (node.places.length > NODE_PLACES_MAX) this.split(node)
  }

  /** A new tree of what is in this one and of what comes, from the leaves up. */
  private remake(places: readonly number[]): void {
    const { keys } = this
    const old = new TreeCursor(new TreeView(keys, this.root, this.size), '', null, false)
    const all: number[] = []
    for (const place of places) {
      for (; old.key !== null && old.key < keys[place]!; old.next()) all.push(old.place)
      all.push(place)
    }
    for (; old.key !== null; old.next()) all.push(old.place)
    this.root = this.made(all)
    this.size = all.length
  }

  private made(all: readonly number[]): Node {
    const { epoch } = this
    let nodes: Node[] = []
    /** The place of the least key below each node. */
    let least: number[] = []
    for (let at = 0; at < all.length; at += NODE_PLACES_MADE) {
      nodes.push({ epoch, places: all.slice(at, at + NODE_PLACES_MADE), kids: null })
      least.push(all[at]!)
    }
    while (nodes.length > 1) {
      const above: Node[] = []
      const leastAbove: number[] = []
      for (let at = 0; at < nodes.length; at += NODE_PLACES_MADE) {
        const end = at + NODE_PLACES_MADE
        above.push({ epoch, places: least.slice(at + 1, end), kids: nodes.slice(at, end) })
        leastAbove.push(least[at]!)
      }
      nodes = above
      least = leastAbove
    }
    return nodes[0]!
  }

  private own(node: Node): Node {
    if (node.epoch === this.epoch) return node
    return {
      epoch: this.epoch,
      places: node.places.slice(),
      kids: node.kids === null ? null : node.kids.slice()
    }
  }

  /** Splits a full node and, as far as needed, those above it. All of them are owned. */
  private split(full: Node): void {
    const { path, taken, epoch } = this
    let node = full
    while (node.places.length > NODE_PLACES_MAX) {
      const half = node.places.length >>> 1
      const separator = node.places[half]!
      let right: Node
      if (node.kids === null) right = { epoch, places: node.places.splice(half), kids: null }
      else {
        right = { epoch, places: node.places.splice(half + 1), kids: node.kids.splice(half + 1) }
        node.places.pop()
      }
      const parent = path.pop()
      if (parent === undefined) {
        this.root = { epoch, places: [separator], kids: [node, right] }
        return
      }
      const at = taken.pop()!
      parent.places.splice(at, 0, separator)
      parent.kids!.splice(at + 1, 0, right)
      node = parent
    }
  }
}

/** The places of the keys in [low, high) in order, or backwards; key is null at the end. */
export class TreeCursor {
  key: string | null = null
  place = -1
  private readonly keys: readonly string[]
  private readonly low: string
  private readonly high: string | null
  private readonly step: 1 | -1
  private readonly path: Node[] = []
  private readonly at: number[] = []

  /** @param high  null: no upper bound */
  constructor({ keys, root }: TreeView, low: string, high: string | null, reverse: boolean) {
    this.keys = keys
    this.low = low
    this.high = high
    this.step = reverse ? -1 : 1
    let node = root
    const bound = reverse ? high : low
    while (node.kids !== null) {
      // Backwards the first key is the one below `high`, so the kid is the one where `high` would be.
      const at = bound === null ? node.kids.length - 1 : upperBound(keys, node.places, bound)
      this.path.push(node)
      this.at.push(at)
      node = node.kids[at]!
    }
    this.path.push(node)
    const at = bound === null ? node.places.length : lowerBound(keys, node.places, bound)
    this.at.push(reverse ? at - 1 : at)
    this.settle()
  }

  next(): void {
    if (this.key === null) return
    this.at[this.at.length - 1]! += this.step
    this.settle()
  }

  /** Moves to the next leaf where this one has ended, and ends at the bound. */
  private settle(): void {
    const { path, at, step, keys } = this
    const top = path.length - 1
    for (;;) {
      const { places } = path[top]!
      const index = at[top]!
      if (index >= 0 && index < places.length) {
        this.place = places[index]!
        const key = keys[this.place]!
        const outside = step === 1 ? this.high !== null && key >= this.high : key < this.low
        this.key = outside ? null : key
        return
      }
      let level = top - 1
      while (level >= 0 && (at[level]! + step < 0 || at[level]! + step >= path[level]!.kids!.length)) level--
      if (level < 0) {
        this.key = null
        return
      }
      at[level]! += step
      for (; level < top; level++) {
        const kid = path[level]!.kids![at[level]!]!
        path[level + 1] = kid
        at[level + 1] = step === 1 ? 0 : (kid.kids ?? kid.places).length - 1
      }
    }
  }
}

// How many members of a sorted set come before a place: what ZRANK, ZCOUNT and ZRANGE by rank ask of large sets.
//
// Entries do not know their number, and a count that is stored would have to be written at every change. So a set whose
// ranks are asked for gets landmarks in memory: every LANDMARK_MEMBERS-th place, and how many members lie from it to the
// next one, kept up to date by who writes. A rank is a sum of those and a walk from the last landmark. They are made on
// the way of walks, as far as these went: the first question costs its rank, later ones do not. A set that nobody
// asks costs its writers one look into a map.
//
// Invariants: the counts add up to the members below `next`; where they cannot (more than the head counts), all are
// made anew. Landmarks of all sets are at most LANDMARKS_MAX, the sets that were asked last.
// Not here: how places are written, what few steps answer without landmarks (elements.ts).
import type { Head } from './head.ts'

const LANDMARK_MEMBERS = 256
const LANDMARKS_MAX = 200_000

/** Places of a set from one to another, in order. @param to  excluded; null: the end */
export type Walk = (from: string, to: string | null) => Iterable<string>

interface Landmarks {
  /** The first of each stretch; that of the first stretch is below every place. */
  starts: string[]
  counts: number[]
  total: number
  /** Places from here on were not walked over yet; null: all were. */
  next: string | null
}

/** Where a walk begins, and how many places it passes before the one that is meant. */
export interface Start {
  readonly from: string
  readonly to: string | null
  readonly skip: number
  /** From `to` backwards: how many places it passes. */
  readonly skipBack: number
}

export class Ranks {
  private readonly sets = new Map<number, Landmarks>()
  private kept = 0

  added({ generation }: Head, place: string): void {
    if (this.sets.size > 0) this.change(generation, place, 1)
  }

  removed({ generation }: Head, place: string): void {
    if (this.sets.size > 0) this.change(generation, place, -1)
  }

  /** How many places are below a bound. */
  below(head: Head, bound: string, walk: Walk): number {
    const set = this.of(head)
    if (set.next !== null && set.next < bound) {
      for (const place of walk(set.next, bound)) this.pass(set, place)
      set.next = bound
    }
    const at = this.cut(set, walk, () => stretchOf(set.starts, bound))
    let sum = 0
    for (let i = 0; i < at; i++) sum += set.counts[i]!
    for (const _ of walk(set.starts[at]!, bound)) sum++
    this.drop(head.generation)
    return sum
  }

  /** Where to walk from to the place of a rank: 0 <= rank < count. */
  start(head: Head, rank: number, walk: Walk): Start {
    const set = this.of(head)
    if (set.next !== null && set.total <= rank) {
      let next: string | null = null
      for (const place of walk(set.next, null)) {
        next = place
        if (set.total > rank) break
        this.pass(set, place)
        next = null
      }
      set.next = next
    }
    const at = this.cut(set, walk, () => stretchAt(set.counts, rank).at)
    const { before } = stretchAt(set.counts, rank)
    const skip = rank - before
    this.drop(head.generation)
    return {
      ...{ from: set.starts[at]!, to: set.starts[at + 1] ?? set.next },
      ...{ skip, skipBack: set.counts[at]! - 1 - skip }
    }
  }

  private change(generation: number, place: string, by: 1 | -1): void {
    const set = this.sets.get(generation)
    if (set === undefined || (set.next !== null && place >= set.next)) return
    const at = stretchOf(set.starts, place)
    set.counts[at]! += by
    set.total += by
  }

  /** The landmarks of a set, as far as they were made. */
  private of({ generation, count }: Head): Landmarks {
    const known = this.sets.get(generation)
    // The newest last: who is first was asked longest ago.
    this.sets.delete(generation)
    const isSound =
      known !== undefined && (known.next === null ? known.total === count : known.total <= count)
    const set = isSound ? known : { starts: [''], counts: [0], total: 0, next: '' }
    if (!isSound) this.kept += 1 - (known?.starts.length ?? 0)
    this.sets.set(generation, set)
    return set
  }

  /** Counts a place that is behind all that were counted. */
  private pass(set: Landmarks, place: string): void {
    const { starts, counts } = set
    if (counts.at(-1)! >= LANDMARK_MEMBERS) {
      starts.push(place)
      counts.push(0)
      this.kept++
    }
    counts[counts.length - 1]!++
    set.total++
  }

  /** Puts further landmarks into a stretch that has grown. @returns the stretch that `find` means then */
  private cut(set: Landmarks, walk: Walk, find: () => number): number {
    const at = find()
    if (set.counts[at]! <= LANDMARK_MEMBERS * 4) return at
    const before = set.starts.length
    fill(set, at, walk(set.starts[at]!, set.starts[at + 1] ?? set.next))
    this.kept += set.starts.length - before
    return find()
  }

  private drop(asked: number): void {
    for (const [generation, { starts }] of this.sets) {
      if (this.kept <= LANDMARKS_MAX || generation === asked) return
      this.sets.delete(generation)
      this.kept -= starts.length
    }
  }
}

/** Cuts a stretch into short ones. */
function fill({ starts, counts }: Landmarks, at: number, places: Iterable<string>): void {
  const newStarts = [starts[at]!]
  const newCounts = [0]
  for (const place of places) {
    if (newCounts.at(-1) === LANDMARK_MEMBERS) {
      newStarts.push(place)
      newCounts.push(0)
    }
    newCounts[newCounts.length - 1]!++
  }
  starts.splice(at, 1, ...newStarts)
  counts.splice(at, 1, ...newCounts)
}

/** The stretch that holds a place: the last one that does not begin behind it. */
function stretchOf(starts: readonly string[], place: string): number {
  let [low, high] = [0, starts.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle]! <= place) low = middle
    else high = middle - 1
  }
  return low
}

/** The stretch that holds a rank, and how many members are before it. */
function stretchAt(counts: readonly number[], rank: number): { at: number; before: number } {
  let [at, before] = [0, 0]
  while (at < counts.length - 1 && before + counts[at]! <= rank) before += counts[at++]!
  return { at, before }
}

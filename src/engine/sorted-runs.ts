// The order of byte strings that come in any order and never go: runs of their places in a list that only grows, each
// sorted, the longer ones first. What came since the last time becomes a run, and runs of about one length are joined,
// so that there are few (as in J. L. Bentley and J. B. Saxe, Decomposable searching problems, 1980). A view is the runs
// there are, which never change: it costs nothing to take, and scans run on one, so that a scan and writes never meet.
//
// Chosen over a B+tree whose nodes are copied on write: a tenth of its memory, nothing that the garbage collector
// follows, and adding costs less; a scan merges the runs, of which a hundred thousand keys have about five.
// Invariants: every place below `count` is in one run; the keys of a run ascend strictly; each run is longer than the one
// behind it, so that a key is joined as often as its place in the list has binary digits, at most.
// Not here: keys and values (kv/memtable.ts), finding the place of one key fast.
import { ascending } from './key-sort.ts'

/** Places whose keys ascend. */
export type Run = Int32Array

/** The keys by place. */
export interface PlacedKeys {
  /** < 0 where the key of place a is before that of place b. */
  compare(a: number, b: number): number
  /** The same for the key of a place and a byte string. */
  compareTo(place: number, key: string): number
  /** How many bytes the keys of two places begin with alike. */
  shared(a: number, b: number): number
  /** Four bytes of a key from byte `at` on, as a number in their order; zeros behind its end. */
  four(place: number, at: number): number
}

export class SortedRuns {
  /** How many places are in order. */
  count = 0
  private runs: readonly Run[] = []

  /** Takes in the places [count, size). */
  order(size: number, keys: PlacedKeys): void {
    if (size === this.count) return
    const runs = this.runs.slice()
    let run = ascending(this.count, size, keys)
    while (runs.length > 0 && runs.at(-1)!.length <= run.length) run = joined(runs.pop()!, run, keys)
    runs.push(run)
    this.runs = runs
    this.count = size
  }

  /** The runs as they are now. */
  pin(): readonly Run[] {
    return this.runs
  }
}

/** The first index of a run whose key is >= the key. */
export function lowerBound(run: Run, keys: PlacedKeys, key: string): number {
  let low = 0
  let high = run.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys.compareTo(run[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function joined(a: Run, b: Run, keys: PlacedKeys): Run {
  const all = new Int32Array(a.length + b.length)
  let [i, j, at] = [0, 0, 0]
  while (i < a.length && j < b.length) all[at++] = keys.compare(a[i]!, b[j]!) < 0 ? a[i++]! : b[j++]!
  all.set(a.subarray(i), at)
  all.set(b.subarray(j), at + a.length - i)
  return all
}

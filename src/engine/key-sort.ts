// The order of many byte strings, without comparing each with others: numbers of the four bytes behind what all have in
// common are sorted first, which a typed array does by itself, and only keys with the same four are compared.
//
// Invariant: as sorted by `<`.
// Not here: who keeps keys in order (sorted-tree.ts).
import { assert } from '../base/assert.ts'

/** Fewer are compared. */
const NUMBERED_MIN = 32
/** Four bytes and the place in the list fit where 2^53 does. */
const LIST_MAX = 2 ** 20

/**
 * The places in [from, to) in the order of their keys, which all differ.
 * @param from  at most 2^20 before `to`
 * @param keys  by place
 */
export function ascending(from: number, to: number, keys: readonly string[]): number[] {
  const count = to - from
  assert(count <= LIST_MAX, 'a place in the list fits its bits')
  const byKey = (a: number, b: number) => (keys[a]! < keys[b]! ? -1 : 1)
  if (count < NUMBERED_MIN) return Array.from({ length: count }, (_, n) => from + n).sort(byKey)
  const shared = sharedBytes(from, to, keys)
  const numbers = new Float64Array(count)
  for (let n = 0; n < count; n++) {
    const key = keys[from + n]!
    let four = 0
    for (let at = shared; at < shared + 4; at++)
      four = four * 256 + (at < key.length ? key.charCodeAt(at) : 0)
    numbers[n] = four * LIST_MAX + n
  }
  numbers.sort()
  const sorted = new Array<number>(count)
  for (let n = 0; n < count; n++) sorted[n] = from + (numbers[n]! % LIST_MAX)
  for (let start = 0; start < count; ) {
    const four = Math.floor(numbers[start]! / LIST_MAX)
    let end = start + 1
    while (end < count && Math.floor(numbers[end]! / LIST_MAX) === four) end++
    if (end > start + 1) {
      const same = sorted.slice(start, end).sort(byKey)
      for (let n = start; n < end; n++) sorted[n] = same[n - start]!
    }
    start = end
  }
  return sorted
}

/** How many bytes all of the keys begin with alike. */
function sharedBytes(from: number, to: number, keys: readonly string[]): number {
  const first = keys[from]!
  let shared = first.length
  for (let place = from + 1; place < to; place++) {
    const key = keys[place]!
    const most = Math.min(shared, key.length)
    let at = 0
    while (at < most && key.charCodeAt(at) === first.charCodeAt(at)) at++
    shared = at
  }
  return shared
}

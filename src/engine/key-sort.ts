// The order of many byte strings, without comparing each with others: numbers of the four bytes behind what all have in
// common are sorted first, which a typed array does by itself, and only keys with the same four are compared.
//
// Invariant: as sorted by their bytes, the shorter first where one begins with the other.
// Not here: who keeps keys in order (sorted-runs.ts).
import { assert } from '../base/assert.ts'
import type { PlacedKeys, Run } from './sorted-runs.ts'

/** Fewer are compared. */
const NUMBERED_MIN = 32
/** Four bytes and the place in the list fit where 2^53 does. */
const LIST_MAX = 2 ** 20

/**
 * The places in [from, to) in the order of their keys, which all differ.
 * @param from  at most 2^20 before `to`
 */
export function ascending(from: number, to: number, keys: PlacedKeys): Run {
  const count = to - from
  assert(count <= LIST_MAX, 'a place in the list fits its bits')
  const byKey = (a: number, b: number) => keys.compare(a, b)
  const sorted = new Int32Array(count)
  for (let n = 0; n < count; n++) sorted[n] = from + n
  if (count < NUMBERED_MIN) return sorted.sort(byKey)
  let shared = Number.POSITIVE_INFINITY
  for (let place = from + 1; place < to; place++) shared = Math.min(shared, keys.shared(from, place))
  const numbers = new Float64Array(count)
  for (let n = 0; n < count; n++) numbers[n] = keys.four(from + n, shared) * LIST_MAX + n
  numbers.sort()
  for (let n = 0; n < count; n++) sorted[n] = from + (numbers[n]! % LIST_MAX)
  for (let start = 0; start < count; ) {
    const four = Math.floor(numbers[start]! / LIST_MAX)
    let end = start + 1
    while (end < count && Math.floor(numbers[end]! / LIST_MAX) === four) end++
    if (end > start + 1) sorted.subarray(start, end).sort(byKey)
    start = end
  }
  return sorted
}

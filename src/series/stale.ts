// The mark that ends a series at once instead of after the look-back: a NaN of certain bits, which remote
// write brings. A NaN that passes through a JavaScript number may come out quiet (its highest fraction bit
// set), so both forms count.
export const STALE_LOW = 2
export const STALE_HIGH = 0x7ff00000
const QUIET_BIT = 0x80000

/** Whether the value at an index is the mark. @param bits  the same memory as the values, 32 bits each */
export function isStale(bits: Uint32Array, index: number): boolean {
  return bits[2 * index] === STALE_LOW && (bits[2 * index + 1]! | QUIET_BIT) === (STALE_HIGH | QUIET_BIT)
}

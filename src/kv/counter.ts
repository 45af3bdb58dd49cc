// A counter: the value of a key that is a whole number in decimal text, so that every face can show it.
// Not here: reading and writing it as one step (store.ts).
import { VarveError } from '../base/errors.ts'

/**
 * The count after adding to it; an absent one is 0.
 * @throws {VarveError} VARVE_COUNTER when it is, or would be, no whole number within 2^53
 */
export function countAfter(value: Uint8Array | undefined, by: number): number {
  const text = value === undefined ? '0' : Buffer.from(value).toString('latin1')
  const count = /^-?\d{1,16}$/.test(text) ? Number(text) + by : Number.NaN
  if (!Number.isSafeInteger(count)) {
    throw new VarveError('VARVE_COUNTER', `Cannot add ${by} to counter: not a whole number within 2^53`)
  }
  return count
}

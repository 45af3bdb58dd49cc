// What is not known where a block of a segment cannot be read, and telling of it.
// Not here: finding damage (segment.ts), what a scan makes of it (view.ts).
import { CorruptionError } from '../base/errors.ts'
import type { Entry } from './entry.ts'

/** Keys of [low, high) that a damaged block may hold, none of them with a version above versionMax. */
export interface Hole {
  readonly error: CorruptionError
  readonly low: string
  readonly high: string
  readonly versionMax: number
  /** What the filter of its segment says; false is certain. */
  mayHold(stored: string): boolean
}

/** Whether one of the holes may hold a later write of an entry's key. */
export function isHidden({ stored, version }: Entry, holes: readonly Hole[]): boolean {
  return holes.some(
    hole => stored >= hole.low && stored < hole.high && version <= hole.versionMax && hole.mayHold(stored)
  )
}

/** Whether a key may be there: one in a damaged block may, and so can be deleted although it cannot be read. */
export function mayBeThere(find: () => Entry | undefined): boolean {
  try {
    const there = find()
    return there !== undefined && !there.deleted
  } catch (error) {
    if (error instanceof CorruptionError) return true
    throw error
  }
}

/** Tells of each damaged place once, however often it is met. */
export function onceEach(tell: (error: CorruptionError) => void): (error: CorruptionError) => void {
  const told = new Set<string>()
  return error => {
    const place = `${error.file} ${error.offset}`
    if (told.has(place)) return
    told.add(place)
    tell(error)
  }
}

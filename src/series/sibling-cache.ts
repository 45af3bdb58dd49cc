// Columns of the chunks that a thread is reading, kept for the siblings that follow from them
// (codec-sibling.ts), so that a query which reads several columns decodes each once.
//
// Invariants: a slot that is being filled is not given away; a chunk is known by a number of its own, so
// nothing keeps its bytes alive.
// Not here: which columns follow which (chunk-view.ts).
import { assert } from '../base/assert.ts'
import { INTEGERS_MAX } from './codec-integers.ts'

const SLOTS = 8

interface Slot {
  chunk: number
  column: number
  filling: boolean
  readonly units: Float64Array
}

const slots: Slot[] = Array.from({ length: SLOTS }, () => ({
  chunk: 0,
  column: -1,
  filling: false,
  units: new Float64Array(INTEGERS_MAX)
}))
let next = 0
let chunks = 0

/** A number for a chunk. */
export function newChunkNumber(): number {
  return ++chunks
}

/** The integers that are kept for a column; undefined when none are. */
export function keptUnits(chunk: number, column: number): Float64Array | undefined {
  return slots.find(slot => slot.chunk === chunk && slot.column === column && !slot.filling)?.units
}

/** Keeps the integers that `fill` writes; gives them back. */
export function keepUnits(chunk: number, column: number, fill: (units: Float64Array) => void): Float64Array {
  let slot = slots[next]!
  for (let tries = 1; slot.filling; tries++) {
    assert(tries < SLOTS, 'fewer columns are filled at a time than there are slots')
    next = (next + 1) % SLOTS
    slot = slots[next]!
  }
  next = (next + 1) % SLOTS
  slot.chunk = chunk
  slot.column = column
  slot.filling = true
  try {
    fill(slot.units)
  } catch (error) {
    slot.column = -1
    throw error
  } finally {
    slot.filling = false
  }
  return slot.units
}

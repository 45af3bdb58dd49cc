// Which byte strings are known, and where each came in the order of their coming: a hash table with open addressing
// (linear probing) whose slots are numbers. Half of the slots are empty at least.
//
// Chosen over a Map of strings: that is one look more for a key that is new, and its slots are what the garbage
// collector walks.
// Invariants: a key has the same place for ever; places are 0, 1, 2 ...
// Not here: what is kept at a place (memtable.ts).
import { assert } from '../base/assert.ts'
import { bloomHash } from './bloom.ts'

const SLOTS_MIN = 32

export class KeyTable {
  /** By place. */
  readonly keys: string[] = []
  /** By place. */
  private hashes = new Int32Array(SLOTS_MIN / 2)
  /** A place counted from 1; 0: an empty slot. */
  private slots = new Int32Array(SLOTS_MIN)

  /** The place of a key; -1: it is not known. */
  find(key: string): number {
    return this.slots[this.slotOf(key, bloomHash(key) | 0)]! - 1
  }

  /** Gives a key that is not known the next place. */
  add(key: string): void {
    const { keys } = this
    if (keys.length === this.hashes.length) this.grow()
    const hash = bloomHash(key) | 0
    const slot = this.slotOf(key, hash)
    assert(this.slots[slot] === 0, 'a key has one place')
    this.hashes[keys.length] = hash
    keys.push(key)
    this.slots[slot] = keys.length
  }

  /** The slot where a key is, or belongs. */
  private slotOf(key: string, hash: number): number {
    const { slots, hashes, keys } = this
    const mask = slots.length - 1
    let slot = hash & mask
    for (;;) {
      const place = slots[slot]!
      if (place === 0 || (hashes[place - 1] === hash && keys[place - 1] === key)) return slot
      slot = (slot + 1) & mask
    }
  }

  private grow(): void {
    const count = this.keys.length
    const hashes = new Int32Array(count * 2)
    hashes.set(this.hashes)
    this.hashes = hashes
    const slots = new Int32Array(count * 4)
    const mask = slots.length - 1
    for (let place = 0; place < count; place++) {
      let slot = hashes[place]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = place + 1
    }
    this.slots = slots
  }
}

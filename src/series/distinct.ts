// Numbers for things that many series have in common: equal texts of a slab get one number, and so do equal pairs
// of numbers. Numbers are 1, 2, 3, ... in the order in which things were first met; 0 stands for none.
//
// Packed, since a label may have a value for each of 100,000 series: 12 to 20 bytes a distinct thing.
// Not here: which series has which (catalog-names.ts).
import type { Slab } from './slab.ts'

/** Numbers by hash, in open addressing; at most half full. */
class Slots {
  private slots = new Uint32Array(64)
  count = 0

  get bytes(): number {
    return this.slots.byteLength
  }

  /** The number of what `isSame` knows; 0 when it is not there. */
  find(hash: number, isSame: (number: number) => boolean): number {
    const mask = this.slots.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const number = this.slots[at]!
      if (number === 0 || isSame(number)) return number
    }
  }

  /** Gives the next number to something that is not there. @param hashOf  of each number before it */
  add(hash: number, hashOf: (number: number) => number): number {
    const number = ++this.count
    if (2 * number > this.slots.length) {
      this.slots = new Uint32Array(this.slots.length * 2)
      for (let before = 1; before < number; before++) this.enter(hashOf(before), before)
    }
    this.enter(hash, number)
    return number
  }

  private enter(hash: number, number: number): void {
    const mask = this.slots.length - 1
    let at = hash & mask
    while (this.slots[at] !== 0) at = (at + 1) & mask
    this.slots[at] = number
  }
}

/** A column with room for so many numbers. */
function grown(column: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  if (length <= column.length) return column
  const longer = new Uint32Array(length + (length >> 1))
  longer.set(column)
  return longer
}

export class DistinctTexts {
  private readonly slots = new Slots()
  /** By number less one, where the text lies. */
  private places = new Uint32Array(16)

  get count(): number {
    return this.slots.count
  }

  get bytes(): number {
    return this.slots.bytes + this.places.byteLength
  }

  /** The number of the text at a place of the slab. */
  number(slab: Slab, place: number): number {
    const end = slab.after(place)
    const hash = hashOf(slab.bytes, place, end)
    const known = this.slots.find(hash, number => isSame(slab.bytes, this.places[number - 1]!, place, end))
    if (known !== 0) return known
    this.places = grown(this.places, this.slots.count + 1)
    this.places[this.slots.count] = place
    return this.slots.add(hash, number => this.hash(slab, number))
  }

  /** The number of a text; 0 when it was not met. @param text  as it lies in a slab */
  find(slab: Slab, text: Uint8Array): number {
    const hash = hashOf(text, 0, text.length)
    return this.slots.find(hash, number => {
      const place = this.places[number - 1]!
      return slab.holds(place, slab.after(place), text)
    })
  }

  text(slab: Slab, number: number): string {
    return slab.text(this.places[number - 1]!)
  }

  private hash(slab: Slab, number: number): number {
    const place = this.places[number - 1]!
    return hashOf(slab.bytes, place, slab.after(place))
  }
}

/** Pairs of numbers below 2^32. */
export class DistinctPairs {
  private readonly slots = new Slots()
  private pairs = new Uint32Array(32)

  get count(): number {
    return this.slots.count
  }

  get bytes(): number {
    return this.slots.bytes + this.pairs.byteLength
  }

  number(first: number, second: number): number {
    const hash = hashOfPair(first, second)
    const { pairs } = this
    const known = this.slots.find(
      hash,
      number => pairs[2 * number - 2] === first && pairs[2 * number - 1] === second
    )
    if (known !== 0) return known
    const at = 2 * this.slots.count
    this.pairs = grown(pairs, at + 2)
    this.pairs[at] = first
    this.pairs[at + 1] = second
    return this.slots.add(hash, number => hashOfPair(...this.pair(number)))
  }

  pair(number: number): [first: number, second: number] {
    return [this.pairs[2 * number - 2]!, this.pairs[2 * number - 1]!]
  }
}

/** FNV-1a, its high bits folded into the low ones that are used. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

function hashOfPair(first: number, second: number): number {
  const hash = Math.imul(Math.imul(first, 0x9e3779b1) ^ second, 0x85ebca6b)
  return (hash ^ (hash >>> 15)) >>> 0
}

function isSame(bytes: Uint8Array, a: number, b: number, end: number): boolean {
  for (let i = b; i < end; i++, a++) if (bytes[a] !== bytes[i]) return false
  return true
}

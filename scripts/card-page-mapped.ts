// A card that knows for each page where it lies (the better cards, eMMC): pages are programmed wherever the
// open unit stands. When free units run out, greedy collection takes the unit with the fewest pages that
// still count and moves them to a unit of its own, so that what stays is not mixed with what is rewritten.
//
// Invariants: every logical page lies in exactly one physical page; one unit is always left to collect into.

import { assert } from '../src/base/assert.ts'
import type { Mapping, Nand } from './card-model.ts'

/** A unit that is written forward. */
interface Front {
  unit: number
  used: number
}

const nobody = -1
/** Collection keeps this many units free: it may need one before it gives one back. */
const freeUnitsMin = 1

export class PageMapped implements Mapping {
  private readonly nand: Nand
  private readonly unitPages: number
  /** Logical page → physical page, and back (nobody: stale or never written). */
  private readonly place: Int32Array
  private readonly owner: Int32Array
  /** Pages that count, by unit. */
  private readonly live: Uint32Array
  private readonly closed: Uint8Array
  private readonly written: Front
  private readonly moved: Front

  /** The first `units` of the chips hold the card's pages in order. */
  constructor(nand: Nand, units: number, unitPages: number) {
    this.nand = nand
    this.unitPages = unitPages
    const all = nand.erases.length
    this.place = Int32Array.from({ length: units * unitPages }, (_, page) => page)
    this.owner = new Int32Array(all * unitPages).fill(nobody)
    this.owner.set(this.place)
    this.live = new Uint32Array(all).fill(unitPages, 0, units)
    this.closed = new Uint8Array(all).fill(1, 0, units)
    this.written = { unit: nand.take(), used: 0 }
    this.moved = { unit: nand.take(), used: 0 }
  }

  pages(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      this.put(page, this.written)
      if (this.written.used < this.unitPages) continue
      while (this.nand.freeUnits <= freeUnitsMin) this.collect()
      this.next(this.written)
    }
  }

  /** Physical page of a logical one. */
  placeOf(page: number): number {
    return this.place[page]!
  }

  private put(page: number, front: Front): void {
    const old = this.place[page]!
    assert(this.owner[old] === page, 'a page lies where the map says')
    this.owner[old] = nobody
    this.live[Math.floor(old / this.unitPages)]!--
    const place = front.unit * this.unitPages + front.used++
    this.place[page] = place
    this.owner[place] = page
    this.live[front.unit]!++
    this.nand.programmed++
  }

  private next(front: Front): void {
    this.closed[front.unit] = 1
    front.unit = this.nand.take()
    front.used = 0
  }

  private collect(): void {
    const unit = this.emptiest()
    const from = unit * this.unitPages
    for (let place = from; place < from + this.unitPages; place++) {
      const page = this.owner[place]!
      if (page === nobody) continue
      if (this.moved.used === this.unitPages) this.next(this.moved)
      this.put(page, this.moved)
    }
    this.closed[unit] = 0
    this.nand.erase(unit)
  }

  private emptiest(): number {
    let best = nobody
    for (let unit = 0; unit < this.live.length; unit++) {
      if (this.closed[unit] === 1 && (best === nobody || this.live[unit]! < this.live[best]!)) best = unit
    }
    assert(best !== nobody && this.live[best]! < this.unitPages, 'a full card has stale pages to collect')
    return best
  }
}

// A memtable as it was when it was pinned: its entries by place, in the order of their keys.
//
// Invariant: it never changes, whatever is written to the memtable.
// Not here: writing (memtable.ts), several tables as one (view.ts).

import { MergeIterator, type SortedCursor } from '../engine/merge-iterator.ts'
import { lowerBound, type PlacedKeys, type Run } from '../engine/sorted-runs.ts'
import type { Entry } from './entry.ts'
import { type EntryLog, wordOf } from './entry-log.ts'

/** Records by place. */
export class PlacedEntries implements PlacedKeys {
  private readonly log: EntryLog
  private readonly addresses: { at(place: number): number }

  constructor(log: EntryLog, addresses: { at(place: number): number }) {
    this.log = log
    this.addresses = addresses
  }

  address(place: number): number {
    return this.addresses.at(place)
  }

  slabs(): SharedArrayBuffer[] {
    return this.log.shared()
  }

  entry(place: number): Entry {
    return this.log.entry(this.addresses.at(place))
  }

  stored(place: number): string {
    const address = this.addresses.at(place)
    return this.log.slabOf(address).stored(wordOf(address))
  }

  compare(a: number, b: number): number {
    const addressA = this.addresses.at(a)
    const addressB = this.addresses.at(b)
    const slabA = this.log.slabOf(addressA)
    const slabB = this.log.slabOf(addressB)
    const bytesA = slabA.bytes
    const bytesB = slabB.bytes
    let atA = slabA.keyAt(wordOf(addressA))
    let atB = slabB.keyAt(wordOf(addressB))
    const lengthA = slabA.keyLength(wordOf(addressA))
    const lengthB = slabB.keyLength(wordOf(addressB))
    for (let left = Math.min(lengthA, lengthB); left > 0; left--) {
      const order = bytesA[atA++]! - bytesB[atB++]!
      if (order !== 0) return order
    }
    return lengthA - lengthB
  }

  compareTo(place: number, key: string): number {
    const address = this.addresses.at(place)
    const { bytes } = this.log.slabOf(address)
    const [at, length] = this.keyOf(address)
    const most = Math.min(length, key.length)
    for (let i = 0; i < most; i++) {
      const order = bytes[at + i]! - key.charCodeAt(i)
      if (order !== 0) return order
    }
    return length - key.length
  }

  shared(a: number, b: number): number {
    const [addressA, addressB] = [this.addresses.at(a), this.addresses.at(b)]
    const [bytesA, bytesB] = [this.log.slabOf(addressA).bytes, this.log.slabOf(addressB).bytes]
    const [atA, lengthA] = this.keyOf(addressA)
    const [atB, lengthB] = this.keyOf(addressB)
    const most = Math.min(lengthA, lengthB)
    let i = 0
    while (i < most && bytesA[atA + i] === bytesB[atB + i]) i++
    return i
  }

  four(place: number, from: number): number {
    const address = this.addresses.at(place)
    const { bytes } = this.log.slabOf(address)
    const [at, length] = this.keyOf(address)
    let four = 0
    for (let i = from; i < from + 4; i++) four = four * 256 + (i < length ? bytes[at + i]! : 0)
    return four
  }

  private keyOf(address: number): [at: number, length: number] {
    const slab = this.log.slabOf(address)
    const word = wordOf(address)
    return [slab.keyAt(word), slab.keyLength(word)]
  }
}

export class MemtableView {
  readonly size: number
  private readonly runs: readonly Run[]
  private readonly placed: PlacedEntries

  constructor(size: number, runs: readonly Run[], placed: PlacedEntries) {
    this.size = size
    this.runs = runs
    this.placed = placed
  }

  /** @param stored  a byte string */
  get(stored: string): Entry | undefined {
    for (const run of this.runs) {
      const place = run[lowerBound(run, this.placed, stored)]
      if (place !== undefined && this.placed.compareTo(place, stored) === 0) return this.placed.entry(place)
    }
    return undefined
  }

  /** The bytes of it all, for whoever writes it to the medium: shared, and never changed. */
  handOver(): { slabs: SharedArrayBuffer[]; addresses: Int32Array; runs: readonly Run[] } {
    const { size, runs, placed } = this
    const addresses = new Int32Array(size)
    for (let place = 0; place < size; place++) addresses[place] = placed.address(place)
    return { slabs: placed.slabs(), addresses, runs }
  }

  /** The keys in [low, high) in order, or backwards. @param high  null: no upper bound */
  cursor(low: string, high: string | null, reverse = false): SortedCursor<Entry> {
    const cursors = this.runs.map(run => {
      const from = lowerBound(run, this.placed, low)
      const to = high === null ? run.length : lowerBound(run, this.placed, high)
      return new RunCursor(this.placed, run, from, to, reverse)
    })
    return cursors.length === 1 ? cursors[0]! : new MergeIterator(cursors, reverse)
  }
}

class RunCursor implements SortedCursor<Entry> {
  key: string | null = null
  private readonly placed: PlacedEntries
  private readonly run: Run
  private at: number
  private left: number
  private readonly step: 1 | -1

  constructor(placed: PlacedEntries, run: Run, from: number, to: number, reverse: boolean) {
    this.placed = placed
    this.run = run
    this.step = reverse ? -1 : 1
    this.at = reverse ? to - 1 : from
    this.left = to - from
    this.read()
  }

  value(): Entry {
    return this.placed.entry(this.run[this.at]!)
  }

  next(): void {
    if (this.key === null) return
    this.at += this.step
    this.left--
    this.read()
  }

  private read(): void {
    this.key = this.left > 0 ? this.placed.stored(this.run[this.at]!) : null
  }
}

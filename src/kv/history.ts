// The newest changes in the order of their versions, for watches. A watch that knows version v gets every
// change after v, each once, and only those on the medium: what a power cut may take back is not told.
//
//   versions:   [ floor ] 41 42 43 44 45 | 46 47            | = durable: what is right of it waits
//
// The history is bounded in bytes. When changes fall out of it the floor rises, and a watch whose place is
// below the floor ends with VARVE_WATCH_OLD: its owner takes a snapshot, reads what it needs and watches
// from the snapshot's version. So a slow watch costs no memory, and never misses without being told.
//
// Invariants: versions ascend; floor < the first version kept; changes not yet durable are never let go.
// Not here: expiry (nothing is written when an entry expires, so no change is told).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'

export class History {
  /** All changes after this version are here. */
  floor = 0
  /** The store was closed: nothing more will come. */
  closed = false
  private readonly bytesMax: number
  private entries: Entry[] = []
  private groups: number[] = []
  /** Index of the first entry kept; those before it are gone. */
  private start = 0
  /** Index after the last durable entry. */
  private ready = 0
  private bytes = 0
  private readonly waiting = new Set<() => void>()

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Adds a change that will be on the medium with the group. */
  push(entry: Entry, group: number): void {
    assert(
      this.entries.length === this.start || entry.version > this.entries.at(-1)!.version,
      'versions ascend'
    )
    this.entries.push(entry)
    this.groups.push(group)
    this.bytes += entry.weight
  }

  /** All of that group and those before it are on the medium. */
  synced(group: number): void {
    const before = this.ready
    // What becomes durable now is kept until the next sync, however large: whoever watches is woken by this one.
    this.trim()
    while (this.ready < this.groups.length && this.groups[this.ready]! <= group) this.ready++
    if (this.ready === before) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Forgets everything: changes up to this version are not known any more. */
  restart(floor: number): void {
    this.entries = []
    this.groups = []
    this.start = 0
    this.ready = 0
    this.bytes = 0
    this.floor = floor
  }

  /**
   * Durable changes after a version, at most limit of them, in order.
   * @throws {VarveError} VARVE_WATCH_OLD when changes after that version are no longer kept
   */
  after(version: number, limit: number): Entry[] {
    if (version < this.floor) {
      throw new VarveError(
        'VARVE_WATCH_OLD',
        `Cannot watch from version ${version}: changes are kept from version ${this.floor} on; take a snapshot`
      )
    }
    let low = this.start
    let high = this.ready
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.entries[middle]!.version <= version) low = middle + 1
      else high = middle
    }
    return this.entries.slice(low, Math.min(low + limit, this.ready))
  }

  /** Calls back once, when more changes are durable. @returns cancels */
  wait(wake: () => void): () => void {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }

  /** Wakes all that wait, as the store closes. */
  close(): void {
    this.closed = true
    for (const wake of this.waiting) wake()
    this.waiting.clear()
  }

  private trim(): void {
    while (this.bytes > this.bytesMax && this.start < this.ready) {
      const entry = this.entries[this.start++]!
      this.floor = entry.version
      this.bytes -= entry.weight
    }
    if (this.start < 1024 || this.start * 2 < this.entries.length) return
    this.entries = this.entries.slice(this.start)
    this.groups = this.groups.slice(this.start)
    this.ready -= this.start
    this.start = 0
  }
}

// The newest changes in the order of their versions, for watches. A watch that knows version v gets every
// change after v, each once, and only those on the medium: what a power cut may take back is not told.
//
//   versions:   [ floor ] 41 42 43 44 45 | 46 47            | = durable: what is right of it waits
//
// The history is bounded in bytes. When changes fall out of it the floor rises, and a watch whose place is
// below the floor ends with VARVE_WATCH_OLD: its owner takes a snapshot, reads what it needs and watches
// from the snapshot's version. So a slow watch costs no memory, and never misses without being told.
//
// Changes lie where the memtable has them (entry-log.ts): here are only their places.
// Invariants: versions ascend; floor < the first version kept; changes not yet durable are never let go.
// Not here: expiry (nothing is written when an entry expires, so no change is told).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { EntrySlab } from './entry-log.ts'

/** The changes of a group end before this index. */
interface Mark {
  readonly group: number
  end: number
}

export class History {
  /** All changes after this version are here. */
  floor = 0
  /** The store was closed: nothing more will come. */
  closed = false
  private readonly bytesMax: number
  private slabs: EntrySlab[] = []
  private words: number[] = []
  private last = 0
  /** Of groups that are not durable. */
  private marks: Mark[] = []
  /** Index of the first change kept; those before it are gone. */
  private start = 0
  /** Index after the last durable change. */
  private ready = 0
  private bytes = 0
  private readonly waiting = new Set<() => void>()

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Adds a change, the record at a word of a slab, that will be on the medium with the group. */
  push(slab: EntrySlab, word: number, group: number): void {
    const version = slab.version(word)
    assert(version > this.last, 'versions ascend')
    this.last = version
    this.slabs.push(slab)
    this.words.push(word)
    this.bytes += slab.recordBytes(word)
    const { marks } = this
    const mark = marks.length === 0 ? undefined : marks[marks.length - 1]
    if (mark !== undefined && mark.group === group) mark.end = this.words.length
    else marks.push({ group, end: this.words.length })
  }

  /** All of that group and those before it are on the medium. */
  synced(group: number): void {
    const before = this.ready
    // What becomes durable now is kept until the next sync, however large: whoever watches is woken by this one.
    this.trim()
    const { marks } = this
    let n = 0
    while (n < marks.length && marks[n]!.group <= group) this.ready = marks[n++]!.end
    marks.splice(0, n)
    if (n === 0 || this.ready === before) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Forgets everything: changes up to this version are not known any more. */
  restart(floor: number): void {
    this.slabs = []
    this.words = []
    this.marks = []
    this.last = floor
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
      if (this.versionAt(middle) <= version) low = middle + 1
      else high = middle
    }
    const found: Entry[] = []
    for (let i = low; i < this.ready && i - low < limit; i++) found.push(this.slabs[i]!.entry(this.words[i]!))
    return found
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

  private versionAt(index: number): number {
    return this.slabs[index]!.version(this.words[index]!)
  }

  private trim(): void {
    while (this.bytes > this.bytesMax && this.start < this.ready) {
      this.floor = this.versionAt(this.start)
      this.bytes -= this.slabs[this.start]!.recordBytes(this.words[this.start]!)
      this.start++
    }
    if (this.start < 1024 || this.start * 2 < this.words.length) return
    const gone = this.start
    this.slabs = this.slabs.slice(gone)
    this.words = this.words.slice(gone)
    for (const mark of this.marks) mark.end -= gone
    this.ready -= gone
    this.start = 0
  }
}

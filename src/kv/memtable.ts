// The table in memory that takes writes until they are flushed. A hash table with open addressing (linear probing, half
// of its slots empty at least) finds the place of a key at once, a list has the address of the record of each place
// (entry-log.ts), and runs have their order (engine/sorted-runs.ts), for whoever wants one: they learn of new keys when
// a view is pinned, all at once. An overwrite touches neither table nor runs.
//
// All of it is numbers and bytes: a million entries are nothing that the garbage collector follows, and a put makes no
// object. Chosen by measure (scripts/bench-kv.ts --memtable) over a Map with keys that are sorted on demand.
// Invariants: a key has the same place for ever; places are 0, 1, 2 ... in the order of their coming; at most
// UNORDERED_MAX of them are in no run, so that no view takes long to pin; a pinned view never changes; nothing is ever
// removed: a delete is a record of its own (tombstone).
// Not here: versions, which of several memtables is newer (memtables.ts).
import { PinnedNumbers } from '../engine/pinned-numbers.ts'
import { SortedRuns } from '../engine/sorted-runs.ts'
import type { Entry } from './entry.ts'
import { EntryLog, type ValuePart } from './entry-log.ts'
import type { KeyBytes } from './key-bytes.ts'
import { MemtableView, PlacedEntries } from './memtable-view.ts'

/** Some milliseconds of work on a small machine. */
const UNORDERED_MAX = 4096
const SLOTS_MIN = 32
/** Memory of a key beyond its record: hash, slots, address, its place in a run. */
const KEY_OVERHEAD_BYTES = 40

export class Memtable {
  /** How many keys it holds. */
  size = 0
  /** Bytes of keys and values, the newest of each key. */
  contentBytes = 0
  /** Bytes of records that were overwritten and lie among others. */
  deadBytes = 0
  log = new EntryLog()
  private readonly addresses = new PinnedNumbers()
  private readonly runs = new SortedRuns()
  private placed = new PlacedEntries(this.log, this.addresses)
  /** By place. */
  private hashes = new Int32Array(SLOTS_MIN / 2)
  /** A place counted from 1; 0: an empty slot. */
  private slots = new Int32Array(SLOTS_MIN)

  /** Memory it takes, about. */
  get weight(): number {
    return this.log.bytes + this.size * KEY_OVERHEAD_BYTES
  }

  /** The address of a key's record; -1: it is not there. */
  find(key: KeyBytes): number {
    const place = this.slots[this.slotOf(key)]! - 1
    return place < 0 ? -1 : this.addresses.at(place)
  }

  /** Sets what is under a key. @param value  copied @returns the address of its record */
  write(key: KeyBytes, version: number, expiresUs: number, value: ValuePart): number {
    const address = this.log.append(key, version, expiresUs, value)
    this.contentBytes += key.length + value.to - value.from
    const slot = this.slotOf(key)
    const place = this.slots[slot]! - 1
    if (place < 0) this.add(slot, key, address)
    else {
      this.overwritten(this.addresses.at(place))
      this.addresses.set(place, address)
    }
    return address
  }

  /** Appends a record that no key leads to: it has a later one, or its change is only told. @returns its address */
  note(key: KeyBytes, version: number, expiresUs: number, value: ValuePart): number {
    const address = this.log.append(key, version, expiresUs, value)
    this.deadBytes += this.log.recordBytes(address)
    return address
  }

  /** Copies the records of all keys to a log that holds nothing else. */
  pack(): void {
    const { addresses, log, size } = this
    this.log = new EntryLog()
    for (let place = 0; place < size; place++) addresses.set(place, this.log.copy(log, addresses.at(place)))
    this.placed = new PlacedEntries(this.log, addresses)
    this.deadBytes = 0
  }

  /** All entries, in the order in which their keys came. */
  *all(): Generator<Entry, void, undefined> {
    for (let place = 0; place < this.size; place++) yield this.log.entry(this.addresses.at(place))
  }

  /** A frozen view of the table as it is now. */
  pin(): MemtableView {
    this.runs.order(this.size, this.placed)
    return new MemtableView(
      this.size,
      this.runs.pin(),
      new PlacedEntries(this.log.pin(), this.addresses.pin())
    )
  }

  private add(slot: number, key: KeyBytes, address: number): void {
    this.addresses.push(address)
    this.hashes[this.size++] = key.hash
    this.slots[slot] = this.size
    if (this.size === this.hashes.length) this.grow()
    if (this.size - this.runs.count === UNORDERED_MAX) this.runs.order(this.size, this.placed)
  }

  private overwritten(address: number): void {
    this.contentBytes -= this.log.contentBytes(address)
    const bytes = this.log.recordBytes(address)
    if (!this.log.release(address)) this.deadBytes += bytes
  }

  /** The slot where a key is, or belongs. */
  private slotOf(key: KeyBytes): number {
    const { slots, hashes, addresses, log } = this
    const { hash } = key
    const mask = slots.length - 1
    let slot = hash & mask
    for (;;) {
      const place = slots[slot]! - 1
      if (place < 0 || (hashes[place] === hash && log.isOf(addresses.at(place), key))) return slot
      slot = (slot + 1) & mask
    }
  }

  private grow(): void {
    const { size } = this
    const hashes = new Int32Array(size * 2)
    hashes.set(this.hashes)
    this.hashes = hashes
    const slots = new Int32Array(size * 4)
    const mask = slots.length - 1
    for (let place = 0; place < size; place++) {
      let slot = hashes[place]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = place + 1
    }
    this.slots = slots
  }
}

// The entries not yet in segments: the memtable that takes writes, and the one that is being flushed.
// A record that is overwritten stays in its slab (entry-log.ts). Once half of the slabs are such bytes, the others are
// copied: so a counter that is written for ever takes the room of one, and is not flushed for it.
// Invariants: of two memtables that hold a key the active one has the later version; at most one is frozen.
// Not here: when to flush (maintenance.ts), the WAL.
import { assert } from '../base/assert.ts'
import type { Entry } from './entry.ts'
import { type EntrySlab, partOf, type ValuePart } from './entry-log.ts'
import type { Look } from './hot-entries.ts'
import { KeyBytes } from './key-bytes.ts'
import { Memtable } from './memtable.ts'
import type { MemtableView } from './memtable-view.ts'

/** The share of a full memtable's bytes that dead ones must have to be worth copying the others. */
const DEAD_SHARE_MIN = 1 / 64

export class Memtables {
  private active = new Memtable()
  private frozen: Memtable | null = null
  private readonly deadBytesMin: number

  /** @param memtableBytesMax  how large one becomes before it is flushed */
  constructor(memtableBytesMax: number) {
    this.deadBytesMin = memtableBytesMax * DEAD_SHARE_MIN
  }

  /** Memory of the memtable that takes writes, about. */
  get activeWeight(): number {
    return this.active.weight
  }

  /** Memory of all, about. */
  get weight(): number {
    return this.active.weight + (this.frozen?.weight ?? 0)
  }

  /** Bytes of keys and values that the memtable that takes writes holds. */
  get activeBytes(): number {
    return this.active.contentBytes
  }

  get activeSize(): number {
    return this.active.size
  }

  get(key: KeyBytes): Entry | undefined {
    const { active, frozen } = this
    let address = active.find(key)
    if (address >= 0) return active.log.entry(address)
    if (frozen === null) return undefined
    address = frozen.find(key)
    return address < 0 ? undefined : frozen.log.entry(address)
  }

  /**
   * Says where the value of a key lies.
   * @returns 'absent' where no memtable holds the key: a segment may
   */
  look(key: KeyBytes, into: Look): 'found' | 'deleted' | 'absent' {
    const { active, frozen } = this
    let table = active
    let address = active.find(key)
    if (address < 0 && frozen !== null) {
      table = frozen
      address = frozen.find(key)
    }
    if (address < 0) return 'absent'
    return table.log.look(address, into) ? 'found' : 'deleted'
  }

  /** Puts a new entry. @param value  copied @returns the address of its record */
  write(key: KeyBytes, version: number, expiresUs: number, value: ValuePart): number {
    const { active } = this
    if (active.deadBytes >= this.deadBytesMin && active.deadBytes * 2 > active.log.bytes) active.pack()
    return active.write(key, version, expiresUs, value)
  }

  /** The slab that holds what write() or replayed() gave the address of. */
  slabOf(address: number): EntrySlab {
    return this.active.log.slabOf(address)
  }

  /** Puts an entry unless a later version is there: for entries that come in any order. @returns its address */
  replayed(entry: Entry): number {
    const { active } = this
    const key = KeyBytes.of(entry.stored)
    const { version, expiresUs } = entry
    const value = partOf(entry)
    const there = active.find(key)
    if (there >= 0 && active.log.version(there) >= version) return active.note(key, version, expiresUs, value)
    return this.write(key, version, expiresUs, value)
  }

  /** Frozen views, newest first. */
  pin(): MemtableView[] {
    const views = [this.active.pin()]
    if (this.frozen !== null) views.push(this.frozen.pin())
    return views
  }

  /** Starts a new memtable; what was written so far is frozen, and its view returned. */
  freeze(): MemtableView {
    assert(this.frozen === null, 'one memtable is flushed at a time')
    this.frozen = this.active
    this.active = new Memtable()
    return this.frozen.pin()
  }

  /** The frozen memtable is in a segment now. */
  discard(): void {
    this.frozen = null
  }

  /** The flush failed: what was frozen takes writes again, with those that came since. */
  thaw(): void {
    assert(this.frozen !== null, 'a memtable was frozen')
    const later = this.active.all()
    this.active = this.frozen
    this.frozen = null
    for (const entry of later) this.put(entry)
  }

  /** Forgets every entry that does not stay. */
  keepOnly(stays: (entry: Entry) => boolean): void {
    const all = this.active
    let gone = 0
    for (const entry of all.all()) if (!stays(entry)) gone++
    if (gone === 0) return
    this.active = new Memtable()
    for (const entry of all.all()) if (stays(entry)) this.put(entry)
  }

  /** Forgets entries up to a version: they are in segments. */
  dropUpTo(version: number): void {
    const all = this.active
    this.active = new Memtable()
    for (const entry of all.all()) if (entry.version > version) this.put(entry)
  }

  private put(entry: Entry): void {
    this.active.write(KeyBytes.of(entry.stored), entry.version, entry.expiresUs, partOf(entry))
  }
}

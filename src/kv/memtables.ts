// The entries not yet in segments: the memtable that takes writes, and the one that is being flushed.
// A value that is overwritten leaves its bytes in a slab of values (value-arena.ts). Once half of the slabs are such bytes,
// the others are moved: so a counter that is written for ever takes the room of one, and is not flushed for it.
// Invariants: of two memtables that hold a key the active one has the later version; at most one is frozen.
// Not here: when to flush (maintenance.ts), the WAL.
import { assert } from '../base/assert.ts'
import { Memtable, type MemtableView } from '../engine/memtable.ts'
import type { Entry } from './entry.ts'
import { packedBytes, ValueArena } from './value-arena.ts'

interface Counted {
  readonly entries: Memtable<Entry>
  values: ValueArena
  /** Memory it takes, about. */
  weight: number
  /** Bytes of keys and values. */
  bytes: number
  /** Bytes of slabs that no entry needs any more. */
  dead: number
}

/** The share of a full memtable's bytes that dead ones must have to be worth moving the others. */
const DEAD_SHARE_MIN = 1 / 64

function empty(): Counted {
  return { entries: new Memtable<Entry>(), values: new ValueArena(), weight: 0, bytes: 0, dead: 0 }
}

export class Memtables {
  private active = empty()
  private frozen: Counted | null = null
  private readonly deadBytesMin: number

  /** @param memtableBytesMax  how large one becomes before it is flushed */
  constructor(memtableBytesMax: number) {
    this.deadBytesMin = memtableBytesMax * DEAD_SHARE_MIN
  }

  /** Memory of the memtable that takes writes, about. */
  get activeWeight(): number {
    return this.active.weight + this.active.dead
  }

  /** Memory of all, about. */
  get weight(): number {
    const { frozen } = this
    return this.activeWeight + (frozen === null ? 0 : frozen.weight + frozen.dead)
  }

  /** Where the values of entries to put belong. */
  get values(): ValueArena {
    return this.active.values
  }

  /** Bytes of keys and values that the memtable that takes writes holds. */
  get activeBytes(): number {
    return this.active.bytes
  }

  get activeSize(): number {
    return this.active.entries.size
  }

  get(stored: string): Entry | undefined {
    return this.active.entries.get(stored) ?? this.frozen?.entries.get(stored)
  }

  /**
   * Puts a new entry. Where its key is there already the entry shares that string, so that of an overwrite only the entry
   * itself outlives its turn.
   * @param value  copied; null: a tombstone
   */
  write(stored: string, version: number, expiresUs: number, value: Uint8Array | null): Entry {
    const { entries, values } = this.active
    const place = entries.find(stored)
    const key = place < 0 ? stored : entries.keyAt(place)
    const entry = values.entry(key, version, expiresUs, value)
    if (place < 0) entries.add(key, entry)
    this.count(entry, place < 0 ? undefined : entries.replace(place, entry))
    return entry
  }

  /** @param entry  its value lies in `values`, or in bytes of its own */
  put(entry: Entry): void {
    this.count(entry, this.active.entries.put(entry.stored, entry))
  }

  private count(entry: Entry, before: Entry | undefined): void {
    const { active } = this
    active.weight += entry.weight
    active.bytes += bytesOfEntry(entry)
    if (before === undefined) return
    active.weight -= before.weight
    active.bytes -= bytesOfEntry(before)
    active.dead += packedBytes(before)
    if (active.dead >= this.deadBytesMin && active.dead > active.bytes) this.pack()
  }

  /** Puts an entry unless a later version is there: for entries that come in any order. */
  putIfLater(entry: Entry): void {
    const there = this.active.entries.get(entry.stored)
    if (there === undefined || there.version < entry.version) this.put(entry)
  }

  /** Frozen views, newest first. */
  pin(): MemtableView<Entry>[] {
    const views = [this.active.entries.pin()]
    if (this.frozen !== null) views.push(this.frozen.entries.pin())
    return views
  }

  /** Starts a new memtable; what was written so far is frozen, and its view returned. */
  freeze(): MemtableView<Entry> {
    assert(this.frozen === null, 'one memtable is flushed at a time')
    this.frozen = this.active
    this.active = empty()
    return this.frozen.entries.pin()
  }

  /** The frozen memtable is in a segment now. */
  discard(): void {
    this.frozen = null
  }

  /** The flush failed: what was frozen takes writes again, with those that came since. */
  thaw(): void {
    assert(this.frozen !== null, 'a memtable was frozen')
    const later = this.active.entries.all()
    this.active = this.frozen
    this.frozen = null
    for (const entry of later) this.put(entry)
  }

  /** Forgets every entry that does not stay. */
  keepOnly(stays: (entry: Entry) => boolean): void {
    const { entries } = this.active
    let gone = 0
    for (const entry of entries.all()) if (!stays(entry)) gone++
    if (gone === 0) return
    this.active = empty()
    for (const entry of entries.all()) if (stays(entry)) this.adopt(entry)
  }

  /** Forgets entries up to a version: they are in segments. */
  dropUpTo(version: number): void {
    const all = this.active.entries.all()
    this.active = empty()
    for (const entry of all) if (entry.version > version) this.adopt(entry)
  }

  private adopt(entry: Entry): void {
    this.active.values.adopt(entry)
    this.put(entry)
  }

  /** Moves all values to slabs that hold nothing else. */
  private pack(): void {
    this.active.values = new ValueArena()
    this.active.dead = 0
    for (const entry of this.active.entries.all()) this.active.values.adopt(entry)
  }
}

function bytesOfEntry(entry: Entry): number {
  return entry.stored.length + entry.size
}

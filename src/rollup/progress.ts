// How far each tier has come, and which windows behind that must be computed again because samples came
// late. Saved in the manifest together with the segments it speaks of, so that a crash can neither lose a
// window nor count one twice.
//
//   progress := u8 version 1 | varint tiers | (text name, varint done us)*
//             | varint classes | (text class, varint gone us)*
//             | varint hours | (varint hour, varint groups, (varint group - group before)*)*
// `done`: every window that ends at or before it is in the tier. `gone`: of the class, samples (of a tier's
// class, windows) before it were dropped. `hour` counts from the epoch.
// Example: tier 1m done to 3600 s, nothing gone, group 5 late in hour 0 =
//   01 01 02 31 6d 80 c8 ce b4 0d 00 01 00 01 05
//
// Invariants: a mark is saved before the row that it stands for leaves the WAL, and until its repair is;
// an hour is dirty only where some tier is past it; past dirtyMax (group, hour) pairs the whole
// hour counts as dirty for all groups, written as 0 groups.
// Not here: computing (rollup-job.ts), when (the daemon's scheduler).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'

export const HOUR_US = 3_600_000_000
const VERSION = 1
const dirtyMax = 100_000

/** Groups to compute again in an hour; 'all' when there were too many to remember. */
export type DirtyGroups = Set<number> | 'all'

export class RollupProgress {
  /** By tier name: windows ending at or before this time are done. */
  readonly doneUs = new Map<string, number>()
  /** By retention class: what was before this time may have been dropped. */
  readonly goneUs = new Map<string, number>()
  readonly dirty = new Map<number, DirtyGroups>()
  /** Grows with every change. */
  version = 0
  private pairs = 0
  /** What takeDirty() gave and no commit() has settled yet. */
  private inRepair: ReadonlyMap<number, DirtyGroups> = new Map()

  /** The furthest any tier has come: samples before it are late. */
  get frontierUs(): number {
    let frontier = 0
    for (const done of this.doneUs.values()) if (done > frontier) frontier = done
    return frontier
  }

  /** A sample of a group came at a time that a tier has passed. */
  markLate(group: number, timeUs: number): void {
    const hour = Math.floor(timeUs / HOUR_US)
    this.version++
    const groups = this.dirty.get(hour)
    if (groups === 'all') return
    if (groups === undefined) {
      if (this.pairs >= dirtyMax) this.dirty.set(hour, 'all')
      else this.dirty.set(hour, new Set([group]))
      this.pairs++
    } else if (!groups.has(group)) {
      if (this.pairs >= dirtyMax) {
        this.pairs -= groups.size
        this.dirty.set(hour, 'all')
      } else {
        groups.add(group)
        this.pairs++
      }
    }
  }

  /** Any group may have got samples from fromUs to toUs, which tiers have passed. */
  markLateSpan(fromUs: number, toUs: number): void {
    for (let hour = Math.floor(fromUs / HOUR_US); hour * HOUR_US <= toUs; hour++) {
      const groups = this.dirty.get(hour)
      if (groups !== undefined && groups !== 'all') this.pairs -= groups.size
      this.dirty.set(hour, 'all')
      this.version++
    }
  }

  /** Takes the dirty hours out; what is marked from now on is for the next repair. One repair at a time. */
  takeDirty(): ReadonlyMap<number, DirtyGroups> {
    const taken = new Map(this.dirty)
    this.dirty.clear()
    this.pairs = 0
    this.inRepair = taken
    return taken
  }

  /** Puts back what takeDirty() gave, after a repair that failed. */
  putBack(): void {
    for (const [hour, groups] of this.inRepair) {
      if (groups === 'all') this.dirty.set(hour, 'all')
      else for (const group of groups) this.markLate(group, hour * HOUR_US)
    }
    this.inRepair = new Map()
  }

  /** Takes over what is durable now, and lets go of what takeDirty() gave. */
  commit(doneUs: ReadonlyMap<string, number>): void {
    for (const name of [...this.doneUs.keys()]) if (!doneUs.has(name)) this.doneUs.delete(name)
    for (const [name, us] of doneUs) this.doneUs.set(name, us)
    this.inRepair = new Map()
    this.version++
  }

  /** Of a class, all before this time may be dropped from now on: say so before it is. */
  setGone(className: string, us: number): void {
    if (us <= (this.goneUs.get(className) ?? 0)) return
    this.goneUs.set(className, us)
    this.version++
  }

  /** The hours in which a group has samples that tiers do not know yet. */
  *dirtyHours(group: number): Iterable<number> {
    for (const hours of [this.dirty, this.inRepair]) {
      for (const [hour, groups] of hours) if (groups === 'all' || groups.has(group)) yield hour
    }
  }

  /** As it is now or, given how far tiers have come since takeDirty(), as it will be after commit(). */
  encode(doneUs?: ReadonlyMap<string, number>): Uint8Array {
    const out = new ByteWriter()
    out.u8(VERSION)
    for (const times of [doneUs ?? this.doneUs, this.goneUs]) {
      out.varint(times.size)
      for (const [name, us] of times) {
        out.text(name)
        out.varint(us)
      }
    }
    const hours = doneUs === undefined ? union(this.inRepair, this.dirty) : this.dirty
    out.varint(hours.size)
    for (const [hour, groups] of hours) {
      out.varint(hour)
      const ids = groups === 'all' ? [] : [...groups].sort((a, b) => a - b)
      out.varint(ids.length)
      let before = 0
      for (const id of ids) {
        out.varint(id - before)
        before = id
      }
    }
    return out.copy()
  }

  /** @throws {FormatError} for a newer version; {VarveError} VARVE_TRUNCATED */
  static decode(bytes: Uint8Array): RollupProgress {
    const from = new ByteReader(bytes)
    const version = from.u8()
    if (version > VERSION) throw new FormatError('the rollup progress', version, VERSION)
    const progress = new RollupProgress()
    for (let left = from.varint(); left > 0; left--) progress.doneUs.set(from.text(), from.varint())
    for (let left = from.varint(); left > 0; left--) progress.goneUs.set(from.text(), from.varint())
    for (let left = from.varint(); left > 0; left--) {
      const hour = from.varint()
      const count = from.varint()
      if (count === 0) progress.dirty.set(hour, 'all')
      let id = 0
      for (let i = 0; i < count; i++) {
        id += from.varint()
        progress.markLate(id, hour * HOUR_US)
      }
    }
    return progress
  }
}

function union(
  a: ReadonlyMap<number, DirtyGroups>,
  b: ReadonlyMap<number, DirtyGroups>
): ReadonlyMap<number, DirtyGroups> {
  if (a.size === 0) return b
  const all = new Map(b)
  for (const [hour, groups] of a) {
    const other = all.get(hour)
    if (other === undefined) all.set(hour, groups)
    else all.set(hour, groups === 'all' || other === 'all' ? 'all' : new Set([...groups, ...other]))
  }
  return all
}

// How far each tier has come, and which windows behind that must be computed again because samples came
// late. Saved in the manifest together with the segments it speaks of, so that a crash can neither lose a
// window nor count one twice.
//
//   progress := u8 version 1 | varint tiers | (text name, varint done us, varint spells, (varint since us, text coverage)*)*
//             | varint classes | (text class, varint gone us)*
//             | varint hours | (varint hour, varint groups, (varint group - group before)*)*
// `done`: every window that ends at or before it is in the tier. `gone`: of the class, samples (of a tier's
// class, windows) before it were dropped. `hour` counts from the epoch. `coverage` is the JSON of coverage.ts, '' for
// every group without sketches; it holds from `since` on until the next.
// Example: tier 1m done to 3600 s with every group from the beginning, nothing gone, group 5 late in hour 0 =
//   01 01 02 31 6d 80 c8 ce b4 0d 01 00 00 00 01 00 01 05
//
// Invariants: a mark is saved before the row that it stands for leaves the WAL, and until its repair is;
// an hour is dirty only where some tier is past it; spells ascend and there are at most spellsMax, the oldest
// being forgotten: before them a tier keeps no group; past dirtyMax (group, hour) pairs the whole
// hour counts as dirty for all groups, written as 0 groups.
// Not here: computing (rollup-job.ts), when (the daemon's scheduler).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'
import { type Coverage, EVERY_GROUP } from './coverage.ts'

export const HOUR_US = 3_600_000_000
const VERSION = 1
const dirtyMax = 100_000
const spellsMax = 16

/** Groups to compute again in an hour; 'all' when there were too many to remember. */
export type DirtyGroups = Set<number> | 'all'

/** A coverage and since when it holds, us. */
export interface Spell {
  readonly sinceUs: number
  readonly coverage: Coverage
}

/** How far a tier has come, and what it keeps. */
export interface TierProgress {
  readonly doneUs: number
  readonly spells: readonly Spell[]
}

export type DoneTiers = ReadonlyMap<string, TierProgress>

export class RollupProgress {
  /** By tier name: windows ending at or before doneUs are done. */
  readonly done = new Map<string, TierProgress>()
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
    for (const { doneUs } of this.done.values()) if (doneUs > frontier) frontier = doneUs
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
  commit(done: DoneTiers): void {
    for (const name of [...this.done.keys()]) if (!done.has(name)) this.done.delete(name)
    for (const [name, tier] of done) this.done.set(name, tier)
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
  encode(done?: DoneTiers): Uint8Array {
    const out = new ByteWriter()
    out.u8(VERSION)
    encodeDone(done ?? this.done, out)
    out.varint(this.goneUs.size)
    for (const [name, us] of this.goneUs) {
      out.text(name)
      out.varint(us)
    }
    const hours = done === undefined ? union(this.inRepair, this.dirty) : this.dirty
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
    decodeDone(from, progress.done)
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

/** The progress of a tier that has come to doneUs with a coverage of its windows from fromUs on. */
export function advanced(
  known: TierProgress | undefined,
  fromUs: number,
  doneUs: number,
  coverage: Coverage
): TierProgress {
  const spells = known?.spells ?? []
  const last = spells.at(-1)
  if (last !== undefined && textOf(last.coverage) === textOf(coverage)) return { doneUs, spells }
  // A tier that begins has all that there is: before its first window there was no sample.
  const sinceUs = known === undefined ? 0 : fromUs
  return { doneUs, spells: [...spells, { sinceUs, coverage }].slice(-spellsMax) }
}

function textOf(coverage: Coverage): string {
  const text = JSON.stringify(coverage)
  return text === JSON.stringify(EVERY_GROUP) ? '' : text
}

function encodeDone(done: DoneTiers, out: ByteWriter): void {
  out.varint(done.size)
  for (const [name, { doneUs, spells }] of done) {
    out.text(name)
    out.varint(doneUs)
    out.varint(spells.length)
    for (const { sinceUs, coverage } of spells) {
      out.varint(sinceUs)
      out.text(textOf(coverage))
    }
  }
}

function decodeDone(from: ByteReader, done: Map<string, TierProgress>): void {
  for (let left = from.varint(); left > 0; left--) {
    const [name, doneUs] = [from.text(), from.varint()]
    const spells: Spell[] = []
    for (let more = from.varint(); more > 0; more--) {
      const [sinceUs, text] = [from.varint(), from.text()]
      spells.push({ sinceUs, coverage: text === '' ? EVERY_GROUP : (JSON.parse(text) as Coverage) })
    }
    done.set(name, { doneUs, spells })
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

// A card that knows only where each unit lies (cheap SD cards): a unit can be rewritten forward, and to end
// that, what was not rewritten is copied. So
//  - a write that goes on where an open unit stands costs its pages, and so does one that begins a unit;
//  - one that begins in the page written last (an append smaller than a page) programs that page once more, in
//    the next page of the open unit, since no page is programmed twice. So it is used up before it is complete:
//    then what counts in it is copied to another one, which goes on;
//  - any other one is out of order. Without a log the unit is opened there: what lies before is copied, and
//    what lies behind when it is closed. The least recently written open unit is closed for it.
//  - with a log, parts of pages go there until their page is complete, and small writes out of order too, page
//    by page, until they have gone on for a while as a stream; when the log is used up, its oldest unit is
//    emptied by rewriting every unit that has pages in it.
//
// Invariants: a page in the log is newer than the one in its unit; at most `openUnits` are open; no unit is
// programmed more often than it has pages.

import type { Mapping, Nand } from './card-model.ts'

/** A unit that is being rewritten. */
interface Open {
  /** The physical unit that will replace the present one. */
  into: number
  /** The logical page to come. */
  next: number
  /** Pages of `into` that are programmed. */
  used: number
}

interface Log {
  physical: number
  /** Logical pages in the order in which they came; a page may stand here more than once. */
  pages: number[]
}

/** Writes out of order that go on for so many pages (512 KiB) begin a rewrite even where there is a log. */
const rewritePagesMin = 32

export class BlockMapped implements Mapping {
  private readonly nand: Nand
  private readonly unitPages: number
  private readonly openUnits: number
  /** Logical unit → physical unit. */
  private readonly place: Int32Array
  /** By logical unit, the least recently written first. */
  private readonly open = new Map<number, Open>()
  /** Logical page → the log unit that holds it, by logical unit. */
  private readonly logged = new Map<number, Map<number, Log>>()
  /** The last run of writes that went on one behind the other in the log, by logical unit. */
  private readonly runs = new Map<number, { readonly start: number; readonly next: number }>()
  /** Oldest first; the last one is being filled. */
  private readonly logs: Log[]

  constructor(
    nand: Nand,
    units: number,
    unitPages: number,
    options: { readonly openUnits: number; readonly logUnits: number }
  ) {
    this.nand = nand
    this.unitPages = unitPages
    this.openUnits = options.openUnits
    this.place = Int32Array.from({ length: units }, (_, unit) => unit)
    this.logs = Array.from({ length: options.logUnits }, () => ({ physical: nand.take(), pages: [] }))
  }

  pages(first: number, count: number, isPart = false): void {
    for (let at = first; at < first + count; ) {
      const unit = Math.floor(at / this.unitPages)
      const end = Math.min(first + count, (unit + 1) * this.unitPages)
      this.write(unit, at - unit * this.unitPages, end - at, isPart)
      at = end
    }
  }

  private write(unit: number, from: number, count: number, isPart: boolean): void {
    const open = this.open.get(unit)
    const goesOn = open !== undefined && (from === open.next || from === open.next - 1)
    if (this.logs.length > 0 && isPart) {
      this.log(unit, from)
      return
    }
    if (goesOn) {
      open.next = from
    } else if (from > 0 && this.logs.length > 0 && this.runOf(unit, from, count) < rewritePagesMin) {
      for (let page = from; page < from + count; page++) this.log(unit, page)
      return
    } else {
      if (open !== undefined) this.close(unit, open)
      this.begin(unit, from)
    }
    this.append(unit, this.open.get(unit)!, count)
  }

  /** Pages from where the unit's present run of writes began to the end of this one. */
  private runOf(unit: number, from: number, count: number): number {
    const run = this.runs.get(unit)
    const start = run !== undefined && (from === run.next || from === run.next - 1) ? run.start : from
    this.runs.set(unit, { start, next: from + count })
    return from + count - start
  }

  private begin(unit: number, from: number): void {
    if (this.open.size === this.openUnits) this.closeOne()
    const open = { into: this.nand.take(), next: 0, used: 0 }
    this.open.set(unit, open)
    this.fill(unit, open, from)
  }

  private append(unit: number, open: Open, count: number): void {
    this.fill(unit, open, count)
    this.open.delete(unit)
    this.open.set(unit, open)
  }

  /** A full one, whose end costs nothing, or the one that was left alone the longest. */
  private closeOne(): void {
    const all = [...this.open]
    const [unit, open] = all.find(([, { next }]) => next === this.unitPages) ?? all[0]!
    this.close(unit, open)
  }

  private close(unit: number, open: Open): void {
    this.fill(unit, open, this.unitPages - open.next)
    this.open.delete(unit)
    this.replace(unit, open.into)
  }

  /** Programs the next pages of an open unit; what the log holds of them is stale then. */
  private fill(unit: number, open: Open, count: number): void {
    const logged = this.logged.get(unit)
    for (let page = open.next; logged !== undefined && page < open.next + count; page++) logged.delete(page)
    if (logged?.size === 0) this.logged.delete(unit)
    if (open.used + count > this.unitPages) this.moveOn(open)
    open.next += count
    open.used += count
    this.nand.programmed += count
  }

  /** The open unit is used up by parts of pages: what counts in it goes to another one. */
  private moveOn(open: Open): void {
    this.nand.erase(open.into)
    open.into = this.nand.take()
    open.used = open.next
    this.nand.programmed += open.next
  }

  private replace(unit: number, physical: number): void {
    this.nand.erase(this.place[unit]!)
    this.place[unit] = physical
  }

  private log(unit: number, page: number): void {
    if (this.logs.at(-1)!.pages.length === this.unitPages) this.emptyOldest()
    const log = this.logs.at(-1)!
    log.pages.push(unit * this.unitPages + page)
    const logged = this.logged.get(unit)
    if (logged === undefined) this.logged.set(unit, new Map([[page, log]]))
    else logged.set(page, log)
    this.nand.programmed++
  }

  /** Makes an empty log unit the last one. */
  private emptyOldest(): void {
    const oldest = this.logs.shift()!
    for (const at of oldest.pages) {
      const unit = Math.floor(at / this.unitPages)
      if (this.logged.get(unit)?.get(at - unit * this.unitPages) !== oldest) continue
      const open = this.open.get(unit)
      if (open !== undefined) this.close(unit, open)
      if (this.logged.has(unit)) {
        const into = { into: this.nand.take(), next: 0, used: 0 }
        this.fill(unit, into, this.unitPages)
        this.replace(unit, into.into)
      }
    }
    this.nand.erase(oldest.physical)
    this.logs.push({ physical: this.nand.take(), pages: [] })
  }
}

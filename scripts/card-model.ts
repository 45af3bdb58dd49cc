// What cheap flash does with the writes it is given: a model of an SD card or eMMC that counts NAND pages
// programmed and units erased. Pure: steps of a block-level trace in, counts out, the same for ever.
//
// Flash is programmed by the page (16 KiB) and erased by the unit (4 MiB), so
//  - a write of 4 KiB that must be durable costs a page. Writes that follow each other with no flush between
//    share one: the controller holds the last page begun, and that one only;
//  - what is overwritten lies in a unit with pages that still count, and somebody moves those: how, is the
//    mapping (card-page-mapped.ts, card-block-mapped.ts).
//
// The card starts full: every page holds data that stays, as on a card that was written through once and
// never trimmed. That is the worst case of its age, and the same for every trace. Discards are not modelled.
// A trace is replayed in place until the card's spare units were used twice over, then measured: what a
// fresh card hides for days must show.
// Not here: where a trace comes from (block-trace.ts), tables (bench-card.ts).

import { BlockMapped } from './card-block-mapped.ts'
import { PageMapped } from './card-page-mapped.ts'

/** A write that the device was asked for; of 0 bytes: a flush. */
export interface Step {
  readonly at: number
  readonly bytes: number
}

export const flushStep: Step = { at: 0, bytes: 0 }

export interface Geometry {
  /** What the owner sees, bytes; units that it does not fill are left away. */
  readonly cardBytes: number
  readonly pageBytes: number
  /** Erase block (allocation unit). */
  readonly unitBytes: number
  /** Units beyond those that the owner sees, as a share of them. */
  readonly spareShare: number
}

export const cheapCard: Geometry = {
  cardBytes: 32e9,
  pageBytes: 16 * 1024,
  unitBytes: 4 * 2 ** 20,
  spareShare: 0.07
}

export type MappingOptions =
  | { readonly kind: 'page' }
  /** `openUnits` are written forward at once; `logUnits` (0: none) take small writes that fit in none of them. */
  | { readonly kind: 'block'; readonly openUnits: number; readonly logUnits: number }

/** Where the pages go; counts on its Nand. */
export interface Mapping {
  /** Programs pages, numbered from the start of the card; with `isPart` one, of which only a part was written. */
  pages(first: number, count: number, isPart?: boolean): void
}

/** The chips: which units are free, how often each was erased, how many pages were programmed. */
export class Nand {
  readonly erases: Uint32Array
  programmed = 0
  private readonly free: number[]

  /** Units from `used` on are free. */
  constructor(units: number, used: number) {
    this.erases = new Uint32Array(units)
    this.free = Array.from({ length: units - used }, (_, i) => used + i)
  }

  get freeUnits(): number {
    return this.free.length
  }

  /** Takes the free unit that was erased least. @throws when none is free */
  take(): number {
    let best = 0
    for (let i = 1; i < this.free.length; i++) {
      if (this.erases[this.free[i]!]! < this.erases[this.free[best]!]!) best = i
    }
    const unit = this.free[best]
    if (unit === undefined) throw new Error('Cannot take a unit: none is free')
    this.free[best] = this.free.at(-1)!
    this.free.pop()
    return unit
  }

  erase(unit: number): void {
    this.erases[unit]!++
    this.free.push(unit)
  }
}

export class Card {
  readonly nand: Nand
  readonly geometry: Geometry
  private readonly mapping: Mapping
  private readonly pages: number
  /** The page begun and not yet programmed ends here, when it is not a page's edge. */
  private heldEnd = 0

  /** @throws when the geometry has no whole unit, or no unit to spare */
  constructor(geometry: Geometry, options: MappingOptions) {
    const unitPages = geometry.unitBytes / geometry.pageBytes
    const units = Math.floor(geometry.cardBytes / geometry.unitBytes)
    const spare = Math.ceil(units * geometry.spareShare)
    if (units < 1 || spare < 1 || !Number.isInteger(unitPages))
      throw new Error(`Cannot model a card of ${units} units, ${spare} to spare, ${unitPages} pages each`)
    this.geometry = geometry
    this.pages = units * unitPages
    // The mapping's own units (open ones, the log) come on top of the spare ones.
    const own = options.kind === 'page' ? 2 : options.openUnits + options.logUnits + 1
    this.nand = new Nand(units + spare + own, units)
    this.mapping =
      options.kind === 'page'
        ? new PageMapped(this.nand, units, unitPages)
        : new BlockMapped(this.nand, units, unitPages, options)
  }

  get nandBytes(): number {
    return this.nand.programmed * this.geometry.pageBytes
  }

  /** Spare bytes: what must be written before the card has to clean up. */
  get spareBytes(): number {
    return (this.nand.erases.length - this.pages / this.unitPages) * this.geometry.unitBytes
  }

  private get unitPages(): number {
    return this.geometry.unitBytes / this.geometry.pageBytes
  }

  /** @throws when it ends beyond the card */
  write(at: number, bytes: number): void {
    const { pageBytes } = this.geometry
    if (at !== this.heldEnd) this.flush()
    const end = at + bytes
    const [first, full] = [Math.floor(at / pageBytes), Math.floor(end / pageBytes)]
    if (Math.ceil(end / pageBytes) > this.pages)
      throw new Error(`Cannot write at ${at}: the card has ${this.pages} pages`)
    if (full > first) this.mapping.pages(first, full - first)
    this.heldEnd = end
  }

  /** Programs the page that is held. */
  flush(): void {
    const { pageBytes } = this.geometry
    if (this.heldEnd % pageBytes !== 0) this.mapping.pages(Math.floor(this.heldEnd / pageBytes), 1, true)
    this.heldEnd = 0
  }

  /** Does what the steps say, in order. */
  take(steps: readonly Step[]): void {
    for (const { at, bytes } of steps) {
      if (bytes === 0) this.flush()
      else this.write(at, bytes)
    }
  }
}

export interface Outcome {
  /** Bytes written by the trace, once. */
  readonly deviceBytes: number
  /** Bytes programmed for them in the steady state. */
  readonly nandBytes: number
  /** nandBytes / deviceBytes. */
  readonly amplification: number
  /** Units erased for it, likewise. */
  readonly erases: number
  /** Of the units erased at all: the most that one was, over the mean. */
  readonly unevenness: number
  /** How often the trace was replayed, in all. */
  readonly passes: number
}

/** Spare bytes that a card must have programmed before it is measured, and again while it is. */
const warmSpares = 2
/**
 * The first tenth of each pass is replayed but not counted: there the WAL and the journal jump back to where
 * the trace began, which the store never did.
 */
const seamShare = 0.1

/** How many steps from the start hold at most the seam's share of the bytes. */
function seamSteps(steps: readonly Step[], deviceBytes: number): number {
  let [count, bytes] = [0, 0]
  for (; count < steps.length; count++) {
    bytes += steps[count]!.bytes
    if (bytes > deviceBytes * seamShare) break
  }
  return count
}

/** Replays a trace until the card is in its steady state, then measures. @throws when it writes nothing */
export function replay(
  steps: readonly Step[],
  options: MappingOptions,
  geometry: Geometry = cheapCard
): Outcome {
  const deviceBytes = bytesOf(steps)
  if (deviceBytes === 0) throw new Error('Cannot replay a trace that writes nothing')
  const card = new Card(geometry, options)
  const cut = seamSteps(steps, deviceBytes)
  const [seam, counted] = [steps.slice(0, cut), steps.slice(cut)]
  /** Passes until the spare units were used up so often; what the counted parts cost. */
  const run = () => {
    const until = card.nandBytes + warmSpares * card.spareBytes
    const cost = { passes: 0, nandBytes: 0, erases: 0 }
    for (; card.nandBytes < until; cost.passes++) {
      card.take(seam)
      const [nandBytes, erases] = [card.nandBytes, sum(card.nand.erases)]
      card.take(counted)
      card.flush()
      cost.nandBytes += card.nandBytes - nandBytes
      cost.erases += sum(card.nand.erases) - erases
    }
    return cost
  }
  const warm = run()
  const cost = run()
  const countedBytes = bytesOf(counted) * cost.passes
  const worn = card.nand.erases.filter(count => count > 0)
  return {
    deviceBytes,
    nandBytes: (cost.nandBytes / countedBytes) * deviceBytes,
    amplification: cost.nandBytes / countedBytes,
    erases: (cost.erases / countedBytes) * deviceBytes,
    unevenness: (worn.reduce((most, count) => Math.max(most, count), 0) * worn.length) / sum(worn),
    passes: warm.passes + cost.passes
  }
}

function bytesOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { bytes }) => sum + bytes, 0)
}

function sum(values: Uint32Array): number {
  return values.reduce((total, value) => total + value, 0)
}

const secondsPerYear = 365.25 * 86_400

/** Years until every unit of a card was erased `cycles` times, wear spread evenly over all of it. */
export function yearsOf(nandBytesPerS: number, cardBytes: number, cycles: number): number {
  return (cardBytes * cycles) / (nandBytesPerS * secondsPerYear)
}

// The head: rows that are in no segment yet, in the order in which they arrived. Rows lie in pages of
// shared memory and are only ever appended, so that a worker reads them without a copy: a consistent view
// is the list of pages and, for each group, the address of its newest row.
//
//   row := time f64 | previous u32, shape u32 | slot 64 bits *          one slot for each field of the shape
// `previous` is the address of the same group's row before this one, 0 for none. An address counts 64-bit
// words over all pages; a row never straddles a page. A slot of a number or boolean is its double; one of
// a string or bytes is (address u32, length u32) in the text pages.
//
// Why arrival order: an append is a handful of stores, whatever the number of series, and the cost of
// sorting is paid once by the worker that flushes. 11 bytes a sample for five fields, 24 for one.
//
// Invariants: a row is not reachable before end(); a page that a view has is never changed where it has rows
// (head-move.ts changes copies), nor are the addresses and times of a sealed head's groups; the text of a value is
// never changed.
// Not here: limits on memory (store.ts), reading rows as columns (head-read.ts).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { Shape } from './shape.ts'

/** Words in a page of rows: 1 MiB. The first word of the first page is never used: address 0 is "none". */
export const PAGE_WORDS_LOG2 = 17
export const PAGE_WORDS = 1 << PAGE_WORDS_LOG2
const PAGE_MASK = PAGE_WORDS - 1
/** Bytes in a page of text, and so the longest string or bytes value. */
export const TEXT_PAGE_BYTES_LOG2 = 20
export const TEXT_PAGE_BYTES = 1 << TEXT_PAGE_BYTES_LOG2
const ROW_WORDS = 2
/** Recent texts remembered, to store an unchanged state once. A power of two. */
const RECENT_TEXTS = 2048
const RECENT_BYTES_MAX = 256

/**
 * Pages that a flushed head gave back, for the next: memory that is shared with workers is let go only when
 * each of them has collected its garbage, so heads that came and went would hold far more than they use.
 */
export class PagePool {
  private readonly free: SharedArrayBuffer[] = []

  take(): SharedArrayBuffer {
    return this.free.pop() ?? new SharedArrayBuffer(PAGE_WORDS * 8)
  }

  /** Takes pages back that nobody reads any more. */
  give(pages: readonly SharedArrayBuffer[]): void {
    this.free.push(...pages)
  }

  /** Bytes that wait for use. */
  get bytes(): number {
    return this.free.length * PAGE_WORDS * 8
  }
}

/** The numbers by which a worker reads a head: plain data and shared memory; of an open head a copy. */
export interface HeadView {
  readonly pages: readonly SharedArrayBuffer[]
  readonly textPages: readonly SharedArrayBuffer[]
  /** For each group id, the address of its newest row; 0 for none. */
  readonly newest: Uint32Array
  /** For each group id, 1 when a row arrived that is not later than the one before it. */
  readonly disorder: Uint8Array
  /** For each group id, the latest time of its rows, in us; -Infinity for none. */
  readonly latest: Float64Array
  /** Boots of its rows whose times are not known (boots.ts), ascending. */
  readonly boots: readonly number[]
}

/** What a head has of a boot whose times are not known. */
export interface BootRows {
  samples: number
  fromUs: number
  toUs: number
}

export class Head {
  readonly pages: SharedArrayBuffer[] = []
  readonly doubles: Float64Array[] = []
  readonly words: Uint32Array[] = []
  /** Words used of each page, for walking rows in the order of arrival. */
  readonly used: number[] = []
  readonly textPages: SharedArrayBuffer[] = []
  readonly texts: Uint8Array[] = []
  newest: Uint32Array = new Uint32Array(1024)
  disorder: Uint8Array = new Uint8Array(1024)
  latest: Float64Array = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  rows = 0
  samples = 0
  timeMinUs = Number.POSITIVE_INFINITY
  timeMaxUs = Number.NEGATIVE_INFINITY
  /** The lowest time of the rows since it was set to Infinity (Heads.takeLowUs). */
  lowUs = Number.POSITIVE_INFINITY
  readonly boots = new Map<number, BootRows>()

  /** The page and index where the open row's slots begin: slots[at + i] is field i. */
  slots: Float64Array = new Float64Array(0)
  at = 0
  private links: Uint32Array = new Uint32Array(0)
  private fill = PAGE_WORDS
  private base = 0
  private textFill = TEXT_PAGE_BYTES
  private openTime = 0
  private openShape = -1
  private open: Shape | null = null
  private isSealed = false
  private readonly recent = new Uint32Array(RECENT_TEXTS * 2)
  private readonly pool: PagePool

  constructor(pool: PagePool) {
    this.pool = pool
  }

  /** Opens a row; fill slots[at ...] and text(), then end(). A row that is not ended leaves no trace. */
  begin(id: number, shape: Shape, timeUs: number): void {
    const fields = shape.template.fields.length
    if (this.fill + ROW_WORDS + fields > PAGE_WORDS) this.addPage(fields)
    this.openTime = timeUs
    this.openShape = id
    this.open = shape
    this.at = this.fill + ROW_WORDS
  }

  /** Stores a string or bytes in slot i of the open row; the bytes are copied. */
  text(i: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start
    let address = 0
    if (length <= RECENT_BYTES_MAX) {
      let hash = length
      for (let k = start; k < end; k++) hash = (Math.imul(hash, 31) + source[k]!) | 0
      const entry = ((hash ^ (hash >>> 15)) & (RECENT_TEXTS - 1)) * 2
      address = this.recent[entry]!
      if (this.recent[entry + 1] !== length + 1 || !this.textEquals(address, source, start, length)) {
        address = this.storeText(source, start, length)
        this.recent[entry] = address
        this.recent[entry + 1] = length + 1
      }
    } else {
      address = this.storeText(source, start, length)
    }
    const word = (this.at + i) * 2
    this.links[word] = address
    this.links[word + 1] = length
  }

  /** Makes the open row the newest of its group. */
  end(): void {
    const shape = this.open!
    const { group } = shape
    const fields = shape.template.fields.length
    if (group >= this.newest.length) this.growGroups(group)
    const at = this.fill
    this.slots[at] = this.openTime
    this.links[at * 2 + 2] = this.newest[group]!
    this.links[at * 2 + 3] = this.openShape
    this.newest[group] = this.base + at
    this.fill = at + ROW_WORDS + fields
    this.used[this.used.length - 1] = this.fill
    this.rows++
    this.samples += fields
    this.noteTime(shape, this.openTime)
  }

  /** What the head knows of times learns of one more row. */
  noteTime(shape: Shape, time: number): void {
    const { group, boot } = shape
    if (time > this.latest[group]!) this.latest[group] = time
    else this.disorder[group] = 1
    if (time < this.timeMinUs) this.timeMinUs = time
    if (time < this.lowUs) this.lowUs = time
    if (time > this.timeMaxUs) this.timeMaxUs = time
    if (boot !== 0) this.noteBoot(boot, shape.template.fields.length, time)
  }

  /** What the head knows of times is worked out anew: noteTime() follows for every row. */
  forgetTimes(): void {
    if (this.isSealed) {
      this.latest = shared(Float64Array, this.latest)
      this.disorder = shared(Uint8Array, this.disorder)
    }
    this.latest.fill(Number.NEGATIVE_INFINITY)
    this.disorder.fill(0)
    this.timeMinUs = Number.POSITIVE_INFINITY
    this.timeMaxUs = Number.NEGATIVE_INFINITY
    this.boots.clear()
  }

  /** Goes on with a copy of a page; views that have the page keep it. */
  copyPage(page: number): void {
    const copy = this.pool.take()
    new Float64Array(copy).set(this.doubles[page]!)
    this.pages[page] = copy
    this.doubles[page] = new Float64Array(copy)
    this.words[page] = new Uint32Array(copy)
    if (page === this.pages.length - 1) {
      this.slots = this.doubles[page]!
      this.links = this.words[page]!
    }
  }

  /** The time of a group's newest row, in us; 0 when it has none. */
  newestTimeUs(group: number): number {
    const at = group < this.newest.length ? this.newest[group]! : 0
    return at === 0 ? 0 : this.doubles[at >>> PAGE_WORDS_LOG2]![at & PAGE_MASK]!
  }

  /** Every row in the order of arrival, by its shape and time. */
  eachRow(visit: (shape: number, timeUs: number) => void, shapes: readonly Shape[]): void {
    for (let page = 0; page < this.pages.length; page++) {
      const slots = this.doubles[page]!
      const words = this.words[page]!
      let at = page === 0 ? 1 : 0
      while (at < this.used[page]!) {
        const shape = words[at * 2 + 3]!
        visit(shape, slots[at]!)
        at += ROW_WORDS + shapes[shape]!.template.fields.length
      }
    }
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return (
      this.pages.length * PAGE_WORDS * 8 + this.textPages.length * TEXT_PAGE_BYTES + this.newest.length * 13
    )
  }

  /** What a worker needs to read the rows that are here now. */
  view(): HeadView {
    const { isSealed, newest, disorder, latest } = this
    return {
      pages: [...this.pages],
      textPages: [...this.textPages],
      newest: isSealed ? newest : newest.slice(),
      disorder: isSealed ? disorder : disorder.slice(),
      latest: isSealed ? latest : latest.slice(),
      boots: [...this.boots.keys()].sort((a, b) => a - b)
    }
  }

  /** No more rows: from now on views share the addresses too, 13 bytes a group that every message copied. */
  seal(): void {
    this.isSealed = true
    this.newest = shared(Uint32Array, this.newest)
    this.disorder = shared(Uint8Array, this.disorder)
    this.latest = shared(Float64Array, this.latest)
  }

  private noteBoot(boot: number, samples: number, time: number): void {
    const known = this.boots.get(boot)
    if (known === undefined) this.boots.set(boot, { samples, fromUs: time, toUs: time })
    else {
      known.samples += samples
      known.fromUs = Math.min(known.fromUs, time)
      known.toUs = Math.max(known.toUs, time)
    }
  }

  private addPage(fields: number): void {
    assert(!this.isSealed, 'a sealed head takes no rows')
    assert(fields + ROW_WORDS < PAGE_WORDS, 'a row fits in a page')
    if ((this.pages.length + 1) * PAGE_WORDS > 0xffffffff) {
      throw new VarveError('VARVE_MEMORY', 'Cannot add samples: the head is full (32 GiB)')
    }
    const page = this.pool.take()
    this.base = this.pages.length * PAGE_WORDS
    this.pages.push(page)
    this.slots = new Float64Array(page)
    this.links = new Uint32Array(page)
    this.doubles.push(this.slots)
    this.words.push(this.links)
    this.fill = this.pages.length === 1 ? 1 : 0
    this.used.push(this.fill)
  }

  private growGroups(group: number): void {
    const grown = new Uint32Array(Math.max(group + 1, this.newest.length * 2))
    grown.set(this.newest)
    this.newest = grown
    const disorder = new Uint8Array(grown.length)
    disorder.set(this.disorder)
    this.disorder = disorder
    const latest = new Float64Array(grown.length).fill(Number.NEGATIVE_INFINITY)
    latest.set(this.latest)
    this.latest = latest
  }

  private textEquals(address: number, source: Uint8Array, start: number, length: number): boolean {
    const page = this.texts[address >>> TEXT_PAGE_BYTES_LOG2]
    if (page === undefined) return false
    const at = address & (TEXT_PAGE_BYTES - 1)
    for (let i = 0; i < length; i++) if (page[at + i] !== source[start + i]) return false
    return true
  }

  private storeText(source: Uint8Array, start: number, length: number): number {
    if (length > TEXT_PAGE_BYTES) {
      throw new VarveError(
        'VARVE_VALUE_SIZE',
        `Cannot store value: ${length} bytes, the limit is ${TEXT_PAGE_BYTES}`
      )
    }
    if (this.textFill + length > TEXT_PAGE_BYTES) {
      if (this.textPages.length === 1 << (32 - TEXT_PAGE_BYTES_LOG2)) {
        throw new VarveError('VARVE_MEMORY', 'Cannot add text: the head holds 4 GiB of it')
      }
      const page = new SharedArrayBuffer(TEXT_PAGE_BYTES)
      this.textPages.push(page)
      this.texts.push(new Uint8Array(page))
      this.textFill = 0
    }
    const page = this.texts.length - 1
    const at = this.textFill
    const into = this.texts[page]!
    if (length < 32) for (let i = 0; i < length; i++) into[at + i] = source[start + i]!
    else into.set(source.subarray(start, start + length), at)
    this.textFill = at + length
    return page * TEXT_PAGE_BYTES + at
  }
}

type Numbers = Uint32Array | Uint8Array | Float64Array

/** A copy in shared memory. */
function shared<T extends Numbers>(
  kind: { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
  from: T
): T {
  const copy = new kind(new SharedArrayBuffer(from.length * kind.BYTES_PER_ELEMENT))
  copy.set(from)
  return copy
}

/** The word of an address within its page; the page is address >>> PAGE_WORDS_LOG2. */
export function wordOf(address: number): number {
  return address & PAGE_MASK
}

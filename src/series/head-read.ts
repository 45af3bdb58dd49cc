// Rows of a head as runs: follows a group's links from its newest row back, sorts by time, lets the later
// of two rows of one time win field by field, and lays the rows out in columns. Runs in the worker that
// flushes or queries, on the shared pages, while the main thread goes on appending.
//
// Invariants: rows that arrived later win; a column has a value where the winning row (or, for a field it
// lacks, an earlier row of the same time) has one. A field that changes kind within one time keeps the
// later kind only.
// Not here: merging with segments (run-edit.ts), writing rows (head.ts).
import { assert } from '../base/assert.ts'
import { bucketOf } from './bucket.ts'
import { type HeadView, PAGE_WORDS_LOG2, TEXT_PAGE_BYTES, TEXT_PAGE_BYTES_LOG2, wordOf } from './head.ts'
import type { Column, Run, Texts } from './run.ts'
import { KIND, type Kind, textValue, type Value } from './sample.ts'
import type { RowShapes, Template } from './shape.ts'
import type { Last } from './source.ts'

/** Arrays of a run that is used up before the next is asked for: taken from a few that grow, and used again. */
class Scratch {
  private readonly buffers: { at: number; bytes: ArrayBuffer }[] = []

  /** What was given out since the last reset() may be used again. */
  reset(): void {
    for (const buffer of this.buffers) buffer.at = 0
  }

  take(bytes: number): [ArrayBuffer, number] {
    const need = (bytes + 7) & ~7
    for (const buffer of this.buffers) {
      if (buffer.bytes.byteLength - buffer.at < need) continue
      buffer.at += need
      return [buffer.bytes, buffer.at - need]
    }
    const grown = { at: need, bytes: new ArrayBuffer(Math.max(need, SCRATCH_BYTES)) }
    this.buffers.push(grown)
    return [grown.bytes, 0]
  }
}

const SCRATCH_BYTES = 1 << 20

/** Reads the rows of one view of a head. */
export class HeadReader {
  private readonly doubles: Float64Array[]
  private readonly words: Uint32Array[]
  private readonly texts: Uint8Array[]
  private readonly newest: Uint32Array
  private readonly disorder: Uint8Array
  private readonly latest: Float64Array
  private readonly shapes: RowShapes
  /** Boots of its rows whose times are not known (boots.ts), ascending. */
  readonly boots: readonly number[]

  private readonly scratch: Scratch | null

  /** @param oneRun  a run is used up before the next is asked for, so their arrays may be the same */
  constructor(view: HeadView, shapes: RowShapes, oneRun = false) {
    this.scratch = oneRun ? new Scratch() : null
    this.doubles = view.pages.map(page => new Float64Array(page))
    this.words = view.pages.map(page => new Uint32Array(page))
    this.texts = view.textPages.map(page => new Uint8Array(page))
    this.newest = view.newest
    this.disorder = view.disorder
    this.latest = view.latest
    this.shapes = shapes
    this.boots = view.boots
  }

  /** One more than the highest group id that may have rows. */
  get groups(): number {
    return this.newest.length
  }

  has(group: number): boolean {
    return group < this.newest.length && this.newest[group] !== 0
  }

  /**
   * The rows of a group with fromUs <= time <= toUs, or null when there are none.
   * @param fields  only these; null: all; []: the times alone
   * @param boot    only rows of this boot (0: those whose times are known); null: all
   */
  run(
    group: number,
    fields: readonly number[] | null,
    fromUs: number,
    toUs: number,
    boot: number | null = null
  ): Run | null {
    this.scratch?.reset()
    const rows = this.collect(group, fromUs, toUs, boot)
    if (rows.length === 0) return null
    const times = rows.times
    const distinct = this.doublesOf(rows.length)
    const rowOf = this.wordsOf(rows.length)
    let last = -1
    for (let i = 0; i < rows.length; i++) {
      const time = times[i]!
      if (last < 0 || distinct[last] !== time) distinct[++last] = time
      rowOf[i] = last
    }
    const columns = this.columns(rows, rowOf, last + 1, fields)
    return { rows: last + 1, times: distinct.subarray(0, last + 1), columns }
  }

  /** The times of a group's oldest and newest row (of a boot, unless that is null), or null when it has none. */
  span(group: number, boot: number | null): { firstUs: number; lastUs: number } | null {
    if (!this.has(group)) return null
    let firstUs = Number.POSITIVE_INFINITY
    let lastUs = Number.NEGATIVE_INFINITY
    for (let at = this.newest[group]!; at !== 0; at = this.previous(at)) {
      if (!this.isOf(at, boot)) continue
      const time = this.time(at)
      if (time < firstUs) firstUs = time
      if (time > lastUs) lastUs = time
    }
    return firstUs <= lastUs ? { firstUs, lastUs } : null
  }

  /** The starts of the buckets in which a group has rows (of a boot, unless that is null), ascending. */
  buckets(group: number, spanUs: number, boot: number | null): number[] {
    const found = new Set<number>()
    for (let at = this.newest[group]!; at !== 0; at = this.previous(at))
      if (this.isOf(at, boot)) found.add(bucketOf(this.time(at), spanUs))
    return [...found].sort((a, b) => a - b)
  }

  /**
   * The newest values of fields at or before toUs, from the newest row back and without laying out columns.
   * Rows mostly come in order, so the first few tell; a row of the group's latest time ends the search.
   */
  newestValues(group: number, toUs: number, wanted: ReadonlySet<number>, found: (last: Last) => void): void {
    if (!this.has(group)) return
    const latestUs = Math.min(this.latest[group]!, toUs)
    const open = new Set(wanted)
    const best = new Map<number, { timeUs: number; page: number; word: number; kind: Kind }>()
    for (let at = this.newest[group]!; at !== 0 && open.size > 0; at = this.previous(at)) {
      const timeUs = this.time(at)
      if (timeUs > toUs) continue
      const page = at >>> PAGE_WORDS_LOG2
      const { fields, kinds } = this.shapes.template(this.words[page]![wordOf(at) * 2 + 3]!)
      for (let i = 0; i < fields.length; i++) {
        const field = fields[i]!
        if (!open.has(field)) continue
        // Of rows of one time the later comes first here, and it wins.
        if ((best.get(field)?.timeUs ?? Number.NEGATIVE_INFINITY) >= timeUs) continue
        best.set(field, { timeUs, page, word: wordOf(at) + 2 + i, kind: kinds[i] as Kind })
        if (timeUs === latestUs || this.disorder[group] === 0) open.delete(field)
      }
    }
    for (const [field, { timeUs, page, word, kind }] of best) {
      found({ field, kind, timeUs, value: this.value(page, word, kind) })
    }
  }

  private value(page: number, word: number, kind: Kind): Value {
    if (kind === KIND.number) return this.doubles[page]![word]!
    if (kind === KIND.boolean) return this.doubles[page]![word] === 1
    const address = this.words[page]![word * 2]!
    const length = this.words[page]![word * 2 + 1]!
    const at = address & (TEXT_PAGE_BYTES - 1)
    return textValue(this.texts[address >>> TEXT_PAGE_BYTES_LOG2] ?? new Uint8Array(0), at, at + length, kind)
  }

  /** Addresses and times of a group's rows in the span, by time, equal times in order of arrival. */
  private collect(group: number, fromUs: number, toUs: number, boot: number | null): RowList {
    let count = 0
    let sorted = true
    let after = Number.POSITIVE_INFINITY
    const newest = this.has(group) ? this.newest[group]! : 0
    const inOrder = this.disorder[group] === 0
    for (let at = newest; at !== 0; at = this.previous(at)) {
      const time = this.time(at)
      if (time < fromUs && inOrder) break
      if (time < fromUs || time > toUs || !this.isOf(at, boot)) continue
      if (time > after) sorted = false
      after = time
      count++
    }
    const addresses = this.wordsOf(count)
    const times = this.doublesOf(count)
    let i = count
    for (let at = newest; i > 0; at = this.previous(at)) {
      const time = this.time(at)
      if (time < fromUs || time > toUs || !this.isOf(at, boot)) continue
      addresses[--i] = at
      times[i] = time
    }
    if (sorted) return { length: count, addresses, times }
    const order = Uint32Array.from(addresses.keys()).sort((a, b) => times[a]! - times[b]! || a - b)
    return {
      length: count,
      addresses: Uint32Array.from(order, index => addresses[index]!),
      times: Float64Array.from(order, index => times[index]!)
    }
  }

  private columns(
    rows: RowList,
    rowOf: Uint32Array,
    count: number,
    fields: readonly number[] | null
  ): Column[] {
    const open = new Map<number, ColumnUnderWay>()
    // Nearly all rows of a group have the same template: its columns are looked up once.
    let template: Template | null = null
    let filled: readonly (ColumnUnderWay | null)[] = []
    for (let i = 0; i < rows.length; i++) {
      const address = rows.addresses[i]!
      const doubles = this.doubles[address >>> PAGE_WORDS_LOG2]!
      const words = this.words[address >>> PAGE_WORDS_LOG2]!
      const at = wordOf(address)
      const own = this.shapes.template(words[at * 2 + 3]!)
      if (own !== template) {
        template = own
        filled = this.openColumns(template, count, fields, open)
      }
      const row = rowOf[i]!
      for (let k = 0; k < filled.length; k++) {
        const column = filled[k]!
        if (column === null) continue
        const { kinds } = column
        if (kinds.length > 1) for (const other of kinds) other.present[row] = 0
        column.present[row] = 1
        if (column.kind === KIND.number || column.kind === KIND.boolean) {
          column.slots[row] = doubles[at + 2 + k]!
        } else {
          const word = (at + 2 + k) * 2
          column.slots[row] = words[word]! + words[word + 1]! * 2 ** 32
        }
      }
    }
    return [...open.entries()]
      .sort(([a], [b]) => a - b)
      .map(([, column]) => this.finish(column, count))
      .filter(column => column.count > 0)
  }

  /** The column that each slot of a template fills, made when it is new; null for fields not asked for. */
  private openColumns(
    template: Template,
    rows: number,
    fields: readonly number[] | null,
    open: Map<number, ColumnUnderWay>
  ): (ColumnUnderWay | null)[] {
    return Array.from(template.fields, (field, k) => {
      if (fields !== null && !fields.includes(field)) return null
      const kind = template.kinds[k] as Kind
      const known = open.get(field * 4 + kind)
      if (known !== undefined) return known
      let kinds: ColumnUnderWay[] = []
      for (const other of open.values()) if (other.field === field) kinds = other.kinds
      const column = { field, kind, slots: this.doublesOf(rows), present: this.bytesOf(rows), kinds }
      kinds.push(column)
      open.set(field * 4 + kind, column)
      return column
    })
  }

  private finish(column: ColumnUnderWay, rows: number): Column {
    const { field, kind, slots, present } = column
    let count = 0
    for (let row = 0; row < rows; row++) count += present[row]!
    if (count < rows) {
      let to = 0
      for (let row = 0; row < rows; row++) if (present[row] === 1) slots[to++] = slots[row]!
    }
    const dense = slots.subarray(0, count)
    const some = count === rows ? null : present
    if (kind === KIND.number || kind === KIND.boolean) {
      return { field, kind, present: some, count, numbers: dense, texts: null }
    }
    return { field, kind, present: some, count, numbers: null, texts: this.gather(dense) }
  }

  private gather(slots: Float64Array): Texts {
    const offsets = new Uint32Array(slots.length + 1)
    for (let i = 0; i < slots.length; i++) offsets[i + 1] = offsets[i]! + Math.floor(slots[i]! / 2 ** 32)
    const bytes = new Uint8Array(offsets[slots.length]!)
    for (let i = 0; i < slots.length; i++) {
      const address = slots[i]! % 2 ** 32
      const length = offsets[i + 1]! - offsets[i]!
      if (length === 0) continue
      const page = this.texts[address >>> TEXT_PAGE_BYTES_LOG2]
      assert(page !== undefined, 'a text lies in a page of its view')
      const at = address & (TEXT_PAGE_BYTES - 1)
      bytes.set(page.subarray(at, at + length), offsets[i]!)
    }
    return { bytes, offsets }
  }

  private doublesOf(n: number): Float64Array {
    if (this.scratch === null) return new Float64Array(n)
    return new Float64Array(...this.scratch.take(n * 8), n)
  }

  private wordsOf(n: number): Uint32Array {
    if (this.scratch === null) return new Uint32Array(n)
    return new Uint32Array(...this.scratch.take(n * 4), n)
  }

  /** Zeros. */
  private bytesOf(n: number): Uint8Array {
    if (this.scratch === null) return new Uint8Array(n)
    return new Uint8Array(...this.scratch.take(n), n).fill(0)
  }

  private isOf(address: number, boot: number | null): boolean {
    if (boot === null) return true
    return this.shapes.boot(this.words[address >>> PAGE_WORDS_LOG2]![wordOf(address) * 2 + 3]!) === boot
  }

  private previous(address: number): number {
    return this.words[address >>> PAGE_WORDS_LOG2]![wordOf(address) * 2 + 2]!
  }

  private time(address: number): number {
    return this.doubles[address >>> PAGE_WORDS_LOG2]![wordOf(address)]!
  }
}

interface RowList {
  readonly length: number
  readonly addresses: Uint32Array
  readonly times: Float64Array
}

interface ColumnUnderWay {
  readonly field: number
  readonly kind: Kind
  readonly slots: Float64Array
  readonly present: Uint8Array
  /** The columns of the same field, one for each kind. */
  readonly kinds: ColumnUnderWay[]
}

// The catalog's memory: groups and their fields in packed columns of shared memory. As objects and strings a
// group of one field took about 1,000 bytes; here it takes about 100, and worker threads read the same bytes:
// they are told only how far they may look.
//
//   texts of groups (name and labels as in a definition, catalog.ts) and of field names lie in one slab; an
//   open-addressed table of ids, the owner's alone, finds groups by their hash. The fields of a group are a
//   list of series, linked in the order they were added.
//
// Invariants: bytes in the slab never change; what is below the counts of a view never changes but for the link
// from a group's newest series to the next, which a reader takes for the end when it points past its count.
// A group or field that is renamed gets new bytes; that happens only while a store opens, before any thread.
// Not here: limits and definitions (catalog.ts), memory that grows in place (shared-column.ts).
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { hashOf } from './distinct.ts'
import { encodeLabels, type Labels } from './label.ts'
import { SharedColumn } from './shared-column.ts'
import { Slab } from './slab.ts'

const NONE = 0xffffffff

/** What another thread needs to read the table as it is now. */
export interface TableView {
  readonly groups: number
  readonly series: number
  readonly slab: SharedArrayBuffer
  readonly columns: readonly SharedArrayBuffer[]
}

export class CatalogTable {
  groups = 0
  series = 0
  private slab = new Slab()
  /** Of groups: where their bytes lie, and their first and newest series. */
  private starts = new SharedColumn()
  private ends = new SharedColumn()
  private first = new SharedColumn()
  private last = new SharedColumn()
  /** Of series: their group, where their name lies, their place in the group, and the next series of it. */
  private groupOf = new SharedColumn()
  private nameAt = new SharedColumn()
  private indexOf = new SharedColumn()
  private next = new SharedColumn()
  /** Ids of groups plus one, by hash; at most half full. */
  private slots = new Uint32Array(128)
  private taken = 0
  private readonly names = new Map<string, number>()
  private readonly key = new ByteWriter()

  /** Memory held, in bytes; names by a rough measure of their strings. */
  get bytes(): number {
    const columns = this.columns().reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
    return this.slab.buffer.byteLength + columns + this.slots.byteLength + this.names.size * 100
  }

  private columns(): SharedColumn[] {
    const { starts, ends, first, last, groupOf, nameAt, indexOf, next } = this
    return [starts, ends, first, last, groupOf, nameAt, indexOf, next]
  }

  /** The table as it is now, for another thread. */
  view(): TableView {
    const { groups, series, slab } = this
    return { groups, series, slab: slab.buffer, columns: this.columns().map(({ buffer }) => buffer) }
  }

  /** Reads what another thread's table held; nothing may be added here. */
  adopt({ groups, series, slab, columns }: TableView): void {
    this.slab = new Slab(slab)
    const [starts, ends, first, last, groupOf, nameAt, indexOf, next] = columns.map(
      one => new SharedColumn(one)
    )
    Object.assign(this, { starts, ends, first, last, groupOf, nameAt, indexOf, next })
    this.groups = groups
    this.series = series
  }

  // Groups

  /** The id of a name and labels; -1 when there is none. */
  find(name: string, labels: Labels): number {
    const key = this.encoded(name, labels)
    const mask = this.slots.length - 1
    for (let at = hashOf(key, 0, key.length) & mask; ; at = (at + 1) & mask) {
      const id = this.slots[at]! - 1
      if (id < 0) return -1
      if (this.slab.holds(this.starts.at[id]!, this.ends.at[id]!, key)) return id
    }
  }

  /** Adds a group and gives its id; it is not there yet. */
  addGroup(name: string, labels: Labels): number {
    const id = this.groups++
    this.first.set(id, NONE)
    this.last.set(id, NONE)
    this.renameGroup(id, name, labels)
    return id
  }

  /** Gives a group another name and labels. */
  renameGroup(id: number, name: string, labels: Labels): void {
    const key = this.encoded(name, labels)
    const start = this.slab.add(key)
    this.starts.set(id, start)
    this.ends.set(id, start + key.length)
    if (2 * (this.taken + 1) > this.slots.length) this.rehash()
    else this.enter(id)
  }

  groupName(id: number): string {
    return this.slab.text(this.starts.at[id]!)
  }

  labels(id: number): Labels {
    const { slab } = this
    let at = slab.after(this.starts.at[id]!)
    const labels = new Array<[string, string]>(slab.bytes[at++]!)
    for (let i = 0; i < labels.length; i++) {
      const value = slab.after(at)
      labels[i] = [slab.text(at), slab.text(value)]
      at = slab.after(value)
    }
    return labels
  }

  /** Where a group's name lies in the slab. */
  groupNameAt(id: number): number {
    return this.starts.at[id]!
  }

  /** Where the value of a label lies in the slab; -1 when the group has none of that name (as UTF-8). */
  labelAt(id: number, name: Uint8Array): number {
    const { slab } = this
    let at = slab.after(this.starts.at[id]!)
    for (let left = slab.bytes[at++]!; left > 0; left--) {
      const valueAt = slab.after(at)
      if (slab.textIs(at, name)) return valueAt
      at = slab.after(valueAt)
    }
    return -1
  }

  /** Visits where the names of a group's labels lie in the slab. */
  eachLabelName(id: number, visit: (at: number) => void): void {
    const { slab } = this
    let at = slab.after(this.starts.at[id]!)
    for (let left = slab.bytes[at++]!; left > 0; left--) {
      visit(at)
      at = slab.after(slab.after(at))
    }
  }

  /** The texts, for whoever was told where one lies. */
  get texts(): Slab {
    return this.slab
  }

  // Fields

  /** The series of a group, in the order of their indexes. */
  seriesOf(group: number): number[] {
    const ids: number[] = []
    for (let id = this.first.at[group]!; id < this.series; id = this.next.at[id]!) ids.push(id)
    return ids
  }

  /** How many fields a group has. Only where fields are added. */
  countOf(group: number): number {
    const last = this.last.at[group]!
    return last === NONE ? 0 : this.indexOf.at[last]! + 1
  }

  /** The index of a field in its group; -1 when it has none of that name. */
  findField(group: number, field: string): number {
    const name = this.names.get(field)
    if (name === undefined) return -1
    for (let id = this.first.at[group]!; id < this.series; id = this.next.at[id]!) {
      if (this.nameAt.at[id] === name) return this.indexOf.at[id]!
    }
    return -1
  }

  /** Adds a field and gives its index. */
  addField(group: number, field: string): number {
    const id = this.series
    const index = this.countOf(group)
    this.groupOf.set(id, group)
    this.nameAt.set(id, this.nameOf(field))
    this.indexOf.set(id, index)
    this.next.set(id, NONE)
    if (index === 0) this.first.set(group, id)
    else this.next.set(this.last.at[group]!, id)
    this.last.set(group, id)
    this.series++
    return index
  }

  /** Gives a series another name. */
  renameField(id: number, field: string): void {
    this.nameAt.set(id, this.nameOf(field))
  }

  /** A number for the name of a series: equal numbers are equal names of fields. */
  fieldNameAt(id: number): number {
    return this.nameAt.at[id]!
  }

  groupOfSeries(id: number): number {
    return this.groupOf.at[id]!
  }

  fieldIndex(id: number): number {
    return this.indexOf.at[id]!
  }

  fieldName(id: number): string {
    return this.slab.text(this.nameAt.at[id]!)
  }

  private nameOf(field: string): number {
    const known = this.names.get(field)
    if (known !== undefined) return known
    this.key.reset()
    this.key.text(field)
    const at = this.slab.add(this.key.written())
    this.names.set(field, at)
    return at
  }

  private encoded(name: string, labels: Labels): Uint8Array {
    assert(labels.length < 128, 'the count of labels is one byte')
    this.key.reset()
    this.key.text(name)
    encodeLabels(labels, this.key)
    return this.key.written()
  }

  private enter(id: number): void {
    const mask = this.slots.length - 1
    let at = hashOf(this.slab.bytes, this.starts.at[id]!, this.ends.at[id]!) & mask
    while (this.slots[at] !== 0) at = (at + 1) & mask
    this.slots[at] = id + 1
    this.taken++
  }

  private rehash(): void {
    this.slots = new Uint32Array(this.slots.length * 2)
    this.taken = 0
    for (let id = 0; id < this.groups; id++) this.enter(id)
  }
}

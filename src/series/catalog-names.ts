// What series are called, by distinct values: a label (or the name) has a column of numbers, one a group (or a
// series), and a number stands for one of its values. A condition is tried on each distinct value once, whatever
// the number of series, and a pass over 100,000 of them is a pass over an array.
//
// Columns are made when they are first asked for, grow with the catalog, and are dropped beyond heldBytesMax, the
// one that was asked for longest ago first: they say nothing that the table does not. 4 bytes a group, 12 to 20
// a distinct value.
//
// Invariants: a column is as long as what it numbers was when it was asked for.
// Not here: which conditions there are (select.ts), how names lie in memory (catalog-table.ts).
import { ByteWriter } from '../base/bytes.ts'
import type { CatalogTable } from './catalog-table.ts'
import { DistinctPairs, DistinctTexts } from './distinct.ts'
import { NAME_LABEL } from './matcher.ts'
import type { SeriesNames } from './source.ts'

/** Enough for the names and the topics of 100,000 series in workers that are memory too. */
const heldBytesMax = 6 * 1024 ** 2

/** The name that people and matchers see of a field's series. */
export function seriesName(group: string, field: string): string {
  if (group === '') return field
  return field === 'value' ? group : `${group}_${field}`
}

/** The numbers of the values of one label, by group, or of names, by series. */
export interface ValueColumn {
  readonly of: Uint32Array
  /** Values are numbered 1 to count; 0: there is none. */
  readonly count: number
  text(number: number): string
}

/** A column that grows with the table. */
interface Held extends ValueColumn {
  readonly bytes: number
  extend(): void
}

class LabelColumn implements Held {
  of = new Uint32Array(0)
  private readonly table: CatalogTable
  private readonly name: Uint8Array
  private readonly texts = new DistinctTexts()

  constructor(table: CatalogTable, name: string) {
    this.table = table
    this.name = Buffer.from(name)
  }

  get count(): number {
    return this.texts.count
  }

  get bytes(): number {
    return this.of.byteLength + this.texts.bytes
  }

  extend(): void {
    const { table, name, texts } = this
    const from = this.of.length
    if (from === table.groups) return
    this.of = lengthened(this.of, table.groups)
    for (let id = from; id < table.groups; id++) {
      const at = table.labelAt(id, name)
      if (at >= 0) this.of[id] = texts.number(table.texts, at)
    }
  }

  text(number: number): string {
    return number === 0 ? '' : this.texts.text(this.table.texts, number)
  }

  /** The number of a value; 0 when no group has it. */
  find(value: string): number {
    if (!value.isWellFormed()) return 0
    const key = new ByteWriter()
    key.text(value)
    return this.texts.find(this.table.texts, key.written())
  }
}

/** Names of series: pairs of a group's name and a field's. */
class NameColumn implements Held {
  of = new Uint32Array(0)
  private readonly table: CatalogTable
  private readonly groupNames = new DistinctTexts()
  private readonly pairs = new DistinctPairs()
  /** Where the name of a numbered group name lies. */
  private readonly places: number[] = []

  constructor(table: CatalogTable) {
    this.table = table
  }

  get count(): number {
    return this.pairs.count
  }

  get bytes(): number {
    return this.of.byteLength + this.groupNames.bytes + this.pairs.bytes + this.places.length * 8
  }

  extend(): void {
    const { table, groupNames, pairs } = this
    const from = this.of.length
    if (from === table.series) return
    this.of = lengthened(this.of, table.series)
    let group = -1
    let number = 0
    for (let id = from; id < table.series; id++) {
      if (table.groupOfSeries(id) !== group) {
        group = table.groupOfSeries(id)
        const at = table.groupNameAt(group)
        number = groupNames.number(table.texts, at)
        if (number > this.places.length) this.places.push(at)
      }
      this.of[id] = pairs.number(number, table.fieldNameAt(id))
    }
  }

  text(number: number): string {
    const [group, field] = this.parts(number)
    return seriesName(group, field)
  }

  /** The name of the group and of the field that make a name. */
  parts(number: number): [group: string, field: string] {
    const [group, field] = this.pairs.pair(number)
    return [this.table.texts.text(this.places[group - 1]!), this.table.texts.text(field)]
  }
}

function lengthened(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(length)
  longer.set(column)
  return longer
}

export class CatalogNames implements SeriesNames {
  private readonly table: CatalogTable
  private names: NameColumn | null = null
  /** The one that was asked for last comes last. */
  private readonly columns = new Map<string, LabelColumn>()

  constructor(table: CatalogTable) {
    this.table = table
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    let bytes = this.names?.bytes ?? 0
    for (const column of this.columns.values()) bytes += column.bytes
    return bytes
  }

  get seriesCount(): number {
    return this.table.series
  }

  /** Forgets everything: something was renamed. */
  clear(): void {
    this.names = null
    this.columns.clear()
  }

  groupOf(id: number): number {
    return this.table.groupOfSeries(id)
  }

  /** By group. */
  label(name: string): LabelColumn {
    // No label is called '': what is no text finds none.
    const known = name.isWellFormed() ? name : ''
    const column = this.columns.get(known) ?? new LabelColumn(this.table, known)
    this.columns.delete(known)
    this.columns.set(known, column)
    column.extend()
    this.bound()
    return column
  }

  /** By series. */
  seriesNames(): NameColumn {
    const names = (this.names ??= new NameColumn(this.table))
    names.extend()
    this.bound()
    return names
  }

  groupsOf(ids: Uint32Array): Uint32Array {
    const groups = new Set<number>()
    let before = -1
    for (let i = 0; i < ids.length; i++) {
      const group = this.table.groupOfSeries(ids[i]!)
      if (group !== before) groups.add(group)
      before = group
    }
    return Uint32Array.from(groups)
  }

  labelValues(label: string, ids: Uint32Array): string[] {
    const isName = label === NAME_LABEL
    const column: ValueColumn = isName ? this.seriesNames() : this.label(label)
    const seen = new Uint8Array(column.count + 1)
    for (let i = 0; i < ids.length; i++)
      seen[column.of[isName ? ids[i]! : this.table.groupOfSeries(ids[i]!)]!] = 1
    const values = new Set<string>()
    for (let number = 1; number < seen.length; number++)
      if (seen[number] === 1) values.add(column.text(number))
    return [...values]
  }

  labelNames(ids: Uint32Array): string[] {
    const { table } = this
    const texts = new DistinctTexts()
    const visit = (at: number) => void texts.number(table.texts, at)
    for (const group of this.groupsOf(ids)) table.eachLabelName(group, visit)
    return Array.from({ length: texts.count }, (_, i) => texts.text(table.texts, i + 1))
  }

  byGroupName(): Map<string, Uint32Array> {
    const names = this.seriesNames()
    const lists = new Map<string, number[]>()
    const byNumber = Array.from({ length: names.count }, (_, i) => {
      const [group, field] = names.parts(i + 1)
      const key = group === '' ? field : group
      let list = lists.get(key)
      if (list === undefined) lists.set(key, (list = []))
      return list
    })
    for (let id = 0; id < names.of.length; id++) byNumber[names.of[id]! - 1]!.push(id)
    return new Map(Array.from(lists, ([key, list]) => [key, Uint32Array.from(list)]))
  }

  /** Drops what was asked for longest ago; the newest stays whatever it takes. */
  private bound(): void {
    let { bytes } = this
    for (const [name, column] of this.columns) {
      if (bytes <= heldBytesMax || this.columns.size === 1) return
      bytes -= column.bytes
      this.columns.delete(name)
    }
  }
}

// The catalog: which groups and series exist, and their dense integer ids. A series is one field of a
// group; the name of a series is its field for a group without a name, `${group}_${field}` for a group
// with one (a measurement of line protocol), and the group's name alone for the field `value`.
//
//   definition := u8 1 | varint group | text name | labels          a new group, ids ascend by one
//               | u8 2 | varint group | varint index | text field   its next field, and so a new series
// The same bytes go into the WAL when a group is first used and into the catalog file at each flush; workers
// read the memory of the main thread.
// Example: group 0 "" {topic="a"} then its field "t" = 01 00 00 01 05 74 6f 70 69 63 01 61 02 00 00 01 74
//
// Invariants: ids never change and are never reused; a definition is replayed in the order it was made,
// and one that is already known is passed over, so replaying twice is harmless; ids and indexes are in the
// definitions, so that one that is lost never shifts what others mean.
// Not here: how they lie in memory (catalog-table.ts), which rows a group has (head.ts, reader.ts), what may
// be matched (matcher.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { CatalogNames, seriesName } from './catalog-names.ts'
import { CatalogTable, type TableView } from './catalog-table.ts'
import { decodeLabels, encodeLabels, type Labels } from './label.ts'

const DEFINE_GROUP = 1
const DEFINE_FIELD = 2

/** Limits of the catalog. */
export interface CatalogLimits {
  readonly seriesMax: number
  readonly fieldsPerGroupMax: number
}

/** The series that one kind of message feeds; they share a time column. A copy of what the catalog holds. */
export interface Group {
  readonly id: number
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
  /** The series id of each field. */
  readonly series: readonly number[]
}

/** How much of the definitions someone has been given: the WAL, the catalog file, a worker. */
export interface CatalogCursor {
  groups: number
  series: number
}

export class Catalog {
  private readonly table = new CatalogTable()
  readonly names = new CatalogNames(this.table)
  private readonly limits: CatalogLimits
  private readonly standIns = new Set<number>()
  /** The group that was asked for last: its series are often asked for one after the other. */
  private recent: Group | null = null
  private recentSeries = 0

  constructor(limits: CatalogLimits) {
    this.limits = limits
  }

  get groupCount(): number {
    return this.table.groups
  }

  get seriesCount(): number {
    return this.table.series
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.table.bytes + this.names.bytes
  }

  /** Where a series lies. `id` is below seriesCount. */
  place(id: number): { group: number; field: number } {
    assert(id < this.table.series, 'a series id comes from this catalog')
    return { group: this.table.groupOfSeries(id), field: this.table.fieldIndex(id) }
  }

  /** A group with all it has now. `id` is below groupCount. */
  at(id: number): Group {
    assert(id < this.table.groups, 'a group id comes from this catalog')
    if (this.recent?.id === id && this.recentSeries === this.table.series) return this.recent
    this.recentSeries = this.table.series
    const series = this.table.seriesOf(id)
    const fields = series.map(one => this.table.fieldName(one))
    this.recent = { id, name: this.table.groupName(id), labels: this.table.labels(id), fields, series }
    return this.recent
  }

  /**
   * The id of the group of a name and labels, made when it is new. A group alone counts as one series until
   * it has a field, so that a flood of topics meets the limit.
   * @throws {VarveError} VARVE_SERIES_LIMIT
   */
  group(name: string, labels: Labels): number {
    const known = this.table.find(name, labels)
    if (known >= 0) return known
    const { seriesMax } = this.limits
    if (this.seriesCount >= seriesMax || this.groupCount >= seriesMax) {
      throw new VarveError(
        'VARVE_SERIES_LIMIT',
        `Cannot add series for ${describe(name, labels)}: ${this.seriesCount} series, the limit is ${seriesMax}`
      )
    }
    return this.table.addGroup(name, labels)
  }

  /** The id of the group of a name and labels; null when there is none. */
  find(name: string, labels: Labels): number | null {
    const id = this.table.find(name, labels)
    return id < 0 ? null : id
  }

  /**
   * The index of a field in its group, made when it is new.
   * @throws {VarveError} VARVE_SERIES_LIMIT
   */
  field(group: number, field: string): number {
    const known = this.table.findField(group, field)
    if (known >= 0) return known
    const { seriesMax, fieldsPerGroupMax } = this.limits
    const count = this.table.countOf(group)
    if (this.seriesCount >= seriesMax || count >= fieldsPerGroupMax) {
      const limit =
        count >= fieldsPerGroupMax
          ? `${count} fields, the limit of a group is ${fieldsPerGroupMax}`
          : `${this.seriesCount} series, the limit is ${seriesMax}`
      const { name, labels } = this.at(group)
      throw new VarveError(
        'VARVE_SERIES_LIMIT',
        `Cannot add series ${seriesName(name, field)} of ${describe(name, labels)}: ${limit}`
      )
    }
    return this.table.addField(group, field)
  }

  /** All that is there now, for a replica in another thread: it shares the memory. */
  view(): TableView {
    return this.table.view()
  }

  /** Becomes a replica that holds what the view does. */
  adopt(view: TableView): void {
    this.table.adopt(view)
    this.recent = null
  }

  /** Whether everything is in the hands of the cursor's owner. */
  isCurrent(cursor: CatalogCursor): boolean {
    return cursor.groups === this.groupCount && cursor.series === this.seriesCount
  }

  /**
   * Appends definitions that the cursor has not seen, and moves it: all of them, unless `out` comes to bytesMax.
   * A group comes before its fields.
   */
  encode(cursor: CatalogCursor, out: ByteWriter, bytesMax = Number.POSITIVE_INFINITY): void {
    for (; cursor.groups < this.groupCount; cursor.groups++) {
      if (out.length >= bytesMax) return
      const id = cursor.groups
      defineGroup(id, this.table.groupName(id), this.table.labels(id), out)
    }
    for (; cursor.series < this.seriesCount; cursor.series++) {
      if (out.length >= bytesMax) return
      const id = cursor.series
      defineField(this.table.groupOfSeries(id), this.table.fieldIndex(id), this.table.fieldName(id), out)
    }
  }

  /**
   * Takes definitions to the end of the reader. A limit that has been lowered since they were made does
   * not lose them.
   * @throws {VarveError} VARVE_CATALOG or VARVE_TRUNCATED when the bytes are not definitions
   */
  replay(from: ByteReader): void {
    readDefinitions(from, {
      group: (id, name, labels) => {
        if (isStandIn(id, name, labels)) return this.standIn(id)
        if (id > this.groupCount) this.standIn(id - 1)
        if (id === this.groupCount) this.table.addGroup(name, labels)
        else if (this.standIns.has(id)) this.recognise(id, name, labels)
      },
      field: (id, index, field) => {
        this.standIn(id, index)
        if (index === this.table.countOf(id)) this.table.addField(id, field)
        else this.recogniseField(id, index, field)
      }
    })
  }

  /** Whether some groups have no names but made-up ones. */
  get hasStandIns(): boolean {
    return this.standIns.size > 0
  }

  /**
   * Makes sure a group and its first `fields` fields exist although their definitions were lost to
   * corruption: the samples stay readable, under the name `lost` and the label `group`, until replay() is
   * given the definitions (every segment has those of its groups).
   */
  standIn(id: number, fields = 0): void {
    while (this.groupCount <= id) {
      this.standIns.add(this.groupCount)
      this.table.addGroup(STAND_IN, standInLabels(this.groupCount))
    }
    for (let count = this.table.countOf(id); count < fields; count++)
      this.table.addField(id, standInField(count))
  }

  /** The definition of a stand-in turned up, in a segment or a later record. */
  private recognise(id: number, name: string, labels: Labels): void {
    this.standIns.delete(id)
    this.table.renameGroup(id, name, labels)
    this.names.clear()
    this.recent = null
  }

  private recogniseField(id: number, index: number, field: string): void {
    const series = this.table.seriesOf(id)[index]!
    if (this.table.fieldName(series) !== standInField(index)) return
    this.table.renameField(series, field)
    this.names.clear()
    this.recent = null
  }
}

/** Appends the definition of a group. */
export function defineGroup(id: number, name: string, labels: Labels, out: ByteWriter): void {
  out.u8(DEFINE_GROUP)
  out.varint(id)
  out.text(name)
  encodeLabels(labels, out)
}

/** Appends the definition of a group's next field. */
export function defineField(group: number, index: number, field: string, out: ByteWriter): void {
  out.u8(DEFINE_FIELD)
  out.varint(group)
  out.varint(index)
  out.text(field)
}

/** Who is told of definitions, in their order. */
export interface DefinitionVisitor {
  group(id: number, name: string, labels: Labels): void
  field(group: number, index: number, field: string): void
}

/**
 * Reads definitions to the end of the reader.
 * @throws {VarveError} VARVE_CATALOG, VARVE_LABEL, VARVE_UTF8 or VARVE_TRUNCATED when they are none
 */
export function readDefinitions(from: ByteReader, visitor: DefinitionVisitor): void {
  while (from.left > 0) {
    const tag = from.u8()
    const id = from.varint()
    if (tag === DEFINE_GROUP) visitor.group(id, from.text(), decodeLabels(from))
    else if (tag === DEFINE_FIELD) visitor.field(id, from.varint(), from.text())
    else
      throw new VarveError(
        'VARVE_CATALOG',
        `Cannot read definition before byte ${from.at}: unknown tag ${tag}`
      )
  }
}

/** The name of groups whose definitions were lost; the label `group` tells them apart. */
const STAND_IN = 'lost'

function standInLabels(id: number): Labels {
  return [['group', String(id)]]
}

function standInField(index: number): string {
  return `field_${index}`
}

/** Whether a definition is that of a stand-in, written down before its group was recognised. */
function isStandIn(id: number, name: string, labels: Labels): boolean {
  return name === STAND_IN && describe(name, labels) === describe(name, standInLabels(id))
}

function describe(name: string, labels: Labels): string {
  return `${name}{${labels.map(([label, value]) => `${label}="${value}"`).join(',')}}`
}

// The catalog: which groups and series exist, and their dense integer ids. A series is one field of a
// group; the name of a series is its field for a group without a name, `${group}_${field}` for a group
// with one (a measurement of line protocol), and the group's name alone for the field `value`.
//
//   definition := u8 1 | varint group | text name | labels          a new group, ids ascend by one
//               | u8 2 | varint group | varint index | text field   its next field, and so a new series
// The same bytes go into the WAL when a group is first used, into the catalog file at each flush, and to
// every worker, whose replica is this same class.
// Example: group 0 "" {topic="a"} then its field "t" = 01 00 00 01 05 74 6f 70 69 63 01 61 02 00 00 01 74
//
// Invariants: ids never change and are never reused; a definition is replayed in the order it was made,
// and one that is already known is passed over, so replaying twice is harmless; ids and indexes are in the
// definitions, so that one that is lost never shifts what others mean.
// Not here: which rows a group has (head.ts, reader.ts), what may be matched (matcher.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeLabels, encodeLabels, type Labels } from './label.ts'

const DEFINE_GROUP = 1
const DEFINE_FIELD = 2

/** Limits of the catalog. */
export interface CatalogLimits {
  readonly seriesMax: number
  readonly fieldsPerGroupMax: number
}

/** The series that one kind of message feeds; they share a time column. */
export interface Group {
  readonly id: number
  name: string
  labels: Labels
  fields: string[]
  /** The series id of each field. */
  series: number[]
}

/** The name that people and matchers see of a field's series. */
export function seriesName(group: string, field: string): string {
  if (group === '') return field
  return field === 'value' ? group : `${group}_${field}`
}

/** How much of the definitions someone has been given: the WAL, the catalog file, a worker. */
export interface CatalogCursor {
  groups: number
  series: number
}

export class Catalog {
  readonly groups: Group[] = []
  private readonly byKey = new Map<string, Group>()
  private readonly groupOf: number[] = []
  private readonly fieldOf: number[] = []
  private readonly limits: CatalogLimits
  private readonly standIns = new Set<number>()

  constructor(limits: CatalogLimits) {
    this.limits = limits
  }

  get seriesCount(): number {
    return this.groupOf.length
  }

  /** Where a series lies. `id` is below seriesCount. */
  place(id: number): { group: Group; field: number } {
    assert(id < this.groupOf.length, 'a series id comes from this catalog')
    return { group: this.groups[this.groupOf[id]!]!, field: this.fieldOf[id]! }
  }

  /**
   * The group of a name and labels, made when it is new. A group alone counts as one series until it has
   * a field, so that a flood of topics meets the limit.
   * @throws {VarveError} VARVE_SERIES_LIMIT
   */
  group(name: string, labels: Labels): Group {
    const key = groupKey(name, labels)
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    if (this.groupOf.length >= this.limits.seriesMax || this.groups.length >= this.limits.seriesMax) {
      throw new VarveError(
        'VARVE_SERIES_LIMIT',
        `Cannot add series for ${describe(name, labels)}: ${this.groupOf.length} series, the limit is ${this.limits.seriesMax}`
      )
    }
    return this.addGroup(key, name, labels)
  }

  /**
   * The index of a field in its group, made when it is new.
   * @throws {VarveError} VARVE_SERIES_LIMIT
   */
  field(group: Group, field: string): number {
    const known = group.fields.indexOf(field)
    if (known >= 0) return known
    if (
      this.groupOf.length >= this.limits.seriesMax ||
      group.fields.length >= this.limits.fieldsPerGroupMax
    ) {
      const limit =
        group.fields.length >= this.limits.fieldsPerGroupMax
          ? `${group.fields.length} fields, the limit of a group is ${this.limits.fieldsPerGroupMax}`
          : `${this.groupOf.length} series, the limit is ${this.limits.seriesMax}`
      throw new VarveError(
        'VARVE_SERIES_LIMIT',
        `Cannot add series ${seriesName(group.name, field)} of ${describe(group.name, group.labels)}: ${limit}`
      )
    }
    return this.addField(group, field)
  }

  /** Whether everything is in the hands of the cursor's owner. */
  isCurrent(cursor: CatalogCursor): boolean {
    return cursor.groups === this.groups.length && cursor.series === this.groupOf.length
  }

  /** Appends the definitions the cursor has not seen, and moves it. */
  encode(cursor: CatalogCursor, out: ByteWriter): void {
    for (; cursor.groups < this.groups.length; cursor.groups++) {
      const group = this.groups[cursor.groups]!
      defineGroup(group.id, group.name, group.labels, out)
    }
    for (; cursor.series < this.groupOf.length; cursor.series++) {
      const group = this.groups[this.groupOf[cursor.series]!]!
      const field = this.fieldOf[cursor.series]!
      defineField(group.id, field, group.fields[field]!, out)
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
        if (id > this.groups.length) this.standIn(id - 1)
        if (id === this.groups.length) this.addGroup(groupKey(name, labels), name, labels)
        else if (this.standIns.has(id)) this.recognise(id, name, labels)
      },
      field: (id, index, field) => {
        this.standIn(id, index)
        const group = this.groups[id]!
        if (index === group.fields.length) this.addField(group, field)
        else if (group.fields[index] === standInField(index)) group.fields[index] = field
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
    while (this.groups.length <= id) {
      const labels = standInLabels(this.groups.length)
      this.standIns.add(this.groups.length)
      this.addGroup(groupKey(STAND_IN, labels), STAND_IN, labels)
    }
    const group = this.groups[id]!
    while (group.fields.length < fields) this.addField(group, standInField(group.fields.length))
  }

  /** The definition of a stand-in turned up, in a segment or a later record. */
  private recognise(id: number, name: string, labels: Labels): void {
    const group = this.groups[id]!
    this.standIns.delete(id)
    this.byKey.delete(groupKey(group.name, group.labels))
    group.name = name
    group.labels = labels
    this.byKey.set(groupKey(name, labels), group)
  }

  private addGroup(key: string, name: string, labels: Labels): Group {
    const group: Group = { id: this.groups.length, name, labels, fields: [], series: [] }
    this.groups.push(group)
    this.byKey.set(key, group)
    return group
  }

  private addField(group: Group, field: string): number {
    // Arrays of just their length: an array that grows by push keeps room for 17, and groups are many.
    group.series = [...group.series, this.groupOf.length]
    this.groupOf.push(group.id)
    this.fieldOf.push(group.fields.length)
    group.fields = [...group.fields, field]
    return group.fields.length - 1
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
  return name === STAND_IN && groupKey(name, labels) === groupKey(name, standInLabels(id))
}

function groupKey(name: string, labels: Labels): string {
  let key = name
  for (const [label, value] of labels) key += `\u0000${label}\u0001${value}`
  return key
}

function describe(name: string, labels: Labels): string {
  return `${name}{${labels.map(([label, value]) => `${label}="${value}"`).join(',')}}`
}

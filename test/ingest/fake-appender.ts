// An Appender over plain arrays: what the tests look at in place of the head. It also keeps the contract: rows
// are begun and ended in turn, every field of a row is filled, shapes are interned.

import { VarveError } from '../../src/base/errors.ts'
import type { Appender } from '../../src/ingest/appender.ts'
import type { Labels } from '../../src/series/label.ts'
import { KIND, type Kind, type Value } from '../../src/series/sample.ts'

export interface FakeRow {
  readonly name: string
  readonly labels: Record<string, string>
  readonly timeUs: number
  readonly fields: Record<string, Value>
  readonly retentionClass: string
}

interface FakeShape {
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
  readonly kinds: readonly Kind[]
  readonly retentionClass: string
}

export class FakeAppender implements Appender {
  readonly slots = new Float64Array(4096)
  at = 7
  pendingGroup = 1
  readonly rows: FakeRow[] = []
  readonly shapes: FakeShape[] = []
  /** How often shape() was asked: the caches of ingest keep it low. */
  asked = 0
  seriesMax = Number.POSITIVE_INFINITY
  /** Fields that one shape may have; with more the answer is -1, as from a group with too many shapes. */
  fieldsMax = Number.POSITIVE_INFINITY
  /** Rows after which begin() throws. */
  rowsMax = Number.POSITIVE_INFINITY
  private readonly ids = new Map<string, number>()
  private open: { shape: FakeShape; timeUs: number; texts: (Buffer | undefined)[] } | null = null

  shape(
    name: string,
    labels: Labels,
    fields: readonly string[],
    kinds: readonly Kind[],
    retentionClass = ''
  ) {
    this.asked++
    if (fields.length === 0 || fields.length !== kinds.length) throw new Error('a shape has fields and kinds')
    if (new Set(fields).size !== fields.length) throw new Error(`a field comes twice: ${fields}`)
    if (fields.includes('')) throw new Error('a field has no name')
    if (fields.length > this.fieldsMax) return -1
    const key = JSON.stringify([name, labels, fields, kinds, retentionClass])
    const known = this.ids.get(key)
    if (known !== undefined) return known
    if (this.shapes.length >= this.seriesMax) {
      throw new VarveError('VARVE_SERIES_LIMIT', 'Cannot add series: the limit is reached')
    }
    const id = this.shapes.push({ name, labels, fields: [...fields], kinds: [...kinds], retentionClass }) - 1
    this.ids.set(key, id)
    return id
  }

  begin(shape: number, timeUs: number): void {
    if (this.open !== null) throw new Error('begin() within a row')
    if (!Number.isSafeInteger(timeUs)) throw new Error(`time ${timeUs} is no integer`)
    if (this.rows.length >= this.rowsMax) throw new VarveError('VARVE_STORE_FAILED', 'Cannot store: failed')
    this.at = (this.at + 13) % 1000
    this.slots.fill(Number.NaN, this.at, this.at + 600)
    this.open = { shape: this.shapes[shape]!, timeUs, texts: [] }
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    if (start < 0 || start > end || end > source.length) throw new Error('text() outside its bytes')
    this.open!.texts[i] = Buffer.from(source.subarray(start, end))
  }

  end(): void {
    const { shape, timeUs, texts } = this.open!
    const fields: Record<string, Value> = Object.create(null)
    shape.fields.forEach((field, i) => {
      const kind = shape.kinds[i]!
      const number = this.slots[this.at + i]!
      const text = texts[i]
      if (kind >= KIND.string !== (text !== undefined)) throw new Error(`field ${field} was not filled`)
      if (kind === KIND.number) fields[field] = number
      else if (kind === KIND.boolean) fields[field] = number === 1
      else if (kind === KIND.bytes) fields[field] = new Uint8Array(text!)
      else {
        fields[field] = text!.toString('utf8')
        if (!Buffer.from(fields[field]).equals(text!)) throw new Error(`field ${field} is not UTF-8`)
      }
    })
    const labels = Object.fromEntries(shape.labels)
    this.rows.push({ name: shape.name, labels, timeUs, fields, retentionClass: shape.retentionClass })
    this.open = null
  }
}

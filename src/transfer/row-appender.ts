// Appends rows to the store: asks for the shape of what a row brings once, and remembers it.
//
// Invariants: at most shapesMax shapes are remembered, after which all are asked for anew; a row is appended whole or
// not at all, unless the store has no more shapes for its group: then it is appended as rows of one field each.
// Not here: what a row is read from (ndjson.ts), waiting for room and for the sync (daemon).
import type { Appender } from '../ingest/appender.ts'
import { KIND, type Kind, type Value } from '../series/sample.ts'
import type { TransferRow } from './row.ts'

const SHAPES_MAX = 20_000

export class RowAppender {
  private readonly rows: Appender
  private readonly shapes = new Map<string, readonly number[]>()

  constructor(rows: Appender) {
    this.rows = rows
  }

  /** @throws {VarveError} VARVE_LABEL, VARVE_SERIES_LIMIT for this row; what the store refuses all rows with */
  append(row: TransferRow): void {
    const kinds = row.values.map(kindOf)
    const shapes = this.shapesOf(row, kinds)
    if (shapes.length === 1) {
      this.rows.begin(shapes[0]!, row.timeUs, false)
      for (let i = 0; i < kinds.length; i++) this.fill(i, row.values[i]!)
      this.rows.end()
      return
    }
    for (let i = 0; i < kinds.length; i++) {
      this.rows.begin(shapes[i]!, row.timeUs, false)
      this.fill(0, row.values[i]!)
      this.rows.end()
    }
  }

  private fill(i: number, value: Value): void {
    const { rows } = this
    if (typeof value === 'number') rows.slots[rows.at + i] = value
    else if (typeof value === 'boolean') rows.slots[rows.at + i] = value ? 1 : 0
    else {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      rows.text(i, bytes, 0, bytes.length)
    }
  }

  /** The shape of all fields, or one a field. */
  private shapesOf({ name, labels, fields }: TransferRow, kinds: readonly Kind[]): readonly number[] {
    const key = JSON.stringify([name, labels, fields, kinds])
    const known = this.shapes.get(key)
    if (known !== undefined) return known
    const shape = this.rows.shape(name, labels, fields, kinds)
    const shapes =
      shape >= 0 ? [shape] : fields.map((field, i) => this.rows.shape(name, labels, [field], [kinds[i]!]))
    if (this.shapes.size >= SHAPES_MAX) this.shapes.clear()
    this.shapes.set(key, shapes)
    return shapes
  }
}

function kindOf(value: Value): Kind {
  if (typeof value === 'number') return KIND.number
  if (typeof value === 'boolean') return KIND.boolean
  return typeof value === 'string' ? KIND.string : KIND.bytes
}

// The newest value of each field of a group, put together from pieces that are offered in any order. A
// chunk is asked by its head alone where that tells: the last value of a dense column of numbers.
//
// Invariants: the later time wins, at equal times the higher rank (the later write). Not here: which pieces
// are offered in which order (reader.ts), rows in memory (head-read.ts).
import type { ColumnHeader } from './chunk-column.ts'
import type { ChunkView } from './chunk-view.ts'
import type { Column, Run } from './run.ts'
import { KIND, textValue, type Value } from './sample.ts'
import type { Last } from './source.ts'

export class Newest {
  readonly wanted: ReadonlySet<number>
  private readonly found = new Map<number, { last: Last; rank: number }>()

  constructor(wanted: ReadonlySet<number>) {
    this.wanted = wanted
  }

  offer(last: Last, rank: number): void {
    const known = this.found.get(last.field)
    if (known !== undefined) {
      const apart = last.timeUs - known.last.timeUs
      if (apart < 0 || (apart === 0 && rank < known.rank)) return
    }
    this.found.set(last.field, { last, rank })
  }

  /** Whether nothing at or before this time can change the answer. */
  isSettled(untilUs: number): boolean {
    if (this.found.size < this.wanted.size) return false
    for (const { last } of this.found.values()) if (last.timeUs <= untilUs) return false
    return true
  }

  /** By field. */
  values(): Last[] {
    return Array.from(this.found.values(), ({ last }) => last).sort((a, b) => a.field - b.field)
  }

  /** Offers what a run ends with. */
  offerRun(run: Run, rank: number): void {
    for (const column of run.columns) {
      const { field, kind, count } = column
      if (count === 0 || !this.wanted.has(field)) continue
      const timeUs = run.times[lastRow(column.present, run.rows)]!
      this.offer({ field, kind, timeUs, value: lastValue(column) }, rank)
    }
  }

  /** Offers what a chunk ends with, decoding as little as possible. */
  offerChunk(chunk: ChunkView, rank: number): void {
    let times: Float64Array | null = null
    chunk.columns.forEach((column, i) => {
      const { field, kind, count } = column
      if (count === 0 || !this.wanted.has(field)) return
      let timeUs = chunk.timeLastUs
      if (count < chunk.rows) {
        const present = new Uint8Array(chunk.rows)
        chunk.present(i, present)
        const row = lastRow(present, chunk.rows)
        if (row < chunk.rows - 1) {
          if (times === null) chunk.times((times = new Float64Array(chunk.rows)))
          timeUs = times[row]!
        }
      }
      this.offer({ field, kind, timeUs, value: chunkValue(chunk, i, column) }, rank)
    })
  }
}

function lastRow(present: Uint8Array | null, rows: number): number {
  let row = rows - 1
  while (present !== null && present[row] === 0) row--
  return row
}

function lastValue({
  kind,
  count,
  numbers,
  texts
}: Pick<Column, 'kind' | 'count' | 'numbers' | 'texts'>): Value {
  if (texts !== null) return textValue(texts.bytes, texts.offsets[count - 1]!, texts.offsets[count]!, kind)
  const number = numbers![count - 1]!
  return kind === KIND.boolean ? number === 1 : number
}

function chunkValue(chunk: ChunkView, i: number, { kind, count, last }: ColumnHeader): Value {
  if (kind === KIND.boolean) return last === 1
  if (kind === KIND.number) return last
  return lastValue({ kind, count, numbers: null, texts: chunk.texts(i) })
}

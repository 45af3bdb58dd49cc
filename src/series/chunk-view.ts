// Reads a chunk: the head when it is made, bodies only when asked for. Bytes come from the medium, so every
// count is checked before anything is allocated, and damage is a VarveError, which the owner of the file turns
// into a CorruptionError with its place.
//
// Invariants: nothing is read outside the reader's bytes; at most 4096 rows; what a body says agrees with the head.
// Not here: the grammar (chunk.ts).
import { assert } from '../base/assert.ts'
import type { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { CHUNK_PADDING, CHUNK_ROWS_MAX, CHUNK_VERSION } from './chunk.ts'
import { ChunkColumn, type ColumnHeader, damaged, follow } from './chunk-column.ts'
import { decodeNumbers } from './codec-column.ts'
import { POWERS_OF_10 } from './codec-decimal.ts'
import { decodeBits } from './codec-state.ts'
import { decodeTexts } from './codec-text.ts'
import { decodeTimes } from './codec-time.ts'
import type { Column, Run, Texts } from './run.ts'
import { KIND } from './sample.ts'
import { keepUnits, keptUnits, newChunkNumber } from './sibling-cache.ts'

/** A chunk in memory. Decoded columns are dense: value i belongs to the i-th row that has one. */
export class ChunkView {
  readonly rows: number
  /** Microseconds since the Unix epoch. */
  readonly timeFirstUs: number
  readonly timeLastUs: number
  /** By field, then kind. */
  readonly columns: readonly ColumnHeader[]
  private readonly placed: readonly ChunkColumn[]
  /** The reader that read the head. */
  private readonly head: ByteReader
  /** Where bodies begin, and so the time body. */
  private readonly bodies: number
  private readonly timeBytes: number
  /** For sibling-cache.ts; 0 until one is needed. */
  private chunkNumber = 0
  private readonly shiftUs: number

  /**
   * Reads the head of a chunk. The bytes must stay as they are while the view is used.
   * @param from  has the whole chunk and nothing else before it; stands behind the head afterwards
   * @param shiftUs  added to all times
   * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for damage, VARVE_FORMAT_CHUNK for an unknown version
   *   or codec
   */
  constructor(from: ByteReader, shiftUs = 0) {
    const { at } = from
    const version = from.u8()
    if (version !== CHUNK_VERSION) {
      throw new VarveError(
        'VARVE_FORMAT_CHUNK',
        `Cannot read chunk at ${at}: version ${version}, this varve knows ${CHUNK_VERSION}`
      )
    }
    const rows = from.varint()
    if (rows < 1 || rows > CHUNK_ROWS_MAX) damaged(at, `${rows} rows, 1 to ${CHUNK_ROWS_MAX} are possible`)
    const columns = from.varint()
    if (columns > from.left) damaged(at, `${columns} columns in ${from.left} bytes`)
    this.rows = rows
    this.shiftUs = shiftUs
    this.timeFirstUs = from.f64() + shiftUs
    this.timeLastUs = from.f64() + shiftUs
    const spanned = this.timeLastUs - this.timeFirstUs
    if (!Number.isSafeInteger(this.timeFirstUs) || !Number.isSafeInteger(this.timeLastUs)) {
      damaged(at, 'a time is no whole number')
    }
    if (rows === 1 ? spanned !== 0 : spanned < rows - 1) damaged(at, `${rows} rows in ${spanned} us`)
    this.timeBytes = from.varint()
    const placed: ChunkColumn[] = []
    let bodyAt = this.timeBytes
    for (let i = 0; i < columns; i++) {
      const column = new ChunkColumn(from, rows, bodyAt)
      bodyAt = column.bodyEnd
      placed.push(column)
      if (column.isFollowing) follow(placed, rows, at)
    }
    this.bodies = from.at
    if (bodyAt + CHUNK_PADDING !== from.left) {
      damaged(at, `bodies of ${bodyAt} bytes, ${from.left - CHUNK_PADDING} are there`)
    }
    this.placed = placed
    this.columns = placed
    this.head = from
  }

  /** Decodes the times of all rows. @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED */
  times(into: Float64Array): void {
    if (this.rows === 1) {
      into[0] = this.timeFirstUs
      return
    }
    const from = this.reader(0, this.timeBytes)
    const { rows, shiftUs } = this
    decodeTimes(from, rows, this.timeFirstUs - shiftUs, this.timeLastUs - shiftUs, into)
    ended(from)
    if (shiftUs !== 0) for (let row = 0; row < rows; row++) into[row] = into[row]! + shiftUs
  }

  /**
   * Decodes the values of column i, of kind number or boolean, to into[0, count).
   * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
   */
  numbers(i: number, into: Float64Array): void {
    const column = this.placed[i]!
    assert(column.kind <= KIND.boolean, 'numbers() is for columns of numbers and booleans')
    if (column.count === 0) return
    this.decode(column, into)
    if (column.followed) this.keep(i, column, into)
  }

  private decode(column: ChunkColumn, into: Float64Array): void {
    const from = this.reader(column.bodyAt, column.bodyEnd)
    const { count, number, headEnd } = column
    if (number === null) decodeBits(from, count, into)
    else decodeNumbers(from, count, number, headEnd - 8, into, sibling => this.unitsOf(sibling))
    ended(from)
  }

  /** Keeps a column's values as integers for the siblings that will follow. */
  private keep(i: number, { number, count }: ChunkColumn, values: Float64Array): void {
    if (this.chunkNumber === 0) this.chunkNumber = newChunkNumber()
    const power = POWERS_OF_10[number!.stats.scale!.exponent]!
    keepUnits(this.chunkNumber, i, units => {
      for (let row = 0; row < count; row++) units[row] = Math.round(values[row]! * power)
    })
  }

  private unitsOf(i: number): Float64Array {
    if (this.chunkNumber === 0) this.chunkNumber = newChunkNumber()
    const kept = keptUnits(this.chunkNumber, i)
    if (kept !== undefined) return kept
    const column = this.placed[i]!
    const power = POWERS_OF_10[column.number!.stats.scale!.exponent]!
    return keepUnits(this.chunkNumber, i, units => {
      this.decode(column, units)
      for (let row = 0; row < column.count; row++) units[row] = Math.round(units[row]! * power)
    })
  }

  /**
   * Decodes which rows have a value in column i: one byte a row.
   * @returns false, with `into` untouched, when all have
   * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
   */
  present(i: number, into: Uint8Array): boolean {
    const column = this.placed[i]!
    if (column.presenceAt < 0) return false
    const from = this.reader(column.presenceAt, column.bodyAt)
    decodeBits(from, this.rows, into)
    ended(from)
    let count = 0
    for (let row = 0; row < this.rows; row++) count += into[row]!
    if (count !== column.count) damaged(from.at, `${count} rows have a value, the head says ${column.count}`)
    return true
  }

  /**
   * The values of column i, of kind string or bytes; they may share memory with the chunk.
   * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
   */
  texts(i: number): Texts {
    const column = this.placed[i]!
    assert(column.kind >= KIND.string, 'texts() is for columns of strings and bytes')
    if (column.count === 0) return { bytes: new Uint8Array(0), offsets: new Uint32Array(1) }
    const from = this.reader(column.bodyAt, column.bodyEnd)
    const texts = decodeTexts(from, column.count)
    ended(from)
    return texts
  }

  /** Decodes everything into arrays of its own; for one column after the other use the methods above. */
  run(): Run {
    const times = new Float64Array(this.rows)
    this.times(times)
    return { rows: this.rows, times, columns: this.placed.map((_, i) => this.column(i)) }
  }

  private column(i: number): Column {
    const { field, kind, count } = this.placed[i]!
    const bits = new Uint8Array(this.rows)
    const present = this.present(i, bits) ? bits : null
    if (kind >= KIND.string) return { field, kind, present, count, numbers: null, texts: this.texts(i) }
    const numbers = new Float64Array(count)
    this.numbers(i, numbers)
    return { field, kind, present, count, numbers, texts: null }
  }

  private reader(start: number, end: number): ByteReader {
    return this.head.sub(this.bodies + start, this.bodies + end)
  }
}

function ended(from: ByteReader): void {
  if (from.left !== 0) damaged(from.at, `${from.left} bytes are left behind a body`)
}

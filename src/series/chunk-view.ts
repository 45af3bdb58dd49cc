// Reads a chunk: the head when it is made, bodies only when asked for. Bytes come from the medium, so every
// count is checked before anything is allocated, and damage is a VarveError, which the owner of the file turns
// into a CorruptionError with its place.
//
// Invariants: nothing is read outside [at, end); at most 4096 rows; what a body says agrees with the head.
// Not here: the grammar (chunk.ts).
import { assert } from '../base/assert.ts'
import { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { CHUNK_PADDING, CHUNK_ROWS_MAX, CHUNK_VERSION } from './chunk.ts'
import { decodeNumbers, type NumberHead, readNumberHead } from './codec-column.ts'
import { POWERS_OF_10 } from './codec-decimal.ts'
import { DEPTH_MAX } from './codec-sibling.ts'
import { decodeBits } from './codec-state.ts'
import { decodeTexts } from './codec-text.ts'
import { decodeTimes } from './codec-time.ts'
import type { Column, Run, Texts } from './run.ts'
import { KIND, type Kind } from './sample.ts'
import { keepUnits, keptUnits, newChunkNumber } from './sibling-cache.ts'

/**
 * One column as the chunk's head describes it. For numbers the semantics are those of column-stats.ts; a
 * boolean counts as 0 or 1; of texts, and of columns without a value, the statistics are NaN and sum is 0.
 */
export interface ColumnHeader {
  readonly field: number
  readonly kind: Kind
  /** Values: the rows that have one. */
  readonly count: number
  /** How many of the values are NaN. */
  readonly nans: number
  readonly first: number
  readonly last: number
  readonly min: number
  readonly max: number
  readonly sum: number
  /** When sumUnits is not null, sum is exactly sumUnits / 10^exponent. */
  readonly exponent: number
  readonly sumUnits: number | null
  /** Bytes of head and body together. */
  readonly bytes: number
}

interface Placed extends ColumnHeader {
  presenceAt: number
  bodyAt: number
  bodyEnd: number
  headEnd: number
  number: NumberHead | null
  /** How far this column is from ones that follow from no sibling. */
  depth: number
  /** A later column follows from this one. */
  followed: boolean
}

function damaged(at: number, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read chunk at ${at}: ${what}`)
}

const NO_STATS = {
  nans: 0,
  first: Number.NaN,
  last: Number.NaN,
  min: Number.NaN,
  max: Number.NaN,
  sum: 0,
  exponent: 0,
  sumUnits: null as number | null
}

function readBooleanHead(from: ByteReader, count: number) {
  const ends = from.u8()
  const ones = from.varint()
  const first = ends & 1
  const last = ends >> 1
  const least = first + last === 2 && count === 1 ? 1 : first + last
  if (ends > 3 || ones > count || ones < least) damaged(from.at, `${ones} ones of ${count} values`)
  const min = ones === count ? 1 : 0
  const max = ones > 0 ? 1 : 0
  return { nans: 0, first, last, min, max, sum: ones, exponent: 0, sumUnits: ones as number | null }
}

/** Reads one column's head; bodies are placed one after the other from bodyAt on, relative to their start. */
function readColumn(from: ByteReader, rows: number, bodyAt: number): Placed {
  const start = from.at
  const tag = from.varint()
  const kind = (Math.floor(tag / 2) % 4) as Kind
  let count = rows
  let presence = 0
  if (tag % 2 === 1) {
    count = from.varint()
    presence = from.varint()
    if (count >= rows || presence === 0) damaged(start, `a sparse column of ${count} of ${rows} rows`)
  }
  let stats = NO_STATS
  let number: NumberHead | null = null
  let headEnd = from.at
  if (count > 0 && kind === KIND.number) {
    number = readNumberHead(from, count)
    const { nans, first, last, min, max, sum, sumUnits, scale } = number.stats
    if (nans > count) damaged(start, `${nans} NaN of ${count} values`)
    stats = { nans, first, last, min, max, sum, exponent: scale?.exponent ?? 0, sumUnits }
    headEnd = from.at
  } else if (count > 0 && kind === KIND.boolean) {
    stats = readBooleanHead(from, count)
  }
  const body = from.varint()
  const valuesAt = bodyAt + presence
  return {
    field: Math.floor(tag / 8),
    kind,
    count,
    ...stats,
    bytes: from.at - start + presence + body,
    presenceAt: presence === 0 ? -1 : bodyAt,
    bodyAt: valuesAt,
    bodyEnd: valuesAt + body,
    headEnd,
    number,
    depth: 0,
    followed: false
  }
}

/** Checks what the last column of `placed` follows from, and marks it. */
function follow(placed: readonly Placed[], rows: number, at: number): void {
  const column = placed.at(-1)!
  for (const term of column.number?.terms ?? []) {
    const sibling = placed[term.column]
    if (sibling === undefined || sibling === column || sibling.count < rows) damaged(at, 'no such sibling')
    if (sibling.number === null || sibling.number.stats.scale === null)
      damaged(at, 'a sibling of no decimals')
    sibling.followed = true
    column.depth = Math.max(column.depth, sibling.depth + 1)
  }
  if (column.depth > 0 && column.count < rows) damaged(at, 'a sparse column that follows others')
  if (column.depth > DEPTH_MAX) damaged(at, 'too many siblings follow each other')
}

/** A chunk in memory. Decoded columns are dense: value i belongs to the i-th row that has one. */
export class ChunkView {
  readonly rows: number
  /** Microseconds since the Unix epoch. */
  readonly timeFirstUs: number
  readonly timeLastUs: number
  /** By field, then kind. */
  readonly columns: readonly ColumnHeader[]
  private readonly placed: readonly Placed[]
  /** The reader that read the head. */
  private readonly head: ByteReader
  /** Where bodies begin, and so the time body. */
  private readonly bodies: number
  private readonly timeBytes: number
  /** For sibling-cache.ts; 0 until one is needed. */
  private chunkNumber = 0
  private readonly shiftUs: number

  /**
   * Reads the head of the chunk in bytes[at, end), which must be the whole chunk and nothing else. The bytes
   * must stay as they are while the view is used.
   * @param shiftUs  added to all times
   * @throws {VarveError} VARVE_CHUNK or VARVE_TRUNCATED for damage, VARVE_FORMAT_CHUNK for an unknown version
   *   or codec
   */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length, shiftUs = 0) {
    const from = new ByteReader(bytes, at, end)
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
    const placed: Placed[] = []
    let bodyAt = this.timeBytes
    for (let i = 0; i < columns; i++) {
      const column = readColumn(from, rows, bodyAt)
      bodyAt = column.bodyEnd
      placed.push(column)
      if (column.number !== null && column.number.terms.length > 0) follow(placed, rows, at)
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

  private decode(column: Placed, into: Float64Array): void {
    const from = this.reader(column.bodyAt, column.bodyEnd)
    const { count, number, headEnd } = column
    if (number === null) decodeBits(from, count, into)
    else decodeNumbers(from, count, number, headEnd - 8, into, sibling => this.unitsOf(sibling))
    ended(from)
  }

  /** Keeps a column's values as integers for the siblings that will follow. */
  private keep(i: number, { number, count }: Placed, values: Float64Array): void {
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

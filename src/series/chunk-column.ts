// One column as the head of its chunk describes it. A query wants one column of many and often none of its
// statistics, so what says where the bodies lie is read at once and the rest when it is asked for.
//
// Invariants: a column is read from bytes that stay as they are; what disagrees with itself is a VarveError, of
// statistics at the first look at them.
// Not here: the grammar (chunk.ts), bodies (chunk-view.ts).
import type { ByteReader } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { NUMBER_CODEC, type NumberHead, readNumberHead, skipNumberHead } from './codec-column.ts'
import { DEPTH_MAX } from './codec-sibling.ts'
import { KIND, type Kind } from './sample.ts'
import type { SummaryColumn } from './source.ts'

/**
 * What a head says of a column. For numbers the semantics are those of column-stats.ts; a boolean counts as 0 or
 * 1; of texts, and of columns without a value, the statistics are NaN and sum is 0.
 */
export interface ColumnHeader extends SummaryColumn {
  /** When sumUnits is not null, sum is exactly sumUnits / 10^exponent. */
  readonly exponent: number
  readonly sumUnits: number | null
  /** Bytes of head and body together. */
  readonly bytes: number
}

type Stats = Omit<ColumnHeader, 'field' | 'kind' | 'count' | 'bytes'>

const NO_STATS: Stats = {
  nans: 0,
  first: Number.NaN,
  last: Number.NaN,
  min: Number.NaN,
  max: Number.NaN,
  sum: 0,
  exponent: 0,
  sumUnits: null
}

export function damaged(at: number, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read chunk at ${at}: ${what}`)
}

export class ChunkColumn implements ColumnHeader {
  readonly field: number
  readonly kind: Kind
  readonly count: number
  readonly bytes: number
  /** Relative to the start of bodies; -1: every row has a value. */
  readonly presenceAt: number
  readonly bodyAt: number
  readonly bodyEnd: number
  /** Of the statistics, and their codec for numbers; in the bytes of the reader. */
  private readonly headAt: number
  readonly headEnd: number
  private readonly from: ByteReader
  private numberHead: NumberHead | null = null
  private knownStats: Stats | null = null
  /** How far this column is from ones that follow from no sibling. */
  depth = 0
  /** A later column follows from this one. */
  followed = false

  /**
   * Reads one column's head; bodies are placed one after the other.
   * @param bodyAt  where this one's begin
   */
  constructor(from: ByteReader, rows: number, bodyAt: number) {
    const start = from.at
    const tag = from.varint()
    this.field = Math.floor(tag / 8)
    this.kind = (Math.floor(tag / 2) % 4) as Kind
    let count = rows
    let presence = 0
    if (tag % 2 === 1) {
      count = from.varint()
      presence = from.varint()
      if (count >= rows || presence === 0) damaged(start, `a sparse column of ${count} of ${rows} rows`)
    }
    this.count = count
    this.from = from
    this.headAt = from.at
    if (count > 0 && this.kind === KIND.number) skipNumberHead(from)
    else if (count > 0 && this.kind === KIND.boolean) this.knownStats = readBooleanHead(from, count)
    this.headEnd = from.at
    const body = from.varint()
    this.presenceAt = presence === 0 ? -1 : bodyAt
    this.bodyAt = bodyAt + presence
    this.bodyEnd = this.bodyAt + body
    this.bytes = from.at - start + presence + body
  }

  /** Whether the values are told by other columns of the chunk. */
  get isFollowing(): boolean {
    return (
      this.kind === KIND.number && this.count > 0 && this.from.bytes[this.headAt] === NUMBER_CODEC.sibling
    )
  }

  /** The head of a column of numbers that has some; null of others. */
  get number(): NumberHead | null {
    if (this.numberHead !== null || this.kind !== KIND.number || this.count === 0) return this.numberHead
    const head = readNumberHead(this.from.sub(this.headAt, this.headEnd), this.count)
    const { nans } = head.stats
    if (nans > this.count) damaged(this.headAt, `${nans} NaN of ${this.count} values`)
    return (this.numberHead = head)
  }

  get nans(): number {
    return this.stats.nans
  }

  get first(): number {
    return this.stats.first
  }

  get last(): number {
    return this.stats.last
  }

  get min(): number {
    return this.stats.min
  }

  get max(): number {
    return this.stats.max
  }

  get sum(): number {
    return this.stats.sum
  }

  get exponent(): number {
    return this.stats.exponent
  }

  get sumUnits(): number | null {
    return this.stats.sumUnits
  }

  private get stats(): Stats {
    if (this.knownStats !== null) return this.knownStats
    const { number } = this
    if (number === null) return (this.knownStats = NO_STATS)
    const { nans, first, last, min, max, sum, sumUnits, scale } = number.stats
    this.knownStats = { nans, first, last, min, max, sum, exponent: scale?.exponent ?? 0, sumUnits }
    return this.knownStats
  }
}

/** Checks what the last of the columns follows from, and marks it. */
export function follow(columns: readonly ChunkColumn[], rows: number, at: number): void {
  const column = columns.at(-1)!
  for (const term of column.number?.terms ?? []) {
    const sibling = columns[term.column]
    if (sibling === undefined || sibling === column || sibling.count < rows) damaged(at, 'no such sibling')
    if (sibling.number === null || sibling.number.stats.scale === null)
      damaged(at, 'a sibling of no decimals')
    sibling.followed = true
    column.depth = Math.max(column.depth, sibling.depth + 1)
  }
  if (column.depth > 0 && column.count < rows) damaged(at, 'a sparse column that follows others')
  if (column.depth > DEPTH_MAX) damaged(at, 'too many siblings follow each other')
}

function readBooleanHead(from: ByteReader, count: number): Stats {
  const ends = from.u8()
  const ones = from.varint()
  const first = ends & 1
  const last = ends >> 1
  const least = first + last === 2 && count === 1 ? 1 : first + last
  if (ends > 3 || ones > count || ones < least) damaged(from.at, `${ones} ones of ${count} values`)
  const min = ones === count ? 1 : 0
  const max = ones > 0 ? 1 : 0
  return { nans: 0, first, last, min, max, sum: ones, exponent: 0, sumUnits: ones }
}

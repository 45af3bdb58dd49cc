// What an export writes and an import reads: rows, whatever the form of the file. A row is the samples of one
// group at one time, as one message brought it, so that what shared a time shares it again after an import.
//
// Numbers as text, in every form that is text: the shortest decimal that reads back as the same double, `-0`,
// `+Inf`, `-Inf`, `NaN`; a NaN of other bits than the usual ones as `NaN:` and its 16 hexadecimal digits
// (Prometheus marks the end of a series so).
// Invariant: numberText() and numberOf() are inverse, bit for bit.
// Not here: the forms (ndjson.ts, csv.ts, line.ts, parquet-write.ts), reading rows from the store (query/export.ts).
import type { Labels } from '../series/label.ts'
import type { Value } from '../series/sample.ts'

export interface TransferRow {
  readonly timeUs: number
  /** Of the group; '' where series are named by field alone. */
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
  /** As many as fields. */
  readonly values: readonly Value[]
}

/** Something that is no row, told by its line (or row of a Parquet file), from 1. */
export interface Refusal {
  readonly line: number
  readonly reason: string
}

/** Where a reader puts what it finds; what it throws, the reader lets through. */
export interface RowSink {
  row(row: TransferRow, line: number): void
  refuse(refusal: Refusal): void
}

/** One sample of a row, as forms have them that hold a line a sample. */
export interface TransferSample {
  readonly timeUs: number
  readonly name: string
  /** Made by makeLabels(). */
  readonly labels: Labels
  readonly field: string
  readonly value: Value
}

/** Puts samples that follow each other and share group and time together as rows. */
export class SampleGather {
  private readonly sink: RowSink
  private key = ''
  private row: { timeUs: number; name: string; labels: Labels; fields: string[]; values: Value[] } | null =
    null
  private line = 0

  constructor(sink: RowSink) {
    this.sink = sink
  }

  add({ timeUs, name, labels, field, value }: TransferSample, line: number): void {
    const key = JSON.stringify([timeUs, name, labels])
    if (this.row === null || key !== this.key || this.row.fields.includes(field)) {
      this.give()
      this.row = { timeUs, name, labels, fields: [], values: [] }
      this.key = key
      this.line = line
    }
    this.row.fields.push(field)
    this.row.values.push(value)
  }

  /** The samples ended: the row that they were gathered in is whole. */
  give(): void {
    if (this.row !== null) this.sink.row(this.row, this.line)
    this.row = null
  }
}

/** Reads a file of rows piece by piece. */
export interface RowReader {
  push(piece: Uint8Array): void
  /** The file ended: reads what has no line end. */
  end(): void
}

const scratch = new Float64Array(1)
const bits = new BigUint64Array(scratch.buffer)
const QUIET_NAN = 0x7ff8000000000000n
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

export function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  if (!Number.isNaN(value)) return value > 0 ? '+Inf' : '-Inf'
  scratch[0] = value
  return bits[0] === QUIET_NAN ? 'NaN' : `NaN:${bits[0]!.toString(16)}`
}

/** The number of a text; null when it is none. */
export function numberOf(text: string): number | null {
  if (NUMBER.test(text)) return Number(text)
  switch (text) {
    case 'NaN':
      bits[0] = QUIET_NAN
      return scratch[0]!
    case 'Inf':
    case '+Inf':
      return Number.POSITIVE_INFINITY
    case '-Inf':
      return Number.NEGATIVE_INFINITY
  }
  const nan = /^NaN:([0-9a-f]{16})$/.exec(text)
  if (nan === null) return null
  bits[0] = BigInt(`0x${nan[1]}`)
  return Number.isNaN(scratch[0]) ? scratch[0]! : null
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export function base64Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The bytes of a text in base64 (RFC 4648, padded); null when it is none. */
export function base64Bytes(text: string): Uint8Array | null {
  return BASE64.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : null
}

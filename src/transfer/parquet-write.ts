// Rows as Parquet: a row of the file a sample, the samples of a row one after the other; owner of
// hyparquet-writer.
//
//   time    INT64, timestamp in us, UTC           name, field   strings ('' where a group has no name)
//   number  DOUBLE | boolean | string | bytes     the value, in the column of its kind; the others are null
//   label.NAME*   strings, null where a group lacks the label
//
// Why a column a kind: a series may change its kind, and a reader such as DuckDB then has numbers as numbers.
// Why a row a sample and not a column a field: groups have different fields, and the columns of a file stand
// in front.
//
// Invariants: bytes that take() gave are never written again; state() after take() is all that is needed to go on in
// another process. NaN, ±Inf and -0 are doubles like others here; whether other readers keep the bits of a NaN is theirs.
// Not here: reading (parquet-read.ts), files.
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { TransferRow } from './row.ts'

/** Samples of a row group, and bytes of values that are held for one, at most about. */
const GROUP_SAMPLES = 100_000
const GROUP_BYTES = 32 * 1024 ** 2

/** By column. The library's dictionary takes -0 for 0, and one NaN for another: numbers stand as they are. */
const ENCODINGS: readonly ('DELTA_BINARY_PACKED' | 'PLAIN' | undefined)[] = [
  'DELTA_BINARY_PACKED',
  undefined,
  undefined,
  'PLAIN'
]

type Schema = ConstructorParameters<typeof ParquetWriter>[0]['schema']

/** A column under construction. */
interface Column {
  readonly name: string
  data: unknown[]
}

function schemaOf(labelNames: readonly string[]): Schema {
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const
  return [
    { name: 'varve', num_children: 7 + labelNames.length },
    {
      name: 'time',
      type: 'INT64',
      repetition_type: 'REQUIRED',
      converted_type: 'TIMESTAMP_MICROS',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' }
    },
    { name: 'name', repetition_type: 'REQUIRED', ...text },
    { name: 'field', repetition_type: 'REQUIRED', ...text },
    { name: 'number', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
    { name: 'boolean', type: 'BOOLEAN', repetition_type: 'OPTIONAL' },
    { name: 'string', repetition_type: 'OPTIONAL', ...text },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    ...labelNames.map(name => ({ name: `label.${name}`, repetition_type: 'OPTIONAL', ...text }) as const)
  ]
}

export class ParquetRows {
  private readonly out = new ByteWriter()
  private readonly parquet: ParquetWriter
  private readonly columns: Column[]
  private readonly labelAt: ReadonlyMap<string, number>
  private samples = 0
  private held = 0

  /** @param state  of an earlier one, to go on behind what it gave */
  constructor(labelNames: readonly string[], state?: string) {
    const schema = schemaOf(labelNames)
    this.parquet = new ParquetWriter({
      writer: this.out,
      schema,
      statistics: false,
      createdBy: 'varve',
      kvMetadata: [{ key: 'varve.transfer', value: '1' }]
    })
    this.columns = schema.slice(1).map(({ name }) => ({ name, data: [] }))
    this.labelAt = new Map(labelNames.map((name, i) => [name, 7 + i]))
    if (state === undefined) return
    const { offset, rows, groups } = JSON.parse(state, revived) as {
      offset: number
      rows: bigint
      groups: never[]
    }
    Object.assign(this.out, { offset, index: 0 })
    this.parquet.num_rows = rows
    this.parquet.row_groups = groups
  }

  /** Adds a row; its labels are among those given. */
  add({ timeUs, name, labels, fields, values }: TransferRow): void {
    for (let i = 0; i < fields.length; i++) {
      const value = values[i]!
      const cells: unknown[] = new Array(this.columns.length).fill(null)
      cells[0] = BigInt(timeUs)
      cells[1] = name
      cells[2] = fields[i]!
      cells[
        typeof value === 'number' ? 3 : typeof value === 'boolean' ? 4 : typeof value === 'string' ? 5 : 6
      ] = value
      for (const [label, text] of labels) cells[this.labelAt.get(label)!] = text
      for (let c = 0; c < cells.length; c++) this.columns[c]!.data.push(cells[c])
      this.samples++
      this.held += 100 + (typeof value === 'string' || value instanceof Uint8Array ? value.length : 0)
    }
    if (this.samples >= GROUP_SAMPLES || this.held >= GROUP_BYTES) this.close()
  }

  /** Closes the row group that is open, so that everything added is in what take() gives. */
  close(): void {
    if (this.samples === 0) return
    const columnData = this.columns.map(({ name, data }, i) => ({
      name,
      data: data as never,
      offsetIndex: false,
      // Readers pass over row groups by time and by name.
      statistics: i <= 1,
      ...(ENCODINGS[i] === undefined ? {} : { encoding: ENCODINGS[i] })
    }))
    this.parquet.write({ columnData, rowGroupSize: this.samples })
    this.parquet.pendingIndexes = []
    for (const column of this.columns) column.data = []
    this.samples = 0
    this.held = 0
  }

  /** Closes the file: take() gives its end. */
  finish(): void {
    this.close()
    this.parquet.finish()
  }

  /** How many bytes take() would give. */
  get bytes(): number {
    return this.out.index
  }

  /** The bytes since the last call. */
  take(): Uint8Array {
    const bytes = this.out.getBytes().slice()
    this.out.index = 0
    return bytes
  }

  /** What a later one needs to go on, after close() and take(). */
  state(): string {
    const { offset } = this.out
    return JSON.stringify({ offset, rows: this.parquet.num_rows, groups: this.parquet.row_groups }, replaced)
  }
}

/** Integers of 64 bits and bytes, which JSON has not. */
function replaced(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: String(value) }
  return value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value
}

function revived(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('$int' in value) return BigInt(value.$int as string)
  return '$bytes' in value ? new Uint8Array(Buffer.from(value.$bytes as string, 'base64')) : value
}

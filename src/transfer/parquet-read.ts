// Reads rows from Parquet: files of parquet-write.ts, and others of such a form; owner of hyparquet.
//
// A file has a column `time` (a timestamp, or an integer of microseconds), and a value: in `value`, or in the one of
// `number`, `boolean`, `string` and `bytes` that is not null. `name` and `field` may be missing ('' and `value`); any
// other column of text is a label, by its name without `label.`.
// Invariant: memory holds one row group.
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { reason, VarveError } from '../base/errors.ts'
import { makeLabels } from '../series/label.ts'
import type { Value } from '../series/sample.ts'
import { isTime } from './ndjson.ts'
import { checkPages } from './parquet-pages.ts'
import { type RowSink, SampleGather, type TransferSample } from './row.ts'

/** A file that is read in pieces. */
export type ParquetSource = AsyncBuffer

const VALUES = ['value', 'number', 'boolean', 'string', 'bytes']
const NOT_LABELS = ['time', 'time_us', 'name', 'field', 'kind', ...VALUES]

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Text with every character, timestamps as whole microseconds. */
const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && utf8.decode(bytes),
  timestampFromMilliseconds: (ms: bigint) => Number(ms) * 1000,
  timestampFromMicroseconds: (us: bigint) => Number(us),
  timestampFromNanoseconds: (ns: bigint) => Number(ns / 1000n)
}

interface Columns {
  readonly time: number
  readonly name: number
  readonly field: number
  readonly values: readonly number[]
  readonly labels: readonly (readonly [column: number, name: string])[]
}

/**
 * Gives the rows of a file to the sink; waits for it between row groups.
 * @throws {VarveError} VARVE_TRANSFER_FILE when it is no such file
 */
export async function readParquet(
  file: ParquetSource,
  sink: RowSink,
  turn: () => Promise<void>
): Promise<void> {
  let metadata: FileMetaData
  try {
    metadata = await parquetMetadataAsync(file, { parsers, geoparquet: false })
  } catch (cause) {
    throw new VarveError('VARVE_TRANSFER_FILE', `Cannot read Parquet: ${reason(cause)}`, { cause })
  }
  const columns = columnsOf(metadata)
  const gather = new SampleGather(sink)
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    let rows: unknown[][] = []
    try {
      await checkPages(file, group.columns)
      const onComplete = (found: unknown[][]) => {
        rows = found
      }
      await parquetRead({
        file,
        metadata,
        rowStart,
        rowEnd,
        parsers,
        utf8: false,
        geoparquet: false,
        onComplete
      })
    } catch (cause) {
      throw new VarveError('VARVE_TRANSFER_FILE', `Cannot read Parquet: ${reason(cause)}`, { cause })
    }
    for (let i = 0; i < rows.length; i++) {
      const line = rowStart + i + 1
      let sample: TransferSample
      try {
        sample = sampleOf(rows[i]!, columns)
      } catch (error) {
        sink.refuse({ line, reason: reason(error) })
        continue
      }
      gather.add(sample, line)
    }
    rowStart = rowEnd
    await turn()
  }
  gather.give()
}

function refuse(why: string): VarveError {
  return new VarveError('VARVE_TRANSFER_FILE', `Cannot read Parquet: ${why}`)
}

/** @throws {VarveError} VARVE_TRANSFER_FILE for no columns of samples, or row groups that do not have them */
function columnsOf({ schema, row_groups: groups }: FileMetaData): Columns {
  const [root, ...elements] = schema
  if (root?.num_children !== elements.length) throw refuse('it has columns within columns')
  const names = elements.map(({ name }) => name)
  if (names.some(name => typeof name !== 'string')) throw refuse('a column has no name')
  for (const [i, { columns, num_rows: rows }] of groups.entries()) {
    // What the library does not find by its name it reads nonetheless, and nobody would hear of a failure.
    const isWhole = names.every((name, at) => {
      const facts = columns[at]?.meta_data
      return (
        facts?.path_in_schema.length === 1 && facts.path_in_schema[0] === name && facts.num_values === rows
      )
    })
    if (!isWhole || columns.length !== names.length) throw refuse(`row group ${i + 1} is not of its columns`)
  }
  const time = names.findIndex(name => name === 'time' || name === 'time_us')
  const values = names.flatMap((name, i) => (VALUES.includes(name) ? [i] : []))
  if (time < 0) throw refuse('it has no column time')
  if (values.length === 0) throw refuse(`it has none of the columns ${VALUES.join(', ')}`)
  const labels = names.flatMap((name, i): [number, string][] =>
    NOT_LABELS.includes(name) ? [] : [[i, name.startsWith('label.') ? name.slice(6) : name]]
  )
  return { time, name: names.indexOf('name'), field: names.indexOf('field'), values, labels }
}

function sampleOf(cells: readonly unknown[], columns: Columns): TransferSample {
  const timeUs = Number(cells[columns.time])
  if (!isTime(timeUs)) throw new Error('its time is none of a sample')
  const field = textOf(columns.field < 0 ? 'value' : cells[columns.field], 'field')
  if (field === '') throw new Error('its field has no name')
  const pairs = columns.labels.map(([i, label]) => [label, textOf(cells[i] ?? '', label)] as const)
  return {
    timeUs,
    name: textOf(columns.name < 0 ? '' : cells[columns.name], 'name'),
    labels: makeLabels(pairs),
    field,
    value: readValue(columns.values.map(i => cells[i]))
  }
}

function textOf(cell: unknown, column: string): string {
  if (typeof cell !== 'string') throw new Error(`column ${column} is not text`)
  return cell
}

function readValue(cells: readonly unknown[]): Value {
  const given = cells.filter(cell => cell !== null && cell !== undefined)
  if (given.length !== 1) throw new Error(`it has ${given.length} values`)
  const value = given[0]
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value
  if (value instanceof Uint8Array) return value
  throw new Error('its value is of no kind that is known')
}

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

function columnsOf({ schema }: FileMetaData): Columns {
  const [root, ...elements] = schema
  const refuse = (why: string) => new VarveError('VARVE_TRANSFER_FILE', `Cannot read Parquet: ${why}`)
  if (root?.num_children !== elements.length) throw refuse('it has columns within columns')
  const names = elements.map(({ name }) => name)
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

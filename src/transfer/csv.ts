// Rows as CSV of RFC 4180: a line a sample, the samples of a row one after the other, so that they find
// together again; a column for each label, so that a spreadsheet can filter by it.
//
//   head := time_us,name,field,kind,value,label.NAME*
//   line := the time, name of the group, field, `number` `boolean` `string` or `bytes`, value, labels
// Numbers as in row.ts, booleans `true` and `false`, bytes in base64. A label that a group does not have is
// empty (a label's value never is). Lines end in CRLF.
//
// What else is read: any order of columns; `time_ms`, `time_s` or `time` (RFC 3339) in place of `time_us`; no
// `kind` (true and false are booleans, what reads as a number is one, all else is a string), no `field` (then it is
// `value`); a column of another name is a label. So what /v1/range answers as CSV can be read.
// Invariant: what CsvWriter writes CsvReader reads as the same rows, bit for bit.
import { reason } from '../base/errors.ts'
import { makeLabels } from '../series/label.ts'
import type { Value } from '../series/sample.ts'
import { CsvCells } from './csv-cells.ts'
import { isTime } from './ndjson.ts'
import {
  base64Bytes,
  base64Text,
  numberOf,
  numberText,
  type RowReader,
  type RowSink,
  SampleGather,
  type TransferRow,
  type TransferSample
} from './row.ts'

const LABEL = 'label.'
const FIXED = ['time_us', 'name', 'field', 'kind', 'value'] as const
const TIMES: Readonly<Record<string, number>> = { time_us: 1, time_ms: 1000, time_s: 1_000_000, time: 0 }

export function csvHead(labelNames: readonly string[]): string {
  return `${[...FIXED, ...labelNames.map(name => LABEL + name)].map(quoted).join()}\r\n`
}

/** The lines of a row. @param columns  the place of each label among labelNames */
export function csvLines(row: TransferRow, columns: ReadonlyMap<string, number>): string {
  const labels = new Array<string>(columns.size).fill('')
  for (const [name, value] of row.labels) labels[columns.get(name)!] = quoted(value)
  const tail = labels.map(label => `,${label}`).join('')
  const name = quoted(row.name)
  let text = ''
  for (let i = 0; i < row.fields.length; i++) {
    const value = row.values[i]!
    text += `${row.timeUs},${name},${quoted(row.fields[i]!)},${kindOf(value)},${cellOf(value)}${tail}\r\n`
  }
  return text
}

export function kindOf(value: Value): 'number' | 'boolean' | 'string' | 'bytes' {
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value as 'number' | 'boolean' | 'string'
}

function cellOf(value: Value): string {
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return quoted(value)
  return typeof value === 'boolean' ? String(value) : base64Text(value)
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Which column is what. */
interface Columns {
  readonly width: number
  readonly time: number
  readonly unitUs: number
  readonly name: number
  readonly field: number
  readonly kind: number
  readonly value: number
  readonly labels: readonly (readonly [column: number, name: string])[]
}

export class CsvReader implements RowReader {
  private readonly cells: CsvCells
  private readonly sink: RowSink
  private readonly gather: SampleGather
  private columns: Columns | null = null
  private isUseless = false

  constructor(sink: RowSink) {
    this.sink = sink
    this.gather = new SampleGather(sink)
    this.cells = new CsvCells(
      (cells, line) => this.line(cells, line),
      (line, why) => sink.refuse({ line, reason: why })
    )
  }

  push(piece: Uint8Array): void {
    this.cells.push(piece)
  }

  end(): void {
    this.cells.end()
    this.gather.give()
  }

  private line(cells: readonly string[], line: number): void {
    if (this.isUseless) return
    let sample: TransferSample
    try {
      if (this.columns === null) {
        this.columns = columnsOf(cells)
        return
      }
      sample = sampleOf(cells, this.columns)
    } catch (error) {
      // Without a head nothing of the file can be read.
      this.isUseless = this.columns === null
      this.sink.refuse({ line, reason: reason(error) })
      return
    }
    this.gather.add(sample, line)
  }
}

function sampleOf(cells: readonly string[], columns: Columns): TransferSample {
  if (cells.length !== columns.width) {
    throw new Error(`it has ${cells.length} cells, the head ${columns.width}`)
  }
  const at = (column: number, otherwise: string) => (column < 0 ? otherwise : cells[column]!)
  const text = cells[columns.value]!
  const field = at(columns.field, 'value')
  if (field === '') throw new Error('its field has no name')
  return {
    timeUs: timeOf(cells[columns.time]!, columns.unitUs),
    name: at(columns.name, ''),
    labels: makeLabels(columns.labels.map(([column, name]) => [name, cells[column]!] as const)),
    field,
    value: columns.kind < 0 ? guessed(text) : readValue(text, cells[columns.kind]!)
  }
}

function columnsOf(head: readonly string[]): Columns {
  const names = head.map((name, i) => (i === 0 ? name.replace(/^\ufeff/, '') : name))
  if (new Set(names).size < names.length) throw new Error('the head has a column twice')
  const time = names.findIndex(name => Object.hasOwn(TIMES, name))
  const value = names.indexOf('value')
  if (time < 0) throw new Error('the head has no column time_us, time_ms, time_s or time')
  if (value < 0) throw new Error('the head has no column value')
  const labels: [number, string][] = []
  names.forEach((name, i) => {
    if (i === time || (FIXED as readonly string[]).includes(name)) return
    labels.push([i, name.startsWith(LABEL) ? name.slice(LABEL.length) : name])
  })
  return {
    width: names.length,
    time,
    unitUs: TIMES[names[time]!]!,
    name: names.indexOf('name'),
    field: names.indexOf('field'),
    kind: names.indexOf('kind'),
    value,
    labels
  }
}

function timeOf(text: string, unitUs: number): number {
  const timeUs =
    unitUs === 0 ? isoUs(text) : Math.round(Number(/^\d+(\.\d+)?$/.test(text) ? text : Number.NaN) * unitUs)
  if (!isTime(timeUs)) throw new Error(`${JSON.stringify(text.slice(0, 40))} is no time of a sample`)
  return timeUs
}

/** RFC 3339, to the microsecond. */
function isoUs(text: string): number {
  const parts = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(text)
  if (parts === null) return Number.NaN
  const fraction = Number((parts[2] ?? '').padEnd(6, '0').slice(0, 6))
  return Date.parse(`${parts[1]!.replace(/[t ]/, 'T')}${parts[3]!.toUpperCase()}`) * 1000 + fraction
}

function readValue(text: string, kind: string): Value {
  const value =
    kind === 'number'
      ? numberOf(text)
      : kind === 'boolean'
        ? text === 'true' || (text === 'false' ? false : null)
        : kind === 'bytes'
          ? base64Bytes(text)
          : kind === 'string'
            ? text
            : null
  if (value === null)
    throw new Error(`${JSON.stringify(text.slice(0, 40))} is no value of kind ${kind.slice(0, 20)}`)
  return value
}

function guessed(text: string): Value {
  return text === 'true' || (text === 'false' ? false : (numberOf(text) ?? text))
}

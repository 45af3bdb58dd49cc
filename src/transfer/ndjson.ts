// Rows as NDJSON: the form in which they travel between daemon and command, and one of the four of a file.
//
//   line   := {"time_us":T,"name":"N","labels":{L},"fields":{"F":value, ...}}
//   value  := JSON number, string, true or false | {"number":"NaN"} (row.ts) | {"base64":"..."} for bytes
// Example: {"time_us":1700000000000000,"name":"","labels":{"topic":"a/t"},"fields":{"t":21.4,"up":true}}
// `name` and `labels` may be left out. Nothing is lost: `-0` is a JSON number, bits of a NaN are kept.
// Not here: the names of series (series/catalog.ts makes them of name and field).
import { reason } from '../base/errors.ts'
import { type Labels, makeLabels } from '../series/label.ts'
import { TIME_MAX_US, TIME_MIN_US, type Value } from '../series/sample.ts'
import {
  base64Bytes,
  base64Text,
  numberOf,
  numberText,
  type RowReader,
  type RowSink,
  type TransferRow
} from './row.ts'
import { TextLines } from './text-lines.ts'

/** What all rows of a group share, from after the time to before the fields. */
export function groupText(name: string, labels: Labels): string {
  const members = labels.map(([label, value]) => `${JSON.stringify(label)}:${JSON.stringify(value)}`)
  return `,"name":${JSON.stringify(name)},"labels":{${members.join()}},"fields":{`
}

export function valueText(value: Value): string {
  if (typeof value === 'number') {
    const text = numberText(value)
    return Number.isFinite(value) ? text : `{"number":"${text}"}`
  }
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  return `{"base64":"${base64Text(value)}"}`
}

/** The line of a row, with its end. */
export function rowLine({ timeUs, name, labels, fields, values }: TransferRow): string {
  const members = fields.map((field, i) => `${JSON.stringify(field)}:${valueText(values[i]!)}`)
  return `{"time_us":${timeUs}${groupText(name, labels)}${members.join()}}}\n`
}

/** The row of a parsed line. @throws {Error} that says what is wrong */
export function rowOf(found: unknown): TransferRow {
  if (!isObject(found)) throw new Error('it is not a JSON object')
  const { time_us: timeUs, name = '', labels = {}, fields } = found
  for (const member of Object.keys(found)) {
    if (!['time_us', 'name', 'labels', 'fields'].includes(member)) {
      throw new Error(`it has ${JSON.stringify(member.slice(0, 40))}, which is not known`)
    }
  }
  if (typeof timeUs !== 'number' || !isTime(timeUs)) throw new Error('time_us is no time of a sample')
  if (typeof name !== 'string') throw new Error('name is not a text')
  if (!isObject(labels)) throw new Error('labels is not an object')
  const pairs = Object.entries(labels).map(([label, value]): [string, string] => {
    if (typeof value !== 'string') throw new Error(`label ${label} is not a text`)
    return [label, value]
  })
  if (!isObject(fields)) throw new Error('fields is not an object')
  const names = Object.keys(fields)
  if (names.length === 0) throw new Error('it has no fields')
  return {
    timeUs,
    name,
    labels: makeLabels(pairs),
    fields: names,
    values: names.map(field => readValue(fields[field], field))
  }
}

export function isTime(timeUs: number): boolean {
  return Number.isInteger(timeUs) && timeUs >= TIME_MIN_US && timeUs <= TIME_MAX_US
}

function readValue(found: unknown, field: string): Value {
  if (typeof found === 'number' || typeof found === 'string' || typeof found === 'boolean') return found
  if (isObject(found)) {
    const { number, base64 } = found
    const value =
      typeof number === 'string' ? numberOf(number) : typeof base64 === 'string' ? base64Bytes(base64) : null
    if (value !== null) return value
  }
  throw new Error(`field ${field.slice(0, 60)} is no value`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export class NdjsonReader implements RowReader {
  private readonly lines: TextLines

  constructor(sink: RowSink) {
    this.lines = new TextLines((text, line) => {
      if (text === null) return sink.refuse({ line, reason: 'it is too long or not UTF-8' })
      if (text.trim() === '') return
      let row: TransferRow
      try {
        row = rowOf(JSON.parse(text))
      } catch (error) {
        return sink.refuse({ line, reason: reason(error) })
      }
      sink.row(row, line)
    })
  }

  push(piece: Uint8Array): void {
    this.lines.push(piece)
  }

  end(): void {
    this.lines.end()
  }
}

// Rows as InfluxDB line protocol, a line a row, times in nanoseconds, so that InfluxDB, Telegraf and
// VictoriaMetrics read them. What line protocol cannot say is written as text that begins with a mark, which
// readLine() undoes and any other reader takes for text:
//
//   name      := text | varve:unnamed (the group has no name) | varve:base64:TEXT
//   tag, key  := text | varve:base64:TEXT         for a backslash, line end or tab in it, and for the mark itself
//   string    := "text" | "varve:string:TEXT"     the latter for a text that begins with the mark
//   bytes     := "varve:bytes:BASE64"             NaN, ±Inf := "varve:number:+Inf" (row.ts)
// Example: varve:unnamed,topic=a/t t=21.4,up=true 1700000000000000000
//
// Invariant: what lineOf() writes LineReader reads as the same row, bit for bit; what it cannot, it refuses.
// Not here: the grammar (ingest/line-parse.ts).
import { VarveError } from '../base/errors.ts'
import type { Appender } from '../ingest/appender.ts'
import { INGEST_LIMITS } from '../ingest/limits.ts'
import { LineProtocol, type LineWriter } from '../ingest/line-protocol.ts'
import { LABEL_LIMITS, type Labels, makeLabels } from '../series/label.ts'
import { KIND, type Kind, TIME_MAX_US, textValue, type Value } from '../series/sample.ts'
import { base64Bytes, base64Text, numberOf, numberText, type RowReader, type RowSink } from './row.ts'
import { LINE_BYTES_MAX } from './text-lines.ts'

const MARK = 'varve:'
const UNNAMED = `${MARK}unnamed`
const FIELDS_MAX = 65_536

/** The line of a row, with its end. @throws {VarveError} VARVE_TRANSFER_LABEL for a label too long to be escaped */
export function lineOf(
  timeUs: number,
  name: string,
  labels: Labels,
  fields: readonly string[],
  values: readonly Value[]
): string {
  let text = name === '' ? UNNAMED : escaped(name)
  for (const [label, value] of labels) {
    const [key, own] = [escaped(label), escaped(value)]
    const isLong =
      Buffer.byteLength(key) > LABEL_LIMITS.nameBytesMax ||
      Buffer.byteLength(own) > LABEL_LIMITS.valueBytesMax
    if (isLong) {
      throw new VarveError(
        'VARVE_TRANSFER_LABEL',
        `Cannot write label ${label.slice(0, 60)} as line protocol: it is too long to be escaped; use another format`
      )
    }
    text += `,${key}=${own}`
  }
  for (let i = 0; i < fields.length; i++) {
    text += `${i === 0 ? ' ' : ','}${escaped(fields[i]!)}=${valueText(values[i]!)}`
  }
  return timeUs === 0 ? `${text} 0\n` : `${text} ${timeUs}000\n`
}

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a line cannot hold is what is looked for
  if (text.startsWith(MARK) || /[\\\u0000-\u001f"#]/.test(text))
    return `${MARK}base64:${base64Text(Buffer.from(text))}`.replaceAll('=', '\\=')
  return text.replace(/[,= ]/g, '\\$&')
}

function valueText(value: Value): string {
  if (typeof value === 'number') {
    const text = numberText(value)
    return Number.isFinite(value) ? text : `"${MARK}number:${text}"`
  }
  if (typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return `"${MARK}bytes:${base64Text(value)}"`
  const own = value.startsWith(MARK) ? `${MARK}string:${value}` : value
  return `"${own.replace(/["\\]/g, '\\$&')}"`
}

/** The text that escaped() wrote. @throws {Error} for a mark that is not known */
function unescaped(text: string): string {
  if (!text.startsWith(MARK)) return text
  if (text === UNNAMED) return ''
  const bytes = text.startsWith(`${MARK}base64:`) ? base64Bytes(text.slice(MARK.length + 7)) : null
  if (bytes === null) throw new Error(`${JSON.stringify(text.slice(0, 40))} is a mark that is not known`)
  return Buffer.from(bytes).toString()
}

function readValue(value: Value): Value {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value
  const [kind, ...rest] = value.slice(MARK.length).split(':')
  const text = rest.join(':')
  const found =
    kind === 'string'
      ? text
      : kind === 'number'
        ? numberOf(text)
        : kind === 'bytes'
          ? base64Bytes(text)
          : null
  if (found === null) throw new Error(`${JSON.stringify(value.slice(0, 40))} is a mark that is not known`)
  return found
}

/** Reads line protocol, ours or anybody's; a line without a time is refused. */
export class LineReader implements RowReader {
  private readonly collector: Collector
  private readonly writer: LineWriter
  private readonly sink: RowSink

  /** @param precision  unit of the times, a key of LINE_PRECISIONS */
  constructor(sink: RowSink, precision: string) {
    this.sink = sink
    this.collector = new Collector(sink, () => this.writer.lineNumber)
    const limits = { ...INGEST_LIMITS, fieldsMax: FIELDS_MAX, nameBytesMax: LINE_BYTES_MAX }
    const protocol = new LineProtocol(
      this.collector,
      { lineBytesMax: LINE_BYTES_MAX, refusalsMax: Number.POSITIVE_INFINITY },
      limits
    )
    this.writer = protocol.writer({ precision, nowUs: 0, latestUs: TIME_MAX_US })
  }

  push(piece: Uint8Array): void {
    this.writer.push(piece)
    this.tell()
  }

  end(): void {
    this.writer.finish()
    this.tell()
  }

  private tell(): void {
    for (const { line, reason } of this.writer.result.refusals.splice(0)) this.sink.refuse({ line, reason })
  }
}

interface KnownShape {
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
  readonly kinds: readonly Kind[]
  /** What makes its rows useless; null: nothing. */
  readonly wrong: string | null
}

/** Where lines are appended: gathers them as rows again. */
class Collector implements Appender {
  readonly pendingGroup = 0
  readonly at = 0
  slots = new Float64Array(64)
  private readonly sink: RowSink
  private readonly line: () => number
  private readonly shapes: KnownShape[] = []
  private texts: (Value | null)[] = []
  private shapeNow = -1
  private timeUs = 0
  private isTimeless = false

  constructor(sink: RowSink, line: () => number) {
    this.sink = sink
    this.line = line
  }

  shape(name: string, labels: Labels, fields: readonly string[], kinds: readonly Kind[]): number {
    const own = { fields: [...fields], kinds: [...kinds] }
    try {
      const pairs = labels.map(([label, value]) => [unescaped(label), unescaped(value)] as const)
      const group = { name: unescaped(name), labels: makeLabels(pairs) }
      return this.shapes.push({ ...group, ...own, fields: own.fields.map(unescaped), wrong: null }) - 1
    } catch (error) {
      return this.shapes.push({ name, labels, ...own, wrong: (error as Error).message }) - 1
    }
  }

  begin(shape: number, timeUs: number, isArrival: boolean): void {
    this.shapeNow = shape
    this.timeUs = timeUs
    this.isTimeless = isArrival
    const { length } = this.shapes[shape]!.fields
    if (this.slots.length < length) this.slots = new Float64Array(length * 2)
    this.texts = new Array(length).fill(null)
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    this.texts[i] = textValue(source, start, end, KIND.string)
  }

  end(): void {
    const { name, labels, fields, kinds, wrong } = this.shapes[this.shapeNow]!
    const line = this.line()
    const why = this.isTimeless ? 'it has no time' : wrong
    if (why !== null) {
      this.sink.refuse({ line, reason: why })
      return
    }
    let values: Value[]
    try {
      values = fields.map((_, i) => {
        if (kinds[i] === KIND.number) return this.slots[i]!
        return kinds[i] === KIND.boolean ? this.slots[i] === 1 : readValue(this.texts[i]!)
      })
    } catch (error) {
      this.sink.refuse({ line, reason: (error as Error).message })
      return
    }
    this.sink.row({ timeUs: this.timeUs, name, labels, fields, values }, line)
  }
}

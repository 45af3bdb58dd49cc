// Answers in the JSON of InfluxDB 1.x, statement by statement, in pieces.
//
//   {"results":[{"statement_id":0,"series":[{"name":"m","tags":{"a":"b"},"columns":["time","mean"],"values":[["1970-01-01T00:00:00Z",1]]}]}]}
// A statement without an answer has an id alone, one that fails "error". Chunked, each series (or as many rows
// of it as a chunk has) is such an object on a line of its own; "partial" says that more follows.
//
// What an answer has to say of itself (query/notes.ts) stands in the last object of its statement, as InfluxDB puts it:
// "messages":[{"level":"warning","text":"samples are missing: ..."}].
//
// JSON has no NaN and no infinity: they are null. Bytes are base64.
import type { Cell } from '../answer.ts'
import { base64 } from '../encode-json.ts'
import type { InfluxqlRequest } from '../request.ts'
import { TextPiece } from '../text-piece.ts'
import type { OutputRow, OutputSeries } from './select.ts'
import { rfc3339 } from './zone.ts'

/** What one statement gives: its series, made as they are asked for, or why there are none. */
export interface StatementAnswer {
  readonly id: number
  readonly zone: string
  readonly series: Iterable<OutputSeries>
  /** What there is to say of them, asked when all of them were made. */
  messages(): readonly string[]
}

/** What an error of a statement says; null: it ends the whole answer. */
export type Failure = (error: unknown) => string | null

const EPOCH_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  u: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n
}

type Style = Pick<InfluxqlRequest, 'epoch' | 'isPretty' | 'chunkRows'>

/** The answers of all statements. @throws what a statement throws that is no failure of its own */
export function* encodeAnswers(
  answers: Iterable<StatementAnswer>,
  style: Style,
  failure: Failure
): Generator<Uint8Array> {
  if (style.chunkRows > 0) yield* encodeChunked(answers, style, failure)
  else if (style.isPretty) yield* encodePretty(answers, style, failure)
  else yield* encodeWhole(answers, style, failure)
}

function* encodeWhole(
  answers: Iterable<StatementAnswer>,
  style: Style,
  failure: Failure
): Generator<Uint8Array> {
  const out = new TextPiece()
  out.add('{"results":[')
  let comma = ''
  for (const { id, zone, series, messages } of answers) {
    out.add(`${comma}{"statement_id":${id}`)
    comma = ','
    let seriesComma = ',"series":['
    let isOpen = false
    try {
      for (const one of series) {
        const rows = one.rows[Symbol.iterator]()
        let next = rows.next()
        if (next.done) continue
        out.add(`${seriesComma}{${headText(one)},"values":[`)
        seriesComma = ','
        isOpen = true
        for (let rowComma = ''; !next.done; next = rows.next(), rowComma = ',') {
          out.add(rowComma + rowText(next.value, one, zone, style))
          if (out.isFull) yield out.take()
        }
        out.add(']}')
      }
      if (isOpen) out.add(']')
    } catch (error) {
      const why = failure(error)
      // Within a series there is no place for an error: the answer breaks off, and no client takes it for whole.
      if (why === null || isOpen) throw error
      out.add(`,"error":${JSON.stringify(why)}`)
    }
    out.add(`${messagesText(messages())}}`)
    if (out.isFull) yield out.take()
  }
  out.add(']}\n')
  yield out.take()
}

function* encodePretty(
  answers: Iterable<StatementAnswer>,
  style: Style,
  failure: Failure
): Generator<Uint8Array> {
  // Times of today in ns are more than a number holds: indented as text, not as a document read and written.
  const indenter = new Indenter()
  for (const piece of encodeWhole(answers, style, failure)) {
    yield Buffer.from(indenter.indent(Buffer.from(piece).toString()))
  }
}

/** JSON, piece by piece, with line breaks and four spaces a level outside of strings. */
class Indenter {
  private depth = 0
  private isString = false
  private isEscaped = false
  /** A bracket was opened and nothing stands in it yet. */
  private isOpened = false

  indent(json: string): string {
    let text = ''
    for (const char of json) text += this.isString ? this.inString(char) : this.outside(char)
    return text
  }

  private inString(char: string): string {
    if (this.isEscaped) this.isEscaped = false
    else if (char === '\\') this.isEscaped = true
    else if (char === '"') this.isString = false
    return char
  }

  private outside(char: string): string {
    const isClosing = char === '}' || char === ']'
    const wasOpened = this.isOpened
    this.isOpened = char === '{' || char === '['
    if (isClosing) this.depth--
    const before = isClosing !== wasOpened ? this.line() : ''
    if (this.isOpened) this.depth++
    if (char === '"') this.isString = true
    if (char === ',') return `,${this.line()}`
    return before + (char === ':' ? ': ' : char)
  }

  private line(): string {
    return `\n${'    '.repeat(this.depth)}`
  }
}

function* encodeChunked(
  answers: Iterable<StatementAnswer>,
  style: Style,
  failure: Failure
): Generator<Uint8Array> {
  const out = new TextPiece()
  const line = (id: number, body: string) => out.add(`{"results":[{"statement_id":${id}${body}}]}\n`)
  for (const { id, zone, series, messages } of answers) {
    /** The chunk before, whose end depends on whether another follows. */
    let waiting: string | null = null
    try {
      for (const one of series) {
        const rows = one.rows[Symbol.iterator]()
        for (let next = rows.next(); !next.done; ) {
          const texts: string[] = []
          for (; !next.done && texts.length < style.chunkRows; next = rows.next()) {
            texts.push(rowText(next.value, one, zone, style))
          }
          const partial = next.done ? '' : ',"partial":true'
          if (waiting !== null) line(id, `,"series":[${waiting}],"partial":true`)
          waiting = `{${headText(one)},"values":[${texts.join()}]${partial}}`
          if (out.isFull) yield out.take()
        }
      }
    } catch (error) {
      const why = failure(error)
      if (why === null) throw error
      if (waiting !== null) line(id, `,"series":[${waiting}],"partial":true`)
      line(id, `,"error":${JSON.stringify(why)}`)
      continue
    }
    line(id, (waiting === null ? '' : `,"series":[${waiting}]`) + messagesText(messages()))
  }
  yield out.take()
}

function messagesText(messages: readonly string[]): string {
  if (messages.length === 0) return ''
  return `,"messages":${JSON.stringify(messages.map(text => ({ level: 'warning', text })))}`
}

function headText({ name, tags, columns }: OutputSeries): string {
  const nameText = name === '' ? '' : `"name":${JSON.stringify(name)},`
  const tagText = tags === null ? '' : `"tags":${JSON.stringify(tags)},`
  return `${nameText}${tagText}"columns":${JSON.stringify(columns)}`
}

function rowText(
  { timeUs, cells }: OutputRow,
  { timeNs }: OutputSeries,
  zone: string,
  { epoch }: Style
): string {
  let text = '['
  if (timeUs !== null) text += timeText(timeNs ?? BigInt(timeUs) * 1000n, zone, epoch)
  for (let i = 0; i < cells.length; i++) text += (text === '[' ? '' : ',') + cellText(cells[i]!)
  return `${text}]`
}

function timeText(timeNs: bigint, zone: string, epoch: string | null): string {
  if (epoch === null) return `"${rfc3339(timeNs, zone)}"`
  return String(timeNs / EPOCH_NS[epoch]!)
}

function cellText(cell: Cell): string {
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : 'null'
  if (cell === null) return 'null'
  if (typeof cell === 'object') return `"${base64(cell)}"`
  return JSON.stringify(cell)
}

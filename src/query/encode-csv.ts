// Answers as CSV of RFC 4180: CRLF at line ends, one header line, quotes where needed. A column each for the
// time, the name, every label of any series, and the values. An absent value is empty, an empty string or
// no bytes are "". Numbers as in JSON, and NaN, +Inf, -Inf; booleans true and false; bytes in base64.
//
// A label whose name is a column already (value, say) becomes label_value; a field of a message likewise
// field_topic, so that every column is one thing. A kept payload is the column of its field, as text where it is
// UTF-8.
import { type Answer, type Cell, RAW_FIELD, shownPayload } from './answer.ts'
import { base64 } from './encode-json.ts'
import type { TimeStyle } from './request.ts'
import { TextPiece } from './text-piece.ts'
import { isoTime, timeName, timeNumber } from './time-text.ts'

export function* encodeCsv(answer: Answer, style: TimeStyle): Iterable<Uint8Array> {
  const out = new TextPiece()
  const time = timeName(style)
  if (answer.is === 'messages') {
    yield* encodeMessages(answer, style)
    return
  }
  const columns = answer.is === 'series' ? [] : answer.columns
  const before = answer.is === 'series' ? ['name'] : [time, 'name']
  const labelNames = answer.labelNames()
  const labels = apart(labelNames, 'label_', [...before, ...columns])
  out.add(line([...before, ...labels, ...columns]))
  for (const part of answer.parts) {
    const values = new Map(part.labels)
    const own = [part.name, ...labelNames.map(name => values.get(name) ?? null)].map(csvCell).join()
    if (answer.is === 'series') out.add(`${own}\r\n`)
    for (const row of part.rows) {
      let text = `${csvTime(row.timeUs, style)},${own}`
      for (const cell of row.cells) text += `,${csvCell(cell)}`
      out.add(`${text}\r\n`)
      if (out.isFull) yield out.take()
    }
    if (out.isFull) yield out.take()
  }
  yield out.take()
}

function* encodeMessages(
  answer: Extract<Answer, { is: 'messages' }>,
  style: TimeStyle
): Iterable<Uint8Array> {
  const out = new TextPiece()
  const before = [timeName(style), 'topic']
  out.add(line([...before, ...apart(answer.names, 'field_', before)]))
  const columnOf = new Map(answer.names.map((name, i) => [name, i]))
  for (const message of answer.messages) {
    const cells = new Array<Cell>(answer.names.length).fill(null)
    for (let i = 0; i < message.names.length; i++) cells[columnOf.get(message.names[i]!)!] = message.cells[i]!
    if (message.raw !== null) cells[columnOf.get(RAW_FIELD)!] = shownPayload(message.raw)
    out.add(`${csvTime(message.timeUs, style)},${line([message.topic, ...cells])}`)
    if (out.isFull) yield out.take()
  }
  yield out.take()
}

/** Names that differ from `taken` and from each other: a prefix is put where they do not. */
function apart(names: readonly string[], prefix: string, taken: readonly string[]): string[] {
  const used = new Set([...taken, ...names])
  return names.map(name => {
    if (!taken.includes(name)) return name
    let other = prefix + name
    while (used.has(other)) other = prefix + other
    used.add(other)
    return other
  })
}

function line(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join()}\r\n`
}

function csvTime(timeUs: number, style: TimeStyle): string {
  return style === 'iso' ? isoTime(timeUs) : String(timeNumber(timeUs, style))
}

function csvCell(cell: Cell): string {
  if (typeof cell === 'number') {
    if (Number.isFinite(cell)) return Object.is(cell, -0) ? '-0' : String(cell)
    return Number.isNaN(cell) ? 'NaN' : cell > 0 ? '+Inf' : '-Inf'
  }
  if (cell === null) return ''
  if (typeof cell === 'boolean') return cell ? 'true' : 'false'
  const text = typeof cell === 'string' ? cell : base64(cell)
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

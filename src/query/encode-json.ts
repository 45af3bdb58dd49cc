// Answers as JSON, whole or as lines (NDJSON).
//
//   series    {"series":[{"name":"t","labels":{"topic":"a/t"}}, ...]}
//   last      {"series":[{"name":..,"labels":..,"time_us":1,"value":2,"kind":"number"}, ...]}
//   range     {"columns":["time_us","value"],"series":[{"name":..,"labels":..,"rows":[[1,2], ...]}, ...]}
//   history   {"messages":[{"time_us":1,"topic":"a/t","fields":{"t":2},"raw":"..."}, ...]}
//   lines     one object a row: {"time_us":1,"name":..,"labels":..,"value":2}, and a message as above
//
// JSON has no NaN and no infinity: they are null, as JSON.stringify() and Grafana's data sources have it
// (CSV and CBOR keep them). Bytes are {"base64":"..."}; a raw payload that is UTF-8 is a plain string.
import type { Labels } from '../series/label.ts'
import { type Answer, type Cell, type Message, shownPayload } from './answer.ts'
import type { TimeStyle } from './request.ts'
import { TextPiece } from './text-piece.ts'
import { isoTime, timeName, timeNumber } from './time-text.ts'

/** One JSON document. */
export function* encodeJson(answer: Answer, style: TimeStyle): Iterable<Uint8Array> {
  const out = new TextPiece()
  const time = `"${timeName(style)}"`
  let comma = ''
  if (answer.is === 'messages') {
    out.add('{"messages":[')
    for (const message of answer.messages) {
      out.add(`${comma}${jsonMessage(message, time, style)}`)
      comma = ',\n'
      if (out.isFull) yield out.take()
    }
    out.add(']}\n')
    yield out.take()
    return
  }
  const isTable = answer.is === 'rows' && !answer.single
  const names = answer.is === 'rows' ? answer.columns.map(member) : []
  out.add(isTable ? `{"columns":[${[time, ...answer.columns.map(quoted)].join()}],"series":[` : '{"series":[')
  for (const part of answer.parts) {
    out.add(`${comma}{${jsonSeries(part.name, part.labels)}`)
    comma = ',\n'
    if (isTable) {
      out.add(',"rows":[')
      let before = '['
      for (const row of part.rows) {
        out.add(before)
        addTime(out, row.timeUs, style)
        for (const cell of row.cells) {
          out.add(',')
          addCell(out, cell)
        }
        before = '],['
        if (out.isFull) yield out.take()
      }
      if (before !== '[') out.add(']')
      out.add(']')
    } else if (answer.is === 'rows') {
      for (const row of part.rows) {
        out.add(`,${time}:`)
        addTime(out, row.timeUs, style)
        for (let i = 0; i < row.cells.length; i++) {
          out.add(names[i]!)
          addCell(out, row.cells[i]!)
        }
      }
    }
    out.add('}')
    if (out.isFull) yield out.take()
  }
  out.add(']}\n')
  yield out.take()
}

/** One JSON object a line. */
export function* encodeJsonLines(answer: Answer, style: TimeStyle): Iterable<Uint8Array> {
  const out = new TextPiece()
  const time = `"${timeName(style)}"`
  if (answer.is === 'messages') {
    for (const message of answer.messages) {
      out.add(`${jsonMessage(message, time, style)}\n`)
      if (out.isFull) yield out.take()
    }
    yield out.take()
    return
  }
  const names = answer.is === 'rows' ? answer.columns.map(member) : []
  for (const part of answer.parts) {
    const series = jsonSeries(part.name, part.labels)
    if (answer.is === 'series') {
      out.add(`{${series}}\n`)
      if (out.isFull) yield out.take()
      continue
    }
    for (const row of part.rows) {
      out.add(`{${time}:`)
      addTime(out, row.timeUs, style)
      out.add(',')
      out.add(series)
      for (let i = 0; i < row.cells.length; i++) {
        out.add(names[i]!)
        addCell(out, row.cells[i]!)
      }
      out.add('}\n')
      if (out.isFull) yield out.take()
    }
  }
  yield out.take()
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

/** What stands before the value of a member that is not the first. */
function member(name: string): string {
  return `,${quoted(name)}:`
}

function addTime(out: TextPiece, timeUs: number, style: TimeStyle): void {
  if (style === 'us' && timeUs >= 0) out.whole(timeUs)
  else if (style === 's' && timeUs >= 0) out.seconds(timeUs)
  else out.add(jsonTime(timeUs, style))
}

function addCell(out: TextPiece, cell: Cell): void {
  if (typeof cell === 'number' && Number.isFinite(cell)) out.number(cell)
  else out.add(jsonCell(cell))
}

function jsonTime(timeUs: number, style: TimeStyle): string {
  return style === 'iso' ? `"${isoTime(timeUs)}"` : String(timeNumber(timeUs, style))
}

function jsonSeries(name: string, labels: Labels): string {
  const members = labels.map(([label, value]) => `${quoted(label)}:${quoted(value)}`)
  return `"name":${quoted(name)},"labels":{${members.join()}}`
}

function jsonMembers(names: readonly string[], cells: readonly Cell[]): string {
  let text = ''
  for (let i = 0; i < cells.length; i++) text += `,${quoted(names[i]!)}:${jsonCell(cells[i]!)}`
  return text
}

function jsonMessage(message: Message, time: string, style: TimeStyle): string {
  const fields = jsonMembers(message.names, message.cells).slice(1)
  const raw = message.raw === null ? '' : `,"raw":${jsonCell(shownPayload(message.raw))}`
  return `{${time}:${jsonTime(message.timeUs, style)},"topic":${quoted(message.topic)},"fields":{${fields}}${raw}}`
}

function jsonCell(cell: Cell): string {
  if (typeof cell === 'number') {
    if (cell === 0) return Object.is(cell, -0) ? '-0' : '0'
    return Number.isFinite(cell) ? String(cell) : 'null'
  }
  if (typeof cell === 'string') return quoted(cell)
  if (cell === null) return 'null'
  if (typeof cell === 'boolean') return cell ? 'true' : 'false'
  return `{"base64":"${base64(cell)}"}`
}

/** Base64 of RFC 4648, padded. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

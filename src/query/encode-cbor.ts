// Answers as CBOR (RFC 8949), with the members of the JSON form (encode-json.ts). Arrays whose length is not
// known when they begin are of indefinite length, so that the answer streams. Whole numbers are integers,
// other numbers float64 (NaN and infinities too), bytes are byte strings.
//
// Example: {"columns":["time_us","value"],"series":[]} = a2 67 636f6c756d6e73 82 67 74696d655f7573 65 76616c7565
//          66 736572696573 9f ff
// Not here: reading CBOR payloads (ingest).
import type { ByteWriter } from '../base/bytes.ts'
import type { Labels } from '../series/label.ts'
import type { Answer, Cell, Message } from './answer.ts'
import { BytePiece } from './pieces.ts'
import type { TimeStyle } from './request.ts'
import { isoTime, timeName, timeNumber } from './time-text.ts'

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5 } as const
const ARRAY_BEGIN = 0x9f
const BREAK = 0xff
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6
const FLOAT64 = 0xfb

export function* encodeCbor(answer: Answer, style: TimeStyle): Iterable<Uint8Array> {
  const out = new BytePiece()
  const time = timeName(style)
  if (answer.is === 'messages') {
    head(out, MAJOR.map, 1)
    text(out, 'messages')
    out.u8(ARRAY_BEGIN)
    for (const message of answer.messages) {
      writeMessage(out, message, time, style)
      if (out.isFull) yield out.take()
    }
    out.u8(BREAK)
    yield out.take()
    return
  }
  const isTable = answer.is === 'rows' && !answer.single
  head(out, MAJOR.map, isTable ? 2 : 1)
  if (isTable) {
    text(out, 'columns')
    head(out, MAJOR.array, answer.columns.length + 1)
    for (const name of [time, ...answer.columns]) text(out, name)
  }
  text(out, 'series')
  out.u8(ARRAY_BEGIN)
  for (const part of answer.parts) {
    head(out, MAJOR.map, answer.is === 'series' ? 2 : isTable ? 3 : 3 + answer.columns.length)
    writeSeries(out, part.name, part.labels)
    if (isTable) {
      text(out, 'rows')
      out.u8(ARRAY_BEGIN)
    }
    for (const row of part.rows) {
      if (isTable) head(out, MAJOR.array, row.cells.length + 1)
      else text(out, time)
      writeTime(out, row.timeUs, style)
      for (let i = 0; i < row.cells.length; i++) {
        if (!isTable && answer.is === 'rows') text(out, answer.columns[i]!)
        value(out, row.cells[i]!)
      }
      if (out.isFull) yield out.take()
    }
    if (isTable) out.u8(BREAK)
    if (out.isFull) yield out.take()
  }
  out.u8(BREAK)
  yield out.take()
}

function writeSeries(out: ByteWriter, name: string, labels: Labels): void {
  text(out, 'name')
  text(out, name)
  text(out, 'labels')
  head(out, MAJOR.map, labels.length)
  for (const [label, labelled] of labels) {
    text(out, label)
    text(out, labelled)
  }
}

function writeMessage(out: ByteWriter, message: Message, time: string, style: TimeStyle): void {
  head(out, MAJOR.map, message.raw === null ? 3 : 4)
  text(out, time)
  writeTime(out, message.timeUs, style)
  text(out, 'topic')
  text(out, message.topic)
  text(out, 'fields')
  head(out, MAJOR.map, message.names.length)
  for (let i = 0; i < message.names.length; i++) {
    text(out, message.names[i]!)
    value(out, message.cells[i]!)
  }
  if (message.raw !== null) {
    text(out, 'raw')
    value(out, message.raw)
  }
}

function writeTime(out: ByteWriter, timeUs: number, style: TimeStyle): void {
  if (style === 'iso') text(out, isoTime(timeUs))
  else value(out, timeNumber(timeUs, style))
}

/** The head of an item: its major type and a whole number from 0 to 2^53. */
function head(out: ByteWriter, major: number, n: number): void {
  const type = major << 5
  out.ensure(9)
  if (n < 24) out.u8(type | n)
  else if (n < 0x100) {
    out.u8(type | 24)
    out.u8(n)
  } else if (n < 0x10000) {
    out.u8(type | 25)
    out.view.setUint16(out.length, n)
    out.length += 2
  } else if (n < 0x100000000) {
    out.u8(type | 26)
    out.view.setUint32(out.length, n)
    out.length += 4
  } else {
    out.u8(type | 27)
    out.view.setUint32(out.length, Math.floor(n / 0x100000000))
    out.view.setUint32(out.length + 4, n % 0x100000000)
    out.length += 8
  }
}

function text(out: ByteWriter, string: string): void {
  const bytes = Buffer.from(string)
  head(out, MAJOR.text, bytes.length)
  out.raw(bytes)
}

function value(out: ByteWriter, cell: Cell): void {
  if (typeof cell === 'number') {
    if (Number.isSafeInteger(cell) && !Object.is(cell, -0)) {
      if (cell >= 0) head(out, MAJOR.unsigned, cell)
      else head(out, MAJOR.negative, -1 - cell)
      return
    }
    out.u8(FLOAT64)
    out.ensure(8)
    out.view.setFloat64(out.length, cell)
    out.length += 8
  } else if (typeof cell === 'string') text(out, cell)
  else if (cell === null) out.u8(NULL)
  else if (typeof cell === 'boolean') out.u8(cell ? TRUE : FALSE)
  else {
    head(out, MAJOR.bytes, cell.length)
    out.raw(cell)
  }
}

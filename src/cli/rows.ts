// Answers of the API as rows: one JSON object a line (NDJSON), flattened for a table.
import { VarveError } from '../base/errors.ts'
import { printTimeUs } from './time-arg.ts'

/** One line of an answer. */
export type AnswerRow = Readonly<Record<string, unknown>>

/** An answer line that is longer than this is not ours. */
const lineCharsMax = 64 * 1024 * 1024

/**
 * The objects of an NDJSON body, as they arrive.
 * @throws {VarveError} VARVE_ANSWER for a line that is not a JSON object; the code of a line { code, message }
 */
export async function* readRows(body: AsyncIterable<Uint8Array>): AsyncIterable<AnswerRow> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    if (rest.length > lineCharsMax)
      throw new VarveError('VARVE_ANSWER', 'Cannot read the answer: a line has no end')
    for (const line of lines) if (line.trim() !== '') yield readRow(line)
  }
  rest += decoder.decode()
  if (rest.trim() !== '') yield readRow(rest)
}

function readRow(line: string): AnswerRow {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new VarveError(
      'VARVE_ANSWER',
      `Cannot read the answer: ${JSON.stringify(line.slice(0, 60))} is not JSON`,
      { cause }
    )
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new VarveError('VARVE_ANSWER', 'Cannot read the answer: a line is not an object')
  }
  const row = value as AnswerRow
  // A query that fails after its first line can only say so in a line of its own.
  if (typeof row.code === 'string' && typeof row.message === 'string' && row.time_us === undefined) {
    throw new VarveError(row.code, row.message)
  }
  return row
}

/** "temperature{site="a"}", as PromQL writes a series. */
export function seriesText(row: AnswerRow): string {
  const labels = Object.entries((row.labels ?? {}) as Record<string, unknown>)
  const inside = labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')
  return plain(`${typeof row.name === 'string' ? row.name : ''}${inside === '' ? '' : `{${inside}}`}`)
}

/** The cells of a row: the series first, then its other fields in order; times in local time. */
export function rowCells(row: AnswerRow): Map<string, string> {
  const cells = new Map<string, string>()
  if (row.name !== undefined || row.labels !== undefined) cells.set('series', seriesText(row))
  for (const [name, value] of Object.entries(row)) {
    if (name === 'name' || name === 'labels') continue
    if (name === 'fields' && typeof value === 'object' && value !== null) {
      // The message of a topic's history: its fields are columns.
      for (const [field, found] of Object.entries(value)) cells.set(plain(field), cellText(found))
      continue
    }
    if (name === 'time_us' && typeof value === 'number') cells.set('time', printTimeUs(value))
    else cells.set(plain(name), cellText(value))
  }
  return cells
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  return plain(typeof value === 'string' ? value : JSON.stringify(value))
}

/** Text from devices must not steer the terminal. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\u00b7')
}

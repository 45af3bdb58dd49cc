// Reads InfluxQL: the statements that clients ask a store with (SHOW, SELECT, CREATE DATABASE) in full, those
// that change or drop things as far as their name, so that they are answered with a reason.
//
// Pure: text to tree. Not here: expressions (expression.ts), SELECT (parse-select.ts), what a statement means.
import type { KeyCondition, ShowKind, ShowStatement, Source, Statement } from './ast.ts'
import { readExpression } from './expression.ts'
import { readSelect } from './parse-select.ts'
import { readPage, readSources } from './parse-source.ts'
import { type Binds, TokenReader } from './token-reader.ts'

export const STATEMENTS_MAX = 100

const FIRST = [
  'SELECT',
  'SHOW',
  'CREATE',
  'DROP',
  'DELETE',
  'ALTER',
  'GRANT',
  'REVOKE',
  'KILL',
  'SET',
  'EXPLAIN'
]
const SHOWS = ['DATABASES', 'FIELD', 'MEASUREMENTS', 'RETENTION', 'SERIES', 'TAG']

/**
 * The statements of a text, which semicolons part.
 * @throws {InfluxqlError} VARVE_INFLUXQL with line and character
 */
export function parseInfluxql(text: string, binds: Binds = {}): Statement[] {
  const reader = new TokenReader(text, binds)
  const statements: Statement[] = []
  for (;;) {
    while (reader.takesSign(';'));
    if (reader.peek().is === 'end') return statements
    if (statements.length === STATEMENTS_MAX)
      throw reader.error(`found more than ${STATEMENTS_MAX} statements`)
    statements.push(readStatement(reader))
    if (reader.peek().is !== 'end' && !reader.seesSign(';')) throw reader.unexpected(';', 'EOF')
  }
}

function readStatement(reader: TokenReader): Statement {
  if (reader.takes('SELECT')) return readSelect(reader)
  if (reader.takes('SHOW')) return readShow(reader)
  if (reader.takes('CREATE', 'DATABASE')) {
    const name = reader.name()
    while (reader.peek().is !== 'end' && !reader.seesSign(';')) reader.take()
    return { is: 'create database', name }
  }
  const first = FIRST.find(word => reader.sees(word))
  if (first === undefined || first === 'SELECT') throw reader.unexpected(...FIRST)
  return refused(reader)
}

/** A statement that is not done: passed over to its end. */
function refused(reader: TokenReader, before = ''): Statement {
  const words = before === '' ? [] : [before]
  while (reader.peek().is === 'word' && words.length < 3) words.push(reader.take().text.toUpperCase())
  while (reader.peek().is !== 'end' && !reader.seesSign(';')) reader.take()
  return { is: 'refused', words: words.join(' ') }
}

function readShow(reader: TokenReader): Statement {
  if (reader.takes('DATABASES')) return { is: 'show databases' }
  if (reader.takes('RETENTION', 'POLICIES')) {
    if (reader.takes('ON')) reader.name()
    return { is: 'show retention policies' }
  }
  const of = showKind(reader)
  if (of !== null) return readShowOf(reader, of)
  if (reader.peek().is !== 'word') throw reader.unexpected(...SHOWS)
  return refused(reader, 'SHOW')
}

function showKind(reader: TokenReader): ShowKind | null {
  if (reader.sees('SERIES', 'CARDINALITY') || reader.sees('SERIES', 'EXACT')) return null
  if (reader.takes('MEASUREMENTS')) return 'measurements'
  if (reader.takes('SERIES')) return 'series'
  if (reader.takes('FIELD', 'KEYS')) return 'field keys'
  if (reader.takes('TAG', 'KEYS')) return 'tag keys'
  if (reader.takes('TAG', 'VALUES')) return 'tag values'
  return null
}

function readShowOf(reader: TokenReader, of: ShowKind): ShowStatement {
  if (reader.takes('ON')) reader.name()
  let sources: Source[] = []
  let key: KeyCondition | null = null
  if (of === 'measurements') {
    if (reader.takes('WITH')) {
      reader.word('MEASUREMENT')
      if (reader.takesSign('=~')) sources = [{ regex: readRegex(reader) }]
      else if (reader.takesSign('=')) sources = [{ name: reader.name() }]
      else throw reader.unexpected('=', '=~')
    }
  } else if (reader.takes('FROM')) sources = readSources(reader)
  if (of === 'tag values') {
    reader.word('WITH')
    reader.word('KEY')
    key = readKey(reader)
  }
  const where = reader.takes('WHERE') ? readExpression(reader) : null
  const isDescending = reader.takes('ORDER', 'BY') && readOrder(reader)
  const rows = readPage(reader, 'LIMIT', 'OFFSET')
  readPage(reader, 'SLIMIT', 'SOFFSET')
  return { is: 'show', of, sources, key, where, isDescending, rows }
}

function readOrder(reader: TokenReader): boolean {
  if (!reader.sees('ASC') && !reader.sees('DESC')) reader.name()
  return !reader.takes('ASC') && reader.takes('DESC')
}

function readKey(reader: TokenReader): KeyCondition {
  if (reader.takes('IN')) {
    reader.sign('(')
    const names = [reader.name()]
    while (reader.takesSign(',')) names.push(reader.name())
    reader.sign(')')
    return { op: '=', names }
  }
  for (const op of ['=~', '!~'] as const) if (reader.takesSign(op)) return { op, regex: readRegex(reader) }
  for (const op of ['=', '!='] as const) if (reader.takesSign(op)) return { op, names: [reader.name()] }
  throw reader.unexpected('=', '!=', '=~', '!~', 'IN')
}

function readRegex(reader: TokenReader): string {
  if (reader.peek().is !== 'regex') throw reader.unexpected('regex')
  return reader.take().text
}

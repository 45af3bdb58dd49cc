// Reads a SELECT after its first word.
//
//   select := columns FROM sources (WHERE expr)? (GROUP BY dimension, ...)? (fill(how))?
//             (ORDER BY time (ASC | DESC)?)? LIMIT? OFFSET? SLIMIT? SOFFSET? tz('zone')?
//   dimension := time(duration (, offset)?) | name | regex | '*'
import type { Column, Expr, Fill, GroupBy, SelectStatement } from './ast.ts'
import { readExpression } from './expression.ts'
import { durationNs } from './literal.ts'
import { readPage, readSources } from './parse-source.ts'
import type { TokenReader } from './token-reader.ts'

const COLUMNS_MAX = 200

/** @throws {InfluxqlError} */
export function readSelect(reader: TokenReader): SelectStatement {
  const columns = readColumns(reader)
  if (reader.sees('INTO')) throw reader.error('found INTO, which is not there; expected FROM')
  reader.word('FROM')
  const sources = readSources(reader)
  const where = reader.takes('WHERE') ? readExpression(reader) : null
  const groupBy = readGroupBy(reader)
  const fill = readFill(reader)
  const isDescending = readTimeOrder(reader)
  const rows = readPage(reader, 'LIMIT', 'OFFSET')
  const series = readPage(reader, 'SLIMIT', 'SOFFSET')
  const zone = readZone(reader)
  return { is: 'select', columns, sources, where, groupBy, fill, isDescending, rows, series, zone }
}

function readColumns(reader: TokenReader): Column[] {
  const columns: Column[] = []
  do {
    if (columns.length === COLUMNS_MAX) throw reader.error(`found more than ${COLUMNS_MAX} columns`)
    const { at } = reader.peek()
    const expr = readExpression(reader, 4)
    if (isCondition(expr)) throw reader.error('a condition is no column', at)
    columns.push({ expr, alias: reader.takes('AS') ? reader.name() : null })
  } while (reader.takesSign(','))
  return columns
}

function isCondition(expr: Expr): boolean {
  if (expr.is === 'paren') return isCondition(expr.of)
  if (expr.is !== 'binary') return false
  return !['+', '-', '*', '/', '%'].includes(expr.op) || isCondition(expr.left) || isCondition(expr.right)
}

function readGroupBy(reader: TokenReader): GroupBy {
  let stepNs = 0n
  let offsetNs = 0n
  const tags: GroupBy['tags'][number][] = []
  if (!reader.takes('GROUP')) return { stepNs, offsetNs, tags }
  reader.word('BY')
  do {
    const next = reader.peek()
    if (next.is === 'regex') tags.push({ regex: reader.take().text })
    else if (reader.takesSign('*')) tags.push({ all: true })
    else {
      const isTime = reader.sees('TIME')
      const name = reader.name()
      if (isTime && reader.takesSign('(')) {
        if (stepNs > 0n) throw reader.error('multiple time dimensions not allowed', next.at)
        stepNs = readDuration(reader)
        if (stepNs <= 0n)
          throw reader.error('time dimension must have one argument that is positive', next.at)
        if (reader.takesSign(',')) offsetNs = readOffset(reader)
        reader.sign(')')
      } else if (isTime) throw reader.error('time() is a function and expects at least one argument', next.at)
      else {
        tags.push({ name })
        if (reader.takesSign('::')) reader.word('TAG')
      }
    }
  } while (reader.takesSign(','))
  return { stepNs, offsetNs, tags }
}

function readDuration(reader: TokenReader): bigint {
  if (reader.peek().is !== 'duration') throw reader.unexpected('duration')
  return durationNs(reader.take().text)
}

function readOffset(reader: TokenReader): bigint {
  const isBack = reader.takesSign('-')
  const ns = readDuration(reader)
  return isBack ? -ns : ns
}

function readFill(reader: TokenReader): Fill {
  if (!reader.takes('FILL')) return 'null'
  reader.sign('(')
  const isBack = reader.takesSign('-')
  const token = reader.take()
  reader.sign(')')
  if (token.is === 'number') return { value: isBack ? -Number(token.text) : Number(token.text) }
  const how = token.text.toLowerCase()
  if (token.is === 'word' && (how === 'null' || how === 'none' || how === 'previous' || how === 'linear'))
    return how
  throw reader.error('expected number argument in fill()', token.at)
}

function readTimeOrder(reader: TokenReader): boolean {
  if (!reader.takes('ORDER')) return false
  reader.word('BY')
  if (reader.takes('ASC')) return false
  if (reader.takes('DESC')) return true
  const { at } = reader.peek()
  if (reader.name().toLowerCase() !== 'time')
    throw reader.error('only ORDER BY time supported at this time', at)
  return !reader.takes('ASC') && reader.takes('DESC')
}

function readZone(reader: TokenReader): string {
  if (!reader.takes('TZ')) return ''
  reader.sign('(')
  const token = reader.take()
  if (token.is !== 'string') throw reader.error('expected string argument in tz()', token.at)
  reader.sign(')')
  try {
    new Intl.DateTimeFormat('en', { timeZone: token.text })
  } catch {
    throw reader.error(`unable to find time zone ${token.text}`, token.at)
  }
  return token.text
}

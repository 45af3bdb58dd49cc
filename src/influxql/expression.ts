// Reads an expression: operators by rank, operands, calls.
//
//   rank  OR < AND < = != <> < <= > >= =~ !~ < + - < * / %
//   operand := '(' expr ')' | '-' operand | name ('::' word)? | word '(' args ')' | literal | '*' ('::' word)?
import type { BinaryOp, Expr } from './ast.ts'
import { durationNs } from './literal.ts'
import type { TokenReader } from './token-reader.ts'

const RANKS: Readonly<Record<string, number>> = {
  OR: 1,
  AND: 2,
  '=': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '=~': 3,
  '!~': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5
}
const DEPTH_MAX = 100
const CASTS = ['field', 'tag', 'float', 'integer', 'string', 'boolean', 'unsigned']

/** @throws {InfluxqlError} */
export function readExpression(reader: TokenReader, rankMin = 1, depth = 0): Expr {
  if (depth > DEPTH_MAX) throw reader.error(`more than ${DEPTH_MAX} expressions within each other`)
  let left = readOperand(reader, depth)
  for (;;) {
    const op = operatorAt(reader)
    if (op === null || RANKS[op]! < rankMin) return left
    reader.take()
    if ((op === '=~' || op === '!~') && reader.peek().is !== 'regex') throw reader.unexpected('regex')
    const right = readExpression(reader, RANKS[op]! + 1, depth + 1)
    left = { is: 'binary', op, left, right }
  }
}

function operatorAt(reader: TokenReader): BinaryOp | null {
  const next = reader.peek()
  if (next.is !== 'sign' && next.is !== 'word') return null
  const text = next.is === 'word' ? next.text.toUpperCase() : next.text
  return Object.hasOwn(RANKS, text) ? (text as BinaryOp) : null
}

function readOperand(reader: TokenReader, depth: number): Expr {
  const token = reader.peek()
  switch (token.is) {
    case 'number':
      reader.take()
      return { is: 'number', value: Number(token.text), text: token.text }
    case 'string':
      reader.take()
      return { is: 'string', value: token.text }
    case 'duration':
      reader.take()
      return { is: 'duration', ns: durationNs(token.text) }
    case 'regex':
      reader.take()
      return { is: 'regex', source: token.text }
    case 'bind':
      return boundValue(reader)
    case 'name':
      reader.take()
      return { is: 'field', name: token.text, cast: readCast(reader) }
    case 'word':
      return readWord(reader, depth)
    case 'sign':
      return readSign(reader, depth)
    case 'end':
      throw reader.unexpected('identifier', 'string', 'number', 'bool')
  }
}

function readSign(reader: TokenReader, depth: number): Expr {
  if (reader.takesSign('(')) {
    const of = readExpression(reader, 1, depth + 1)
    reader.sign(')')
    return { is: 'paren', of }
  }
  if (reader.takesSign('*')) {
    const cast = readCast(reader)
    return { is: 'wildcard', of: cast === 'tag' || cast === 'field' ? cast : 'all' }
  }
  const isMinus = reader.seesSign('-')
  if (!isMinus && !reader.seesSign('+')) throw reader.unexpected('identifier', 'string', 'number', 'bool')
  reader.take()
  const of = readOperand(reader, depth + 1)
  if (!isMinus) return of
  if (of.is === 'number') return { is: 'number', value: -of.value, text: `-${of.text}` }
  if (of.is === 'duration') return { is: 'duration', ns: -of.ns }
  return { is: 'binary', op: '*', left: { is: 'number', value: -1, text: '-1' }, right: of }
}

function readWord(reader: TokenReader, depth: number): Expr {
  const { text } = reader.take()
  const upper = text.toUpperCase()
  if (reader.takesSign('(')) {
    const args: Expr[] = []
    while (!reader.seesSign(')')) {
      if (args.length > 0) reader.sign(',')
      args.push(readExpression(reader, 1, depth + 1))
    }
    reader.sign(')')
    return { is: 'call', name: text.toLowerCase(), args }
  }
  if (upper === 'TRUE' || upper === 'FALSE') return { is: 'boolean', value: upper === 'TRUE' }
  if (upper === 'DISTINCT') {
    const name = reader.name()
    return { is: 'call', name: 'distinct', args: [{ is: 'field', name, cast: null }] }
  }
  return { is: 'field', name: text, cast: readCast(reader) }
}

function readCast(reader: TokenReader): string | null {
  if (!reader.takesSign('::')) return null
  const cast = reader.peek().text.toLowerCase()
  if (reader.peek().is !== 'word' || !CASTS.includes(cast)) throw reader.unexpected(...CASTS)
  reader.take()
  return cast
}

function boundValue(reader: TokenReader): Expr {
  const { text, at } = reader.take()
  const value = Object.hasOwn(reader.binds, text) ? reader.binds[text]! : null
  if (value === null) throw reader.error(`missing parameter: ${text}`, at)
  if (typeof value === 'string') return { is: 'string', value }
  if (typeof value === 'boolean') return { is: 'boolean', value }
  return { is: 'number', value, text: String(value) }
}

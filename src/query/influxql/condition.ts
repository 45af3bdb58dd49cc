// What WHERE says: a span of time, and the rest, which is decided for a series where it speaks of tags alone
// and for each row where it speaks of fields.
//
// A name is a field where the measurement has one of that name, else a tag; a tag that a series does not have
// is the empty string, a field that a row does not have fulfils nothing.
import type { BinaryOp, Expr } from '../../influxql/ast.ts'
import { writtenTime } from '../../influxql/literal.ts'
import { type Labels, labelValue } from '../../series/label.ts'
import type { Matcher } from '../../series/matcher.ts'
import type { Cell } from '../answer.ts'
import { anywhere, type RegexTests } from './regex-tests.ts'
import { statementError } from './statement-error.ts'
import { zoneOffsetUs } from './zone.ts'

/** A span of time in ns, both ends in it; null where WHERE says nothing. */
export interface TimeSpan {
  readonly minNs: bigint | null
  readonly maxNs: bigint | null
}

export interface Condition {
  readonly span: TimeSpan
  /** What is left without the times; null: everything. */
  readonly rest: Expr | null
}

/** @throws {VarveError} VARVE_INFLUXQL_EVAL for a time that is none, or times in an OR */
export function splitCondition(where: Expr | null, nowNs: bigint, zone: string): Condition {
  let minNs: bigint | null = null
  let maxNs: bigint | null = null
  const narrow = (op: BinaryOp, ns: bigint) => {
    if (op === '!=' || op === '=~' || op === '!~')
      throw statementError(`invalid time comparison operator: ${op}`)
    const low = op === '>' ? ns + 1n : op === '>=' || op === '=' ? ns : null
    const high = op === '<' ? ns - 1n : op === '<=' || op === '=' ? ns : null
    if (low !== null && (minNs === null || low > minNs)) minNs = low
    if (high !== null && (maxNs === null || high < maxNs)) maxNs = high
  }
  const walk = (expr: Expr): Expr | null => {
    if (expr.is === 'paren') {
      const of = walk(expr.of)
      return of === null ? null : { is: 'paren', of }
    }
    if (expr.is !== 'binary') return expr
    if (expr.op === 'AND') {
      const left = walk(expr.left)
      const right = walk(expr.right)
      return left === null ? right : right === null ? left : { ...expr, left, right }
    }
    if (isTime(expr.left)) {
      narrow(expr.op, timeNs(expr.right, nowNs, zone))
      return null
    }
    if (isTime(expr.right)) {
      narrow(FLIPPED[expr.op] ?? expr.op, timeNs(expr.left, nowNs, zone))
      return null
    }
    if (expr.op === 'OR' && (hasTime(expr.left) || hasTime(expr.right))) {
      throw statementError('cannot use OR with time')
    }
    return expr
  }
  const rest = where === null ? null : walk(where)
  return { span: { minNs, maxNs }, rest }
}

const FLIPPED: Partial<Record<BinaryOp, BinaryOp>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

function isTime(expr: Expr): boolean {
  return expr.is === 'field' && expr.cast === null && expr.name.toLowerCase() === 'time'
}

function hasTime(expr: Expr): boolean {
  if (expr.is === 'paren') return hasTime(expr.of)
  if (expr.is === 'binary') return hasTime(expr.left) || hasTime(expr.right)
  return isTime(expr)
}

function timeNs(expr: Expr, nowNs: bigint, zone: string): bigint {
  switch (expr.is) {
    case 'paren':
      return timeNs(expr.of, nowNs, zone)
    case 'duration':
      return expr.ns
    case 'number':
      return /^-?\d+$/.test(expr.text) ? BigInt(expr.text) : BigInt(Math.trunc(expr.value))
    case 'call':
      if (expr.name === 'now' && expr.args.length === 0) return nowNs
      break
    case 'string': {
      const written = writtenTime(expr.value)
      if (written === null) break
      if (written.zoneNs !== null) return written.ns - written.zoneNs
      const wallUs = Number(written.ns / 1000n)
      return written.ns - BigInt(zoneOffsetUs(zone, wallUs - zoneOffsetUs(zone, wallUs))) * 1000n
    }
    case 'binary': {
      if (expr.op !== '+' && expr.op !== '-') break
      const [left, right] = [timeNs(expr.left, nowNs, zone), timeNs(expr.right, nowNs, zone)]
      return expr.op === '+' ? left + right : left - right
    }
  }
  const shown = expr.is === 'string' ? `'${expr.value.slice(0, 60)}'` : expr.is
  throw statementError(`invalid operation: time and ${shown} are not compatible`)
}

/** What a condition says of tags alone, and whether that is all it says. */
export interface TagCondition {
  readonly matchers: readonly Matcher[]
  readonly isAll: boolean
}

/**
 * The parts of a condition that every row must fulfil and that compare a tag with a text, as matchers: they are
 * tried on distinct values, not on series. Each of them stays a part of the condition.
 * @param isField  whether the measurement has a field of that name
 */
export function tagCondition(rest: Expr | null, isField: (name: string) => boolean): TagCondition {
  const matchers: Matcher[] = []
  let isAll = true
  const walk = (expr: Expr): void => {
    if (expr.is === 'paren') walk(expr.of)
    else if (expr.is === 'binary' && expr.op === 'AND') {
      walk(expr.left)
      walk(expr.right)
    } else {
      const matcher = tagMatcher(expr, isField)
      if (matcher === null) isAll = false
      else matchers.push(matcher)
    }
  }
  if (rest !== null) walk(rest)
  return { matchers, isAll }
}

function tagMatcher(expr: Expr, isField: (name: string) => boolean): Matcher | null {
  if (expr.is !== 'binary') return null
  const { op, left, right } = expr
  if (left.is !== 'field' || (left.cast !== 'tag' && (left.cast !== null || isField(left.name)))) return null
  if (right.is === 'string' && (op === '=' || op === '!=')) return { name: left.name, op, value: right.value }
  if (right.is === 'regex' && (op === '=~' || op === '!~'))
    return { name: left.name, op, value: anywhere(right.source) }
  return null
}

/** The cells of a row, by the slots that fieldSlot() gave. */
export type RowTest = (cells: readonly Cell[]) => boolean
type RowValue = (cells: readonly Cell[]) => Cell

/** How names are found. */
export interface Names {
  readonly labels: Labels
  readonly regexes: RegexTests
  /** The slot of a field in the cells of a row; -1 when the measurement has no such field. */
  fieldSlot(name: string): number
}

/** A condition for one series: decided, or to be asked of each row. @throws {VarveError} VARVE_REGEX */
export function compileCondition(rest: Expr | null, names: Names): boolean | RowTest {
  if (rest === null) return true
  if (rest.is === 'paren') return compileCondition(rest.of, names)
  if (rest.is === 'boolean') return rest.value
  if (rest.is !== 'binary') throw statementError('invalid condition expression')
  if (rest.op === 'AND' || rest.op === 'OR') {
    const left = compileCondition(rest.left, names)
    const right = compileCondition(rest.right, names)
    const isAnd = rest.op === 'AND'
    if (typeof left === 'boolean') return left === isAnd ? right : left
    if (typeof right === 'boolean') return right === isAnd ? left : right
    return isAnd ? cells => left(cells) && right(cells) : cells => left(cells) || right(cells)
  }
  const test = comparison(rest.op, rest.left, rest.right, names)
  return usesFields(rest, names) ? test : test([])
}

function usesFields(expr: Expr, names: Names): boolean {
  if (expr.is === 'paren') return usesFields(expr.of, names)
  if (expr.is === 'binary') return usesFields(expr.left, names) || usesFields(expr.right, names)
  return expr.is === 'field' && expr.cast !== 'tag' && names.fieldSlot(expr.name) >= 0
}

function comparison(op: BinaryOp, left: Expr, right: Expr, names: Names): RowTest {
  const a = compileValue(left, names)
  if (op === '=~' || op === '!~') {
    if (right.is !== 'regex') throw statementError('a regular expression is due')
    const matches = names.regexes.of(right.source)
    return cells => {
      const value = a(cells)
      return typeof value === 'string' && matches(value) === (op === '=~')
    }
  }
  const b = compileValue(right, names)
  return cells => {
    const [x, y] = [a(cells), b(cells)]
    if (x === null || y === null || typeof x !== typeof y) return false
    if (op === '=') return x === y
    if (op === '!=') return x !== y
    if (typeof x !== 'number' || typeof y !== 'number') return false
    return op === '<' ? x < y : op === '<=' ? x <= y : op === '>' ? x > y : x >= y
  }
}

/** What an expression without calls comes to for a row. */
export function compileValue(expr: Expr, names: Names): RowValue {
  switch (expr.is) {
    case 'paren':
      return compileValue(expr.of, names)
    case 'number':
    case 'string':
    case 'boolean': {
      const { value } = expr
      return () => value
    }
    case 'duration': {
      const ns = Number(expr.ns)
      return () => ns
    }
    case 'field': {
      const slot = expr.cast === 'tag' ? -1 : names.fieldSlot(expr.name)
      if (slot >= 0) return cells => cells[slot] ?? null
      const tag = expr.cast === 'field' ? null : labelValue(names.labels, expr.name)
      return () => tag
    }
    case 'binary': {
      const { op } = expr
      const left = compileValue(expr.left, names)
      const right = compileValue(expr.right, names)
      return cells => arithmetic(op, left(cells), right(cells))
    }
    default:
      throw statementError(`invalid expression: ${expr.is}`)
  }
}

/** InfluxDB divides by zero to zero. */
export function arithmetic(op: BinaryOp, x: Cell, y: Cell): Cell {
  if (typeof x !== 'number' || typeof y !== 'number') return null
  switch (op) {
    case '+':
      return x + y
    case '-':
      return x - y
    case '*':
      return x * y
    case '/':
      return y === 0 ? 0 : x / y
    case '%':
      return y === 0 ? 0 : x % y
    default:
      return null
  }
}

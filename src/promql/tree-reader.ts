// From the grammar's tree to ours: reads literals, puts modifiers into their selectors, and checks what
// Prometheus checks while it parses.
// Not here: types of arguments (typecheck.ts).
import type { SyntaxNode } from '@lezer/common'
import { reason, VarveError } from '../base/errors.ts'
import {
  type Aggregator,
  type BinaryOp,
  type Expr,
  type LabelMatcher,
  type Matching,
  type MatrixNode,
  type Shift,
  type SubqueryNode,
  type VectorNode,
  WITH_PARAMETER
} from './ast.ts'
import { PromqlError, quoted } from './error.ts'
import { FUNCTIONS } from './functions.ts'
import { type Builder, buildInfix, isInfix } from './infix.ts'
import { readNumber, readString } from './literal.ts'

const EXPERIMENTAL: Readonly<Record<string, string>> = {
  AnchoredExpr: 'anchored modifier is experimental and not enabled',
  SmoothedExpr: 'smoothed modifier is experimental and not enabled'
}
const DURATION_EXPRESSION = 'experimental duration expression is not enabled'
/** Seconds that Prometheus' durations (nanoseconds in 64 bits) can hold. */
const SECONDS_MAX = 2 ** 63 / 1e9

function* childrenOf(node: SyntaxNode): Generator<SyntaxNode> {
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') yield child
  }
}

export class TreeReader {
  private readonly text: string
  private readonly checkMatcher: (matcher: LabelMatcher) => unknown

  /** @param checkMatcher  throws a VarveError when a matcher's regular expression cannot be read */
  constructor(text: string, checkMatcher: (matcher: LabelMatcher) => unknown) {
    this.text = text
    this.checkMatcher = checkMatcher
  }

  /** @throws {PromqlError} */
  read(node: SyntaxNode): Expr {
    return isInfix(node) ? buildInfix(node, this.text, this.builder) : this.operand(node, node.from)
  }

  private readonly builder: Builder<Expr> = {
    operand: (node, from) => this.operand(node, from),
    sign: (op, start, of) => {
      if (of.is !== 'number') return { is: 'unary', op, of, start, end: of.end }
      return { ...of, value: op === '-' ? -of.value : of.value, start }
    },
    modifier: (node, of) => this.modified(node, of),
    operation: (operator, options, left, right) => this.binary(operator, options, left, right)
  }

  private operand(node: SyntaxNode, start: number): Expr {
    const end = node.to
    switch (node.name) {
      case 'NumberDurationLiteral':
        return { is: 'number', value: this.number(node, start), start, end }
      case 'StringLiteral':
        return { is: 'string', value: this.string(node), start, end }
      case 'ParenExpr': {
        const [inner] = childrenOf(node)
        return { is: 'paren', of: this.read(inner!), start, end }
      }
      case 'VectorSelector':
        return this.vector(node)
      case 'AggregateExpr':
        return this.aggregate(node)
      case 'FunctionCall':
        return this.call(node)
      default:
        throw this.error(start, `unexpected ${node.name}`)
    }
  }

  private modified(node: SyntaxNode, of: Expr): Expr {
    const parts = [...childrenOf(node)]
    switch (node.name) {
      case 'MatrixSelector':
        return this.matrix(node, of, parts[1]!)
      case 'SubqueryExpr':
        return this.subquery(node, of, parts[1]!, parts[2])
      case 'OffsetExpr':
        return this.offset(node, of, parts[2]!)
      case 'StepInvariantExpr':
        return this.at(node, of, parts[2]!)
      default:
        throw this.error(of.start, EXPERIMENTAL[node.name]!)
    }
  }

  private error(position: number, why: string): PromqlError {
    return new PromqlError(this.text, position, why)
  }

  private source(node: SyntaxNode): string {
    return this.text.slice(node.from, node.to)
  }

  private number(node: SyntaxNode, from = node.from): number {
    let source = this.text.slice(from, node.to)
    // The dot of `2.`, which the grammar was not shown.
    if (this.text[node.to] === '.') source += '.'
    const value = readNumber(source.replace(/^[-+]\s*/, ''))
    if (value === null || (!Number.isFinite(value) && /^[-+]?[\d.]/.test(source))) {
      const state = value === null ? 'invalid syntax' : 'value out of range'
      const why = `error parsing number: strconv.ParseFloat: parsing ${quoted(source)}: ${state}`
      throw this.error(from, why)
    }
    return source[0] === '-' ? -value : value
  }

  private string(node: SyntaxNode): string {
    const read = readString(this.source(node))
    if (typeof read === 'string') return read
    throw this.error(node.from + read.at, read.why)
  }

  private binary(operator: SyntaxNode, options: readonly SyntaxNode[], left: Expr, right: Expr): Expr {
    const op = this.source(operator).toLowerCase() as BinaryOp
    if (operator.name.startsWith('Trim')) throw this.error(operator.from, `unexpected <op:${op}>`)
    let returnsBool = false
    let matching: Matching = { cardinality: 'one-to-one', on: false, labels: [], include: [] }
    for (const part of options) {
      if (part.name === 'BoolModifier') returnsBool = true
      else if (part.name === 'MatchingModifierClause') matching = this.matching(part)
      else throw this.error(left.start, 'binop fill modifiers are experimental and not enabled')
    }
    return { is: 'binary', op, left, right, returnsBool, matching, start: left.start, end: right.end }
  }

  private matching(node: SyntaxNode): Matching {
    const parts = [...childrenOf(node)]
    const group = parts.findIndex(({ name }) => name === 'GroupLeft' || name === 'GroupRight')
    const include = group < 0 ? undefined : parts[group + 1]
    return {
      cardinality:
        group < 0 ? 'one-to-one' : parts[group]!.name === 'GroupLeft' ? 'many-to-one' : 'one-to-many',
      on: parts[0]!.name === 'On',
      labels: this.labels(parts[1]!),
      include: include === undefined ? [] : this.labels(include)
    }
  }

  private labels(node: SyntaxNode): string[] {
    return Array.from(childrenOf(node), child => {
      const label = child.name === 'QuotedLabelName' ? this.string(child.firstChild!) : this.source(child)
      if (label === '') throw this.error(child.from, `invalid label name for grouping: ${quoted(label)}`)
      return label
    })
  }

  private vector(node: SyntaxNode): VectorNode {
    let name = ''
    const matchers: LabelMatcher[] = []
    for (const part of childrenOf(node)) {
      if (part.name === 'Identifier') name = this.source(part)
      else for (const matcher of childrenOf(part)) matchers.push(this.matcher(matcher))
    }
    if (name !== '') matchers.push({ name: '__name__', op: '=', value: name })
    const shift: Shift = { offsetMs: 0, hasOffset: false, atMs: null }
    return { is: 'vector', name, matchers, ...shift, start: node.from, end: node.to }
  }

  private matcher(node: SyntaxNode): LabelMatcher {
    if (node.name === 'QuotedLabelName') {
      return { name: '__name__', op: '=', value: this.string(node.firstChild!) }
    }
    const [label, op, value] = childrenOf(node)
    const name = label!.name === 'QuotedLabelName' ? this.string(label!.firstChild!) : this.source(label!)
    const matcher = { name, op: this.source(op!) as LabelMatcher['op'], value: this.string(value!) }
    try {
      this.checkMatcher(matcher)
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      throw this.error(node.from, reason(error))
    }
    return matcher
  }

  /** Milliseconds of a duration; what is more than one literal is refused. */
  private duration(node: SyntaxNode, isSigned: boolean): number {
    let inner = node
    let sign = 1
    for (let child = inner.firstChild; child !== null; child = inner.firstChild) {
      if (child.name === 'UnaryOp' && isSigned && inner === node) {
        if (this.source(child) === '-') sign = -1
        inner = child.nextSibling!
      } else if (
        child.nextSibling !== null ||
        child.name === 'UnaryOp' ||
        child.name.startsWith('Duration')
      ) {
        if (child.name === 'UnaryOp' && this.source(child) === '-') {
          throw this.error(node.from, 'duration must be greater than 0')
        }
        throw this.error(node.from, DURATION_EXPRESSION)
      } else inner = child
    }
    if (this.text[inner.from - 1] === '(' || inner.name === 'DurationExpr') {
      throw this.error(node.from, DURATION_EXPRESSION)
    }
    const seconds = sign * this.number(inner)
    if (!(Math.abs(seconds) <= SECONDS_MAX)) throw this.error(inner.from, 'duration out of range')
    const ms = Math.round(seconds * 1000)
    if (!isSigned && ms <= 0) throw this.error(inner.from, 'duration must be greater than 0')
    return ms
  }

  private matrix(node: SyntaxNode, selector: Expr, range: SyntaxNode): MatrixNode {
    const rangeMs = this.duration(range, false)
    const bracket = this.text.indexOf('[', selector.end)
    if (selector.is !== 'vector') throw this.error(bracket, 'ranges only allowed for vector selectors')
    if (selector.hasOffset) throw this.error(bracket, 'no offset modifiers allowed before range')
    if (selector.atMs !== null) throw this.error(bracket, 'no @ modifiers allowed before range')
    return { is: 'matrix', selector, rangeMs, start: selector.start, end: node.to }
  }

  private subquery(
    node: SyntaxNode,
    of: Expr,
    range: SyntaxNode,
    step: SyntaxNode | undefined
  ): SubqueryNode {
    return {
      is: 'subquery',
      of,
      rangeMs: this.duration(range, false),
      stepMs: step === undefined ? null : this.duration(step, false),
      offsetMs: 0,
      hasOffset: false,
      atMs: null,
      start: of.start,
      end: node.to
    }
  }

  private shifted(expr: Expr, modifier: string): Shift {
    if (expr.is === 'matrix') return expr.selector
    if (expr.is === 'vector' || expr.is === 'subquery') return expr
    const why = `${modifier} modifier must be preceded by an instant vector selector or range vector selector or a subquery`
    throw this.error(expr.start, why)
  }

  private offset(node: SyntaxNode, expr: Expr, duration: SyntaxNode): Expr {
    const offsetMs = this.duration(duration, true)
    const shift = this.shifted(expr, 'offset')
    if (shift.hasOffset) throw this.error(expr.start, 'offset may not be set multiple times')
    shift.hasOffset = true
    shift.offsetMs = offsetMs
    expr.end = node.to
    return expr
  }

  private at(node: SyntaxNode, expr: Expr, when: SyntaxNode): Expr {
    let atMs: Shift['atMs']
    if (when.name === 'AtModifierPreprocessors') {
      atMs = this.source(when).toLowerCase() === 'start' ? 'start' : 'end'
    } else {
      const seconds = this.number(when)
      if (!(Math.abs(seconds) < 2 ** 63)) {
        const shown = Number.isNaN(seconds)
          ? 'NaN'
          : Number.isFinite(seconds)
            ? seconds.toFixed(6)
            : seconds > 0
              ? '+Inf'
              : '-Inf'
        throw this.error(expr.start, `timestamp out of bounds for @ modifier: ${shown}`)
      }
      atMs = Math.round(seconds * 1000)
    }
    const shift = this.shifted(expr, '@')
    if (shift.atMs !== null) throw this.error(expr.start, '@ <timestamp> may not be set multiple times')
    shift.atMs = atMs
    expr.end = node.to
    return expr
  }

  private aggregate(node: SyntaxNode): Expr {
    let grouping: string[] = []
    let without = false
    let args: Expr[] = []
    let op = '' as Aggregator
    for (const part of childrenOf(node)) {
      if (part.name === 'AggregateOp') op = this.source(part).toLowerCase() as Aggregator
      else if (part.name === 'FunctionCallBody')
        args = Array.from(childrenOf(part), child => this.read(child))
      else {
        without = part.firstChild!.name === 'Without'
        grouping = this.labels(part.lastChild!)
      }
    }
    if (args.length === 0) throw this.error(node.from, 'no arguments for aggregate expression provided')
    const wanted = WITH_PARAMETER.includes(op) ? 2 : 1
    if (args.length !== wanted) {
      const why = `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`
      throw this.error(node.from, why)
    }
    const parameter = wanted === 2 ? args[0]! : null
    return {
      is: 'aggregate',
      op,
      of: args.at(-1)!,
      parameter,
      grouping,
      without,
      start: node.from,
      end: node.to
    }
  }

  private call(node: SyntaxNode): Expr {
    const [identifier, body] = childrenOf(node)
    const name = this.source(identifier!)
    if (!FUNCTIONS.has(name)) {
      throw this.error(node.from, `unknown function with name ${quoted(name)}`)
    }
    const args = Array.from(childrenOf(body!), child => this.read(child))
    return { is: 'call', name, args, start: node.from, end: node.to }
  }
}

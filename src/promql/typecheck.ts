// Checks what the grammar cannot: types of arguments and operands, how vectors are matched. The texts and
// the order of the checks are Prometheus', so that the first error found is the one Prometheus names.
import {
  type AggregateNode,
  type BinaryNode,
  type CallNode,
  COMPARISONS,
  type Expr,
  SET_OPERATORS,
  type ValueType,
  type VectorNode
} from './ast.ts'
import { PromqlError, quoted } from './error.ts'
import { FUNCTIONS } from './functions.ts'

const SHOWN: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  string: 'string',
  vector: 'instant vector',
  matrix: 'range vector'
}

/** What an expression gives. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.is) {
    case 'number':
      return 'scalar'
    case 'string':
      return 'string'
    case 'matrix':
    case 'subquery':
      return 'matrix'
    case 'call':
      return FUNCTIONS.get(expr.name)!.returns
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector'
    case 'unary':
    case 'paren':
      return typeOf(expr.of)
    default:
      return 'vector'
  }
}

/** Checks a tree and completes the matching of its binary operations. */
export class TypeCheck {
  private readonly text: string
  private readonly matchesEmpty: (matcher: VectorNode['matchers'][number]) => boolean

  /** @param matchesEmpty  whether a matcher lets a series pass that does not have its label */
  constructor(text: string, matchesEmpty: (matcher: VectorNode['matchers'][number]) => boolean) {
    this.text = text
    this.matchesEmpty = matchesEmpty
  }

  /** @throws {PromqlError} */
  check(expr: Expr): ValueType {
    switch (expr.is) {
      case 'aggregate':
        this.aggregate(expr)
        break
      case 'binary':
        this.binary(expr)
        break
      case 'call':
        this.call(expr)
        break
      case 'paren':
        this.check(expr.of)
        break
      case 'unary': {
        const type = this.check(expr.of)
        if (type !== 'scalar' && type !== 'vector') {
          const got = quoted(SHOWN[type])
          this.fail(
            expr,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`
          )
        }
        break
      }
      case 'subquery': {
        const type = this.check(expr.of)
        if (type !== 'vector') {
          this.fail(expr, `subquery is only allowed on instant vector, got ${type} instead`)
        }
        break
      }
      case 'matrix':
        this.check(expr.selector)
        break
      case 'vector':
        this.vector(expr)
    }
    return typeOf(expr)
  }

  private fail(place: { start: number }, why: string): never {
    throw new PromqlError(this.text, place.start, why)
  }

  private expect(expr: Expr, wanted: ValueType, context: string): void {
    const type = this.check(expr)
    if (type !== wanted) this.fail(expr, `expected type ${SHOWN[wanted]} in ${context}, got ${SHOWN[type]}`)
  }

  private aggregate(node: AggregateNode): void {
    this.expect(node.of, 'vector', 'aggregation expression')
    if (node.parameter === null) return
    this.expect(node.parameter, node.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter')
  }

  /** Where the operator stands. */
  private operator(node: BinaryNode): { start: number } {
    let start = node.left.end
    while (/\s/.test(this.text[start] ?? '')) start++
    return { start }
  }

  private binary(node: BinaryNode): void {
    const left = this.check(node.left)
    const right = this.check(node.right)
    const isComparison = COMPARISONS.includes(node.op)
    const isSet = SET_OPERATORS.includes(node.op)
    if (node.returnsBool && !isComparison) {
      this.fail(this.operator(node), 'bool modifier can only be used on comparison operators')
    }
    if (isComparison && !node.returnsBool && left === 'scalar' && right === 'scalar') {
      this.fail(this.operator(node), 'comparisons between scalars must use BOOL modifier')
    }
    const matching = node.matching!
    if (isSet && matching.cardinality === 'one-to-one') matching.cardinality = 'many-to-many'
    const twice = matching.on ? matching.labels.find(label => matching.include.includes(label)) : undefined
    if (twice !== undefined) {
      this.fail(this.operator(node), `label ${quoted(twice)} must not occur in ON and GROUP clause at once`)
    }
    for (const [side, type] of [
      [node.left, left],
      [node.right, right]
    ] as const) {
      if (type !== 'scalar' && type !== 'vector') {
        this.fail(side, 'binary expression must contain only scalar and instant vector types')
      }
    }
    if (left !== 'vector' || right !== 'vector') {
      if (matching.labels.length > 0) {
        this.fail(node, 'vector matching only allowed between instant vectors')
      }
      node.matching = null
    } else if (isSet && matching.cardinality !== 'many-to-many') {
      this.fail(node, `no grouping allowed for ${quoted(node.op)} operation`)
    }
    if ((left === 'scalar' || right === 'scalar') && isSet) {
      this.fail(node, `set operator ${quoted(node.op)} not allowed in binary scalar expression`)
    }
  }

  private call(node: CallNode): void {
    const { args: types, variadic } = FUNCTIONS.get(node.name)!
    const given = node.args.length
    const says = (bound: string, count: number) =>
      this.fail(node, `expected ${bound}${count} argument(s) in call to ${quoted(node.name)}, got ${given}`)
    if (variadic === 0 && given !== types.length) says('', types.length)
    if (variadic !== 0) {
      const least = types.length - 1
      if (given < least) says('at least ', least)
      if (variadic > 0 && given > least + variadic) says('at most ', least + variadic)
    }
    node.args.forEach((arg, i) => {
      this.expect(arg, types[Math.min(i, types.length - 1)]!, `call to function ${quoted(node.name)}`)
    })
  }

  private vector(node: VectorNode): void {
    if (node.name !== '') {
      const second = node.matchers.slice(0, -1).find(({ name }) => name === '__name__')
      if (second !== undefined) {
        const names = `${quoted(node.name)} or ${quoted(second.value)}`
        this.fail(node, `metric name must not be set twice: ${names}`)
      }
      return
    }
    if (node.matchers.every(matcher => this.matchesEmpty(matcher))) {
      this.fail(node, 'vector selector must contain at least one non-empty matcher')
    }
  }
}

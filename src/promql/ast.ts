// The tree of a PromQL expression, our own: what the parser hands to the type check, the printer and the
// evaluation. Times are milliseconds as in Prometheus; modifiers sit in the selector they change.
//
// Invariants: `start` and `end` are offsets of characters in the text; a tree that parsePromql() returned
// has passed the type check.
// Not here: reading text (parse.ts), meaning (query).

export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix'

interface Place {
  start: number
  end: number
}

/** A condition on a label; the same shape as series/matcher.ts, which this layer cannot see. */
export interface LabelMatcher {
  readonly name: string
  readonly op: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

/** `offset` and `@`; a vector or range selector and a subquery may have them. */
export interface Shift {
  offsetMs: number
  /** `offset` was written; nothing may set it twice. */
  hasOffset: boolean
  atMs: number | 'start' | 'end' | null
}

export interface NumberNode extends Place {
  readonly is: 'number'
  value: number
}

export interface StringNode extends Place {
  readonly is: 'string'
  readonly value: string
}

export interface VectorNode extends Place, Shift {
  readonly is: 'vector'
  /** As written before the braces; it is among the matchers too. */
  readonly name: string
  readonly matchers: readonly LabelMatcher[]
}

export interface MatrixNode extends Place {
  readonly is: 'matrix'
  readonly selector: VectorNode
  readonly rangeMs: number
}

export interface SubqueryNode extends Place, Shift {
  readonly is: 'subquery'
  readonly of: Expr
  readonly rangeMs: number
  /** null: the default of the server. */
  readonly stepMs: number | null
}

export interface CallNode extends Place {
  readonly is: 'call'
  readonly name: string
  readonly args: readonly Expr[]
}

export const AGGREGATORS = [
  ...['avg', 'bottomk', 'count', 'count_values', 'group', 'limit_ratio', 'limitk', 'max', 'min', 'quantile'],
  ...['stddev', 'stdvar', 'sum', 'topk']
] as const
export type Aggregator =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limit_ratio'
  | 'limitk'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk'

/** Aggregators with a parameter before the expression. */
export const WITH_PARAMETER: readonly string[] = [
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio'
]

export interface AggregateNode extends Place {
  readonly is: 'aggregate'
  readonly op: Aggregator
  readonly of: Expr
  readonly parameter: Expr | null
  readonly grouping: readonly string[]
  readonly without: boolean
}

export const COMPARISONS: readonly string[] = ['==', '!=', '<', '>', '<=', '>=']
export const SET_OPERATORS: readonly string[] = ['and', 'or', 'unless']
export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '<'
  | '>'
  | '<='
  | '>='
  | 'and'
  | 'or'
  | 'unless'

/** How series of both sides find each other. */
export interface Matching {
  cardinality: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many'
  /** true: by these labels; false: by all but these. */
  readonly on: boolean
  readonly labels: readonly string[]
  /** Labels of group_left or group_right, taken from the one side. */
  readonly include: readonly string[]
}

export interface BinaryNode extends Place {
  readonly is: 'binary'
  readonly op: BinaryOp
  readonly left: Expr
  readonly right: Expr
  readonly returnsBool: boolean
  /** null unless both sides are vectors (after the type check). */
  matching: Matching | null
}

export interface UnaryNode extends Place {
  readonly is: 'unary'
  readonly op: '-' | '+'
  readonly of: Expr
}

export interface ParenNode extends Place {
  readonly is: 'paren'
  readonly of: Expr
}

export type Expr =
  | NumberNode
  | StringNode
  | VectorNode
  | MatrixNode
  | SubqueryNode
  | CallNode
  | AggregateNode
  | BinaryNode
  | UnaryNode
  | ParenNode

/** The expression inside any parentheses. */
export function unwrapped(expr: Expr): Expr {
  let inner = expr
  while (inner.is === 'paren') inner = inner.of
  return inner
}

/** The expressions directly below one. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.is) {
    case 'number':
    case 'string':
    case 'vector':
      return []
    case 'matrix':
      return [expr.selector]
    case 'call':
      return expr.args
    case 'aggregate':
      return expr.parameter === null ? [expr.of] : [expr.parameter, expr.of]
    case 'binary':
      return [expr.left, expr.right]
    default:
      return [expr.of]
  }
}

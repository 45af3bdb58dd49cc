// From a tree back to text, in the form Prometheus prints. Parsing the text gives an equal tree.
import type { BinaryNode, Expr, LabelMatcher, Shift, VectorNode } from './ast.ts'
import { quoted } from './error.ts'
import { printDuration } from './literal.ts'

const BARE = /^[A-Za-z_][A-Za-z0-9_]*$/
const BARE_METRIC = /^[A-Za-z_:][A-Za-z0-9_:]*$/

export function printPromql(expr: Expr): string {
  switch (expr.is) {
    case 'number':
      return printNumber(expr.value)
    case 'string':
      return quoted(expr.value)
    case 'vector':
      return printSelector(expr) + printShift(expr)
    case 'matrix':
      return `${printSelector(expr.selector)}[${printDuration(expr.rangeMs)}]${printShift(expr.selector)}`
    case 'subquery': {
      const step = expr.stepMs === null ? '' : printDuration(expr.stepMs)
      return `${printPromql(expr.of)}[${printDuration(expr.rangeMs)}:${step}]${printShift(expr)}`
    }
    case 'call':
      return `${expr.name}(${expr.args.map(printPromql).join(', ')})`
    case 'aggregate': {
      const clause = expr.without ? ' without ' : ' by '
      const grouping = expr.without || expr.grouping.length > 0 ? clause + printLabels(expr.grouping) : ''
      const args = expr.parameter === null ? [expr.of] : [expr.parameter, expr.of]
      return `${expr.op}${grouping}${grouping === '' ? '' : ' '}(${args.map(printPromql).join(', ')})`
    }
    case 'binary':
      return `${printPromql(expr.left)} ${expr.op}${printMatching(expr)} ${printPromql(expr.right)}`
    case 'unary':
      return expr.op + printPromql(expr.of)
    case 'paren':
      return `(${printPromql(expr.of)})`
  }
}

function printNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

function printLabels(labels: readonly string[]): string {
  return `(${labels.map(label => (BARE.test(label) ? label : quoted(label))).join(', ')})`
}

function printMatcher({ name, op, value }: LabelMatcher): string {
  return `${BARE.test(name) ? name : quoted(name)}${op}${quoted(value)}`
}

function printSelector({ name, matchers }: VectorNode): string {
  const others = name === '' ? matchers : matchers.slice(0, -1)
  const isBare = BARE_METRIC.test(name)
  const inside = others.map(printMatcher)
  if (name !== '' && !isBare) inside.unshift(quoted(name))
  return (isBare ? name : '') + (inside.length > 0 ? `{${inside.join(',')}}` : '')
}

function printShift({ offsetMs, hasOffset, atMs }: Shift): string {
  const at = atMs === null ? '' : typeof atMs === 'number' ? ` @ ${(atMs / 1000).toFixed(3)}` : ` @ ${atMs}()`
  if (!hasOffset || offsetMs === 0) return at
  return `${at} offset ${offsetMs < 0 ? '-' : ''}${printDuration(Math.abs(offsetMs))}`
}

function printMatching({ returnsBool, matching }: BinaryNode): string {
  let text = returnsBool ? ' bool' : ''
  if (matching === null) return text
  if (matching.on || matching.labels.length > 0) {
    text += ` ${matching.on ? 'on' : 'ignoring'} ${printLabels(matching.labels)}`
  }
  if (matching.cardinality === 'many-to-one') text += ` group_left ${printLabels(matching.include)}`
  if (matching.cardinality === 'one-to-many') text += ` group_right ${printLabels(matching.include)}`
  return text
}

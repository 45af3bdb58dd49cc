// What operators make of two values. A comparison gives its left value, or NaN's absence: whether it holds
// is asked apart.
import type { BinaryOp } from '../../promql/ast.ts'

/** Go's math.Pow differs from JavaScript's where the base is 1 or -1. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1
  if (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY) return 1
  return base ** exponent
}

export const ARITHMETIC: Readonly<Record<string, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': power,
  atan2: Math.atan2
}

export const COMPARISON: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '<=': (left, right) => left <= right,
  '>=': (left, right) => left >= right
}

/** Whether the result has no name any more. @param isRule2  atan2 kept it in Prometheus 2.42 */
export function dropsName(op: BinaryOp, isRule2: boolean): boolean {
  return ARITHMETIC[op] !== undefined && !(isRule2 && op === 'atan2')
}

// What operators make of two values. A comparison gives its left value, or NaN's absence: whether it holds
// is asked apart.
import { assert } from '../../base/assert.ts'
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

/** A function without arguments that is the same at all steps, in subqueries too; times of the query in us. */
export function constantOf(
  name: string,
  { startUs, endUs, stepUs }: { startUs: number; endUs: number; stepUs: number }
): number {
  if (name === 'pi') return Math.PI
  if (name === 'start') return startUs / 1e6
  if (name === 'end') return endUs / 1e6
  if (name === 'range') return (endUs - startUs) / 1e6
  assert(name === 'step', 'the type check knows no other')
  return stepUs / 1e6
}

// The rows of a SELECT of calls: the results of its calls put together by time, and what its columns make of them.
// Not here: the calls themselves (aggregate.ts).
import type { Expr, Fill } from '../../influxql/ast.ts'
import type { Cell } from '../answer.ts'
import type { CallResult } from './aggregate.ts'
import { callKey, type Plan } from './columns.ts'
import { arithmetic } from './condition.ts'
import { isWhole } from './reduce.ts'

/** What an expression of calls comes to. */
export function compileResult(expr: Expr, plan: Plan): (cells: readonly Cell[]) => Cell {
  switch (expr.is) {
    case 'paren':
      return compileResult(expr.of, plan)
    case 'call': {
      const key = callKey(expr)
      const slot = plan.calls.findIndex(call => call.key === key)
      return cells => cells[slot]!
    }
    case 'number':
      return () => expr.value
    case 'binary': {
      const left = compileResult(expr.left, plan)
      const right = compileResult(expr.right, plan)
      return cells => arithmetic(expr.op, left(cells), right(cells))
    }
    default:
      return () => null
  }
}

/** Rows of the results of several calls: those of one time together; fill() says what a missing one is. */
export function* joined(
  results: readonly Iterable<CallResult>[],
  { calls }: Plan,
  fill: Fill,
  by: 1 | -1
): Generator<{ timeUs: number; cells: Cell[] }> {
  const heads = results.map(one => one[Symbol.iterator]())
  const nexts = heads.map(head => head.next())
  const missing: Cell[] = calls.map(call =>
    typeof fill !== 'object' ? null : isWhole(call) ? Math.trunc(fill.value) : fill.value
  )
  for (;;) {
    let timeUs: number | null = null
    for (const next of nexts) {
      if (!next.done && (timeUs === null || (next.value.timeUs - timeUs) * by < 0)) timeUs = next.value.timeUs
    }
    if (timeUs === null) return
    const cells: Cell[] = []
    for (let i = 0; i < nexts.length; i++) {
      const next = nexts[i]!
      if (next.done || next.value.timeUs !== timeUs) {
        cells.push(missing[i]!)
        continue
      }
      if (fill === 'previous') missing[i] = next.value.value
      cells.push(next.value.value)
      nexts[i] = heads[i]!.next()
    }
    yield { timeUs, cells }
  }
}

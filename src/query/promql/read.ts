// Reads PromQL with the regular expressions of our own engine: the language's layer knows none.
import type { Expr } from '../../promql/ast.ts'
import { parsePromql } from '../../promql/parse.ts'
import { compileMatcher } from '../../series/matcher.ts'

/** The checked tree of an expression. @throws {PromqlError} VARVE_PROMQL with line and column */
export function readPromql(text: string): Expr {
  return parsePromql(text, matcher => compileMatcher(matcher)(''))
}

// Reads PromQL with the official grammar and turns its tree into ours.
//
// Where the grammar and Prometheus differ, Prometheus wins:
//  - the grammar takes the sign of a number into the number, so -2^2 would be 4: the sign is put outside;
//  - `2.` is a number and `holt_winters` a function there: both are given to the grammar under another
//    spelling of the same length, and read from the text;
//  - the grammar lets open strings and experimental syntax pass, Prometheus (without feature flags) does not.
// Not here: words for a refused text (diagnose.ts), types (typecheck.ts).
import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'
import type { Expr, LabelMatcher } from './ast.ts'
import { checkTokens, diagnose } from './diagnose.ts'
import { PromqlError } from './error.ts'
import { TreeReader } from './tree-reader.ts'
import { TypeCheck } from './typecheck.ts'

/** Bounds that keep a hostile text from costing more than a moment. */
export const PROMQL_LIMITS = { lengthMax: 131_072, depthMax: 300 } as const

/**
 * The checked tree of an expression.
 * @param matchesEmpty  whether a matcher lets a series without its label pass; throws when its regular
 * expression cannot be read
 * @throws {PromqlError} VARVE_PROMQL with line and column
 */
export function parsePromql(text: string, matchesEmpty: (matcher: LabelMatcher) => boolean): Expr {
  if (text.length > PROMQL_LIMITS.lengthMax) {
    const why = `expression of ${text.length} characters, the limit is ${PROMQL_LIMITS.lengthMax}`
    throw new PromqlError(text, 0, why)
  }
  const top = parser.parse(spelledForGrammar(text)).topNode
  checkDepth(top, text)
  const position = firstError(top)
  if (position !== null) throw diagnose(text, position)
  checkTokens(text)
  const expr = new TreeReader(text, matchesEmpty).read(top.firstChild!)
  new TypeCheck(text, matchesEmpty).check(expr)
  return expr
}

/** The text with what only Prometheus knows replaced, character for character. */
function spelledForGrammar(text: string): string {
  return text.replace(STRINGS_AND_OLD, found => {
    if (found === 'holt_winters') return 'day_of_month'
    return /^\d+\.$/.test(found) ? `${found.slice(0, -1)} ` : found
  })
}

const STRINGS_AND_OLD =
  /"(?:[^\\\n"]|\\.)*"|'(?:[^\\\n']|\\.)*'|`[^`]*`|#[^\n]*|\bholt_winters\b(?=\s*\()|(?<![\w.:])\d+\.(?![\w.])/g

/** Where the grammar first stumbled, or null. Walks without recursion: a tree may be deep. */
function firstError(top: SyntaxNode): number | null {
  let first: number | null = null
  top.tree?.iterate({
    enter: node => {
      if (node.type.isError && (first === null || node.from < first)) first = node.from
    }
  })
  return first ?? (top.firstChild === null ? 0 : null)
}

/** What reads the tree recurses, so its depth is bounded before. */
function checkDepth(top: SyntaxNode, text: string): void {
  let depth = 0
  top.tree?.iterate({
    enter: node => {
      if (++depth > PROMQL_LIMITS.depthMax) {
        throw new PromqlError(
          text,
          node.from,
          `expression nested deeper than ${PROMQL_LIMITS.depthMax} levels`
        )
      }
    },
    leave: () => {
      depth--
    }
  })
}

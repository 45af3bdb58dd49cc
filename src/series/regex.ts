// Regular expressions of matchers, in RE2's syntax and in time linear in the text, so that no pattern a
// client sends can stop a thread: JavaScript's own engine backtracks and needs 2^n steps for (a+)+b. Owns
// re2js, the port of RE2 to JavaScript: no dependencies, 263 KiB, loaded in 5 ms. It took the place of 700
// lines of our own, whose walk of the automaton it beats on 100,000 topics (23 ms for 36, 38 for 97, 40 for
// 81; on one pattern 13 for 8), since it keeps the states it has met.
//
// Invariants: a pattern that is no set of texts has at most patternMax characters and programMax
// instructions; a Regex stops with VARVE_REGEX_COST past stepsMax, counted as if every character of every
// text cost the whole program, so that a costly pattern over many label values ends too.
// Not here: matchers (matcher.ts), what groups take of a text (regex-groups.ts).
import { RE2JS, RE2JSException } from 're2js'
import { VarveError } from '../base/errors.ts'

/** patternMax bounds a compilation to about 10 ms, stepsMax all walks together to about 10 s. */
export const REGEX_COST = { patternMax: 8192, programMax: 4000, stepsMax: 500_000_000 } as const

const TEXTS = /^(?:[^\\.+*?()|[\]{}^$]|\\[\\.+*?()|[\]{}^$/-]|\|)*$/

/** A compiled regular expression that must match a text from its start to its end; "." takes newlines too. */
export class Regex {
  private readonly pattern: string
  /** Whole texts, when the pattern is nothing but a choice of them (what Grafana sends for many values). */
  private readonly texts: ReadonlySet<string> | null
  private readonly program: RE2JS | null
  private readonly instructions: number
  private steps = 0

  /** @throws {VarveError} VARVE_REGEX when the pattern cannot be read or is too large */
  constructor(pattern: string) {
    this.pattern = pattern
    this.texts = literalTexts(pattern)
    this.program = this.texts === null ? compileRegex(pattern) : null
    this.instructions = this.program?.programSize() ?? 0
  }

  /** @throws {VarveError} VARVE_REGEX_COST when this expression has cost too much over all its texts */
  test(text: string): boolean {
    if (this.program === null) return this.texts!.has(text)
    this.steps += this.instructions * (text.length + 1)
    if (this.steps > REGEX_COST.stepsMax) {
      throw new VarveError(
        'VARVE_REGEX_COST',
        `Cannot match "${this.pattern.slice(0, 80)}": more than ${REGEX_COST.stepsMax} steps over the values so far`
      )
    }
    return this.program.matches(text)
  }
}

function refuse(pattern: string, why: string, cause?: unknown): never {
  throw new VarveError('VARVE_REGEX', `Cannot use regular expression "${pattern.slice(0, 80)}": ${why}`, {
    cause
  })
}

/** @throws {VarveError} VARVE_REGEX when the pattern cannot be read or is too large */
export function compileRegex(pattern: string): RE2JS {
  if (pattern.length > REGEX_COST.patternMax) {
    refuse(pattern, `it has ${pattern.length} characters, the limit is ${REGEX_COST.patternMax}`)
  }
  try {
    const program = RE2JS.compile(pattern, RE2JS.DOTALL)
    if (program.programSize() > REGEX_COST.programMax) {
      refuse(pattern, `it unrolls to more than ${REGEX_COST.programMax} steps`)
    }
    return program
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    refuse(pattern, error.message.split(': `', 1)[0]!, error)
  }
}

/** The texts of `a|b\.c|d`, or of the same in one pair of parentheses; null for any other pattern. */
function literalTexts(pattern: string): ReadonlySet<string> | null {
  const inside = pattern.startsWith('(') && pattern.endsWith(')') ? pattern.slice(1, -1) : pattern
  if (!TEXTS.test(inside)) return null
  const texts = new Set<string>()
  let text = ''
  for (let i = 0; i < inside.length; i++) {
    if (inside[i] === '|') {
      texts.add(text)
      text = ''
    } else text += inside[inside[i] === '\\' ? ++i : i]
  }
  return texts.add(text)
}

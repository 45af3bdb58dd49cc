// What the groups of a regular expression take of a text, and templates that they fill: what label_replace
// needs. A whole text must match, as in matchers.
// Not here: the engine and its bounds (regex.ts).
import { VarveError } from '../base/errors.ts'
import { compileRegex, REGEX_COST } from './regex.ts'

export class RegexGroups {
  private readonly pattern: string
  private readonly program: ReturnType<typeof compileRegex>
  private readonly names: Readonly<Record<string, number>>
  private steps = 0

  /** @throws {VarveError} VARVE_REGEX when the pattern cannot be read or is too large */
  constructor(pattern: string) {
    this.pattern = pattern
    this.program = compileRegex(pattern)
    this.names = this.program.namedGroups()
  }

  /**
   * What each group took, '' where it took nothing; the whole text first. Null when it does not match.
   * @throws {VarveError} VARVE_REGEX_COST when this expression has cost too much over all its texts
   */
  match(text: string): readonly string[] | null {
    this.steps += this.program.programSize() * (text.length + 1)
    if (this.steps > REGEX_COST.stepsMax) {
      throw new VarveError(
        'VARVE_REGEX_COST',
        `Cannot match "${this.pattern.slice(0, 80)}": more than ${REGEX_COST.stepsMax} steps over the values so far`
      )
    }
    const matcher = this.program.matcher(text)
    if (!matcher.matches()) return null
    return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '')
  }

  /** A template in which $1, $name and ${name} stand for groups and $$ for a dollar, as Go expands it. */
  expand(template: string, taken: readonly string[]): string {
    return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
      const name = bare ?? braced
      if (name === undefined) return whole === '$$' ? '$' : whole
      const isNumber = /^\d+$/.test(name)
      const index = isNumber ? Number(name) : Object.hasOwn(this.names, name) ? this.names[name]! : -1
      return taken[index] ?? ''
    })
  }
}

// Regular expressions of one request: each is compiled once, and tried once on a text that comes again and again,
// such as the value of a tag that many series share.
//
// Not here: the engine and its bounds (series/regex.ts).
import { Regex } from '../../series/regex.ts'

/** Results that an expression remembers. */
const knownMax = 10_000

/** As a matcher, which takes whole texts: InfluxQL's take any part of one. */
export function anywhere(source: string): string {
  return source === '' ? '(?s:.*)' : `(?s:.*)(?:${source})(?s:.*)`
}

export class RegexTests {
  private readonly tests = new Map<string, (text: string) => boolean>()

  /** A test for an expression anywhere in a text. @throws {VarveError} VARVE_REGEX */
  of(source: string): (text: string) => boolean {
    let test = this.tests.get(source)
    if (test === undefined) this.tests.set(source, (test = remembering(source)))
    return test
  }
}

function remembering(source: string): (text: string) => boolean {
  if (source === '') return () => true
  const regex = new Regex(anywhere(source))
  const known = new Map<string, boolean>()
  return text => {
    let matches = known.get(text)
    if (matches !== undefined) return matches
    if (known.size >= knownMax) known.clear()
    known.set(text, (matches = regex.test(text)))
    return matches
  }
}

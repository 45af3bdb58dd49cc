// The text form of a list of matchers, as Prometheus writes it in `match[]` (Prometheus 3: names and labels
// may be quoted). A bare name may hold any character that has no meaning here, since MQTT fields and line
// protocol bring names such as temp.in and °C.
//
//   selector := name? ('{' (matcher (',' matcher)* ','?)? '}')?         not empty
//   matcher  := string | (name | string) ('=' | '!=' | '=~' | '!~') string
//   string   := '"' ... '"' | "'" ... "'" with Go's escapes | '`' ... '`' as it is
// Example: temperature{site="a", topic=~"site1/.*"}
import { VarveError } from '../base/errors.ts'
import { type Matcher, NAME_LABEL } from './matcher.ts'

export const SELECTOR_LIMITS = { lengthMax: 131_072, matchersMax: 128 } as const

/** A selector that cannot be read. `position` counts characters from 1. */
export class SelectorError extends VarveError {
  override readonly name = 'SelectorError'
  readonly position: number
  constructor(position: number, why: string) {
    super('VARVE_SELECTOR', `Cannot read selector at character ${position}: ${why}`)
    this.position = position
  }
}

const BARE = /[^\s{}"'`,=!~()\\]+/y
const OP = /=~|!~|!=|=/y
const SPACE = /\s*/y
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'"
}

/** @throws {SelectorError} when the text is not a selector */
export function parseSelector(text: string): Matcher[] {
  return new SelectorParser(text).parse()
}

class SelectorParser {
  private readonly text: string
  private readonly matchers: Matcher[] = []
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  parse(): Matcher[] {
    if (this.text.length > SELECTOR_LIMITS.lengthMax) {
      throw this.error(`${this.text.length} characters, the limit is ${SELECTOR_LIMITS.lengthMax}`)
    }
    this.take(SPACE)
    const name = this.take(BARE)
    if (name !== '') this.add({ name: NAME_LABEL, op: '=', value: name })
    this.take(SPACE)
    if (this.text[this.at] === '{') this.braces()
    else if (name === '') throw this.error('a name or { is expected')
    this.take(SPACE)
    if (this.at < this.text.length) throw this.error('nothing may follow')
    return this.matchers
  }

  private error(why: string): SelectorError {
    return new SelectorError(this.at + 1, why)
  }

  private take(token: RegExp): string {
    token.lastIndex = this.at
    const found = token.exec(this.text)?.[0] ?? ''
    this.at += found.length
    return found
  }

  private add(matcher: Matcher): void {
    if (this.matchers.length >= SELECTOR_LIMITS.matchersMax) {
      throw this.error(`more than ${SELECTOR_LIMITS.matchersMax} matchers`)
    }
    this.matchers.push(matcher)
  }

  private braces(): void {
    this.at++
    for (;;) {
      this.take(SPACE)
      if (this.text[this.at] === '}') break
      this.matcher()
      this.take(SPACE)
      if (this.text[this.at] === '}') break
      if (this.text[this.at] !== ',') throw this.error('a comma or } is expected')
      this.at++
    }
    this.at++
  }

  private matcher(): void {
    const quoted = this.quoted()
    const name = quoted ?? this.take(BARE)
    if (name === '') throw this.error('a label is expected')
    this.take(SPACE)
    const op = this.take(OP)
    if (op === '' && quoted !== null) {
      this.add({ name: NAME_LABEL, op: '=', value: quoted })
      return
    }
    if (op === '') throw this.error('one of = != =~ !~ is expected')
    this.take(SPACE)
    const value = this.quoted()
    if (value === null) throw this.error('a quoted value is expected')
    this.add({ name, op: op as Matcher['op'], value })
  }

  /** A quoted string, or null when none begins here. */
  private quoted(): string | null {
    const quote = this.text[this.at]
    if (quote !== '"' && quote !== "'" && quote !== '`') return null
    let value = ''
    this.at++
    for (;;) {
      const char = this.text[this.at]
      if (char === undefined) throw this.error('a quote is not closed')
      if (char === quote) break
      if (char === '\\' && quote !== '`') value += this.escaped()
      else {
        value += char
        this.at++
      }
    }
    this.at++
    return value
  }

  private escaped(): string {
    const letter = this.text[this.at + 1] ?? ''
    if (Object.hasOwn(ESCAPES, letter)) {
      this.at += 2
      return ESCAPES[letter]!
    }
    const found = /^\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3}))/.exec(
      this.text.slice(this.at, this.at + 10)
    )
    const hex = found?.[1] ?? found?.[2] ?? found?.[3]
    const code = found === null ? Number.NaN : Number.parseInt(hex ?? found[4]!, hex === undefined ? 8 : 16)
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) throw this.error('an unknown escape')
    this.at += found![0].length
    return String.fromCodePoint(code)
  }
}

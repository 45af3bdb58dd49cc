// InfluxQL as tokens, each with its place. A slash begins a regular expression where no operand stands before
// it, and divides where one does, so the text is read once, from left to right.
//
//   ident    := [A-Za-z_][A-Za-z0-9_]* | '"' ... '"'          string := "'" ... "'"       escapes \\ \" \' \n
//   duration := (digits ('ns'|'u'|'µ'|'ms'|'s'|'m'|'h'|'d'|'w'))+       number := digits ('.' digits)? | '.' digits
//   regex    := '/' ... '/' where \/ stands for /                       comments: -- to the end, /* ... */
import { InfluxqlError } from './error.ts'

export interface Token {
  readonly is: 'word' | 'name' | 'string' | 'number' | 'duration' | 'regex' | 'bind' | 'sign' | 'end'
  /** What it says: a name or string without quotes, a word or sign as written. */
  readonly text: string
  readonly at: number
}

export const TEXT_LENGTH_MAX = 65_536

const SIGN = /=~|!~|!=|<>|<=|>=|::|[-+*/%=<>(),.;:]/y
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y
const DURATION = /(?:\d+(?:ns|u|\u00b5|ms|s|m|h|d|w))+(?![A-Za-z0-9_])/y
const NUMBER = /\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?/y
const SPACE = /(?:\s|--[^\n]*|\/\*[\s\S]*?\*\/)+/y
/** Words after which an operand is due, and so a regular expression may begin. */
const BEFORE_OPERAND = new Set([
  'SELECT',
  'FROM',
  'BY',
  'WHERE',
  'AND',
  'OR',
  'MEASUREMENT',
  'KEY',
  'IN',
  'DISTINCT'
])

/**
 * All tokens and, last, an end.
 * @throws {InfluxqlError} for a character that begins nothing, a quote that is not closed, a text too long
 */
export function tokensOf(text: string): Token[] {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new InfluxqlError(text, TEXT_LENGTH_MAX, `more than ${TEXT_LENGTH_MAX} characters`)
  }
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0] ?? null
    if (found !== null) at += found.length
    return found
  }
  const add = (is: Token['is'], found: string, from: number) => tokens.push({ is, text: found, at: from })
  for (;;) {
    take(SPACE)
    const from = at
    const char = text[at]
    if (char === undefined) {
      add('end', 'EOF', at)
      return tokens
    }
    if (char === '"' || char === "'") {
      const [value, end] = quoted(text, at, char)
      at = end
      add(char === '"' ? 'name' : 'string', value, from)
      continue
    }
    if (char === '/' && !isOperand(tokens.at(-1))) {
      const [source, end] = regex(text, at)
      at = end
      add('regex', source, from)
      continue
    }
    if (char === '$') {
      at++
      const name = take(WORD)
      if (name === null) throw new InfluxqlError(text, from, 'found $, expected identifier')
      add('bind', name, from)
      continue
    }
    const word = take(WORD)
    if (word !== null) {
      add('word', word, from)
      continue
    }
    const duration = take(DURATION)
    if (duration !== null) {
      add('duration', duration, from)
      continue
    }
    const number = take(NUMBER)
    if (number !== null) {
      add('number', number, from)
      continue
    }
    const sign = take(SIGN)
    if (sign === null) throw new InfluxqlError(text, from, `found ${char}, expected a statement`)
    add('sign', sign === '<>' ? '!=' : sign, from)
  }
}

function isOperand(before: Token | undefined): boolean {
  if (before === undefined) return false
  if (before.is === 'sign') return before.text === ')' || before.text === '*'
  return before.is !== 'word' || !BEFORE_OPERAND.has(before.text.toUpperCase())
}

function quoted(text: string, start: number, quote: string): [value: string, end: number] {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!
    if (char === quote) return [value, at + 1]
    if (char === '\n') break
    if (char !== '\\') {
      value += char
      continue
    }
    const next = text[++at]
    if (next === 'n') value += '\n'
    else if (next === '\\' || next === '"' || next === "'") value += next
    else throw new InfluxqlError(text, at - 1, `found \\${next ?? ''}, bad escape`)
  }
  throw new InfluxqlError(text, start, `found ${text.slice(start, start + 20)}, a quote that is not closed`)
}

function regex(text: string, start: number): [source: string, end: number] {
  let source = ''
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    const char = text[at]!
    if (char === '/') return [source, at + 1]
    if (char === '\\' && text[at + 1] === '/') {
      source += '/'
      at++
    } else if (char === '\\') {
      source += char + (text[at + 1] ?? '')
      at++
    } else source += char
  }
  throw new InfluxqlError(text, start, 'found /, a regular expression that is not closed')
}

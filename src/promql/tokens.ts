// Cuts an expression into tokens as Prometheus' own lexer does, only to say what is wrong with a text that
// the grammar refused, or that Prometheus refuses where the grammar is lenient (an open string, a stray
// bracket). Stops at the first error, which is its last token.
// Not here: choosing the words for a refused token (diagnose.ts), the grammar itself (parse.ts).
import { AGGREGATORS } from './ast.ts'
import { quoted } from './error.ts'
import { readDuration, readString } from './literal.ts'

export type TokenKind =
  | 'mark'
  | 'operator'
  | 'keyword'
  | 'aggregator'
  | 'identifier'
  | 'metric identifier'
  | 'number'
  | 'duration'
  | 'string'
  | 'end'
  | 'error'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  readonly start: number
  /** Between { and }. */
  readonly inBraces: boolean
  /** Between [ and ]. */
  readonly inBrackets: boolean
}

const KEYWORDS = [
  ...['offset', 'smoothed', 'anchored', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right'],
  ...['bool', 'start', 'end', 'fill', 'fill_left', 'fill_right']
]
const WORD_OPERATORS = ['and', 'or', 'unless', 'atan2']
const SPACE = /[ \t\n\r]*(?:#[^\n]*[ \t\n\r]*)*/y
const WORD = /[A-Za-z_:][A-Za-z0-9_:]*/y
const LABEL = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMBER_LIKE = /(?:0[xX][0-9a-fA-F_]*|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]*)?)/y
const NUMBER =
  /^(?:0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?)$/
const DURATION = /(?:\d+(?:ms|[ywdhms]))+/y
const OPERATOR = /==|!=|<=|>=|<\/|>\/|[-+*/%^<>=]/y
const STRING = /"(?:[^\\\n"]|\\[^\n])*"|'(?:[^\\\n']|\\[^\n])*'|`[^`]*`/y
const MATCH_OPERATOR = /=~|!~|!=|=/y
const MARKS: Readonly<Record<string, string>> = { '(': ')', ')': '(', '[': ']', ']': '[', '{': '}', '}': '{' }

/** How Go's %q shows one character. */
function shown(char: string): string {
  return char === "'" ? "'\\''" : `'${quoted(char).slice(1, -1).replace('\\"', '"')}'`
}

export function tokenize(text: string): Token[] {
  return new Lexer(text).run()
}

class Lexer {
  private readonly text: string
  private readonly tokens: Token[] = []
  private at = 0
  private parens = 0
  private inBraces = false
  private inBrackets = false
  private hasColon = false
  private hasDuration = false

  constructor(text: string) {
    this.text = text
  }

  run(): Token[] {
    for (;;) {
      this.match(SPACE)
      const char = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0)
      const isEnd = this.at >= this.text.length
      const why = this.inBraces
        ? this.braces(char, isEnd)
        : this.inBrackets
          ? this.brackets(char, isEnd)
          : isEnd
            ? this.end()
            : this.outside(char)
      if (why !== null) this.emit('error', why, 0)
      const last = this.tokens.at(-1)!
      if (last.kind === 'error' || last.kind === 'end') return this.tokens
    }
  }

  private match(form: RegExp): string {
    form.lastIndex = this.at
    const found = form.exec(this.text)?.[0] ?? ''
    if (form === SPACE) this.at += found.length
    return found
  }

  private emit(kind: TokenKind, text: string, length = text.length): null {
    const { inBraces, inBrackets } = this
    this.tokens.push({ kind, text, start: this.at, inBraces, inBrackets })
    this.at += length
    return null
  }

  private end(): string | null {
    return this.parens > 0 ? 'unclosed left parenthesis' : this.emit('end', '')
  }

  private outside(char: string): string | null {
    const word = this.match(WORD)
    if (word !== '') return this.word(word)
    if (/\d/.test(char) || (char === '.' && /\d/.test(this.text[this.at + 1] ?? ''))) return this.number()
    if (/["'`]/.test(char)) return this.string(char)
    const next = this.text[this.at + 1] ?? ''
    if (char === '=' && next === '~') return `unexpected character after '=': ${shown(next)}`
    if (char === '!' && next !== '=') {
      return `unexpected character after '!': ${next === '' ? "'\\uffff'" : shown(next)}`
    }
    const operator = this.match(OPERATOR)
    if (operator !== '') return this.emit(operator === '=' ? 'mark' : 'operator', operator)
    if (char === ',' || char === '@') return this.emit(char === ',' ? 'mark' : 'operator', char)
    if (MARKS[char] === undefined) return `unexpected character: ${shown(char)}`
    return this.bracket(char)
  }

  private bracket(char: string): string | null {
    if (char === ')' && --this.parens < 0) {
      this.emit('mark', char)
      return `unexpected right parenthesis ${shown(char)}`
    }
    if (char === ']' && !this.inBrackets) return `unexpected right bracket ${shown(char)}`
    if (char === '}') return `unexpected character: ${shown(char)}`
    this.emit('mark', char)
    if (char === '(') this.parens++
    if (char === '{') this.inBraces = true
    if (char === '[') {
      this.inBrackets = true
      this.hasColon = this.hasDuration = false
    }
    return null
  }

  private word(word: string): null {
    const lower = word.toLowerCase()
    if (lower === 'inf' || lower === 'nan') return this.emit('number', word)
    if (WORD_OPERATORS.includes(lower)) return this.emit('operator', word)
    if ((AGGREGATORS as readonly string[]).includes(lower)) return this.emit('aggregator', word)
    const isFill = lower.startsWith('fill') && !/^\s*\(/.test(this.text.slice(this.at + word.length))
    if (KEYWORDS.includes(lower) && !isFill) return this.emit('keyword', word)
    return this.emit(word.includes(':') ? 'metric identifier' : 'identifier', word)
  }

  private number(): string | null {
    const digits = this.match(NUMBER_LIKE)
    const after = this.text[this.at + digits.length] ?? ''
    if (NUMBER.test(digits) && !/[A-Za-z0-9_.]/.test(after)) return this.emit('number', digits)
    const duration = this.match(DURATION)
    if (duration !== '' && !/[A-Za-z0-9_.]/.test(this.text[this.at + duration.length] ?? '')) {
      if (readDuration(duration) !== null) return this.emit('duration', duration)
      return `not a valid duration string: ${quoted(duration)}`
    }
    const longest = duration.length >= digits.length ? duration : digits
    const end = this.at + longest.length
    const bad = this.text.slice(this.at, /[A-Za-z0-9_.]/.test(this.text[end] ?? '') ? end + 1 : end)
    return `bad number or duration syntax: ${quoted(bad)}`
  }

  private string(quote: string): string | null {
    const source = this.match(STRING)
    if (source === '') return quote === '`' ? 'unterminated raw string' : 'unterminated quoted string'
    const read = readString(source)
    return typeof read === 'string' ? this.emit('string', source) : read.why
  }

  private braces(char: string, isEnd: boolean): string | null {
    if (isEnd) return 'unexpected end of input inside braces'
    const label = this.match(LABEL)
    if (label !== '') return this.emit('identifier', label)
    if (/["'`]/.test(char)) return this.string(char)
    if (char === ',') return this.emit('mark', char)
    const operator = this.match(MATCH_OPERATOR)
    if (operator !== '') return this.emit('operator', operator)
    if (char === '!') {
      const next = this.text[this.at + 1] ?? ''
      return `unexpected character after '!' inside braces: ${next === '' ? "'\\uffff'" : shown(next)}`
    }
    if (char === '{') return `unexpected left brace ${shown(char)}`
    if (char !== '}') return `unexpected character inside braces: ${shown(char)}`
    this.emit('mark', char)
    this.inBraces = false
    return null
  }

  private brackets(char: string, isEnd: boolean): string | null {
    if (isEnd) return 'unexpected end of input in duration expression'
    if (char === ']') {
      this.emit('mark', char)
      this.inBrackets = false
      return null
    }
    if (char === ':') {
      if (!this.hasDuration) return 'unexpected colon before duration in duration expression'
      if (this.hasColon) return 'unexpected repeated colon in duration expression'
      this.hasColon = true
      return this.emit('mark', char)
    }
    if (char === '(' || char === ')') return this.bracket(char)
    if (/[-+*/%^]/.test(char)) return this.emit('operator', char)
    if (char === ',') return this.emit('mark', char)
    if (/\d/.test(char) || (char === '.' && /\d/.test(this.text[this.at + 1] ?? ''))) {
      this.hasDuration = true
      return this.number()
    }
    const word = this.match(LABEL)
    if (['step', 'range', 'min_of', 'max_of'].includes(word.toLowerCase())) {
      this.hasDuration = true
      return this.emit('identifier', word)
    }
    const where = this.hasDuration ? '' : ' in duration expression'
    return `unexpected character${where}: ${shown(char)}${this.hasDuration ? ", expected ':'" : ''}`
  }
}

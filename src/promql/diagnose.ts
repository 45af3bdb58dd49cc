// Words for what the grammar refuses. The grammar's parser goes on after an error and says only where it
// stumbled; Prometheus names the token and what it was part of. So the tokens up to that place are walked
// once and the innermost thing still open gives the context.
//
// The position is where the grammar stumbled; the words follow Prometheus' rules for the same token there.
// Not here: the type check (typecheck.ts).
import { PromqlError, quoted } from './error.ts'
import { FUNCTIONS } from './functions.ts'
import { type Token, tokenize } from './tokens.ts'

/** @throws {PromqlError} when Prometheus' lexer would refuse the text before `position` or anywhere in it */
export function checkTokens(text: string): Token[] {
  const tokens = tokenize(text)
  const last = tokens.at(-1)!
  if (last.kind === 'error') throw new PromqlError(text, last.start, last.text)
  return tokens
}

/** The error for a text that the grammar refuses at `position`. */
export function diagnose(text: string, position: number): PromqlError {
  const tokens = tokenize(text)
  if (tokens.length === 1 && tokens[0]!.kind === 'end') {
    return new PromqlError(text, 0, 'no expression found in input')
  }
  let index = tokens.findIndex(token => token.start + token.text.length > position)
  if (index < 0) index = tokens.length - 1
  const unknown = unknownFunction(tokens, index)
  if (unknown !== null) {
    return new PromqlError(text, unknown.start, `unknown function with name ${quoted(unknown.text)}`)
  }
  const token = tokens[index]!
  const next = tokens[index + 1]
  if (token.text === ')' && next?.kind === 'error') return new PromqlError(text, next.start, next.text)
  if (token.kind === 'error') return new PromqlError(text, token.start, token.text)
  if (token.text === ')' && tokens[index - 1]?.text === ',') {
    const why = 'trailing commas not allowed in function call args'
    return new PromqlError(text, tokens[index - 1]!.start, why)
  }
  return new PromqlError(text, token.start, `unexpected ${described(token)}${context(tokens, index)}`)
}

/** A name before a parenthesis that no function has, at or just before the token. */
function unknownFunction(tokens: readonly Token[], index: number): Token | null {
  for (let i = Math.max(0, index - 2); i <= index; i++) {
    const name = tokens[i]!
    const before = tokens[i - 1]?.text.toLowerCase() === 'bool' ? undefined : tokens[i - 1]?.kind
    const isCall = tokens[i + 1]?.text === '(' && !name.inBraces && !NAMES.includes(before ?? '')
    if (isCall && name.kind === 'identifier' && !FUNCTIONS.has(name.text)) return name
    if (isCall && name.kind === 'metric identifier') return null
  }
  return null
}

/** Kinds of tokens after which a name cannot be a function's. */
const NAMES = ['aggregator', 'identifier', 'keyword']

function described({ kind, text }: Token): string {
  const short = text.length > 10 ? `${quoted(text.slice(0, 10))}...` : quoted(text)
  switch (kind) {
    case 'end':
      return 'end of input'
    case 'keyword':
      return `<${text}>`
    case 'aggregator':
      return `<aggr:${text}>`
    case 'operator':
      if (text === '=') return '"="'
      return `<op:${text}>`
    case 'identifier':
    case 'metric identifier':
      return `${kind} ${quoted(text)}`
    case 'mark':
      return text === '=' ? '"="' : short
    default:
      return `${kind} ${short}`
  }
}

/** ` in <what>, expected <what>`, or nothing where Prometheus has no words. */
function context(tokens: readonly Token[], index: number): string {
  const token = tokens[index]!
  const before = tokens[index - 1]
  const word = (at: number) => tokens[at]?.text.toLowerCase() ?? ''
  if (token.inBraces && before !== undefined) return inBraces(tokens, index)
  if (token.inBrackets) return inBrackets(tokens, index)
  const opener = openParen(tokens, index)
  if (opener > 0 && GROUPING.includes(word(opener - 1)) && tokens[opener - 1]!.kind === 'keyword') {
    const isLabelWanted = before!.text === '(' || before!.text === ','
    return ` in grouping opts, expected ${isLabelWanted ? 'label' : '"," or ")"'}`
  }
  if (before === undefined) return ''
  const previous = word(index - 1)
  if (before.kind === 'keyword') {
    if (previous === 'offset') return ' in offset, expected number, duration, step(), or range()'
    if (NEEDS_LABELS.includes(previous)) return ' in grouping opts, expected "("'
  }
  if (before.text === '@') return ' in @, expected timestamp'
  return before.kind === 'aggregator' && token.kind !== 'identifier' ? ' in aggregation' : ''
}

const NEEDS_LABELS = ['by', 'without', 'on', 'ignoring']
const GROUPING = [...NEEDS_LABELS, 'group_left', 'group_right']

/** Index of the innermost parenthesis open before a token, or -1. */
function openParen(tokens: readonly Token[], index: number): number {
  let depth = 0
  for (let i = index - 1; i >= 0; i--) {
    if (tokens[i]!.text === ')') depth++
    else if (tokens[i]!.text === '(' && tokens[i]!.kind === 'mark' && depth-- === 0) return i
  }
  return -1
}

function inBraces(tokens: readonly Token[], index: number): string {
  const before = tokens[index - 1]!
  if (before.kind === 'operator') return ' in label matching, expected string'
  if (before.kind === 'identifier') return ' in label matching, expected label matching operator'
  if (before.kind === 'string') return ' in label matching, expected "," or "}"'
  return ' in label matching, expected identifier or "}"'
}

function inBrackets(tokens: readonly Token[], index: number): string {
  const before = tokens[index - 1]!
  if (before.text === '[') {
    return ' in subquery or range selector, expected number, duration, step(), or range()'
  }
  if (before.text === ':') {
    return ' in subquery selector, expected number, duration, step(), range(), or "]"'
  }
  const hasColon = tokens.slice(0, index).findLast(({ text }) => text === ':' || text === '[')?.text === ':'
  return hasColon ? ' in subquery selector, expected "]"' : ' in subquery or range, expected ":" or "]"'
}

// Walks the tokens of a text: what the parsers of statements and expressions share. A keyword is a bare word in
// any case; a quoted name is never one.
import { InfluxqlError } from './error.ts'
import { type Token, tokensOf } from './tokens.ts'

/** Values that a client sends beside the text, for $name. */
export type Binds = Readonly<Record<string, string | number | boolean>>

export class TokenReader {
  readonly text: string
  readonly binds: Binds
  private readonly tokens: readonly Token[]
  private at = 0

  /** @throws {InfluxqlError} what tokensOf() throws */
  constructor(text: string, binds: Binds) {
    this.text = text
    this.binds = binds
    this.tokens = tokensOf(text)
  }

  peek(): Token {
    return this.tokens[this.at]!
  }

  take(): Token {
    const token = this.peek()
    if (token.is !== 'end') this.at++
    return token
  }

  /** Whether these words come next. */
  sees(...words: readonly string[]): boolean {
    return words.every((word, i) => {
      const token = this.tokens[Math.min(this.at + i, this.tokens.length - 1)]!
      return token.is === 'word' && token.text.toUpperCase() === word
    })
  }

  /** Takes these words when they come next. */
  takes(...words: readonly string[]): boolean {
    if (!this.sees(...words)) return false
    this.at += words.length
    return true
  }

  seesSign(sign: string): boolean {
    return this.peek().is === 'sign' && this.peek().text === sign
  }

  takesSign(sign: string): boolean {
    if (!this.seesSign(sign)) return false
    this.at++
    return true
  }

  /** @throws {InfluxqlError} when another token comes next */
  sign(sign: string): void {
    if (!this.takesSign(sign)) throw this.unexpected(sign)
  }

  /** @throws {InfluxqlError} */
  word(word: string): void {
    if (!this.takes(word)) throw this.unexpected(word)
  }

  /** A bare or quoted name. @throws {InfluxqlError} */
  name(): string {
    const next = this.peek()
    if (next.is !== 'name' && next.is !== 'word') throw this.unexpected('identifier')
    return this.take().text
  }

  /** A whole number that is not negative. @throws {InfluxqlError} */
  count(): number {
    const next = this.peek()
    if (next.is !== 'number' || !/^\d{1,15}$/.test(next.text)) throw this.unexpected('integer')
    return Number(this.take().text)
  }

  /** What to throw where something else is due. */
  unexpected(...wanted: readonly string[]): InfluxqlError {
    const next = this.peek()
    return new InfluxqlError(
      this.text,
      next.at,
      `found ${next.text.slice(0, 60)}, expected ${wanted.join(', ')}`
    )
  }

  error(why: string, at = this.peek().at): InfluxqlError {
    return new InfluxqlError(this.text, at, why)
  }
}

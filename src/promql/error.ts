// What is wrong with an expression, and where: Prometheus' own words, which people look up and Grafana shows.
import { VarveError } from '../base/errors.ts'

/** An expression that cannot be read. The message is "line:column: parse error: why", both from 1. */
export class PromqlError extends VarveError {
  override readonly name = 'PromqlError'
  /** Offset of the character where it goes wrong, from 0. */
  readonly position: number
  constructor(text: string, position: number, why: string) {
    const before = text.slice(0, position)
    const line = before.split('\n').length
    const column = position - before.lastIndexOf('\n')
    super('VARVE_PROMQL', `${line}:${column}: parse error: ${why}`)
    this.position = position
  }
}

/** A text in double quotes as Go's %q prints it. */
export function quoted(text: string): string {
  let out = '"'
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (char === '"' || char === '\\') out += `\\${char}`
    else if (SHORT[char] !== undefined) out += SHORT[char]
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`
    else out += char
  }
  return `${out}"`
}

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v'
}

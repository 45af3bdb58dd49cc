// Finds the line of every key in a TOML text, for messages: the TOML library gives values without their
// places. It reads just enough of the grammar to tell keys from values: headers, dotted and quoted keys,
// strings of all four kinds, brackets and comments.
//
// Invariants: for text that the library accepts, a key stated by a header or an assignment is found at its
// own line, and a key inside an inline table or list at the line of the assignment that holds it; any other
// text ends the scan early, never with an error and never without progress.
// Not here: values (load.ts).

/** Lines (from 1) of paths such as "mqtt.port" and "ingest.topics[1].match". */
export class KeyLines {
  private readonly lines = new Map<string, number>()

  constructor(text: string) {
    new Scan(text, this.lines).run()
  }

  /** The line of a path, or of the nearest enclosing one that is stated; null when none is. */
  find(path: string): number | null {
    for (let at = path; at !== ''; at = at.replace(/(?:\.?[^.[]*|\[\d+\])$/, '')) {
      const line = this.lines.get(at)
      if (line !== undefined) return line
    }
    return null
  }
}

class Scan {
  private readonly text: string
  private readonly lines: Map<string, number>
  private readonly rows = new Map<string, number>()
  private at = 0
  private line = 1
  private table = ''

  constructor(text: string, lines: Map<string, number>) {
    this.text = text
    this.lines = lines
  }

  run(): void {
    while (this.at < this.text.length) {
      const before = this.at
      const char = this.text[this.at]!
      if (/\s/.test(char)) this.step()
      else if (char === '#') this.skipLine()
      else if (char === '[') this.header()
      else this.assignment()
      if (this.at === before) return
    }
  }

  private step(): void {
    if (this.text[this.at] === '\n') this.line++
    this.at++
  }

  private skipLine(): void {
    while (this.at < this.text.length && this.text[this.at] !== '\n') this.at++
  }

  private header(): void {
    const line = this.line
    const isRow = this.text.startsWith('[[', this.at)
    this.at += isRow ? 2 : 1
    let path = ''
    const parts = this.key(']')
    for (const [i, part] of parts.entries()) {
      path = path === '' ? part : `${path}.${part}`
      if (isRow && i === parts.length - 1) {
        const row = this.rows.get(path) ?? 0
        this.rows.set(path, row + 1)
        if (!this.lines.has(path)) this.lines.set(path, line)
        path = `${path}[${row}]`
      } else if (this.rows.has(path)) path = `${path}[${this.rows.get(path)! - 1}]`
    }
    this.table = path
    if (!this.lines.has(path)) this.lines.set(path, line)
    this.skipLine()
  }

  private assignment(): void {
    const line = this.line
    let path = this.table
    for (const part of this.key('=')) {
      path = path === '' ? part : `${path}.${part}`
      if (!this.lines.has(path)) this.lines.set(path, line)
    }
    this.at++
    this.value()
  }

  /** The parts of a dotted key up to `end`, which is left to be read; stops at the end of the line. */
  private key(end: string): string[] {
    const parts: string[] = []
    let part = ''
    while (this.at < this.text.length) {
      const char = this.text[this.at]!
      if (char === end || char === '\n') break
      if (char === '"' || char === "'") part += this.string()
      else if (char === '.') {
        parts.push(part)
        part = ''
        this.at++
      } else {
        if (!/\s/.test(char)) part += char
        this.at++
      }
    }
    parts.push(part)
    return parts
  }

  /** Skips a value: to the end of the line outside brackets and strings. */
  private value(): void {
    let depth = 0
    while (this.at < this.text.length) {
      const char = this.text[this.at]!
      if (char === '"' || char === "'") {
        this.string()
        continue
      }
      if (char === '\n' && depth <= 0) return
      if (char === '#') {
        this.skipLine()
        continue
      }
      if (char === '[' || char === '{') depth++
      if (char === ']' || char === '}') depth--
      this.step()
    }
  }

  /** Reads a string of any of the four kinds; returns its raw inside. */
  private string(): string {
    const quote = this.text[this.at]!
    const long = this.text.startsWith(quote.repeat(3), this.at)
    const mark = long ? quote.repeat(3) : quote
    this.at += mark.length
    const start = this.at
    while (this.at < this.text.length) {
      if (!long && this.text[this.at] === '\n') break
      if (quote === '"' && this.text[this.at] === '\\') this.step()
      else if (this.text.startsWith(mark, this.at)) {
        const inside = this.text.slice(start, this.at)
        this.at += mark.length
        // A long string may end in one or two quotes of its own.
        while (long && this.text[this.at] === quote) this.at++
        return inside
      }
      if (this.at < this.text.length) this.step()
    }
    return this.text.slice(start, this.at)
  }
}

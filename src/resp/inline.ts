// The words of a line that a person typed, with quotes and escapes as redis-cli and telnet users know them.
// Pure. Not here: where a line ends (parser.ts).

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }

/** Splits a line; null when a quote is not closed, or is closed inside of a word. */
export function splitInline(line: string): string[] | null {
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && isBlank(line[at]!)) at++
    if (at >= line.length) return words
    let word = ''
    while (at < line.length && !isBlank(line[at]!)) {
      const c = line[at]!
      if (c !== '"' && c !== "'") {
        word += c
        at++
        continue
      }
      const quoted = readQuoted(line, at)
      if (quoted === null || (quoted.end < line.length && !isBlank(line[quoted.end]!))) return null
      word += quoted.text
      at = quoted.end
    }
    words.push(word)
  }
}

function readQuoted(line: string, start: number): { text: string; end: number } | null {
  const quote = line[start]!
  let text = ''
  for (let at = start + 1; at < line.length; at++) {
    const c = line[at]!
    if (c === quote) return { text, end: at + 1 }
    if (c !== '\\' || at + 1 >= line.length) {
      text += c
      continue
    }
    const next = line[++at]!
    if (quote === "'") {
      text += next === "'" ? "'" : `\\${next}`
      continue
    }
    const hex = next === 'x' ? /^[0-9a-fA-F]{2}/.exec(line.slice(at + 1)) : null
    if (hex !== null) {
      text += String.fromCharCode(Number.parseInt(hex[0], 16))
      at += 2
    } else text += ESCAPES[next] ?? next
  }
  return null
}

function isBlank(c: string): boolean {
  return c === ' ' || c === '\t' || c === '\r' || c === '\n' || c === '\0' || c === '\v' || c === '\f'
}

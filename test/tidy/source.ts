// Sources as the tidy rules see them: text, imports, and code without comments and the contents of strings.
// A scanner of a hundred lines instead of a compiler: TypeScript 7 offers no syntax tree to programs. It
// knows comments, quotes, templates (whose ${} is code) and regular expressions by what stands before them.
// Not here: the rules (layers.ts, words.ts, files.ts).

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file of the repository; the path is relative to it, with '/' between names. */
export interface Source {
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly target: string
  /** `import type` or `export type`: gone when the program runs. */
  readonly typeOnly: boolean
}

export const root = join(import.meta.dirname, '../..')

/** All .ts files below the folders, sorted by path. */
export function readSources(...folders: readonly string[]): Source[] {
  return folders
    .flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
        .map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))
    )
    .sort()
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const beforeRegex =
  /(?:^|[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|of|in|do|else|void|yield|await))\s*$/

/** The end of a quoted string or regular expression that starts at `at`. */
function endOfLiteral(text: string, at: number, quote: string): number {
  let inClass = false
  for (let i = at + 1; i < text.length; i++) {
    const char = text[i]!
    if (char === '\\') i++
    else if (quote === '/' && char === '[') inClass = true
    else if (quote === '/' && char === ']') inClass = false
    else if ((char === quote && !inClass) || char === '\n') return i + 1
  }
  return text.length
}

/** The code of a text: comments gone, strings, template text and regular expressions emptied. */
export function codeOf(text: string): string {
  let code = ''
  // Depths of braces at which a template's ${ } ends.
  const templates: number[] = []
  let depth = 0
  let inTemplate = false
  for (let i = 0; i < text.length; ) {
    const char = text[i]!
    const two = text.slice(i, i + 2)
    if (inTemplate) {
      if (char === '\\') i += 2
      else if (char === '`') {
        inTemplate = false
        code += '`'
        i++
      } else if (two === '${') {
        inTemplate = false
        templates.push(depth++)
        code += '${'
        i += 2
      } else i++
    } else if (two === '//') {
      const end = text.indexOf('\n', i)
      i = end < 0 ? text.length : end
    } else if (two === '/*') {
      const end = text.indexOf('*/', i + 2)
      i = end < 0 ? text.length : end + 2
    } else if (char === "'" || char === '"') {
      i = endOfLiteral(text, i, char)
      code += `${char}${char}`
    } else if (char === '/' && beforeRegex.test(code.slice(-20))) {
      i = endOfLiteral(text, i, '/')
      code += '/ /'
    } else {
      if (char === '`') inTemplate = true
      if (char === '{') depth++
      if (char === '}' && --depth === templates.at(-1)) {
        templates.pop()
        inTemplate = true
      }
      code += char
      i++
    }
  }
  return code
}

const importForms =
  /^[ \t]*(import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s*)?'([^'\n]+)'|\bimport\(\s*'([^'\n]+)'\s*\)|new URL\(\s*'([^'\n]+)',\s*import\.meta\.url/gm

/** What a source imports or re-exports, statically, by import() and by new URL(…, import.meta.url). */
export function importsOf({ text }: Source): Import[] {
  const withoutComments = text.replace(/^\s*(?:\/\/|\*|\/\*\*?).*$/gm, '')
  return [...withoutComments.matchAll(importForms)].map(match => ({
    target: (match[3] ?? match[4] ?? match[5])!,
    typeOnly: match[2] !== undefined
  }))
}

/** The path that a relative import of a source names. */
export function resolveImport(from: string, target: string): string {
  return join(from, '..', target)
}

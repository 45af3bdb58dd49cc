// What a file must look like, which files may exist, and that every file of src is part of the program.

import { basename, dirname } from 'node:path'
import { codeOf, importsOf, resolveImport, type Source } from './source.ts'

const linesMax = 500
/** A header of fewer characters says nothing. */
const headerCharsMin = 30

/** Where programs start: the executable, its worker threads, and the embedded store. */
export const entries = [
  ...['src/main.ts', 'src/daemon/worker.ts'],
  ...['src/index.ts', 'src/embedded/job-worker.ts']
]

/** All that may stand at the top of the repository; the last ones are made, not kept. */
export const topLevel = [
  ...['.ci', '.dockerignore', '.gitignore', '.npmrc', '.taprc', 'LICENSE', 'README.md', 'UPGRADING.md'],
  ...['biome.json', 'deploy', 'package-lock.json', 'package.json', 'scripts', 'src', 'systemd', 'test'],
  ...['tsconfig.json', '.git', '.github', 'node_modules', 'dist', '.cache', '.tap', 'varve-data']
]

export function lengthFaults(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1
    return lines > linesMax ? [`${path} has ${lines} lines; ${linesMax} is the limit`] : []
  })
}

export function headerFaults(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const header = /^(?:#!.*\n)?((?:\/\/.*\n)+|\/\*[\s\S]*?\*\/)/.exec(text)?.[1] ?? ''
    return header.length < headerCharsMin ? [`${path} does not open with a comment that says what it is`] : []
  })
}

export function exportFaults(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/.test(codeOf(text))
      ? [`${path} has a default export`]
      : []
  )
}

/** Drawers for everything, and barrels: files that only pass on what others export. */
export function nameFaults(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    if (/(?:^|\/)(?:utils?|commons?|types|misc|helpers?)(?:\/|\.ts$|-)/.test(path)) {
      return [`${path}: the name says nothing of what is inside`]
    }
    const code = codeOf(text).replace(/\bexport\s+(?:type\s+)?(?:\*|\{[^}]*\})[^\n]*\bfrom\s*''/g, '')
    const barrel = /\bexport\b[^\n]*\bfrom\b|\bexport\s*\{[^}]*\}\s*from/.test(text) && code.trim() === ''
    return barrel && !entries.includes(path) ? [`${path} is a barrel`] : []
  })
}

/** Work left undone is an issue, not a comment. */
export function markFaults(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(/\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/g)].map(match => `${path} says ${match[0]}`)
  )
}

/** Files of src that no entry reaches by imports. */
export function deadFaults(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map(source => [source.path, source]))
  const reached = new Set<string>()
  const waiting = entries.filter(entry => byPath.has(entry))
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    const source = byPath.get(path)
    if (source === undefined) continue
    for (const { target } of importsOf(source)) {
      if (target.startsWith('.')) waiting.push(resolveImport(path, target))
    }
  }
  return sources
    .filter(({ path }) => path.startsWith('src/') && !reached.has(path))
    .map(
      ({ path }) => `${path} is reached from no entry (${entries.map(entry => basename(entry)).join(', ')})`
    )
}

export function topLevelFaults(names: readonly string[]): string[] {
  return names
    .filter(name => !topLevel.includes(name) && !name.endsWith('.cpuprofile'))
    .map(name => `${name} does not belong at the top of the repository`)
}

/** Files that a comment names: beside it, below src, or from the top of the repository. @param paths  all there are */
export function referenceFaults(sources: readonly Source[], paths: readonly string[]): string[] {
  const known = new Set(paths)
  return sources.flatMap(({ path, text }) => {
    const comments = text.match(/^ *(?:\/\/|\/?\*).*$/gm) ?? []
    const named = comments.flatMap(line => line.match(/(?<![\w*./-])[\w./-]+\.ts\b/g) ?? [])
    return named
      .filter(name => ![`${dirname(path)}/${name}`, `src/${name}`, name].some(place => known.has(place)))
      .map(name => `${path} names ${name}, which is not there`)
  })
}

// Prints the documented defaults as a complete varve.toml: every key with what it does, why, its bounds and
// its default. The printed text is itself a configuration file that gives the defaults (a test reads it
// back), so documentation and program cannot disagree.
//
// Table lists print their defaults as tables; an empty one prints its columns as a commented example.
import { stringify } from 'smol-toml'
import type { Entry, Written } from './entry.ts'
import { SECTIONS } from './schema.ts'

const WIDTH = 100

/** The whole of varve.toml with its defaults. */
export function printReference(): string {
  const lines = [
    ...comment(
      'varve.toml: every key with its default. Keep only what you change: what is not stated is as below.'
    ),
    ...comment(
      'Durations: y d h m s ms ("1d12h"). Sizes: KiB MiB GiB TiB kB MB GB TB ("64MiB"). (live): a reload takes it over.'
    ),
    ...comment(
      'The environment overrides files, flags override both: VARVE_ACK__DELAY_MAX=5s, --ack.delay_max 5s.'
    )
  ]
  for (const [section, entries] of Object.entries(SECTIONS)) {
    const all: Entry<unknown>[] = Object.values(entries)
    lines.push('', `[${section}]`)
    for (const entry of all) if (entry.columns === null) lines.push(...printEntry(entry))
    for (const entry of all) if (entry.columns !== null) lines.push(...printTables(entry, entry.columns))
  }
  return `${lines.join('\n')}\n`
}

function printEntry(entry: Entry<unknown>): string[] {
  const name = entry.key.slice(entry.key.indexOf('.') + 1)
  return ['', ...about(entry), `${name} = ${printValue(entry.written!)}`]
}

function printTables(entry: Entry<unknown>, columns: NonNullable<Entry<unknown>['columns']>): string[] {
  const lines = ['', ...about(entry)]
  for (const column of Object.values(columns)) {
    const none = column.written === undefined ? 'must be stated' : `default ${printValue(column.written)}`
    lines.push(...comment(`  ${column.key}: ${column.what} ${capital(column.bounds)}; ${none}.`, '      '))
  }
  for (const row of entry.written as readonly Readonly<Record<string, Written>>[]) {
    lines.push(`[[${entry.key}]]`)
    for (const [name, value] of Object.entries(row)) lines.push(`${name} = ${printValue(value)}`)
  }
  return lines
}

function about(entry: Entry<unknown>): string[] {
  const live = entry.live ? ' (live)' : ''
  return [
    ...comment(entry.what),
    ...comment(`Why: ${entry.why}`),
    ...comment(`${capital(entry.bounds)}.${live}`)
  ]
}

function printValue(value: Written): string {
  return stringify({ value })
    .replace(/^value = /, '')
    .trimEnd()
}

function capital(phrase: string): string {
  return phrase.charAt(0).toUpperCase() + phrase.slice(1)
}

/** A comment, broken between words. */
function comment(text: string, indent = ''): string[] {
  const lines: string[] = []
  let line = '#'
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH && line !== '#') {
      lines.push(line)
      line = `#${indent}`
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

// The command line of a bench: which stores, how much, where. Defaults are the sizes that the bounds speak
// of; smaller ones try the script itself, and their verdicts mean little.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Program, programs } from './varve-process.ts'

export interface BenchArguments<Name extends string> {
  /** What to measure, in this order. */
  readonly names: readonly Name[]
  readonly program: Program
  /** A new directory that is removed when the bench ends. */
  readonly dir: string
  /** Further flags for `varve serve`. */
  readonly flags: readonly string[]
  number(name: string, other: number): number
  text(name: string): string | undefined
}

/**
 * Reads --only a,b --program source|binary --dir DIR --varve "--flag value", the named numbers and texts.
 * @throws when an option, a name or a number is none of those known
 */
export function benchArguments<Name extends string>(
  known: readonly Name[],
  numbers: readonly string[],
  texts: readonly string[] = []
): BenchArguments<Name> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      only: text,
      program: text,
      dir: text,
      varve: text,
      ...Object.fromEntries([...numbers, ...texts].map(name => [name, text]))
    }
  }) as { values: Record<string, string | undefined> }
  const names = values.only === undefined ? known : values.only.split(',')
  const stranger = names.find(name => !known.includes(name as Name))
  if (stranger !== undefined) throw new Error(`Cannot measure ${stranger}: know ${known.join(', ')}`)
  const program = values.program ?? 'source'
  if (!Object.hasOwn(programs, program)) throw new Error(`Cannot run varve as ${program}`)
  const dir = mkdtempSync(join(values.dir ?? tmpdir(), 'varve-bench-'))
  // Every server and medium of a bench ends with the process, by a listener of its own.
  process.setMaxListeners(0)
  // What is opened later is closed earlier: servers, then media, then this directory.
  process.prependListener('exit', () => rmSync(dir, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  return {
    names: names as readonly Name[],
    program: program as Program,
    dir,
    flags: values.varve?.split(/\s+/).filter(part => part !== '') ?? [],
    number(name, other) {
      const number = Number(values[name] ?? other)
      if (!Number.isFinite(number) || number <= 0) throw new Error(`Cannot take --${name} ${values[name]}`)
      return number
    },
    text: name => values[name]
  }
}

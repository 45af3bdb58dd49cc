// Reads a command line: which command, its options, its arguments. Owner of commander. Keys of varve.toml
// ("--mqtt.port 0") are taken out first, for commands that take them; config/load.ts knows which exist.
// Not here: help texts (help.ts), what commands do.
import { CommanderError, Command as Parser } from 'commander'
import { VarveError } from '../base/errors.ts'
import type { Command, Given } from './command.ts'

/** What a command line asks for. */
export type Asked =
  | { readonly kind: 'run'; readonly command: Command; readonly given: Given }
  /** Null: the page of the program. */
  | { readonly kind: 'help'; readonly command: Command | null }

/** @throws {VarveError} VARVE_USAGE */
export function readArgs(argv: readonly string[], commands: readonly Command[]): Asked {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h') return { kind: 'help', command: null }
  if (name === '--version' || name === '-V') return readArgs(['version', ...rest], commands)
  if (name === 'help') {
    return { kind: 'help', command: rest[0] === undefined ? null : find(rest[0], commands) }
  }
  const command = find(name, commands)
  const before = rest.indexOf('--') < 0 ? rest : rest.slice(0, rest.indexOf('--'))
  if (before.includes('--help') || before.includes('-h')) return { kind: 'help', command }
  return { kind: 'run', command, given: readCommand(command, rest) }
}

function find(name: string, commands: readonly Command[]): Command {
  const command = commands.find(candidate => candidate.name === name)
  if (command !== undefined) return command
  const known = commands.map(candidate => candidate.name).join(', ')
  throw new VarveError('VARVE_USAGE', `Cannot run ${JSON.stringify(name)}: the commands are ${known}`)
}

function readCommand(command: Command, argv: readonly string[]): Given {
  const keys = new Map<string, string>()
  const rest = command.takesKeys ? takeKeys(command, argv, keys) : argv
  const parser = new Parser(command.name)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    .helpOption(false)
    .allowExcessArguments(false)
  for (const arg of command.args) parser.argument(arg)
  for (const { flags, what } of command.options) parser.option(flags, what)
  try {
    parser.parse(rest, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const why = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    throw new VarveError(
      'VARVE_USAGE',
      `Cannot run varve ${command.name}: ${why}; see varve help ${command.name}`
    )
  }
  return { args: parser.args, options: parser.opts(), keys }
}

/** Moves "--section.key value" and "--section.key=value" into keys; returns what is left. */
function takeKeys(command: Command, argv: readonly string[], keys: Map<string, string>): string[] {
  const rest: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '--') return [...rest, ...argv.slice(i)]
    const flag = /^--([a-z_]+\.[a-z0-9_.]+)(?:=(.*))?$/s.exec(arg)
    if (flag === null) {
      rest.push(arg)
      continue
    }
    const value = flag[2] ?? argv[++i]
    if (value === undefined) {
      throw new VarveError('VARVE_USAGE', `Cannot run varve ${command.name}: ${arg} has no value`)
    }
    keys.set(flag[1]!, value)
  }
  return rest
}

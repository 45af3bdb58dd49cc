// What a command is: its facts, from which help is printed and arguments are read, and its run(). A
// command's file loads what it works with inside run(), so that `varve version` does not pay for the broker.
// Not here: reading arguments (args.ts), the commands (commands/*.ts).
import type { Doors } from './doors.ts'
import type { ExitCode } from './exit-codes.ts'

/** The world as a command sees it; tests pass their own. */
export interface Io {
  /** Writes to standard output; resolves when more may be written. */
  out(text: string | Uint8Array): Promise<void>
  err(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
  /** Standard output is a terminal of so many columns; null: a file or pipe. */
  readonly columns: number | null
  readonly errIsTerminal: boolean
  nowMs(): number
  /** Resolves after so many ms. */
  pause(ms: number): Promise<void>
  /** Standard input. */
  input(): AsyncIterable<Uint8Array>
  /** Calls back at SIGTERM, SIGINT and SIGHUP; the returned function ends that. */
  onSignal(listener: (signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP') => void): () => void
  /** Ends the process at once, after saying why. */
  abort(error: Error): void
  readonly doors: Doors
}

export interface OptionFacts {
  /** As commander reads it: "--json" or "--from <time>". */
  readonly flags: string
  readonly what: string
}

/** What was given on the command line. */
export interface Given {
  readonly args: readonly string[]
  /** By the option's long name in camel case; true for one without a value. */
  readonly options: Readonly<Record<string, string | true | undefined>>
  /** "--ack.delay_max 5s": keys of varve.toml. */
  readonly keys: ReadonlyMap<string, string>
}

export interface Command {
  readonly name: string
  /** After the name in the usage line: "[--json] <dir>". */
  readonly usage: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Paragraphs of help. */
  readonly about: string
  readonly options: readonly OptionFacts[]
  /** Names of arguments, in commander's form: "<dir>", "[match...]". */
  readonly args: readonly string[]
  /** Takes every key of varve.toml as a flag. */
  readonly takesKeys: boolean
  /** "0 sound, 1 usage, 2 cannot read, 3 corruption found". */
  readonly exits: string
  readonly examples: readonly (readonly [line: string, what: string])[]
  run(given: Given, io: Io): Promise<ExitCode>
}

/** The value of an option that takes one. */
export function optionText(given: Given, name: string): string | undefined {
  const value = given.options[name]
  return typeof value === 'string' ? value : undefined
}

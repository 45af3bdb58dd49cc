// What is wrong with a configuration, and where: all of it at once, so that an owner mends a file in one go.

/** Where a value was stated. `line` is null for environment and flags, and for the whole of a file. */
export interface Origin {
  /** File name, "VARVE_ACK__DELAY_MAX" or "--ack.delay_max". */
  readonly source: string
  readonly line: number | null
}

export interface Problem {
  /** The key, "ack.delay_max" or "ingest.topics[1].match"; '' when a file cannot be read as TOML at all. */
  readonly key: string
  /** Null: the key was not stated, its default is at odds with another key. */
  readonly origin: Origin | null
  /** What is wrong and what is allowed. */
  readonly why: string
}

import { VarveError } from '../base/errors.ts'

/** "Cannot use ack.delay_max at varve.toml:12: it must be a duration from 0s to 1m, and is 5". */
export function printProblem({ key, origin, why }: Problem): string {
  const place =
    origin === null
      ? ''
      : origin.line === null
        ? ` in ${origin.source}`
        : ` at ${origin.source}:${origin.line}`
  return `Cannot use ${key === '' ? 'the configuration' : key}${place}: ${why}`
}

/** The configuration cannot be used. The message has one line a problem. */
export class ConfigError extends VarveError {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super('VARVE_CONFIG', problems.map(printProblem).join('\n'))
    this.problems = problems
  }
}

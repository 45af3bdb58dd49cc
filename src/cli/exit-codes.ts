// What a command's exit code means. Scripts rely on it, so a number never changes its meaning.

export const EXIT = {
  /** Done; for `check`: sound. */
  done: 0,
  /** Wrong usage, a configuration with problems, a question that cannot be read. */
  usage: 1,
  /** Could not: a directory that cannot be read, a daemon that is not there, a port that is taken. */
  failed: 2,
  /** Stored bytes are damaged. */
  corruption: 3
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The codes of errors that are the caller's to mend; every other error is a failure. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'VARVE_USAGE',
  'VARVE_CONFIG',
  'VARVE_UNIT',
  'VARVE_PARAMETER',
  'VARVE_QUERY_TIER',
  'VARVE_SELECTOR',
  'VARVE_REGEX',
  'VARVE_TOPIC_FILTER',
  'VARVE_TIME'
])

/** The exit code for an error's code. */
export function exitCodeOf(code: string): ExitCode {
  if (code === 'VARVE_CORRUPTION' || code === 'VARVE_FORMAT_NEWER') return EXIT.corruption
  return USAGE_CODES.has(code) ? EXIT.usage : EXIT.failed
}

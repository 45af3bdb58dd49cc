// The log: text for operators. Owner of pino. Lines go to stderr: JSON for journald and collectors, or one
// readable line for a person at a terminal.
//
// Under systemd each line is prefixed by its syslog priority ("<4>"), which journald takes off and stores,
// so that `journalctl -p warning` works on JSON lines too.
//
// Invariants: writing a line never throws and never waits for another thread (pino's transports start
// worker threads and load files, which one bundled file has not); fields whose names say that they are
// secret are never written; a worker thread makes its own Log, whose lines interleave whole.
// Not here: counting (metrics.ts), what is worth a line (every owner's own judgement).
import { pino } from 'pino'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Facts of a line, beside its message. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  /** An `error` field that is an Error is written with its code and message, and its stack from debug on. */
  error(message: string, fields?: LogFields): void
  /** A log whose every line also says these. */
  with(fields: LogFields): Log
  setLevel(level: LogLevel): void
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'human'
  /** Takes whole lines with their line end. */
  readonly write: (line: string) => void
  /** Lines are for journald: prefix the priority. */
  readonly journal?: boolean
  /** Ms since the Unix epoch. */
  readonly now: () => number
}

/** Names of fields that are never written, at any depth that we write. */
const SECRETS = ['password', 'token', 'secret', 'authorization', 'key_pem', 'cookie']

const PRIORITY: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3 }
const NAMES: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR'
}

/** A log; the level may be changed while it runs, for all logs made of it by with(). */
export function makeLog(options: LogOptions): Log {
  const root = pino(
    {
      base: null,
      level: 'trace',
      timestamp: () => `,"time":"${new Date(options.now()).toISOString()}"`,
      redact: { paths: SECRETS.flatMap(name => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
      serializers: { error: errorFields }
    },
    { write: line => options.write(dress(line, options)) }
  )
  const gate = { least: levelNumber(options.level) }
  return wrap(root, gate)
}

function levelNumber(level: LogLevel): number {
  return level === 'silent' ? Number.POSITIVE_INFINITY : pino.levels.values[level]!
}

function wrap(logger: pino.Logger, gate: { least: number }): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}) => {
      if (levelNumber(level) >= gate.least) logger[level](fields, message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: fields => wrap(logger.child(fields), gate),
    setLevel(level) {
      gate.least = levelNumber(level)
    }
  }
}

/** What is written of an error: its code and message, the causes' too, and where it came from. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return {
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(error.cause === undefined ? {} : { cause: errorFields(error.cause) }),
    stack: error.stack?.split('\n').slice(1, 6).join('\n')
  }
}

function dress(line: string, { format, journal }: LogOptions): string {
  if (format === 'json' && !journal) return line
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: string; msg: string }
  const text = format === 'json' ? line : humanLine(level, time, msg, fields)
  return journal ? `<${PRIORITY[level] ?? 6}>${text}` : text
}

function humanLine(level: number, time: string, message: string, fields: Record<string, unknown>): string {
  const told = Object.entries(fields).map(([name, value]) => {
    if (name === 'error' && typeof value === 'object' && value !== null) {
      const { code, message } = value as { code?: string; message?: string }
      return `error="${code === undefined ? '' : `${code} `}${printable(message ?? '')}"`
    }
    return `${name}=${typeof value === 'string' ? printable(value) : JSON.stringify(value)}`
  })
  const at = time.slice(11, 23)
  return `${[at, (NAMES[level] ?? '').padEnd(5), printable(message), ...told].join(' ')}\n`
}

/** Text from outside (topics, client names) must not steer a terminal or fake a line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, char => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

// From what the owner stated to a checked Config: texts of files, then environment, then flags, each over
// the one before. Takes text and reads no file, so that every rule is tested without one.
//
// Invariants: every problem is reported, not the first only; each names where it was stated; a table list
// such as [[ingest.topics]] is added up over the files and replaced whole by environment or flag; a value
// of a secret key is never shown.
// Not here: finding and reading the files (cli/config-file.ts), rules across keys (check.ts).
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { reason } from '../base/errors.ts'
import { checkConfig } from './check.ts'
import type { Entry } from './entry.ts'
import { KeyLines } from './locate.ts'
import { nearest } from './nearest.ts'
import { ConfigError, type Origin, type Problem } from './problem.ts'
import { type Config, PLACES, SECTIONS } from './schema.ts'

/** A configuration file: its name for messages, and its text. */
export interface SourceText {
  readonly name: string
  readonly text: string
}

export interface Sources {
  /** In the order in which they count: a later file over an earlier one. */
  readonly files: readonly SourceText[]
  /** Variables VARVE_SECTION__KEY count, others are left alone. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Full keys ("ack.delay_max") and their texts. */
  readonly flags: ReadonlyMap<string, string>
}

/** A value with where it was stated; the rows of a table list may come from several files. */
interface Stated {
  readonly value: unknown
  find(path: string): Origin
}

/**
 * The configuration that the sources add up to, defaults filled in.
 * @throws {ConfigError} VARVE_CONFIG with every problem found
 */
export function loadConfig(sources: Sources): Config {
  const problems: Problem[] = []
  const stated = new Map<string, Stated>()
  for (const file of sources.files) readFile(file, stated, problems)
  readEnvironment(sources.env, stated, problems)
  for (const [key, text] of sources.flags) readOverride(key, text, `--${key}`, stated, problems)
  const config = parseAll(stated, problems)
  if (problems.length === 0) {
    for (const { key, why } of checkConfig(config)) {
      problems.push({ key, why, origin: stated.get(key.replace(/\[.*/, ''))?.find(key) ?? null })
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** The configuration when nothing is stated. */
export function defaultConfig(): Config {
  return loadConfig({ files: [], env: {}, flags: new Map() })
}

/** The keys that differ, by whether a reload takes them over or a restart is needed. */
export function compareConfigs(before: Config, after: Config): { live: string[]; restart: string[] } {
  const live: string[] = []
  const restart: string[] = []
  for (const [key, { section, property, entry }] of PLACES) {
    const at = (config: Config) =>
      (config as unknown as Record<string, Record<string, unknown>>)[section]![property]
    if (JSON.stringify(at(before)) !== JSON.stringify(at(after))) (entry.live ? live : restart).push(key)
  }
  return { live, restart }
}

function readFile({ name, text }: SourceText, stated: Map<string, Stated>, problems: Problem[]): void {
  let root: Record<string, unknown>
  try {
    root = parse(text)
  } catch (error) {
    const line = error instanceof TomlError ? error.line : null
    const why = reason(error)
      .split('\n')[0]!
      .replace(/^Invalid TOML document: /, '')
    problems.push({ key: '', origin: { source: name, line }, why: `it is not TOML: ${why}` })
    return
  }
  const lines = new KeyLines(text)
  const find = (path: string): Origin => ({ source: name, line: lines.find(path) })
  for (const [section, values] of Object.entries(root)) {
    if (!Object.hasOwn(SECTIONS, section)) {
      const known = nearest(section, Object.keys(SECTIONS)) ?? nearest(section, PLACES.keys())
      problems.push({ key: section, origin: find(section), why: unknown('section', section, known) })
    } else if (!isTable(values)) {
      problems.push({ key: section, origin: find(section), why: `it must be a table, [${section}]` })
    } else {
      for (const [name, value] of Object.entries(values)) {
        readKey(`${section}.${name}`, value, find, stated, problems)
      }
    }
  }
}

function readKey(
  key: string,
  value: unknown,
  find: (path: string) => Origin,
  stated: Map<string, Stated>,
  problems: Problem[]
): void {
  const entry = PLACES.get(key)?.entry
  if (entry === undefined) {
    problems.push({ key, origin: find(key), why: unknown('key', key, nearest(key, PLACES.keys())) })
    return
  }
  const before = stated.get(key)
  if (entry.columns === null || !Array.isArray(value) || !Array.isArray(before?.value)) {
    stated.set(key, { value, find })
    return
  }
  const rowsBefore = before.value.length
  stated.set(key, {
    value: [...before.value, ...value],
    find(path) {
      const row = Number(/\[(\d+)\]/.exec(path)?.[1] ?? rowsBefore)
      return row < rowsBefore ? before.find(path) : find(path.replace(/\[\d+\]/, `[${row - rowsBefore}]`))
    }
  })
}

function readEnvironment(env: Sources['env'], stated: Map<string, Stated>, problems: Problem[]): void {
  for (const [name, text] of Object.entries(env)) {
    const parts = /^VARVE_([A-Z0-9_]+?)__([A-Z0-9_]+)$/.exec(name)
    if (parts === null || text === undefined) continue
    readOverride(`${parts[1]}.${parts[2]}`.toLowerCase(), text, name, stated, problems)
  }
}

/** A value given as plain text by the environment or a flag; lists and tables are written as in TOML. */
function readOverride(
  key: string,
  text: string,
  source: string,
  stated: Map<string, Stated>,
  problems: Problem[]
): void {
  const origin: Origin = { source, line: null }
  const entry = PLACES.get(key)?.entry
  if (entry === undefined) {
    problems.push({ key, origin, why: unknown('key', key, nearest(key, PLACES.keys())) })
    return
  }
  let value: unknown = text
  if (entry.form === 'number' && /^-?\d{1,15}$/.test(text)) value = Number(text)
  else if (entry.form === 'boolean' && /^(true|false)$/.test(text)) value = text === 'true'
  else if (entry.form === 'toml') {
    try {
      value = parse(`value = ${text}`).value
    } catch (error) {
      const why = reason(error)
        .split('\n')[0]!
        .replace(/^Invalid TOML document: /, '')
      problems.push({ key, origin, why: `it is not a TOML value: ${why}` })
      return
    }
  }
  stated.set(key, { value, find: () => origin })
}

function parseAll(stated: ReadonlyMap<string, Stated>, problems: Problem[]): Config {
  const config: Record<string, Record<string, unknown>> = {}
  for (const section of Object.keys(SECTIONS)) config[section] = {}
  for (const [key, { section, property, entry }] of PLACES) {
    const found = stated.get(key)
    const result = entry.parser.safeParse(found === undefined ? entry.written : found.value)
    if (result.success) config[section]![property] = result.data
    else for (const issue of result.error.issues) addIssue(key, entry, issue, found, problems)
  }
  return config as unknown as Config
}

/** Turns what zod says about a value, or a row and column of a table list, into a problem of ours. */
function addIssue(
  key: string,
  entry: Entry<unknown>,
  issue: z.core.$ZodIssue,
  found: Stated | undefined,
  problems: Problem[]
): void {
  let path = key
  let at: Entry<unknown> = entry
  let value = found?.value
  for (const part of issue.path) {
    path += typeof part === 'number' ? `[${part}]` : `.${String(part)}`
    const column = Object.values(at.columns ?? {}).find(({ key }) => key === part)
    if (column !== undefined) at = column
    value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  }
  const origin = found?.find(path) ?? null
  if (issue.code === 'unrecognized_keys') {
    const known = Object.values(at.columns ?? {}).map(({ key }) => key)
    for (const name of issue.keys) {
      const why = `${unknown('key', name, nearest(name, known))}; known are ${known.join(', ')}`
      problems.push({ key: `${path}.${name}`, origin: found?.find(`${path}.${name}`) ?? null, why })
    }
    return
  }
  const more: unknown = issue.code === 'custom' ? issue.params?.why : undefined
  const fault = typeof more === 'string' && more !== '' ? ` (${more})` : ''
  const columns = Object.values(at.columns ?? {}).map(column => column.key)
  const isRow = columns.length > 0 && issue.path.length > 0
  const bounds = isRow ? `a table with ${columns.join(', ')}` : at.bounds
  if (value === undefined) problems.push({ key: path, origin, why: `it is missing, and must be ${bounds}` })
  else
    problems.push({
      key: path,
      origin,
      why: `it must be ${bounds}, and is ${shown(value, at.secret)}${fault}`
    })
}

function unknown(what: string, word: string, known: string | null): string {
  const short = word.length > 60 ? `${word.slice(0, 60)}...` : word
  return `there is no ${what} ${short}${known === null ? '' : `; did you mean ${known}?`}`
}

function shown(value: unknown, secret: boolean): string {
  if (secret) return `a ${typeof value} that is not shown`
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (isTable(value)) return 'a table'
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

/** A table of TOML; dates are objects too, but not plain ones. */
function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

// Finds and reads the configuration of a command: the file (--config, else /etc/varve/varve.toml when it
// is there), the files of conf.d beside it in the order of their names, the environment, the flags. It also
// says which directory "auto" is.
// Not here: what the keys mean (config/*).
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { reason, VarveError } from '../base/errors.ts'
import { loadConfig, type SourceText } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type Given, optionText } from './command.ts'

const DEFAULT_FILE = '/etc/varve/varve.toml'
const INSTALLED_DIR = '/var/lib/varve'
const LOCAL_DIR = './varve-data'

/** A configuration is text that people write. */
const fileBytesMax = 4 * 1024 * 1024

/** A file that cannot be read as text. @throws {VarveError} VARVE_CONFIG */
export function readSource(name: string): SourceText {
  const refuse = (why: string, cause?: unknown) =>
    new VarveError('VARVE_CONFIG', `Cannot read configuration ${name}: ${why}`, { cause })
  let bytes: Buffer
  try {
    if (statSync(name).size > fileBytesMax) throw refuse(`it has more than ${fileBytesMax} bytes`)
    bytes = readFileSync(name)
  } catch (error) {
    throw error instanceof VarveError ? error : refuse(reason(error), error)
  }
  try {
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (cause) {
    throw refuse('it is not UTF-8', cause)
  }
}

/** A file and those of conf.d beside it. */
export function readSources(file: string): SourceText[] {
  const dropIns = join(dirname(file), 'conf.d')
  const names = existsSync(dropIns) ? readdirSync(dropIns).filter(name => name.endsWith('.toml')) : []
  return [readSource(file), ...names.sort().map(name => readSource(join(dropIns, name)))]
}

/**
 * The configuration for a command, with data.dir an absolute path.
 * @throws {VarveError} VARVE_CONFIG
 */
export function readConfig(given: Given, env: Readonly<Record<string, string | undefined>>): Config {
  const stated = optionText(given, 'config')
  const file = stated ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null)
  const flags = new Map(given.keys)
  const dir = optionText(given, 'data')
  if (dir !== undefined) flags.set('data.dir', dir)
  const config = loadConfig({ files: file === null ? [] : readSources(file), env, flags })
  return { ...config, data: { ...config.data, dir: resolveDataDir(config.data.dir) } }
}

/** The directory that data.dir means: "auto" is the installed one when it is there, else a local one. */
export function resolveDataDir(dir: string): string {
  if (dir !== 'auto') return resolve(dir)
  return existsSync(INSTALLED_DIR) ? INSTALLED_DIR : resolve(LOCAL_DIR)
}

// What a backup is: the file BACKUP in its directory, written last and replaced whole. It names every file of the
// data directory with the place, length and checksum of its copy. A directory without it is no backup.
//
//   BACKUP := a line of JSON (BackupFacts) | LF | CRC-32 of the line, 8 hexadecimal digits | LF
//
//   BACKUP                   names the rest
//   segments/<id>.seg        segments, under their own names: they never change, and are kept from one backup to the next
//   state-0, state-1         MANIFEST, CATALOG and the WAL, of this backup and the one before, in turn
//
// Invariants: paths are those of a data directory and no others, so a restore writes nowhere else.
// Not here: making it (make-backup.ts), reading it back (restore.ts).
import { checksum } from '../base/checksum.ts'
import { CorruptionError, FormatError, reason } from '../base/errors.ts'
import { readWhole } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'
import {
  CATALOG,
  MANIFEST,
  parseSegmentName,
  parseWalName,
  SEGMENT_DIR,
  segmentPath,
  WAL_DIR,
  walPath
} from '../engine/file-names.ts'

export const BACKUP = 'BACKUP'
const VERSION = 1
export const STATE_DIRS = ['state-0', 'state-1'] as const
export type StateDir = (typeof STATE_DIRS)[number]

/** One file of the data directory. */
export interface BackedFile {
  /** In the data directory. */
  readonly path: string
  /** In the backup. */
  readonly at: string
  readonly bytes: number
  /** CRC-32. */
  readonly sum: number
}

/** A damaged place of the data directory, as it was when it was copied. */
export interface BackedDamage {
  readonly file: string
  readonly offset: number
  readonly why: string
}

export interface BackupFacts {
  /** Counts the backups made in this directory. */
  readonly number: number
  readonly state: StateDir
  /** When it was made, us since the Unix epoch, by the clock of the machine. */
  readonly madeUs: number
  readonly files: readonly BackedFile[]
  readonly damage: readonly BackedDamage[]
}

/** One sum over all files: equal where, and only where but for chance, every file is. */
export function contentSum(files: readonly Pick<BackedFile, 'path' | 'bytes' | 'sum'>[]): string {
  const lines = files.map(({ path, bytes, sum }) => `${path} ${bytes} ${sum}\n`).sort()
  return hex(checksum(Buffer.from(lines.join(''))))
}

export function printBackup(facts: BackupFacts): Uint8Array {
  const line = JSON.stringify({ version: VERSION, ...facts })
  return Buffer.from(`${line}\n${hex(checksum(Buffer.from(line)))}\n`)
}

/** @throws {CorruptionError} naming BACKUP; {FormatError} for a newer one */
export function parseBackup(bytes: Uint8Array): BackupFacts {
  const text = Buffer.from(bytes).toString()
  const [line = '', sum = '', rest] = text.split('\n')
  const damaged = (why: string) => new CorruptionError(BACKUP, 0, why)
  if (rest !== '' || sum !== hex(checksum(Buffer.from(line)))) throw damaged('its checksum is wrong')
  let facts: BackupFacts & { version: number }
  try {
    facts = JSON.parse(line)
  } catch (error) {
    throw damaged(reason(error))
  }
  if (facts.version > VERSION) throw new FormatError(BACKUP, facts.version, VERSION)
  for (const { path, at, bytes: length, sum: own } of facts.files) {
    const isOurs = isDataPath(path) && at === placeOf(path, facts.state)
    if (!isOurs || !Number.isSafeInteger(length) || !Number.isSafeInteger(own))
      throw damaged(`it names ${JSON.stringify(path)}`)
  }
  return facts
}

/** The backup in a directory; null when there is none. @throws as parseBackup() */
export function readBackup(disk: Disk): BackupFacts | null {
  return disk.exists(BACKUP) ? parseBackup(readWhole(disk, BACKUP)) : null
}

/** Where a file of the data directory lies in a backup. */
export function placeOf(path: string, state: StateDir): string {
  return path.startsWith(`${SEGMENT_DIR}/`) ? path : `${state}/${path}`
}

function isDataPath(path: string): boolean {
  if (path === MANIFEST || path === CATALOG) return true
  const [dir, name = ''] = path.split('/')
  const segment = dir === SEGMENT_DIR ? parseSegmentName(name) : null
  if (segment !== null) return segmentPath(segment) === path
  const slot = dir === WAL_DIR ? parseWalName(name) : null
  return slot !== null && walPath(slot) === path
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

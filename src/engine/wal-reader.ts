// Reads the WAL at open: finds the files, orders them by sequence number, hands over the groups, and tells a
// torn tail from corruption.
//
// A file's groups end at the first page where no valid group of its life begins. That is a torn tail, the
// ordinary end after a cut, unless something proves that synced bytes stood there:
//  - a valid group of the same life further on (its `synced` lies beyond), or
//  - a later file, whose first group is written only after the file before was synced: its ordinal says
//    whether groups are missing, its sequence number whether files are.
// Then it is corruption: named by file and offset, and reading goes on behind it. A group with one changed
// bit is none of this: the bit is turned back, named, and the group read (wal-bit.ts).
// A file whose first page is not a valid group is searched whole, because its first page may be what is
// damaged; one that starts with PROBE_BYTES of zeros was never used.
// Not here: what payloads mean (the owners), who is told (recovery.ts).
import { CorruptionError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { parseWalName, WAL_DIR, walPath } from './file-names.ts'
import { PAGE_BYTES } from './format.ts'
import type { WalMark } from './manifest-edit.ts'
import { groupBesideOneBit } from './wal-bit.ts'
import { GROUP_HEADER_BYTES, type Group, readGroup, statedBytes, wholePages } from './wal-record.ts'

const PROBE_BYTES = 1024 * 1024

/** A WAL file and the life that its groups have. */
export interface WalFile {
  readonly slot: number
  readonly path: string
  readonly sequence: number
  readonly life: number
  readonly firstOrdinal: number
  readonly bytes: number
}

export interface WalListing {
  /** Files with groups, ascending by sequence. */
  readonly used: readonly WalFile[]
  /** Slots of files that hold no group, with their sizes in bytes. */
  readonly unused: readonly { slot: number; bytes: number }[]
}

/** Where the newest valid group lies. */
export interface LastGroup {
  readonly path: string
  readonly group: Group
  /** Its bytes, where a bit of them had to be turned back; null: they are as on the medium. */
  readonly mended: Uint8Array | null
}

export interface WalSink {
  /** A valid group; `bytes` is the file, valid during the call. */
  group(bytes: Uint8Array, group: Group, file: WalFile): void
  /** Synced bytes cannot be read; `sequence` is the newest file that they belong to. */
  lost(error: CorruptionError, sequence: number): void
  /** A bit was changed and turned back: what it hit is read. */
  mended(error: CorruptionError): void
}

/** Finds every WAL file. @throws {FormatError} for a newer format, {VarveError} VARVE_IO */
export function listWal(disk: Disk): WalListing {
  const used: WalFile[] = []
  const unused: { slot: number; bytes: number }[] = []
  for (const name of disk.list(WAL_DIR)) {
    const slot = parseWalName(name)
    if (slot === null) continue
    const path = walPath(slot)
    const { group, size } = firstGroup(disk, path)
    if (group === null) unused.push({ slot, bytes: size })
    else {
      const { file: sequence, life, ordinal: firstOrdinal } = group
      used.push({ slot, path, sequence, life, firstOrdinal, bytes: size })
    }
  }
  used.sort((a, b) => a.sequence - b.sequence || a.firstOrdinal - b.firstOrdinal)
  return { used, unused }
}

/** The group that says whose life a file has: the first, or when that cannot be read the newest behind it. */
function firstGroup(disk: Disk, path: string): { group: Group | null; size: number } {
  const file = disk.openRead(path)
  try {
    const size = file.size()
    let bytes = new Uint8Array(Math.min(size, PAGE_BYTES))
    file.read(bytes, 0)
    if (bytes.length >= GROUP_HEADER_BYTES) {
      const need = statedBytes(viewOf(bytes), 0)
      if (need > bytes.length && need <= size) {
        bytes = new Uint8Array(need)
        file.read(bytes, 0)
      }
      const first = readGroup(path, bytes, viewOf(bytes), 0, null)
      if (first !== null) return { group: first, size }
    }
    bytes = new Uint8Array(Math.min(size, PROBE_BYTES))
    file.read(bytes, 0)
    if (bytes.every(byte => byte === 0)) return { group: null, size }
    bytes = new Uint8Array(size)
    file.read(bytes, 0)
    const mended = groupBesideOneBit(path, bytes, viewOf(bytes), 0, null)
    return { group: mended ?? newestGroup(path, bytes), size }
  } finally {
    file.close()
  }
}

function newestGroup(path: string, bytes: Uint8Array): Group | null {
  const view = viewOf(bytes)
  let newest: Group | null = null
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const group = readGroup(path, bytes, view, at, null)
    if (group !== null && (newest === null || group.file > newest.file)) newest = group
  }
  return newest
}

/**
 * Hands over all groups of `files` (ascending by sequence, all from the oldest needed one on).
 * @param expected  the sequence number that the first file must have; null: any
 * @param proven  a group that was on the medium, in one of these files; null: none is known
 * @returns  the newest valid group, or null when there is none
 */
export function readWal(
  disk: Disk,
  files: readonly WalFile[],
  expected: number | null,
  proven: WalMark | null,
  sink: WalSink
): LastGroup | null {
  let last: LastGroup | null = null
  let sequence = expected
  let endOfFile = 0
  for (const file of files) {
    const missing = sequence !== null && file.sequence > sequence
    const ordinal: number | null = last === null ? null : last.group.ordinal + 1
    if (missing) {
      const why = `WAL files ${sequence} to ${file.sequence - 1} are missing`
      sink.lost(new CorruptionError(file.path, 0, why), file.sequence - 1)
    } else if (last !== null && ordinal !== null && file.firstOrdinal > ordinal) {
      const why = `groups ${ordinal} to ${file.firstOrdinal - 1} are damaged`
      sink.lost(new CorruptionError(last.path, endOfFile, why), last.group.file)
    }
    const end = readFile(disk, file, sink)
    last = end.last ?? last
    endOfFile = end.offset
    sequence = file.sequence + 1
  }
  const found = last?.group.ordinal ?? null
  if (proven !== null && (found === null || found < proven.ordinal)) {
    const first = found === null ? '' : `${found + 1} `
    const why = `groups ${first}to ${proven.ordinal} were synced and are damaged or missing`
    sink.lost(new CorruptionError(files.at(-1)?.path ?? WAL_DIR, endOfFile, why), proven.walFile)
  }
  return last
}

function changedBit(path: string, { offset, ordinal }: Group): CorruptionError {
  return new CorruptionError(path, offset, `a bit of group ${ordinal} was changed`)
}

function readFile(disk: Disk, file: WalFile, sink: WalSink): { offset: number; last: LastGroup | null } {
  const { path } = file
  const bytes = new Uint8Array(file.bytes)
  const handle = disk.openRead(path)
  try {
    handle.read(bytes, 0)
  } finally {
    handle.close()
  }
  const view = viewOf(bytes)
  const life = { file: file.sequence, life: file.life }
  let last: LastGroup | null = null
  let at = 0
  for (;;) {
    const sound = readGroup(path, bytes, view, at, life)
    const group = sound ?? groupBesideOneBit(path, bytes, view, at, life)
    if (group !== null) {
      if (sound === null) sink.mended(changedBit(path, group))
      sink.group(bytes, group, file)
      last = { path, group, mended: sound === null ? bytes.slice(at, at + group.bytes) : null }
      at += wholePages(group.bytes)
      continue
    }
    let next = at + PAGE_BYTES
    let found: Group | null = null
    for (; next < bytes.length && found === null; next += PAGE_BYTES) {
      found = readGroup(path, bytes, view, next, life)
      if (found !== null && found.synced <= at) found = null
    }
    if (found === null) return { offset: at, last }
    const why = `${found.offset - at} bytes of synced groups are damaged, the next is ${found.ordinal}`
    sink.lost(new CorruptionError(path, at, why), file.sequence)
    at = found.offset
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

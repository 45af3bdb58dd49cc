// What happens between finding a data directory and using it. In this order, because each step trusts the
// ones before: remove what is not complete; read the manifest; compare it with the segment files; replay the
// WAL into its owners; make sure that what was replayed is on the medium; go on in a new file.
//
// Invariants:
//  - opening for reading writes nothing, so it may run beside a daemon; when a checkpoint moved meanwhile what
//    was read may have gaps, and VARVE_CHANGED says to open again;
//  - the newest group is written again before anything builds on it: after SIGKILL or a failed sync it may be
//    in the kernel's memory and not on the medium, and a later cut would leave a hole;
//  - writing goes on in another file, never behind a torn tail, and only in files whose names are synced;
//  - a segment file that no edit names is removed: its edit never was, and the WAL still has what it holds. A torn
//    tail of the manifest is no reason to keep it, since an edit stands for more than its segments (checkpoint,
//    notes, other segments), and half of one is a state that never was. Only when something proves that durable edits
//    are missing (damage, files that they let go) are such files adopted, by their own headers and footers.
// Damage is never fatal, never silent: it is collected for the engine to report.
import { CorruptionError, VarveError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { isTemporary, MANIFEST, parseSegmentName, SEGMENT_DIR, segmentPath, WAL_DIR } from './file-names.ts'
import { PAGE_BYTES } from './format.ts'
import type { Manifest } from './manifest.ts'
import type { SegmentInfo, WalMark } from './manifest-edit.ts'
import { moveAside } from './quarantine.ts'
import { SegmentReader } from './segment-reader.ts'
import { WalFiles } from './wal-files.ts'
import type { WalOwner } from './wal-owner.ts'
import { type LastGroup, readWal, type WalListing } from './wal-reader.ts'
import { eachSection, wholePages } from './wal-record.ts'
import { WalWriter } from './wal-writer.ts'

/**
 * Makes the directories, removes what an interrupted process left incomplete, and syncs the names: a process
 * that was killed may have made a file and not synced its directory, and what is written to that file from now
 * on would go with its name.
 */
export async function prepareDirectories(disk: Disk): Promise<void> {
  for (const dir of ['', WAL_DIR, SEGMENT_DIR]) {
    if (dir === '' || !disk.exists(dir)) await disk.makeDir(dir)
  }
  for (const dir of ['', WAL_DIR, SEGMENT_DIR]) await disk.syncDir(dir)
  for (const dir of ['', SEGMENT_DIR]) {
    for (const name of disk.list(dir)) {
      if (isTemporary(name)) await disk.remove(dir === '' ? name : `${dir}/${name}`)
    }
  }
}

/**
 * Makes manifest and segment files agree.
 * @returns  what was found wrong
 */
export async function reconcileSegments(
  disk: Disk,
  manifest: Manifest,
  readOnly: boolean
): Promise<CorruptionError[]> {
  const damage: CorruptionError[] = []
  const present = new Set<number>()
  const adopted: SegmentInfo[] = []
  for (const name of disk.list(SEGMENT_DIR)) {
    const id = parseSegmentName(name)
    if (id === null) continue
    present.add(id)
    manifest.reserveIds(id)
  }
  const missing = [...manifest.segments.keys()].filter(id => !present.has(id))
  if (missing.length > 0 && manifest.damage.length === 0) {
    // Files are removed after the edit that says so is durable.
    const why = `an edit is missing at its end: ${missing.length} of its segments have no file`
    manifest.suspect(new CorruptionError(MANIFEST, 0, why))
  }
  for (const id of present) {
    if (manifest.segments.has(id)) continue
    if (manifest.damage.length === 0 || manifest.wasRemoved(id)) {
      if (!readOnly) await disk.remove(segmentPath(id))
      continue
    }
    const found = describe(disk, segmentPath(id))
    if (!(found instanceof CorruptionError)) adopted.push(found)
    else {
      damage.push(found)
      if (!readOnly) await moveAside(disk, segmentPath(id))
    }
  }
  for (const id of missing) {
    damage.push(new CorruptionError(segmentPath(id), 0, 'the file is missing'))
    manifest.hide(id)
  }
  for (const segment of adopted) manifest.adopt(segment)
  if (!readOnly && adopted.length > 0) await manifest.commit({ add: adopted })
  return damage
}

function describe(disk: Disk, path: string): SegmentInfo | CorruptionError {
  try {
    const reader = SegmentReader.open(disk, path)
    reader.close()
    return reader.info
  } catch (error) {
    if (error instanceof CorruptionError) return error
    throw error
  }
}

/**
 * What the WAL says about the manifest: its newest edit cannot prove itself, but a WAL file that the newest
 * checkpoints ask for was not used again before a later checkpoint was durable. Null: nothing is missing.
 */
export function lostEdit(
  listing: WalListing,
  manifest: Manifest,
  owners: readonly WalOwner[]
): CorruptionError | null {
  if (owners.length === 0 || manifest.damage.length > 0) return null
  let needed = Math.max(1, Math.min(...owners.map(owner => manifest.checkpoints.get(owner.kind) ?? 0)))
  for (const { sequence } of listing.used) {
    if (sequence < needed) continue
    if (sequence > needed) {
      const why = `an edit is missing at its end: WAL file ${needed} is needed and ${sequence} is what follows`
      return new CorruptionError(MANIFEST, 0, why)
    }
    // Files are not used again in their order; where the end is sound, a gap further on is damage to the WAL.
    if (!manifest.torn) return null
    needed = sequence + 1
  }
  return null
}

/** What an earlier process wrote into the WAL after it was last asked. */
export interface WrittenSince {
  /** Groups after the ordinal that was asked for, as far as the needed files hold them. */
  readonly groups: number
  /** Bytes of them, in whole pages. */
  readonly groupBytes: number
  /** Those groups that let a file grow, and their bytes. */
  readonly grownGroups: number
  readonly grownBytes: number
  /** Bytes of all WAL files: what was written ahead of groups, and groups that let a file grow. */
  readonly fileBytes: number
}

/** What replaying left. */
export interface Replayed {
  readonly listing: WalListing
  readonly damage: CorruptionError[]
  readonly last: LastGroup | null
  /** Checkpoint of each owner; 0 when it never set one. */
  readonly checkpoints: ReadonlyMap<number, number>
  /** The oldest file that any owner needs. */
  readonly needed: number
  readonly since: WrittenSince
  /** How far the manifest says that the WAL was synced. */
  readonly synced: WalMark | null
}

/**
 * Hands each owner its payloads from its checkpoint on.
 * @param countAfter  groups with higher ordinals are counted
 * @param strict  every payload must have an owner (it could not be kept otherwise)
 * @throws {VarveError} VARVE_WAL_OWNER, VARVE_FORMAT_NEWER, and as Disk
 */
export function replayWal(
  disk: Disk,
  listing: WalListing,
  { checkpoints: marks, walSynced }: Pick<Manifest, 'checkpoints' | 'walSynced'>,
  owners: readonly WalOwner[],
  countAfter: number,
  strict: boolean
): Replayed {
  const byKind = new Map(owners.map(owner => [owner.kind, owner]))
  const checkpoints = new Map(owners.map(owner => [owner.kind, marks.get(owner.kind) ?? 0]))
  const needed = owners.length === 0 ? 0 : Math.min(...checkpoints.values())
  const damage: CorruptionError[] = []
  const files = listing.used.filter(file => file.sequence >= needed)
  let [groups, groupBytes, grownGroups, grownBytes] = [0, 0, 0, 0]
  const lost = (error: CorruptionError, sequence: number): void => {
    damage.push(error)
    for (const owner of owners) if (sequence >= checkpoints.get(owner.kind)!) owner.lost?.(error)
  }
  // What no owner needs may be gone for good.
  const proven = walSynced !== null && walSynced.walFile >= needed ? walSynced : null
  const last = readWal(disk, files, needed === 0 ? null : needed, proven, {
    group(bytes, group, file) {
      if (group.ordinal > countAfter) {
        groups++
        groupBytes += wholePages(group.bytes)
        if (group.grew) {
          grownGroups++
          grownBytes += wholePages(group.bytes)
        }
      }
      eachSection(bytes, group, (kind, payload, fresh) => {
        const owner = byKind.get(kind)
        if (owner === undefined) {
          if (!strict || file.sequence < (marks.get(kind) ?? 0)) return
          throw new VarveError(
            'VARVE_WAL_OWNER',
            `Cannot open ${file.path}: nobody owns records of kind ${kind}`
          )
        }
        if (file.sequence >= checkpoints.get(kind)!) owner.replay(payload, fresh)
      })
    },
    lost,
    mended: error => void damage.push(error)
  })
  const fileBytes = [...listing.used, ...listing.unused].reduce((sum, file) => sum + file.bytes, 0)
  const since = { groups, groupBytes, grownGroups, grownBytes, fileBytes }
  return { listing, damage, last, checkpoints, needed, since, synced: walSynced }
}

/** Writes the newest group again where it stands, a changed bit of it turned back, and syncs it. @throws as Disk */
export async function rewriteLast(disk: Disk, last: LastGroup): Promise<void> {
  const { offset, bytes } = last.group
  const file = await disk.openWrite(last.path, 'wal')
  try {
    const pages = new Uint8Array(wholePages(bytes))
    if (last.mended === null) {
      file.read(pages.subarray(0, Math.min(pages.length, file.size() - offset)), offset)
    } else pages.set(last.mended)
    await file.write(pages, offset)
    await file.sync()
  } finally {
    file.close()
  }
}

/** Sorts the files into needed and free, and makes the writer that goes on in a new one. */
export function continueWal(
  disk: Disk,
  replayed: Replayed,
  sizes: { readonly fileBytes: number; readonly filesMax: number; readonly aheadBytes: number },
  anyLife: () => number
): { files: WalFiles; writer: WalWriter } {
  const { used, unused } = replayed.listing
  const pinned = used.filter(file => file.sequence >= replayed.needed)
  const { walFile: fileSynced = 0, ordinal: ordinalSynced = 0 } = replayed.synced ?? {}
  const newest = Math.max(
    fileSynced,
    ...used.map(f => f.sequence),
    ...[...replayed.checkpoints.values()].map(c => c - 1)
  )
  const found = replayed.last?.group.ordinal ?? Math.max(0, ...used.map(file => file.firstOrdinal))
  const ordinal = Math.max(found, ordinalSynced)
  // A cut may leave any size; what is not a whole page is written anew.
  const there = [...unused, ...used].map(({ slot, bytes }) => ({ slot, bytes: bytes - (bytes % PAGE_BYTES) }))
  const { fileBytes, filesMax, aheadBytes } = sizes
  const files = new WalFiles({ disk, fileBytes, filesMax, found: there, pinned })
  const next = { sequence: newest + 1, ordinal: ordinal + 1 }
  return { files, writer: new WalWriter(files, aheadBytes, next, anyLife) }
}

// What the bytes of a data directory are for, so that damage can be aimed at each kind of structure and what it
// leads to be counted by it.

import type { CorruptionError } from '../../src/base/errors.ts'
import { readWhole } from '../../src/disk/atomic-file.ts'
import type { Disk } from '../../src/disk/disk.ts'
import { CATALOG, MANIFEST, segmentPath, WAL_DIR } from '../../src/engine/file-names.ts'
import type { Manifest } from '../../src/engine/manifest.ts'
import { MANIFEST_OWNER } from '../../src/engine/manifest.ts'
import { RECORD_FILE_HEADER_BYTES, RECORD_HEADER_BYTES, readRecords } from '../../src/engine/record-file.ts'
import { getSegmentHeader, TRAILER_BYTES } from '../../src/engine/segment-format.ts'
import { SegmentReader } from '../../src/engine/segment-reader.ts'
import { listWal, readWal } from '../../src/engine/wal-reader.ts'
import { wholePages } from '../../src/engine/wal-record.ts'
import { isTierClass } from '../../src/rollup/tier.ts'
import { CATALOG_OWNER, FAMILY_SERIES } from '../../src/series/family.ts'
import { BLOCK_INDEX, BLOCK_NAMES } from '../../src/series/segment-build.ts'

export const FILE_KINDS = [
  'WAL',
  'raw segment',
  'tier segment',
  'entry segment',
  'MANIFEST',
  'CATALOG'
] as const
export type FileKind = (typeof FILE_KINDS)[number]

/** Bytes [from, to) of a file that are one structure, or the like. */
export interface Region {
  readonly kind: FileKind
  readonly path: string
  readonly name: string
  readonly from: number
  readonly to: number
  /** The segment, or 0. */
  readonly segment: number
}

/** All regions of a directory whose files are sound. */
export function regionsOf(disk: Disk, manifest: Manifest): Region[] {
  return [
    ...walRegions(disk, manifest),
    ...[...manifest.segments.values()].flatMap(info => {
      const kind =
        info.family !== FAMILY_SERIES
          ? 'entry segment'
          : isTierClass(info.class)
            ? 'tier segment'
            : 'raw segment'
      return segmentRegions(disk, info.id, kind)
    }),
    ...recordRegions(disk, 'MANIFEST', MANIFEST, MANIFEST_OWNER),
    ...recordRegions(disk, 'CATALOG', CATALOG, CATALOG_OWNER)
  ].filter(region => region.to > region.from)
}

function walRegions(disk: Disk, manifest: Manifest): Region[] {
  const regions: Region[] = []
  const add = (path: string, name: string, from: number, to: number): void => {
    regions.push({ kind: 'WAL', path, name, from, to, segment: 0 })
  }
  const { used, unused } = listWal(disk)
  const needed = Math.min(...manifest.checkpoints.values())
  const ends = new Map<string, number>()
  const last = readWal(disk, used, null, null, {
    group: (_, { offset, bytes }, file) => {
      const isFree = file.sequence < needed
      add(file.path, isFree ? 'free group' : 'group', offset, offset + bytes)
      add(file.path, 'padding', offset + bytes, offset + wholePages(bytes))
      ends.set(file.path, offset + wholePages(bytes))
    },
    lost: thrown,
    mended: thrown
  })
  for (const file of used) add(file.path, 'free space', ends.get(file.path) ?? 0, file.bytes)
  for (const { slot, bytes } of unused)
    add(`${WAL_DIR}/${String(slot).padStart(6, '0')}.wal`, 'free space', 0, bytes)
  return regions.map(region => {
    const isNewest = last !== null && region.path === last.path && region.from === last.group.offset
    return isNewest && region.name === 'group' ? { ...region, name: 'newest group' } : region
  })
}

function thrown(error: CorruptionError): never {
  throw error
}

function segmentRegions(disk: Disk, segment: number, kind: FileKind): Region[] {
  const path = segmentPath(segment)
  const bytes = readWhole(disk, path)
  const start = getSegmentHeader(path, bytes)!.length
  const regions: Region[] = []
  const add = (name: string, from: number, to: number): void => {
    regions.push({ kind, path, name, from, to, segment })
  }
  add('header', 0, start)
  const reader = SegmentReader.open(disk, path)
  let end = start
  for (const { offset, length, kind: block } of reader.blocks()) {
    const isSeries = kind !== 'entry segment'
    add(
      isSeries && block === BLOCK_INDEX ? 'index' : isSeries && block === BLOCK_NAMES ? 'names' : 'block',
      offset,
      offset + length
    )
    end = offset + length
  }
  reader.close()
  add('footer', end, bytes.length - TRAILER_BYTES)
  add('trailer', bytes.length - TRAILER_BYTES, bytes.length)
  return regions
}

function recordRegions(disk: Disk, kind: FileKind, path: string, owner: number): Region[] {
  const bytes = readWhole(disk, path)
  const records: Region[] = []
  readRecords(path, bytes, owner, (_, payload) => {
    const at = payload.byteOffset - bytes.byteOffset
    const place = { from: at - RECORD_HEADER_BYTES, to: at + payload.length }
    records.push({ kind, path, name: 'record', ...place, segment: 0 })
  })
  const last = records.pop()
  return [
    { kind, path, name: 'header', from: 0, to: RECORD_FILE_HEADER_BYTES, segment: 0 },
    ...records,
    ...(last === undefined ? [] : [{ ...last, name: 'last record' }])
  ]
}

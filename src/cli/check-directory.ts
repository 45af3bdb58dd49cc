// Verifies a data directory: manifest, catalog, every segment on the medium, the WAL. Read-only.
//
// A running daemon may drop a segment between our reading of the manifest and of the segment: one that is
// gone is damage only if the manifest still lists it when read again.
// Not here: printing (commands/check.ts), mending (recovery at open).
import { existsSync } from 'node:fs'
import { CorruptionError, VarveError } from '../base/errors.ts'
import { readWhole } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { CATALOG, MANIFEST, parseSegmentName, SEGMENT_DIR, segmentPath } from '../engine/file-names.ts'
import { Manifest } from '../engine/manifest.ts'
import { readRecords } from '../engine/record-file.ts'
import { SegmentReader } from '../engine/segment-reader.ts'
import { listWal, readWal, type WalFile } from '../engine/wal-reader.ts'
import { CATALOG_OWNER } from '../series/family.ts'
import type { CheckStep } from './doors.ts'

/** Reads every byte under `dir`. @throws {VarveError} VARVE_NOT_FOUND when it is no data directory */
export async function* checkDirectory(dir: string): AsyncIterable<CheckStep> {
  const disk = new NodeDisk(dir)
  if (!existsSync(dir) || !disk.exists(MANIFEST)) {
    throw new VarveError(
      'VARVE_NOT_FOUND',
      `Cannot check ${dir}: it holds no ${MANIFEST}, so it is no data directory`
    )
  }
  const manifest = await openManifest(disk)
  yield {
    kind: 'file',
    file: MANIFEST,
    bytes: disk.facts(MANIFEST)?.bytes ?? 0,
    blocks: manifest.segments.size
  }
  for (const error of manifest.damage) yield damage(error)
  yield* checkCatalog(disk)
  yield* checkSegments(disk, manifest)
  yield* checkWal(disk, manifest)
}

function* checkCatalog(disk: Disk): Iterable<CheckStep> {
  if (!disk.exists(CATALOG)) return
  const bytes = readWhole(disk, CATALOG)
  let blocks = 0
  try {
    const found = readRecords(CATALOG, bytes, CATALOG_OWNER, () => void blocks++)
    for (const error of found.damage) yield damage(error)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    yield damage(error)
  }
  yield { kind: 'file', file: CATALOG, bytes: bytes.length, blocks }
}

function openManifest(disk: Disk): Promise<Manifest> {
  return Manifest.open({ disk, readOnly: true, anySalt: () => 0, onCheckpoint: () => undefined })
}

function damage(error: CorruptionError): CheckStep {
  return { kind: 'damage', file: error.file, offset: error.offset, why: error.why }
}

async function* checkSegments(disk: Disk, manifest: Manifest): AsyncIterable<CheckStep> {
  const there = disk.list(SEGMENT_DIR).map(parseSegmentName)
  const ids = new Set([...manifest.segments.keys(), ...there.filter(id => id !== null)])
  for (const id of [...ids].sort((a, b) => a - b)) {
    const path = segmentPath(id)
    try {
      yield* checkSegment(disk, path)
    } catch (error) {
      if (error instanceof CorruptionError) yield damage(error)
      else if (!(error instanceof VarveError && error.code === 'VARVE_NOT_FOUND')) throw error
      else if ((await openManifest(disk)).segments.has(id)) {
        yield { kind: 'damage', file: path, offset: 0, why: 'it is missing, and the manifest lists it' }
      }
    }
  }
}

function* checkSegment(disk: Disk, path: string): Iterable<CheckStep> {
  const reader = SegmentReader.open(disk, path)
  try {
    for (const error of reader.damage) yield damage(error)
    let blocks = 0
    for (const { error } of reader.blocks()) {
      if (error === null) blocks++
      else yield damage(error)
    }
    yield { kind: 'file', file: path, bytes: reader.bytes, blocks }
  } finally {
    reader.close()
  }
}

/** The groups of the WAL that are still needed: from the oldest checkpoint on. */
function* checkWal(disk: Disk, manifest: Manifest): Iterable<CheckStep> {
  const oldest = Math.min(...manifest.checkpoints.values())
  const { used } = listWal(disk)
  const needed = used.filter(file => file.sequence >= oldest || oldest === Number.POSITIVE_INFINITY)
  const found: CheckStep[] = []
  const blocks = new Map<WalFile, number>(needed.map(file => [file, 0]))
  const { walSynced } = manifest
  const proven = walSynced !== null && walSynced.walFile >= oldest ? walSynced : null
  readWal(disk, needed, null, proven, {
    group: (_, __, file) => void blocks.set(file, (blocks.get(file) ?? 0) + 1),
    lost: error => void found.push(damage(error)),
    mended: error => void found.push(damage(error))
  })
  for (const [file, count] of blocks) {
    yield { kind: 'file', file: file.path, bytes: file.bytes, blocks: count }
  }
  yield* found
}

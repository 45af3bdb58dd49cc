// Moves the store's entries down: from the memtable to a segment or onward in the WAL. Both end in one manifest
// edit, so a power cut leaves the state before or after it.
//
// Flush: the WAL turns to a new file F, and only then the memtable is frozen. So the frozen memtable
// holds all that lies in files before F (and perhaps some of F, which does no harm: versions decide), and
// once it is in a segment the checkpoint is F. Freezing first would lose what was written in between.
//
// Small memtables are carried, not flushed: their entries are repeated in file F. A segment costs its
// file's creation, two syncs, a manifest record, and later its compaction: 30 to 40 KiB of journal and
// metadata on ext4 whatever it holds; and each segment is one more filter to ask at a read. Carrying
// costs its bytes once a turn of the WAL. Up to carryBytesMax (256 KiB) in a 16 MiB file that is below
// 2 % of the WAL's own writing, so a gateway with a thousand retained messages never writes a segment. Either way
// tombstones and expired entries leave where no segment can hold their keys: a queue that is sent to and
// acknowledged for months holds what it holds now.
//
// Note `kv.versions`: next varint | flushed varint | told varint. `next`: versions up to it may be in use;
// `flushed`: entries up to it are in segments, so recovery skips them (a tombstone may be gone from the
// segments, and replaying an older value must not bring it back); `told`: every change after it is in the
// WAL from the checkpoint on, so a watch from there misses nothing. Example: 300, 200, 250 = ac 02 c8 01 fa 01
//
// A full WAL writes nothing until a checkpoint frees a file, so a flush never waits for a group then. What
// it puts in a segment may be in no WAL file yet, and not acknowledged; if it never gets there a watch from
// before is refused at the next open (`told` is beyond it) rather than told less than all.
// Not here: compaction (compaction.ts), writing segments (flush-run.ts), what may leave (leaving.ts).

import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { CorruptionError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { BlockCache } from './block-cache.ts'
import type { Entry } from './entry.ts'
import { KV_KIND, type KvJobs, type KvManifest, type KvWal, type SegmentFiles } from './host.ts'
import { whatStays } from './leaving.ts'
import type { Memtables } from './memtables.ts'
import { openedWhatever } from './older.ts'
import type { KvLimits } from './options.ts'
import { KvSegment } from './segment.ts'
import type { LiveSegment, Tables } from './tables.ts'

const VERSIONS_NOTE = 'kv.versions'

/** What maintenance works on. */
export interface Maintained {
  readonly wal: KvWal
  readonly manifest: KvManifest
  readonly files: SegmentFiles
  readonly memtables: Memtables
  readonly tables: Tables
  readonly cache: BlockCache
  readonly limits: KvLimits
  readonly jobs: KvJobs
  readonly leftOut: Set<number>
  readonly onDamage: (error: CorruptionError) => void
  /** Wall time; 0 where the clock is not known: then nothing expires. */
  nowUs(): number
  /** The newest version given out. */
  lastVersion(): number
  /** Resolves when the WAL has no file left to write to. */
  walFull(): Promise<void>
  /** Repeats all entries of the memtable in the group that collects now; returns that group. */
  carry(entries: Iterable<Entry>): number
}

/** What a flush did. */
export type FlushOutcome = 'empty' | 'carried' | 'segment'

/** @throws {VarveError} of WAL, manifest or disk; the entries stay in the memtable and the WAL then */
export async function flushMemtable(store: Maintained, wanted: 'any' | 'segment'): Promise<FlushOutcome> {
  const { memtables, manifest, limits, wal } = store
  const walFile = await wal.rotate()
  const checkpoint = { kind: KV_KIND, walFile }
  const last = store.lastVersion()
  const isSmall = () => wanted === 'any' && memtables.activeBytes <= limits.carryBytesMax
  if (isSmall()) dropWhatLeft(store)
  if (memtables.activeSize === 0) {
    await manifest.commit({ checkpoint, notes: [versionsNote({ next: last, flushed: last, told: last })] })
    return 'empty'
  }
  if (isSmall() && !wal.full && (await syncedOrFull(store, store.carry(allOf(memtables))))) {
    const { flushed } = readVersions(manifest)
    await manifest.commit({ checkpoint, notes: [versionsNote({ next: last, flushed, told: last })] })
    return 'carried'
  }
  await flushSegment(store, checkpoint)
  return 'segment'
}

function dropWhatLeft({ memtables, tables, nowUs }: Maintained): void {
  const segments = tables.segments.map(({ segment }) => segment)
  const now = nowUs()
  memtables.keepOnly(entry => whatStays(entry, segments, now) !== null)
}

/** Writes the memtable to a segment; the WAL before the checkpoint is not needed any more then. */
async function flushSegment(store: Maintained, checkpoint: { kind: number; walFile: number }): Promise<void> {
  const { memtables, manifest, tables } = store
  const last = store.lastVersion()
  const frozen = memtables.freeze()
  const pinned = tables.pin()
  let live: LiveSegment | null = null
  try {
    const info = await store.jobs.flush({
      id: manifest.nextSegmentId(),
      order: newestOrder(manifest) + 1,
      ...frozen.handOver(),
      older: pinned.segments.map(({ info }) => info.id),
      nowUs: store.nowUs()
    })
    if (info !== null) live = openSegment(store, info)
    const note = versionsNote({ next: store.lastVersion(), flushed: last, told: last })
    await manifest.commit({ add: info === null ? [] : [info], checkpoint, notes: [note] })
    if (live !== null) tables.change([live], [])
    memtables.discard()
  } catch (error) {
    live?.segment.close()
    memtables.thaw()
    throw error
  } finally {
    pinned.release()
  }
}

/** Waits for a group. False when the WAL became full: then nothing is synced before a checkpoint frees a file. */
async function syncedOrFull(store: Maintained, group: number): Promise<boolean> {
  const full = store.walFull()
  return Promise.race([store.wal.synced(group).then(() => true), full.then(() => false)])
}

/** Opens a live segment. @throws {CorruptionError} */
export function openSegment(
  store: { files: SegmentFiles; cache: BlockCache },
  info: SegmentInfo
): LiveSegment {
  return { info, segment: new KvSegment(info.id, store.files.open(info.id), store.cache) }
}

/**
 * Opens every segment that lives. One of which nothing can be read stays, as one that may hold any key: an older
 * value is not shown in the place of what it held.
 * @returns  what of them is damaged
 */
export function openSegments(
  host: { readonly files: SegmentFiles; readonly manifest: KvManifest },
  cache: BlockCache,
  tables: Tables
): { id: number; error: CorruptionError }[] {
  const damaged: { id: number; error: CorruptionError }[] = []
  for (const info of host.manifest.segments.values()) {
    if (info.family !== KV_KIND) continue
    const segment = openedWhatever(host.files, info.id, cache)
    for (const error of segment.damage) damaged.push({ id: info.id, error })
    tables.change([{ info, segment }], [])
  }
  return damaged
}

/** What the note `kv.versions` says; see the top of the file. */
export interface Versions {
  readonly next: number
  readonly flushed: number
  readonly told: number
}

export function readVersions(manifest: KvManifest): Versions {
  const note = manifest.note(VERSIONS_NOTE)
  if (note === undefined) return { next: 0, flushed: 0, told: 0 }
  const from = new ByteReader(note)
  return { next: from.varint(), flushed: from.varint(), told: from.varint() }
}

export function versionsNote({ next, flushed, told }: Versions): [string, Uint8Array] {
  const out = new ByteWriter(24)
  out.varint(next)
  out.varint(flushed)
  out.varint(told)
  return [VERSIONS_NOTE, out.copy()]
}

function* allOf(memtables: Memtables): Generator<Entry, void, undefined> {
  const all = memtables.pin()[0]!.cursor('', null)
  for (; all.key !== null; all.next()) yield all.value()
}

function newestOrder(manifest: KvManifest): number {
  let newest = 0
  for (const info of manifest.segments.values()) {
    if (info.family === KV_KIND) newest = Math.max(newest, info.order)
  }
  return newest
}

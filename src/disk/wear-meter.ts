// Counts what reaches the medium, by cause, where it is written: a Disk around a Disk. Bytes of files are
// exact; what the file system adds cannot be seen from here and is estimated: the rest of each block that a
// write fills in part, and metadata (metadata-cost.ts). scripts/wear-check.ts compares both with the counters
// of a block device.
//
// The card writes more than it is asked to: it programs pages of CARD_PAGE_BYTES, so each piece that is made
// durable by itself ends within a page whose rest is lost. Pieces are counted, and what they add is told apart
// (programmedBytes): it is what wears, and what the model of a card (scripts/bench-card.ts) confirms. What
// a card moves to collect its garbage is not in it: that depends on the card.
//
// Invariants: counters only grow; counts of a worker thread are added with add(), once; bytes are counted
// when they are written, what the file system adds when it is synced (a medium that dies in between owes
// both to nobody).
// Not here: budget and projection (what they mean is for the owner of the ledger), keeping them over restarts.
import { type Clock, systemClock } from '../base/clock.ts'
import { dirOf } from './atomic-file.ts'
import { CAUSES, type Cause, type Disk, type DiskFile, type FileFacts } from './disk.ts'
import { type FileSystemFacts, MetadataCost, USUAL_FILE_SYSTEM } from './metadata-cost.ts'

/** What one cause wrote. */
export interface WearCount {
  /** Bytes given to write(). */
  bytes: number
  /** Calls of write(). */
  writes: number
  /** Syncs of files and directories. */
  syncs: number
  /** Estimated bytes that the file system adds: rests of blocks, metadata. */
  metadataBytes: number
  /** Places of the medium that were written by themselves: each leaves a page of the card unfinished. */
  pieces: number
}

/** What cards program at once (8 to 16 KiB are usual). */
export const CARD_PAGE_BYTES = 16_384
/** Blocks begin anywhere in a page, so a piece of n bytes takes pages of n + this many bytes on average. */
export const PIECE_REST_BYTES = CARD_PAGE_BYTES - 4096

/** Estimated bytes that a card programs for what one cause wrote. */
export function programmedBytes({ bytes, metadataBytes, pieces }: Readonly<WearCount>): number {
  return bytes + metadataBytes + pieces * PIECE_REST_BYTES
}

export type WearCounts = Readonly<Record<Cause, Readonly<WearCount>>>

const NOTHING: Readonly<WearCount> = { bytes: 0, writes: 0, syncs: 0, metadataBytes: 0, pieces: 0 }

function zeroCounts(): Record<Cause, WearCount> {
  const counts = {} as Record<Cause, WearCount>
  for (const cause of CAUSES) counts[cause] = { ...NOTHING }
  return counts
}

/** A Disk that counts. */
export class WearMeter implements Disk {
  private readonly disk: Disk
  private readonly sums = zeroCounts()
  private readonly metadata: MetadataCost

  constructor(disk: Disk, clock: Clock = systemClock, fileSystem: FileSystemFacts = USUAL_FILE_SYSTEM) {
    this.disk = disk
    this.metadata = new MetadataCost(clock, fileSystem, (cause, bytes, pieces) => {
      this.sums[cause].metadataBytes += bytes
      this.sums[cause].pieces += pieces
    })
  }

  /** What was written since this meter was made, live. */
  get counts(): WearCounts {
    this.metadata.expire()
    return this.sums
  }

  /** Bytes of all causes, metadata estimate included. */
  get totalBytes(): number {
    const { counts } = this
    return CAUSES.reduce((sum, cause) => sum + counts[cause].bytes + counts[cause].metadataBytes, 0)
  }

  /** Estimated bytes that a card programs for all of it. */
  get programmedBytes(): number {
    const { counts } = this
    return CAUSES.reduce((sum, cause) => sum + programmedBytes(counts[cause]), 0)
  }

  /** Adds what another meter counted (a worker's, handed over once per job). */
  add(counts: WearCounts): void {
    for (const cause of CAUSES) {
      const sum = this.sums[cause]
      const more = counts[cause]
      sum.bytes += more.bytes
      sum.writes += more.writes
      sum.syncs += more.syncs
      sum.metadataBytes += more.metadataBytes
      sum.pieces += more.pieces
    }
  }

  /** The counts so far, and starts again from zero: what a worker sends with its result. */
  take(): WearCounts {
    this.metadata.end()
    const taken = zeroCounts()
    for (const cause of CAUSES) {
      Object.assign(taken[cause], this.sums[cause])
      Object.assign(this.sums[cause], NOTHING)
    }
    return taken
  }

  openRead(path: string): DiskFile {
    return this.disk.openRead(path)
  }

  async openWrite(path: string, cause: Cause): Promise<DiskFile> {
    if (!this.disk.exists(path)) this.metadata.changed('existence', dirOf(path), cause)
    return new MeteredFile(await this.disk.openWrite(path, cause), cause, this.sums[cause], this.metadata)
  }

  exists(path: string): boolean {
    return this.disk.exists(path)
  }

  list(dir: string): string[] {
    return this.disk.list(dir)
  }

  facts(path: string): FileFacts | undefined {
    return this.disk.facts(path)
  }

  makeDir(dir: string): Promise<void> {
    this.metadata.changed('existence', dirOf(dir), 'other')
    this.metadata.changed('blocks', dir, 'other')
    return this.disk.makeDir(dir)
  }

  rename(from: string, to: string): Promise<void> {
    this.metadata.changed('name', dirOf(to), 'other')
    return this.disk.rename(from, to)
  }

  remove(path: string): Promise<void> {
    this.metadata.changed('existence', dirOf(path), 'other')
    this.metadata.changed('blocks', dirOf(path), 'other')
    return this.disk.remove(path)
  }

  syncDir(dir: string): Promise<void> {
    this.sums.other.syncs++
    this.metadata.synced(true, 'other')
    return this.disk.syncDir(dir)
  }

  freeBytes(): number {
    return this.disk.freeBytes()
  }
}

class MeteredFile implements DiskFile {
  readonly path: string
  private readonly file: DiskFile
  private readonly cause: Cause
  private readonly count: WearCount
  private readonly metadata: MetadataCost
  private readonly dir: string
  private end: number
  private grew = false
  /** One span of bytes written since the last sync, as [from, to), and how many were given. */
  private spanFrom = 0
  private spanTo = 0
  private spanBytes = 0
  /** Blocks of all spans since the last sync. */
  private blocks = 0

  constructor(file: DiskFile, cause: Cause, count: WearCount, metadata: MetadataCost) {
    this.path = file.path
    this.file = file
    this.cause = cause
    this.count = count
    this.metadata = metadata
    this.dir = dirOf(file.path)
    this.end = file.size()
  }

  read(into: Uint8Array, at: number): number {
    return this.file.read(into, at)
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    this.countWrite(bytes, at)
    return this.file.write(bytes, at)
  }

  sync(): Promise<void> {
    this.countSync()
    return this.file.sync()
  }

  writeSynced(bytes: Uint8Array, at: number): Promise<void> {
    this.countWrite(bytes, at)
    this.countSync()
    return this.file.writeSynced(bytes, at)
  }

  size(): number {
    return this.file.size()
  }

  close(): void {
    this.endSpan()
    this.file.close()
  }

  private countWrite(bytes: Uint8Array, at: number): void {
    const to = at + bytes.length
    this.count.bytes += bytes.length
    this.count.writes++
    this.extendSpan(at, to)
    if (to > this.end) {
      const { blockBytes } = this.metadata
      const isWithinBlock = Math.ceil(to / blockBytes) === Math.ceil(this.end / blockBytes)
      this.metadata.changed(isWithinBlock ? 'length' : 'blocks', this.dir, this.cause)
      this.end = to
      this.grew = true
    } else this.metadata.changed('bytes', this.dir, this.cause)
  }

  private countSync(): void {
    this.count.syncs++
    this.endSpan()
    this.metadata.synced(this.grew, this.cause, this.blocks)
    this.blocks = 0
    this.grew = false
  }

  /** Writes that touch share their blocks; a write elsewhere begins a span of its own. */
  private extendSpan(from: number, to: number): void {
    if (from !== this.spanTo || this.spanBytes === 0) {
      this.endSpan()
      this.spanFrom = from
    }
    this.spanTo = to
    this.spanBytes += to - from
  }

  private endSpan(): void {
    if (this.spanBytes === 0) return
    const { blockBytes } = this.metadata
    const blocks = Math.ceil(this.spanTo / blockBytes) - Math.floor(this.spanFrom / blockBytes)
    this.count.metadataBytes += blocks * blockBytes - this.spanBytes
    this.count.pieces++
    this.blocks += blocks
    this.spanBytes = 0
  }
}

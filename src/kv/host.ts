// What the store needs of the engine, as interfaces: the WAL it shares with the series, the manifest that
// says which segments live, and files of segments. The engine's own classes fit them; tests and workers
// may pass less. Semantics that the store relies on are stated here, at each member.
// Not here: the engine (src/engine), how a segment's content looks (segment.ts).
import type { CorruptionError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { FoundBlock } from '../engine/segment-reader.ts'
import type { Run } from '../engine/sorted-runs.ts'

/** The kind of the store's content in the WAL, and the family of its segments. */
export const KV_KIND = 2

/** How long a write may wait for its sync: 0 lazy, 1 normal, 2 eager (the writer sends nothing until then). */
export type Urgency = 0 | 1 | 2

export interface KvWal {
  /** The group that collects now; what is pending is on the medium when this group is. */
  readonly pendingGroup: number
  readonly syncedGroup: number
  /** No file is to be had: pending groups wait for a checkpoint. */
  readonly full: boolean
  /** Asked before anything is accepted. @throws {VarveError} VARVE_STORE_FAILED, VARVE_CLOSED, VARVE_WAL_FULL */
  admit(bytes: number): void
  note(bytes: number, urgency: Urgency): void
  synced(group: number): Promise<void>
  onSynced(listener: (group: number) => void): void
  /** Files run short, or there is none: the owners of these kinds have to flush. */
  onPressure(
    listener: (pressure: { readonly full: boolean; readonly kinds: readonly number[] }) => void
  ): void
  /**
   * Ends the file after the pending group; resolves with the number of the file that later groups go to. When
   * the WAL is full the pending group goes to that file too.
   */
  rotate(): Promise<number>
}

export interface KvManifest {
  readonly segments: ReadonlyMap<number, SegmentInfo>
  nextSegmentId(): number
  /** One atomic edit, durable when it resolves. */
  commit(edit: {
    add?: SegmentInfo[]
    remove?: number[]
    checkpoint?: { kind: number; walFile: number }
    notes?: [key: string, value: Uint8Array | null][]
  }): Promise<void>
  note(key: string): Uint8Array | undefined
}

/** Where a segment stands among the others. */
export interface SegmentPlace {
  /** Greater is newer. */
  readonly order: number
  /** How often its entries were joined. */
  readonly level: number
  readonly entries: number
}

/** A segment that is being written. */
export interface SegmentOut {
  /** Appends a block; `payload` is copied. */
  block(kind: number, payload: Uint8Array): { offset: number; length: number }
  /** Resolves when there is room for more blocks: bounds memory. */
  room(): Promise<void>
  /** Synced, file and directory, when it resolves. */
  finish(footer: Uint8Array, place: SegmentPlace): Promise<SegmentInfo>
  abort(): Promise<void>
}

/** A finished segment, open for reading. */
export interface SegmentIn {
  readonly file: string
  /** Null when it is damaged. */
  readonly footer: Uint8Array | null
  /** What of the container is damaged that it was opened without. */
  readonly damage: readonly CorruptionError[]
  /** All blocks in order, damaged stretches among them; reads the whole file. */
  blocks(): Iterable<FoundBlock>
  /** The verified payload of a block. @throws {CorruptionError} */
  block(offset: number, length: number): Uint8Array
  close(): void
}

/** The segments' files, by number. */
export interface SegmentFiles {
  create(id: number): Promise<SegmentOut>
  /** @throws {CorruptionError | FormatError} */
  open(id: number): SegmentIn
  remove(id: number): Promise<void>
}

/** What the store stands on once the engine is open. */
export interface KvHost {
  readonly wal: KvWal
  readonly manifest: KvManifest
  readonly files: SegmentFiles
}

/** A compaction to do, by numbers alone: whoever does it needs the files and nothing else of the store. */
export interface CompactionTask {
  /** The number of the segment to write. */
  readonly id: number
  /** The place it takes: that of the newest input. */
  readonly order: number
  readonly level: number
  /** Newest first, neighbours in age. */
  readonly inputs: readonly number[]
  /** Every live segment older than the inputs. */
  readonly older: readonly number[]
  /** Wall time in us; 0 where the clock is not known: then nothing expires. */
  readonly nowUs: number
}

export interface CompactionResult {
  /** Null where nothing was left to write. */
  readonly written: SegmentInfo | null
  /** Tombstones and expired entries that left. */
  readonly dropped: number
  /** The input that could not be read: nothing was done then. */
  readonly damaged: {
    readonly id: number
    readonly file: string
    readonly offset: number
    readonly why: string
  } | null
}

/** A memtable to write as a segment, by its bytes: whoever does it needs the files and nothing else of the store. */
export interface FlushTask {
  /** The number of the segment to write, and its place. */
  readonly id: number
  readonly order: number
  /** The records (entry-log.ts), and the address of the newest of each key. */
  readonly slabs: readonly SharedArrayBuffer[]
  readonly addresses: Int32Array
  /** All places, in the order of their keys (engine/sorted-runs.ts). */
  readonly runs: readonly Run[]
  /** Every live segment. */
  readonly older: readonly number[]
  /** Wall time in us; 0 where the clock is not known. */
  readonly nowUs: number
}

/** The heavy work of a store, done in threads of their own where there are any. */
export interface KvJobs {
  /** @returns null where nothing of the memtable stays */
  flush(task: FlushTask): Promise<SegmentInfo | null>
  compact(task: CompactionTask): Promise<CompactionResult>
}

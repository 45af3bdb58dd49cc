// Which segments live, from where each owner's WAL is needed, and small named values. A file of edits
// (record-file.ts): each commit is one record, so it holds whole or not at all.
//
// Invariants: what commit() resolved is durable; `segments` shows durable edits only; ids are never given out
// twice, also not those of segments that are gone; the file is replaced by one edit when it is REWRITE_FACTOR
// times as long as that.
// A commit that fails leaves the file's end unknown: every commit asked for by then fails with it, and the next
// one replaces the file by what is live before anything else. Until then the edit may still be found, so the files
// of the segments that it added stay; after it they are removed.
// Each edit also says how far the WAL is synced by then, so that damage to its newest groups is told from a torn
// tail.
// Not here: files without an entry and entries without a file (recovery.ts), bytes of an edit
// (manifest-edit.ts).
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { CorruptionError, reason, VarveError } from '../base/errors.ts'
import { readWhole } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'
import { MANIFEST, parseSegmentName, SEGMENT_DIR, segmentPath } from './file-names.ts'
import {
  checkpointsOf,
  getEdit,
  type ManifestEdit,
  putEdit,
  type SegmentInfo,
  type WalMark
} from './manifest-edit.ts'
import { keepAside } from './quarantine.ts'
import { putHeader, putRecord, RecordFile } from './record-file.ts'

export type { ManifestEdit, SegmentInfo, WalMark }

/** The owner number of record files that are manifests. */
export const MANIFEST_OWNER = 1
const EDIT = 1
const REWRITE_FACTOR = 4
const REWRITE_BYTES_MIN = 64 * 1024

export interface ManifestOptions {
  readonly disk: Disk
  readonly readOnly: boolean
  readonly anySalt: () => number
  /** Called when a checkpoint is durable. */
  readonly onCheckpoint: (kind: number, walFile: number) => void
  /** How far the WAL is synced; null while nothing is known. Who writes none leaves it out. */
  readonly walSynced?: () => WalMark | null
}

interface Waiting {
  readonly edit: ManifestEdit
  readonly done: PromiseWithResolvers<void>
}

export class Manifest {
  private readonly live = new Map<number, SegmentInfo>()
  private readonly marks = new Map<number, number>()
  private readonly values = new Map<string, Uint8Array>()
  /** Entries whose file is not there: not shown, but kept, in case the file comes back. */
  private readonly hidden = new Map<number, SegmentInfo>()
  private readonly removed = new Set<number>()
  private readonly strays: SegmentInfo[] = []
  private readonly found: CorruptionError[] = []
  private lastId = 0
  private file: RecordFile | null = null
  private rewrittenBytes = 0
  private readonly options: ManifestOptions
  private mark: WalMark | null = null
  /** Segments of edits that failed: their files are of no use once it is sure that no edit names them. */
  private readonly orphans = new Set<number>()
  private queue: Waiting[] = []
  private writing: Promise<void> | null = null

  private constructor(options: ManifestOptions) {
    this.options = options
  }

  /**
   * Reads or creates it. A damaged one is kept in QUARANTINE_DIR and what is readable of it is used: `damage`
   * says what is not, and recovery fills the gap from the segments themselves.
   * @throws {VarveError} VARVE_FORMAT_NEWER, and as Disk
   */
  static async open(options: ManifestOptions): Promise<Manifest> {
    const { disk, readOnly, anySalt } = options
    const manifest = new Manifest(options)
    const open = (path: string): Promise<RecordFile> =>
      RecordFile.open({
        disk,
        path,
        cause: 'manifest',
        owner: MANIFEST_OWNER,
        readOnly,
        anySalt,
        keepDamaged: bytes => keepAside(disk, MANIFEST, bytes),
        onRecord: (kind, payload) => manifest.read(kind, payload)
      })
    if (!disk.exists(MANIFEST) && disk.list(SEGMENT_DIR).some(name => parseSegmentName(name) !== null)) {
      manifest.found.push(new CorruptionError(MANIFEST, 0, 'the file is missing, but there are segments'))
    }
    try {
      manifest.file = await open(MANIFEST)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      manifest.found.push(error)
      if (!readOnly) {
        await keepAside(disk, MANIFEST, readWhole(disk, MANIFEST))
        await disk.remove(MANIFEST)
        manifest.file = await open(MANIFEST)
      }
    }
    manifest.found.unshift(...(manifest.file?.damage ?? []))
    manifest.rewrittenBytes = manifest.file?.bytes ?? 0
    return manifest
  }

  /** Live segments by id. */
  get segments(): ReadonlyMap<number, SegmentInfo> {
    return this.live
  }

  /** Checkpoints by kind of owner: the first WAL file that it needs. */
  get checkpoints(): ReadonlyMap<number, number> {
    return this.marks
  }

  /** How far the WAL was synced at the newest edit; null: no edit says. */
  get walSynced(): WalMark | null {
    return this.mark
  }

  /** What was damaged when it was opened. */
  get damage(): readonly CorruptionError[] {
    return this.found
  }

  /** The newest id that was given out; 0 when none was. */
  get newestId(): number {
    return this.lastId
  }

  /** An id that no segment has or had. */
  nextSegmentId(): number {
    return ++this.lastId
  }

  /** Ids up to this are not to be given out: files of them were found. */
  reserveIds(id: number): void {
    this.lastId = Math.max(this.lastId, id)
  }

  /** Whether it ended in a torn tail: an edit that never was durable, or a newest one that is damaged. */
  get torn(): boolean {
    return this.file?.torn ?? false
  }

  /** Whether a segment was given up by an edit that was read. */
  wasRemoved(id: number): boolean {
    return this.removed.has(id)
  }

  /** Something else proves that edits are missing at its end. */
  suspect(error: CorruptionError): void {
    this.found.push(error)
  }

  /** The file of a live segment is not there: it is no longer among `segments`. */
  hide(id: number): void {
    const segment = this.live.get(id)
    assert(segment !== undefined, 'only a live segment is hidden')
    this.live.delete(id)
    this.hidden.set(id, segment)
  }

  /** Segments that no edit named; those who keep notes know nothing of them. */
  get adopted(): readonly SegmentInfo[] {
    return this.strays
  }

  /** Shows a segment that no edit names, without writing. */
  adopt(segment: SegmentInfo): void {
    this.live.set(segment.id, segment)
    this.strays.push(segment)
    this.reserveIds(segment.id)
  }

  /** A small named value: rollup watermarks, wear ledger, boots. */
  note(key: string): Uint8Array | undefined {
    return this.values.get(key)
  }

  /**
   * One atomic edit, durable when it resolves. Commits asked for while one is written share the next sync.
   * The files of removed segments are deleted by the caller, when nobody reads them.
   * @throws {VarveError} VARVE_STORE_FAILED and as Disk; the edit may then be found at the next open or not
   */
  commit(edit: ManifestEdit): Promise<void> {
    for (const segment of edit.add ?? [])
      assert(segment.id <= this.lastId && !this.orphans.has(segment.id), 'a segment has a new id')
    const done = Promise.withResolvers<void>()
    this.queue.push({ edit, done })
    this.writing ??= this.write()
    return done.promise
  }

  /** Waits for commits under way, says how far the WAL was synced at last, and closes the file. @throws as Disk */
  async close(): Promise<void> {
    await this.writing
    try {
      if (this.newMark() !== undefined) await this.commit({})
    } finally {
      this.file?.close()
    }
  }

  /** How far the WAL is synced now, where that is further than any edit says. */
  private newMark(): WalMark | undefined {
    const mark = this.options.walSynced?.() ?? null
    return mark !== null && mark.ordinal > (this.mark?.ordinal ?? 0) ? mark : undefined
  }

  private async write(): Promise<void> {
    const out = new ByteWriter()
    // Commits of one turn share one sync.
    await Promise.resolve()
    while (this.queue.length > 0) {
      const batch = this.queue
      this.queue = []
      const walSynced = this.newMark()
      if (walSynced !== undefined) batch[0] = { ...batch[0]!, edit: { ...batch[0]!.edit, walSynced } }
      try {
        if (this.file!.failed) await this.rewrite()
        for (const { edit } of batch) {
          out.reset()
          putEdit(out, edit)
          this.file!.append(EDIT, out.written())
        }
        await this.file!.sync()
      } catch (error) {
        // Those that wait were made in the belief that these would hold.
        for (const { edit, done } of [...batch, ...this.queue.splice(0)]) {
          for (const { id } of edit.add ?? []) this.orphans.add(id)
          done.reject(error)
        }
        continue
      }
      for (const { edit, done } of batch) {
        this.apply(edit)
        for (const { kind, walFile } of checkpointsOf(edit)) this.options.onCheckpoint(kind, walFile)
        done.resolve()
      }
      await this.removeOrphans()
      if (this.file!.bytes > Math.max(REWRITE_BYTES_MIN, this.rewrittenBytes * REWRITE_FACTOR)) {
        // What fails here is tried again, and told, by the next commit.
        await this.rewrite().catch(error => {
          if (!(error instanceof VarveError)) throw error
        })
      }
    }
    this.writing = null
  }

  /** An edit holds, so none of those that failed will be found any more. */
  private async removeOrphans(): Promise<void> {
    const { disk } = this.options
    for (const id of this.orphans) {
      try {
        if (disk.exists(segmentPath(id))) await disk.remove(segmentPath(id))
        this.orphans.delete(id)
      } catch (error) {
        // It is removed after a later commit, or at the next open.
        if (!(error instanceof VarveError)) throw error
        return
      }
    }
  }

  /** Replaces the file by what is live. @throws as Disk; the next commit tries again */
  private async rewrite(): Promise<void> {
    const out = new ByteWriter()
    putEdit(out, this.whole())
    await this.file!.rewrite([{ kind: EDIT, payload: out.written() }])
    this.rewrittenBytes = this.file!.bytes
  }

  /** Appends a file that says what is live, whole, for a backup. */
  encode(out: ByteWriter): void {
    const edit = new ByteWriter()
    putEdit(edit, this.whole())
    const salt = this.options.anySalt()
    putHeader(out, MANIFEST_OWNER, salt)
    putRecord(out, salt, 0, EDIT, edit.written())
  }

  /** All that is live as one edit. */
  private whole(): ManifestEdit {
    return {
      add: [...this.live.values(), ...this.hidden.values()],
      checkpoints: [...this.marks].map(([kind, walFile]) => ({ kind, walFile })),
      notes: [...this.values],
      lastId: this.lastId,
      ...(this.mark === null ? {} : { walSynced: this.mark })
    }
  }

  private read(kind: number, payload: Uint8Array): void {
    try {
      if (kind !== EDIT) throw new VarveError('VARVE_ITEM', `there is no record of kind ${kind}`)
      this.apply(getEdit(payload))
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      this.found.push(new CorruptionError(MANIFEST, 0, `an edit makes no sense (${reason(error)})`))
    }
  }

  private apply(edit: ManifestEdit): void {
    for (const id of edit.remove ?? []) {
      this.live.delete(id)
      this.hidden.delete(id)
      this.removed.add(id)
    }
    for (const segment of edit.add ?? []) {
      this.live.set(segment.id, segment)
      this.lastId = Math.max(this.lastId, segment.id)
    }
    for (const { kind, walFile } of checkpointsOf(edit)) this.marks.set(kind, walFile)
    for (const [key, value] of edit.notes ?? []) {
      if (value === null) this.values.delete(key)
      else this.values.set(key, value)
    }
    if (edit.walSynced !== undefined) this.mark = edit.walSynced
    if (edit.lastId !== undefined) this.lastId = Math.max(this.lastId, edit.lastId)
  }
}

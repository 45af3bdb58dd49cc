// From a head to segments that live, one step after the other: the WAL begins a new file, the head is sealed, a
// job writes it as segments, the catalog file takes the new definitions, and one edit of the manifest makes the
// segments live and moves the checkpoint past the old WAL files. Only then is the sealed head let go.
//
// Rows that were appended while the WAL changed files are in the sealed head, and are drained into the new
// file: after a crash they may be replayed although a segment has them, which changes nothing, since the same
// value is written again.
//
// Invariants: one flush at a time; definitions are durable before a segment or checkpoint that needs them; a
// flush that failed leaves the sealed head, and the next one goes on with it.
// Not here: when (store.ts asks, the daemon decides), the job (flush-job.ts).
import type { SegmentInfo } from '../engine/manifest.ts'
import type { RecordFile } from '../engine/record-file.ts'
import type { CatalogFile } from './catalog-file.ts'
import { FAMILY_SERIES } from './family.ts'
import type { ClassTable } from './flush-job.ts'
import type { HeadView } from './head.ts'
import type { Heads } from './heads.ts'

/** What a flush or a merge runs on: a worker, or the same thread in tests. */
export interface SeriesJobs {
  /** Writes a sealed head as segments, none of which is live yet. */
  flush(head: HeadView, classes: ClassTable): Promise<SegmentInfo[]>
}

/** What makes a flush live. */
export interface FlushEdit {
  readonly add: SegmentInfo[]
  readonly checkpoint: { kind: number; walFile: number }
  readonly notes: readonly [key: string, value: Uint8Array][]
}

/** The parts of the engine that the store uses. */
export interface SeriesStorage {
  /** Ends the WAL file; resolves with the next one's number: what was drained before is in files below it. */
  rotate(): Promise<number>
  /** One durable edit of the manifest. */
  commit(edit: FlushEdit): Promise<void>
  readonly pendingGroup: number
}

/** What a flush did. */
export interface FlushReport {
  readonly segments: readonly SegmentInfo[]
  readonly samples: number
}

export interface FlushParts {
  readonly storage: SeriesStorage
  readonly catalogFile: RecordFile
  readonly jobs: SeriesJobs
  readonly heads: Heads
  readonly definitions: CatalogFile
  classTable(): ClassTable
  /** A head is sealed: what follows goes to another. */
  onSealed(): void
  /** A flush ended, failed or not. */
  onEnd(): void
}

export class FlushCycle {
  private readonly parts: FlushParts
  private underWay: Promise<FlushReport | null> | null = null

  constructor(parts: FlushParts) {
    this.parts = parts
  }

  /** Runs, or joins the run under way. Null when there was nothing to flush. @throws {VarveError} as Disk */
  run(): Promise<FlushReport | null> {
    this.underWay ??= this.once().finally(() => {
      this.underWay = null
      this.parts.onEnd()
    })
    return this.underWay
  }

  /** Resolves when none is under way, failed or not. */
  async settled(): Promise<void> {
    while (this.underWay !== null) await this.underWay.catch(() => {})
  }

  private async once(): Promise<FlushReport | null> {
    const { heads, storage, jobs, definitions, catalogFile } = this.parts
    if (heads.sealed === null) {
      if (heads.open.head.rows === 0 && (await this.passOver())) return null
      heads.seal(await storage.rotate())
      this.parts.onSealed()
    }
    const { head, walFile } = heads.sealed!
    await definitions.save(catalogFile)
    const segments = await jobs.flush(head.view(), this.parts.classTable())
    const checkpoint = { kind: FAMILY_SERIES, walFile }
    await storage.commit({ add: segments, checkpoint, notes: [definitions.extent()] })
    heads.letGo()
    return { segments, samples: head.samples }
  }

  /**
   * Nothing is in memory: moves the checkpoint alone, so that old WAL files are not kept for what is not there.
   * False when rows came meanwhile.
   */
  private async passOver(): Promise<boolean> {
    const { heads, storage, definitions, catalogFile } = this.parts
    const walFile = await storage.rotate()
    if (heads.open.head.rows > 0) return false
    await definitions.save(catalogFile)
    const checkpoint = { kind: FAMILY_SERIES, walFile }
    await storage.commit({ add: [], checkpoint, notes: [definitions.extent()] })
    return true
  }
}

// The series of one data directory on the main thread: takes rows from ingest, gives them to the WAL, and
// turns full heads into segments. What is heavy (encoding, merging) is handed to jobs, which run in a
// worker, or inline on a simulated disk.
//
// The life of a head: rows are appended and drained into WAL groups. When it is large enough, or the WAL
// runs short of files, the WAL begins a new file and the head is sealed: the rows that follow go to a new
// head. A job writes the sealed head as segments, the catalog file takes the new definitions, and one
// manifest edit makes the segments live and moves the checkpoint past the old files. Only then is the
// sealed head let go. Rows that were appended while the WAL changed files are in the sealed head, and are
// drained into the new file: after a crash they may be replayed although a segment has them, which changes
// nothing, since the same value is written again.
//
// Invariants: at most one head is sealed; a row is in exactly one of head, sealed head and segments for
// every reader; definitions are durable before a segment or checkpoint that needs them.
// Not here: when to merge or drop (daemon's scheduler), reading (reader.ts), the bytes (wal-rows.ts).
import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { RecordFile } from '../engine/record-file.ts'
import type { WalOwner } from '../engine/wal.ts'
import type { RetentionClass } from './bucket.ts'
import { Catalog, type CatalogCursor, type CatalogLimits } from './catalog.ts'
import { FAMILY_SERIES } from './family.ts'
import type { ClassTable } from './flush-job.ts'
import { Head, type HeadView, PagePool } from './head.ts'
import type { Labels } from './label.ts'
import { type Kind, TIME_MAX_US, TIME_MIN_US } from './sample.ts'
import { Shapes } from './shape.ts'
import { type RowCursor, RowEncoder } from './wal-rows.ts'
import { RowDecoder, type RowSink } from './wal-rows-read.ts'

/** The kind of the catalog file's records: definitions (catalog.ts). */
const CATALOG_RECORD = 1

/** The note of the manifest that says how much the catalog file holds at least: varint groups | varint series. */
export const EXTENT_NOTE = 'series.catalog'

/** @throws {VarveError} VARVE_TRUNCATED */
export function readExtent(note: Uint8Array | undefined): CatalogCursor {
  if (note === undefined) return { groups: 0, series: 0 }
  const from = new ByteReader(note)
  return { groups: from.varint(), series: from.varint() }
}

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

export interface StoreOptions {
  readonly limits: CatalogLimits
  readonly classes: readonly RetentionClass[]
  /** The class of a new group, an index into classes; fields are those that it begins with. */
  classify(name: string, labels: Labels, fields: readonly string[]): number
  /** A head of this many bytes is flushed, until SeriesStore.flushBytes is set. */
  readonly flushBytes: number
  /** Heads of this many bytes together refuse rows. */
  readonly headBytesMax: number
  /** A row came that is older than `lateBeforeUs` (rollups are past it). */
  onLate(group: number, timeUs: number): void
  /** The head is full: call flush(). Never called from within begin(). */
  onFull(): void
  /** Calls back when nobody reads any more what views() gave until now. */
  afterReaders(callback: () => void): void
  onCorruption(error: CorruptionError | VarveError): void
}

/** What a flush did. */
export interface FlushReport {
  readonly segments: readonly SegmentInfo[]
  readonly samples: number
}

export class SeriesStore implements WalOwner {
  readonly kind = FAMILY_SERIES
  readonly catalog: Catalog
  readonly shapes = new Shapes()
  /** Rows before this time are reported to onLate; set by rollups. */
  lateBeforeUs = 0
  /** A head of this many bytes is flushed. */
  flushBytes: number
  private readonly options: StoreOptions
  private readonly encoder = new RowEncoder()
  private readonly decoder = new RowDecoder()
  private readonly definitions = new ByteWriter()
  private readonly inWal: CatalogCursor = { groups: 0, series: 0 }
  private readonly inFile: CatalogCursor = { groups: 0, series: 0 }
  private readonly pool = new PagePool()
  private head = new Head(this.pool)
  private cursor: RowCursor = { page: 0, word: 0 }
  private sealed: { head: Head; cursor: RowCursor; walFile: number } | null = null
  private classOf = new Uint16Array(1024)
  private freshDue = true
  private fullReported = false
  private refusal: VarveError | null = null
  /** Samples of earlier heads; those that were replayed count below zero. */
  private samplesSealed = 0
  private flushing: Promise<FlushReport | null> | null = null
  private storage: SeriesStorage | null = null
  private catalogFile: RecordFile | null = null
  private jobs: SeriesJobs | null = null

  constructor(options: StoreOptions) {
    assert(options.headBytesMax > options.flushBytes, 'a head may be larger than what starts a flush')
    this.options = options
    this.flushBytes = options.flushBytes
    this.catalog = new Catalog(options.limits)
  }

  /**
   * Takes a record of the catalog file; call for all of them before the WAL is replayed.
   * @throws {VarveError} VARVE_CATALOG when the record is not definitions
   */
  define(record: Uint8Array): void {
    this.catalog.replay(new ByteReader(record))
    this.inFile.groups = this.catalog.groupCount
    this.inFile.series = this.catalog.seriesCount
  }

  /** How much the records of the catalog file defined. */
  get definedInFile(): CatalogCursor {
    return { ...this.inFile }
  }

  /** Replaces the catalog file by all definitions there are. @throws as Disk */
  async rewriteCatalog(file: RecordFile): Promise<void> {
    const cursor = { groups: 0, series: 0 }
    const out = new ByteWriter()
    this.catalog.encode(cursor, out)
    await file.rewrite([{ kind: CATALOG_RECORD, payload: out.written() }])
    Object.assign(this.inFile, cursor)
  }

  /** Joins the store to what it writes to; call once the WAL has been replayed. */
  start(storage: SeriesStorage, catalogFile: RecordFile, jobs: SeriesJobs): void {
    this.catalogFile = catalogFile
    this.storage = storage
    this.jobs = jobs
    for (let id = 0; id < this.catalog.groupCount; id++) this.classify(id, this.catalog.at(id).fields)
    this.samplesSealed = -this.head.samples
    // Every row that was replayed lies in the WAL already.
    this.cursor = endOf(this.head)
    this.inWal.groups = this.catalog.groupCount
    this.inWal.series = this.catalog.seriesCount
    this.head.eachRow((shape, timeUs) => {
      if (timeUs < this.lateBeforeUs) this.options.onLate(this.shapes.all[shape]!.group, timeUs)
    }, this.shapes.all)
    this.checkFull()
  }

  // Appending

  /**
   * The number of a shape, made when it is new: the group of (name, labels) with these fields.
   * NO_SHAPE when the group has too many: append one row a field instead.
   * @throws {VarveError} VARVE_SERIES_LIMIT
   */
  shape(name: string, labels: Labels, fields: readonly string[], kinds: readonly Kind[]): number {
    const known = this.catalog.groupCount
    const group = this.catalog.group(name, labels)
    if (group === known) this.classify(group, fields)
    const indexes = fields.map(field => this.catalog.field(group, field))
    return this.shapes.intern(group, indexes, kinds)
  }

  /**
   * Opens a row of a shape. Fill slots[at + i] or text(i), then end(); a row that is not ended never was.
   * @throws {VarveError} VARVE_TIME outside TIME_MIN_US .. TIME_MAX_US; VARVE_MEMORY when the heads are
   * full; VARVE_STORE_FAILED after a failed sync. Nothing is half-written.
   */
  begin(shape: number, timeUs: number): void {
    if (this.refusal !== null) throw this.refusal
    if (!(timeUs >= TIME_MIN_US && timeUs <= TIME_MAX_US && Number.isInteger(timeUs))) {
      throw new VarveError('VARVE_TIME', `Cannot store sample: time ${timeUs} us is not within 1970 to 2112`)
    }
    const { group } = this.shapes.all[shape]!
    if (timeUs < this.lateBeforeUs) this.options.onLate(group, timeUs)
    this.head.begin(shape, this.shapes.all[shape]!, timeUs)
  }

  get slots(): Float64Array {
    return this.head.slots
  }

  get at(): number {
    return this.head.at
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    this.head.text(i, source, start, end)
  }

  end(): void {
    this.head.end()
  }

  /** Samples appended since the start. */
  get samplesAppended(): number {
    return this.samplesSealed + this.head.samples
  }

  /** The WAL group that will hold what was appended so far. */
  get pendingGroup(): number {
    return this.storage!.pendingGroup
  }

  /** From now on every append is refused with this error, until null is given; a store that failed stays so. */
  refuse(error: VarveError | null): void {
    if (this.refusal?.code !== 'VARVE_STORE_FAILED') this.refusal = error
  }

  /** The code of the error that appends are refused with now; null while they are taken. */
  get refusalCode(): string | null {
    return this.refusal?.code ?? null
  }

  // The WAL

  drain(out: ByteWriter, fresh: boolean): void {
    this.freshDue ||= fresh
    this.checkFull()
    if (this.sealed !== null && hasRows(this.sealed.head, this.sealed.cursor)) {
      this.part(this.sealed.head, this.sealed.cursor, out)
      // The texts that the coder remembers lie in the head that was sealed.
      this.freshDue = true
    }
    if (hasRows(this.head, this.cursor) || !this.catalog.isCurrent(this.inWal))
      this.part(this.head, this.cursor, out)
  }

  private part(head: Head, cursor: RowCursor, out: ByteWriter): void {
    this.definitions.reset()
    this.catalog.encode(this.inWal, this.definitions)
    this.encoder.encode(head, cursor, this.shapes.all, this.definitions.written(), this.freshDue, out)
    this.freshDue = false
  }

  replay(payload: Uint8Array): void {
    try {
      this.decoder.decode(payload, this.sink)
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      this.decoder.lost()
      this.options.onCorruption(error)
    }
  }

  lost(error: CorruptionError): void {
    this.decoder.lost()
    this.options.onCorruption(error)
  }

  /** Puts replayed rows into the head. Limits do not apply: these rows were acknowledged. */
  private readonly sink: RowSink = {
    define: from => this.catalog.replay(from),
    shape: (group, fields, kinds) => {
      this.catalog.standIn(group, Math.max(...fields) + 1)
      return this.shapes.intern(group, fields, kinds, Number.POSITIVE_INFINITY)
    },
    begin: (shape, timeUs) => {
      this.head.begin(shape, this.shapes.all[shape]!, timeUs)
    },
    number: (i, value) => {
      this.head.slots[this.head.at + i] = value
    },
    text: (i, source, start, end) => this.head.text(i, source, start, end),
    end: () => this.head.end()
  }

  // Flushing

  /** Heads for a reader, the older first; what is appended later is not seen. */
  views(): HeadView[] {
    return this.sealed === null ? [this.head.view()] : [this.sealed.head.view(), this.head.view()]
  }

  get headBytes(): number {
    return this.head.bytes + (this.sealed?.head.bytes ?? 0)
  }

  /** Pages that earlier heads gave back and the next one will take, in bytes. */
  get pooledBytes(): number {
    return this.pool.bytes
  }

  /** The time of the oldest row that is in no segment, in us; Infinity when there is none. */
  get headTimeMinUs(): number {
    return Math.min(this.head.timeMinUs, this.sealed?.head.timeMinUs ?? Number.POSITIVE_INFINITY)
  }

  /** The time of the newest row that a shape's group got since the last flush, in us; 0 for none. */
  newestTimeUs(shape: number): number {
    return this.head.newestTimeUs(this.shapes.all[shape]!.group)
  }

  /** Those of them that a flush under way leaves. */
  get openSamples(): number {
    return this.head.samples
  }

  get headSamples(): number {
    return this.head.samples + (this.sealed?.head.samples ?? 0)
  }

  /**
   * Makes segments of all rows that are here now and lets their WAL files go. Single flight: a call while
   * one runs gets that one's end. Null when there was nothing to flush.
   * @throws {VarveError} what the disk says; the rows stay, in the WAL and for readers, and the next call
   * tries again
   */
  flush(): Promise<FlushReport | null> {
    this.flushing ??= this.flushOnce().finally(() => {
      this.flushing = null
      this.fullReported = false
      this.checkFull()
    })
    return this.flushing
  }

  /** Resolves when no flush is under way, failed or not. */
  async settled(): Promise<void> {
    while (this.flushing !== null) await this.flushing.catch(() => {})
  }

  private async flushOnce(): Promise<FlushReport | null> {
    assert(this.storage !== null && this.jobs !== null && this.catalogFile !== null, 'the store was started')
    if (this.sealed === null) {
      if (this.head.rows === 0 && (await this.passOver(this.catalogFile))) return null
      await this.seal()
    }
    const { head, walFile } = this.sealed!
    await this.saveDefinitions(this.catalogFile)
    const segments = await this.jobs.flush(head.view(), this.classTable())
    await this.storage.commit({
      add: segments,
      checkpoint: { kind: this.kind, walFile },
      notes: [this.extent()]
    })
    this.sealed = null
    this.options.afterReaders(() => this.pool.give(head.pages))
    return { segments, samples: head.samples }
  }

  /**
   * Nothing is in memory: moves the checkpoint alone, so that old WAL files are not kept for what is not there.
   * False when rows came meanwhile.
   */
  private async passOver(file: RecordFile): Promise<boolean> {
    const walFile = await this.storage!.rotate()
    if (this.head.rows > 0) return false
    await this.saveDefinitions(file)
    await this.storage!.commit({ add: [], checkpoint: { kind: this.kind, walFile }, notes: [this.extent()] })
    return true
  }

  private extent(): [string, Uint8Array] {
    this.definitions.reset()
    this.definitions.varint(this.inFile.groups)
    this.definitions.varint(this.inFile.series)
    return [EXTENT_NOTE, this.definitions.copy()]
  }

  private async saveDefinitions(file: RecordFile): Promise<void> {
    if (file.failed) return this.rewriteCatalog(file)
    // Of its own: after a flood of topics it is some megabytes, which are not to stay.
    const out = new ByteWriter()
    const cursor = { ...this.inFile }
    this.catalog.encode(cursor, out)
    if (out.length === 0) return
    file.append(CATALOG_RECORD, out.written())
    await file.sync()
    Object.assign(this.inFile, cursor)
  }

  private async seal(): Promise<void> {
    const walFile = await this.storage!.rotate()
    this.sealed = { head: this.head, cursor: this.cursor, walFile }
    this.samplesSealed += this.head.samples
    this.head = new Head(this.pool)
    this.cursor = { page: 0, word: 0 }
    this.freshDue = true
  }

  /** The class of every group and the spans, for a job. */
  classTable(): ClassTable {
    const { classes } = this.options
    return {
      names: classes.map(one => one.name),
      spansUs: classes.map(one => one.spanUs),
      classOf: this.classOf.slice(0, this.catalog.groupCount)
    }
  }

  private classify(id: number, fields: readonly string[]): void {
    if (id >= this.classOf.length) {
      const grown = new Uint16Array(Math.max(id + 1, this.classOf.length * 2))
      grown.set(this.classOf)
      this.classOf = grown
    }
    const { name, labels } = this.catalog.at(id)
    this.classOf[id] = this.options.classify(name, labels, fields)
  }

  /** Once for each group sync: asks for a flush, and refuses rows while the heads are over their bound. */
  private checkFull(): void {
    const isOver = this.headBytes > this.options.headBytesMax
    if (isOver && this.refusal === null) {
      this.refusal = new VarveError(
        'VARVE_MEMORY',
        `Cannot store sample: ${this.headBytes} bytes are waiting to be flushed, the limit is ${this.options.headBytesMax}; try again`
      )
    } else if (!isOver && this.refusal?.code === 'VARVE_MEMORY') this.refusal = null
    if (this.head.bytes < this.flushBytes || this.fullReported) return
    this.fullReported = true
    queueMicrotask(() => this.options.onFull())
  }
}

function hasRows(head: Head, cursor: RowCursor): boolean {
  const end = endOf(head)
  return end.page !== cursor.page || end.word !== cursor.word
}

function endOf(head: Head): RowCursor {
  const page = head.pages.length - 1
  return page < 0 ? { page: 0, word: 0 } : { page, word: head.used[page]! }
}

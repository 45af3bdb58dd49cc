// The series of one data directory on the main thread: takes rows from ingest, gives them to the WAL, and
// turns full heads into segments. What is heavy (encoding, merging) is handed to jobs, which run in a
// worker, or inline on a simulated disk.
//
// The life of a head: rows are appended and drained into WAL groups. When it is large enough, or the WAL
// runs short of files, it is flushed (flush-cycle.ts), and the rows that follow go to a new head.
//
// Invariants: a row is in exactly one of head, sealed head and segments for every reader; rows of a boot whose
// clock was corrected are at their corrected times for every reader (boots.ts).
// Not here: when to merge or drop (daemon's scheduler), reading (reader.ts), the bytes (wal-rows.ts), what a
// restart finds in the WAL (row-replay.ts), the catalog file (catalog-file.ts).
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { RecordFile } from '../engine/record-file.ts'
import type { WalOwner } from '../engine/wal.ts'
import { BootRowShapes } from './boot-rows.ts'
import { Boots, type LiveSegment } from './boots.ts'
import { Catalog, type CatalogCursor, type CatalogLimits } from './catalog.ts'
import { CatalogFile } from './catalog-file.ts'
import { FAMILY_SERIES } from './family.ts'
import { FlushCycle, type FlushReport, type SeriesJobs, type SeriesStorage } from './flush-cycle.ts'
import { type Classes, GroupClasses } from './group-classes.ts'
import type { HeadView } from './head.ts'
import { type ArrivedRow, walkRows } from './head-walk.ts'
import { type DrainedHead, Heads, hasRows } from './heads.ts'
import type { Labels } from './label.ts'
import { RowReplay } from './row-replay.ts'
import { type Kind, TIME_MAX_US, TIME_MIN_US } from './sample.ts'
import { Shapes } from './shape.ts'
import { RowEncoder } from './wal-rows.ts'

export interface StoreOptions extends Classes {
  readonly limits: CatalogLimits
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

export class SeriesStore implements WalOwner {
  readonly kind = FAMILY_SERIES
  readonly catalog: Catalog
  readonly definitions: CatalogFile
  readonly shapes = new Shapes()
  /** Rows before this time are reported to onLate; set by rollups. */
  lateBeforeUs = 0
  /** A head of this many bytes is flushed. */
  flushBytes: number
  private readonly options: StoreOptions
  private readonly drainListeners = new Set<(row: ArrivedRow) => void>()
  private readonly encoder = new RowEncoder()
  private readonly out = new ByteWriter()
  private readonly inWal: CatalogCursor = { groups: 0, series: 0 }
  private readonly groupClasses: GroupClasses
  private readonly heads: Heads
  private readonly bootShapes = new BootRowShapes(this.shapes)
  private known = new Boots()
  private readonly replayed: RowReplay
  private freshDue = true
  private fullReported = false
  private refusal: VarveError | null = null
  /** Samples of earlier heads; those that were replayed count below zero. */
  private samplesSealed = 0
  private storage: SeriesStorage | null = null
  private flushes: FlushCycle | null = null

  constructor(options: StoreOptions) {
    assert(options.headBytesMax > options.flushBytes, 'a head may be larger than what starts a flush')
    this.options = options
    this.flushBytes = options.flushBytes
    this.catalog = new Catalog(options.limits)
    this.definitions = new CatalogFile(this.catalog)
    this.groupClasses = new GroupClasses(options, this.catalog)
    this.heads = new Heads(options.afterReaders)
    const { catalog, shapes, heads } = this
    this.replayed = new RowReplay({ catalog, shapes, heads, onCorruption: options.onCorruption })
  }

  /** Joins the store to what it writes to; call once the WAL has been replayed. */
  start(storage: SeriesStorage, catalogFile: RecordFile, jobs: SeriesJobs): void {
    this.storage = storage
    const { heads, definitions } = this
    this.flushes = new FlushCycle({
      storage,
      catalogFile,
      jobs,
      heads,
      definitions,
      classTable: () => this.groupClasses.table(),
      onSealed: () => {
        this.samplesSealed += heads.sealed!.head.samples
        this.freshDue = true
      },
      onEnd: () => {
        this.fullReported = false
        this.checkFull()
      }
    })
    for (let id = 0; id < this.catalog.groupCount; id++)
      this.groupClasses.classify(id, this.catalog.at(id).fields)
    this.samplesSealed = -this.heads.samples
    // Every row that was replayed lies in the WAL already.
    this.heads.drained()
    this.inWal.groups = this.catalog.groupCount
    this.inWal.series = this.catalog.seriesCount
    this.tellLate()
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
    if (group === known) this.groupClasses.classify(group, fields)
    const indexes = fields.map(field => this.catalog.field(group, field))
    return this.shapes.intern(group, indexes, kinds)
  }

  /**
   * Opens a row of a shape. Fill slots[at + i] or text(i), then end(); a row that is not ended never was.
   * @param isArrival  the time is the gateway's, and so to be corrected when it was not known
   * @throws {VarveError} VARVE_TIME outside TIME_MIN_US .. TIME_MAX_US; VARVE_MEMORY when the heads are
   * full; VARVE_STORE_FAILED after a failed sync. Nothing is half-written.
   */
  begin(shape: number, timeUs: number, isArrival = false): void {
    if (this.refusal !== null) throw this.refusal
    if (!(timeUs >= TIME_MIN_US && timeUs <= TIME_MAX_US && Number.isInteger(timeUs))) {
      throw new VarveError('VARVE_TIME', `Cannot store sample: time ${timeUs} us is not within 1970 to 2112`)
    }
    const id = isArrival && this.bootShapes.stamping !== 0 ? this.bootShapes.twin(shape) : shape
    const row = this.shapes.all[id]!
    if (timeUs < this.lateBeforeUs) this.options.onLate(row.group, timeUs)
    this.heads.open.head.begin(id, row, timeUs)
  }

  get slots(): Float64Array {
    return this.heads.open.head.slots
  }

  get at(): number {
    return this.heads.open.head.at
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    this.heads.open.head.text(i, source, start, end)
  }

  end(): void {
    this.heads.open.head.end()
  }

  /** Samples appended since the start. */
  get samplesAppended(): number {
    return this.samplesSealed + this.heads.open.head.samples
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
    const { open, sealed } = this.heads
    if (sealed !== null && hasRows(sealed)) {
      this.part(sealed, out)
      // The texts that the coder remembers lie in the head that was sealed.
      this.freshDue = true
    }
    if (hasRows(open) || !this.catalog.isCurrent(this.inWal)) this.part(open, out)
  }

  private part({ head, cursor }: DrainedHead, out: ByteWriter): void {
    for (const listener of this.drainListeners) walkRows(head, cursor, this.shapes.all, listener)
    this.out.reset()
    this.catalog.encode(this.inWal, this.out)
    this.encoder.encode(head, cursor, this.shapes.all, this.out.written(), this.freshDue, out)
    this.freshDue = false
  }

  /**
   * From now on the listener is handed each row as the WAL takes it, in the order of arrival. It must not throw.
   * @returns what ends it; nothing is paid while nobody listens
   */
  onDrain(listener: (row: ArrivedRow) => void): () => void {
    this.drainListeners.add(listener)
    return () => void this.drainListeners.delete(listener)
  }

  replay(payload: Uint8Array): void {
    this.replayed.replay(payload)
  }

  lost(error: CorruptionError): void {
    this.replayed.lost(error)
  }

  // Boots whose clock is not known

  /** What is known of them. */
  get boots(): Boots {
    return this.known
  }

  /** Boots that rows of the WAL bear, corrected or not. */
  get replayedBoots(): ReadonlySet<number> {
    return this.replayed.boots
  }

  /** What heads have of boots whose times are not known: samples and the times that they bear. */
  bootRows() {
    return this.heads.bootRows()
  }

  /** From now on what arrives is stamped by this boot, whose record is durable; 0: the time is known. */
  stampAs(boot: number): void {
    this.bootShapes.stampAs(boot)
  }

  /**
   * Takes over what is durable of boots, after the replay and whenever it changed: every row that is not in a
   * segment is at its corrected time when this returns.
   * @returns how many samples were moved
   */
  correct(boots: Boots): number {
    this.known = boots
    const samples = this.bootShapes.move(this.heads, boots)
    if (samples > 0) this.tellLate()
    return samples
  }

  /** Those of the segments that are of series, as they are to be read. */
  live(segments: Iterable<SegmentInfo>): LiveSegment[] {
    const live: LiveSegment[] = []
    for (const info of segments) if (info.family === this.kind) live.push(this.known.place(info))
    return live
  }

  private tellLate(): void {
    if (!(this.heads.timeMinUs < this.lateBeforeUs)) return
    this.heads.eachRow((shape, timeUs) => {
      if (timeUs < this.lateBeforeUs) this.options.onLate(this.shapes.all[shape]!.group, timeUs)
    }, this.shapes.all)
  }

  // Flushing

  /** Heads for a reader, the older first; what is appended later is not seen. */
  views(): HeadView[] {
    return this.heads.views()
  }

  get headBytes(): number {
    return this.heads.bytes
  }

  /** Pages that earlier heads gave back and the next one will take, in bytes. */
  get pooledBytes(): number {
    return this.heads.pooledBytes
  }

  /** The time of the oldest row that is in no segment, in us; Infinity when there is none. */
  get headTimeMinUs(): number {
    return this.heads.timeMinUs
  }

  /** The time of the newest, in us; -Infinity when there is none. */
  get headTimeMaxUs(): number {
    return this.heads.timeMaxUs
  }

  /** The lowest time of the rows that were appended since the last call, us; for one asker. */
  takeLowUs(): number {
    return this.heads.takeLowUs()
  }

  /** The time of the newest row that a shape's group has in memory, in us; 0 for none. */
  newestTimeUs(shape: number): number {
    return this.heads.newestTimeUs(this.shapes.all[shape]!.group)
  }

  /** Those of headSamples that a flush under way leaves. */
  get openSamples(): number {
    return this.heads.open.head.samples
  }

  get headSamples(): number {
    return this.heads.samples
  }

  /**
   * Makes segments of all rows that are here now and lets their WAL files go. Single flight: a call while
   * one runs gets that one's end. Null when there was nothing to flush.
   * @throws {VarveError} what the disk says; the rows stay, in the WAL and for readers, and the next call
   * tries again
   */
  flush(): Promise<FlushReport | null> {
    assert(this.flushes !== null, 'the store was started')
    return this.flushes.run()
  }

  /** Resolves when no flush is under way, failed or not. */
  async settled(): Promise<void> {
    await this.flushes?.settled()
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
    if (this.heads.open.head.bytes < this.flushBytes || this.fullReported) return
    this.fullReported = true
    queueMicrotask(() => this.options.onFull())
  }
}

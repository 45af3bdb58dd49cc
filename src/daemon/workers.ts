// The main thread's half of the workers: brings their replicas up to date before each call, sets ids aside
// for the segments they write, and pins files while queries read. One lane flushes, one does what can wait
// (merging, rollups), the rest evaluate queries; a lane's thread starts when it is first needed.
//
// Invariants: a flush never waits behind a merge or a query; a query sees the state at the moment it was
// asked, however long it waits; what workers made the medium write is added to the ledger.
// Not here: the worker's half (worker.ts), what is flushed or merged when (series/store.ts, maintenance.ts).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { WearCounts, WearMeter } from '../disk/wear-meter.ts'
import type { Manifest, SegmentInfo } from '../engine/manifest.ts'
import type { BackupProgress } from '../http/routes-admin.ts'
import type { CompactionResult, CompactionTask, FlushTask, KvJobs } from '../kv/host.ts'
import { Lane, leastLoaded } from '../offload/pool.ts'
import type { QueryLimits } from '../query/limits.ts'
import type { QueryRequest } from '../query/request.ts'
import type { QueryRunner } from '../query/runner.ts'
import type { RollupProgress } from '../rollup/progress.ts'
import { bucketsOf, type RollupSpan } from '../rollup/rollup-job.ts'
import type { CatalogCursor } from '../series/catalog.ts'
import type { SeriesJobs } from '../series/flush-cycle.ts'
import type { ClassTable } from '../series/flush-job.ts'
import type { HeadView } from '../series/head.ts'
import type { MergeOutcome } from '../series/merge-job.ts'
import type { SeriesStore } from '../series/store.ts'
import type { BackupReport } from './backup.ts'
import type { SegmentPins } from './segment-pins.ts'
import type { BackupCall, FlushCall, QueryCall, RollupCall, WorkerSetup } from './worker.ts'

declare const __VARVE_WORKER__: string | undefined

/** A thread that waits longer gives its memory back: its heap and its replicas. */
const IDLE_MS = 2_000
/** The same for queries, which may not wait for a thread to start. */
const IDLE_QUERY_MS = 30_000

export interface WorkersOptions {
  readonly clock: Clock
  readonly setup: WorkerSetup
  readonly series: SeriesStore
  readonly progress: RollupProgress
  readonly manifest: Manifest
  readonly meter: WearMeter
  readonly pins: SegmentPins
  readonly queryThreads: number
  /** Queries that wait or run in one thread. */
  readonly queriesPerThreadMax: number
  readonly queryLimits: () => QueryLimits
  readonly heapMiBMax: number
  onCorruption(damage: { file: string; offset: number; why: string }): void
  onDeath(thread: string, error: Error): void
}

/** How far a lane's replicas have come. */
interface Replica {
  readonly lane: Lane
  catalog: CatalogCursor
  shapes: number
  templates: number
  segments: number
}

interface Told<T> {
  readonly result: T
  readonly wear: WearCounts
}

export class Workers implements SeriesJobs, QueryRunner {
  private readonly options: WorkersOptions
  private readonly replicas = new Map<string, Replica>()
  private readonly idsOpen = new Set<number>()
  private segmentsVersion = 1
  private encoded: { version: number; bytes: Uint8Array } | null = null
  queries = 0

  constructor(options: WorkersOptions) {
    this.options = options
  }

  /** The manifest has other segments than before, or they are to be read at other times. */
  segmentsChanged(): void {
    this.segmentsVersion++
  }

  /** Equal as long as segments, names and rollups are the same (query/answer-cache.ts). */
  epoch(): string {
    const { series, progress } = this.options
    return `${this.segmentsVersion} ${series.catalog.groupCount} ${series.catalog.seriesCount} ${progress.version}`
  }

  /** Queries that wait or run. */
  get queriesOpen(): number {
    let open = 0
    for (const [name, { lane }] of this.replicas) if (name.startsWith('query')) open += lane.load
    return open
  }

  /** Memory of the threads in bytes, by the name of their lanes, as they told with their last answers. */
  heapBytes(): [lane: string, bytes: number][] {
    return [...this.replicas].map(([name, { lane }]) => [name, lane.heapBytes])
  }

  async flush(head: HeadView, classes: ClassTable): Promise<SegmentInfo[]> {
    const { lane } = this.current('flush')
    const part = { head, classes }
    const count = (await lane.call('targets', {
      ...part,
      ids: { ids: [], order: 0 }
    } satisfies FlushCall)) as number
    const ids = this.ids(count)
    return this.counted(ids.ids, lane.call('flush', { ...part, ids } satisfies FlushCall))
  }

  /** Merges neighbours of one bucket; the result is not live yet. Damage is told. */
  async merge(inputs: readonly SegmentInfo[]): Promise<MergeOutcome> {
    const { lane } = this.current('background')
    const { ids } = this.ids(1)
    const outcome = await this.counted<MergeOutcome>(ids, lane.call('merge', { inputs, id: ids[0]! }))
    if (outcome.damaged !== null) this.options.onCorruption(outcome.damaged)
    return outcome
  }

  /** Writes a memtable of entries; the result is not live yet. */
  async flushEntries(task: FlushTask): Promise<SegmentInfo | null> {
    const { lane } = this.awake('flush')
    return this.counted([task.id], lane.call('flushEntries', task))
  }

  /** Joins segments of entries; the result is not live yet. */
  async compactEntries(task: CompactionTask): Promise<CompactionResult> {
    const { lane } = this.awake('background')
    return this.counted([task.id], lane.call('compactEntries', task))
  }

  /** Computes windows of tiers; the segments are not live yet. */
  async rollup(spans: readonly RollupSpan[]): Promise<SegmentInfo[]> {
    const release = this.options.pins.pin()
    try {
      const { lane } = this.current('background')
      const ids = this.ids(spans.reduce((sum, span) => sum + bucketsOf(span).length, 0))
      const call: RollupCall = { heads: this.options.series.views(), spans, ids, progress: this.progress() }
      return await this.counted(ids.ids, lane.call('rollup', call))
    } finally {
      release()
    }
  }

  /** Backs up the data directory; merges wait meanwhile. @throws as backUp() */
  async backup(call: BackupCall, onProgress: (progress: BackupProgress) => void): Promise<BackupReport> {
    const release = this.options.pins.pin()
    const onPiece = (bytes: Uint8Array) => onProgress(JSON.parse(Buffer.from(bytes).toString()))
    try {
      return await this.counted([], this.current('background').lane.call('backup', call, onPiece))
    } finally {
      release()
    }
  }

  async *run(request: QueryRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const release = this.options.pins.pin()
    this.queries++
    try {
      const names = Array.from({ length: this.options.queryThreads }, (_, i) => `query-${i}`)
      const idle = names.find(name => (this.replicas.get(name)?.lane.load ?? 0) === 0)
      const lane = idle === undefined ? leastLoaded(names.map(name => this.replicas.get(name)!.lane)) : null
      const replica = this.current(idle ?? names.find(name => this.replicas.get(name)!.lane === lane)!)
      const call: QueryCall = {
        heads: this.options.series.views(),
        request,
        limits: this.options.queryLimits(),
        progress: readsTiers(request) ? this.progress() : null
      }
      yield* replica.lane.stream('query', call, signal)
    } catch (error) {
      if (error instanceof VarveError && error.code === 'VARVE_BUSY') {
        throw new VarveError('VARVE_QUERY_BUSY', `Cannot start query: ${error.message}`, { cause: error })
      }
      throw error
    } finally {
      release()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.replicas.values()].map(({ lane }) => lane.close()))
  }

  /**
   * Starts a thread for the first query, beside what the main thread has to do until sockets open: the thread
   * takes as long. Who never asks pays for it with the memory of IDLE_QUERY_MS.
   */
  expectQuery(): void {
    this.current('query-0')
  }

  /** How far rollups have come, encoded once for each change. */
  private progress(): Uint8Array {
    const { progress } = this.options
    if (this.encoded?.version !== progress.version) {
      this.encoded = { version: progress.version, bytes: progress.encode() }
    }
    return this.encoded.bytes
  }

  /** Segments that are being written: given out, and their bytes not counted yet. */
  get segmentIdsOpen(): readonly number[] {
    return [...this.idsOpen].sort((a, b) => a - b)
  }

  /** The result of a call that writes these segments, when what it wrote is counted. */
  private async counted<T>(ids: readonly number[], answer: Promise<unknown>): Promise<T> {
    for (const id of ids) this.idsOpen.add(id)
    try {
      const { result, wear } = (await answer) as Told<T>
      this.options.meter.add(wear)
      return result
    } finally {
      for (const id of ids) this.idsOpen.delete(id)
    }
  }

  private ids(count: number) {
    const ids = Array.from({ length: count }, () => this.options.manifest.nextSegmentId())
    return { ids, order: ids[0] ?? 0 }
  }

  /** The lane of a name, for what needs no replica: entries know nothing of series. */
  private awake(name: string): Replica {
    const replica = this.replicas.get(name) ?? this.open(name)
    replica.lane.wake()
    return replica
  }

  /** The lane of a name with its replicas up to date. */
  private current(name: string): Replica {
    const replica = this.awake(name)
    const { series, manifest } = this.options
    if (!series.catalog.isCurrent(replica.catalog)) {
      const view = series.catalog.view()
      replica.lane.notify('catalog', view)
      replica.catalog = { groups: view.groups, series: view.series }
    }
    const { shapes } = series
    if (replica.shapes < shapes.all.length) {
      const view = shapes.view(replica.templates)
      replica.lane.notify('shapes', view)
      replica.shapes = view.count
      replica.templates += view.templates.length
    }
    if (replica.segments !== this.segmentsVersion) {
      replica.lane.notify('segments', series.live(manifest.segments.values()))
      replica.segments = this.segmentsVersion
    }
    return replica
  }

  private open(name: string): Replica {
    const { clock, setup, heapMiBMax, queriesPerThreadMax, onCorruption, onDeath } = this.options
    const lane = new Lane({
      name,
      clock,
      idleMs: name.startsWith('query') ? IDLE_QUERY_MS : IDLE_MS,
      code: typeof __VARVE_WORKER__ === 'string' ? __VARVE_WORKER__ : new URL('./worker.ts', import.meta.url),
      data: setup,
      callsMax: name.startsWith('query') ? queriesPerThreadMax : 16,
      heapMiBMax,
      // A new thread knows nothing.
      onStart: () => {
        const replica = this.replicas.get(name)
        if (replica !== undefined) Object.assign(replica, nothingKnown())
      },
      onNotice: (kind, payload) => {
        if (kind === 'corruption') onCorruption(payload as { file: string; offset: number; why: string })
      },
      onDeath: error => onDeath(name, error)
    })
    const replica: Replica = { lane, ...nothingKnown() }
    this.replicas.set(name, replica)
    return replica
  }
}

/** What a store of entries asks of the threads, which are made after it. */
export function entryJobs(workers: () => Workers): KvJobs {
  return { flush: task => workers().flushEntries(task), compact: task => workers().compactEntries(task) }
}

function nothingKnown(): Omit<Replica, 'lane'> {
  return { catalog: { groups: 0, series: 0 }, shapes: 0, templates: 0, segments: 0 }
}

function readsTiers(request: QueryRequest): boolean {
  if (request.kind === 'range') return request.windows !== null && request.windows.tier !== 'raw'
  if (request.kind === 'promql-instant' || request.kind === 'promql-range') return request.tier !== 'raw'
  return request.kind === 'influxql'
}

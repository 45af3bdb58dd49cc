// The worker thread's entry: encodes and writes segments, merges, compacts entries, rolls up,
// evaluates queries. It holds a
// replica of the catalog and of the shapes, which the main thread keeps up to date by notices, and reads
// segments by itself; heads come with each call as shared memory.
//
// Invariants: nothing here writes but segments that no manifest names yet; what the medium was made to
// write is told with every answer, so that the ledger is whole.
// Not here: the main thread's half (workers.ts), messages (offload).
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { systemClock } from '../base/clock.ts'
import type { FileSystemFacts } from '../disk/metadata-cost.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { WearMeter } from '../disk/wear-meter.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { runCompaction } from '../kv/compaction-run.ts'
import { engineFiles } from '../kv/engine-files.ts'
import { runFlush } from '../kv/flush-run.ts'
import type { CompactionTask, FlushTask } from '../kv/host.ts'
import { type Call, serveCalls } from '../offload/worker.ts'
import { answer } from '../query/evaluate.ts'
import type { QueryLimits } from '../query/limits.ts'
import type { QueryRequest } from '../query/request.ts'
import { RollupProgress } from '../rollup/progress.ts'
import { type RollupSpan, runRollup } from '../rollup/rollup-job.ts'
import { openTiered } from '../rollup/tier-reader.ts'
import type { LiveSegment } from '../series/boots.ts'
import { Catalog } from '../series/catalog.ts'
import type { TableView } from '../series/catalog-table.ts'
import { type ClassTable, countTargets, flushHead, type SegmentIds } from '../series/flush-job.ts'
import type { HeadView } from '../series/head.ts'
import { HeadReader } from '../series/head-read.ts'
import { tryMerge } from '../series/merge-job.ts'
import type { SeriesReader } from '../series/reader.ts'
import { SegmentCache, type SegmentCacheLimits } from '../series/segment-cache.ts'
import { ShapesReplica, type ShapesView } from '../series/shape.ts'
import { backUp } from './backup.ts'
import { heapBytes } from './heap.ts'

export interface WorkerSetup {
  readonly dir: string
  readonly cache: SegmentCacheLimits
  readonly fileSystem: FileSystemFacts
}

export interface FlushCall {
  readonly head: HeadView
  readonly classes: ClassTable
  readonly ids: SegmentIds
}

export interface RollupCall {
  readonly heads: readonly HeadView[]
  readonly spans: readonly RollupSpan[]
  readonly ids: SegmentIds
  /** How far rollups have come: coarse windows are made of finer ones. */
  readonly progress: Uint8Array
}

export interface BackupCall {
  /** Of this machine, absolute. */
  readonly dir: string
  readonly verify: boolean
}

export interface QueryCall {
  readonly heads: readonly HeadView[]
  readonly request: QueryRequest
  readonly limits: QueryLimits
  /** How far rollups have come (RollupProgress); null when tiers are not read. */
  readonly progress: Uint8Array | null
}

/** Nobody else waits in this thread. */
const goOn = () => Promise.resolve()
const PROGRESS_MS = 250
const unbounded = { seriesMax: Number.POSITIVE_INFINITY, fieldsPerGroupMax: Number.POSITIVE_INFINITY }

class WorkerState {
  private readonly disk: WearMeter
  private readonly cache: SegmentCache
  private readonly catalog = new Catalog(unbounded)
  private readonly shapes = new ShapesReplica()
  private segments: readonly LiveSegment[] = []
  private readonly setup: WorkerSetup

  constructor(setup: WorkerSetup) {
    this.setup = setup
    this.disk = new WearMeter(new NodeDisk(setup.dir), systemClock, setup.fileSystem)
    this.cache = new SegmentCache(this.disk, setup.cache)
  }

  readonly notices = {
    catalog: (view: TableView) => this.catalog.adopt(view),
    shapes: (view: ShapesView) => this.shapes.adopt(view),
    segments: (live: readonly LiveSegment[]) => {
      this.segments = live
      this.cache.keepOnly(new Set(live.map(segment => segment.id)))
    }
  }

  readonly calls = {
    targets: async ({ head, classes }: FlushCall) => countTargets(this.head(head), classes),
    flush: async ({ head, classes, ids }: FlushCall) =>
      this.told(await flushHead(this.disk, this.head(head, true), this.catalog, classes, ids)),
    merge: async ({ inputs, id }: { inputs: readonly SegmentInfo[]; id: number }) =>
      this.told(await tryMerge(this.disk, inputs, this.catalog, id)),
    flushEntries: async (task: FlushTask) => this.told(await runFlush(engineFiles(this.disk), task, goOn)),
    compactEntries: async (task: CompactionTask) =>
      this.told(await runCompaction(engineFiles(this.disk), task, goOn)),
    rollup: async ({ heads, spans, ids, progress }: RollupCall) => {
      const reader = this.reader(heads, progress)
      try {
        return this.told(await runRollup(this.disk, reader, this.catalog, spans, ids))
      } finally {
        reader.close()
      }
    },
    backup: async ({ dir, verify }: BackupCall, call: Call) => {
      const request = { from: this.setup.dir, dir, verify, onProgress: progressOf(call) }
      const { report, wear } = await backUp(request, this.setup.fileSystem)
      if (wear !== null) this.disk.add(wear)
      return this.told(report)
    },
    query: async ({ heads, request, limits, progress }: QueryCall, call: Call) => {
      const reader = this.reader(heads, progress)
      const context = { limits, clock: systemClock, isCancelled: () => call.isCancelled() }
      try {
        for (const piece of answer(reader, request, context)) await call.piece(piece)
      } finally {
        reader.close()
      }
    }
  }

  private head(view: HeadView, oneRun = false): HeadReader {
    return new HeadReader(view, this.shapes, oneRun)
  }

  private reader(heads: readonly HeadView[], progress: Uint8Array | null = null): SeriesReader {
    return openTiered(
      this.catalog,
      this.segments,
      heads.map(view => this.head(view)),
      progress === null ? new RollupProgress() : RollupProgress.decode(progress),
      this.cache,
      ({ file, offset, why }) => {
        parentPort!.postMessage({ type: 'notice', kind: 'corruption', payload: { file, offset, why } })
      }
    )
  }

  private told<T>(result: T) {
    return { result, wear: this.disk.take() }
  }
}

assert(parentPort !== null, 'the worker runs in a thread of its own')
const state = new WorkerState(workerData as WorkerSetup)
serveCalls(parentPort, state.calls, state.notices, heapBytes)

/** Tells how far a call has come, as JSON {"bytes", "of"}; not more often than somebody may want to know. */
function progressOf(call: Call): (bytes: number, of: number) => void {
  let toldMs = Number.NEGATIVE_INFINITY
  let telling: Promise<void> | null = null
  return (bytes, of) => {
    const nowMs = systemClock.monotonicMs()
    if (telling !== null || nowMs - toldMs < PROGRESS_MS) return
    toldMs = nowMs
    telling = call.piece(Buffer.from(JSON.stringify({ bytes, of }))).then(() => {
      telling = null
    })
  }
}

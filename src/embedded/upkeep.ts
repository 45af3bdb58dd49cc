// Sees to it that segments of an embedded store are joined: a moment after a flush made one, and now and then, since
// entries also expire while nobody writes. Flushes and compactions are done in two threads, so that neither who puts
// and gets nor a flush waits for a compaction; a thread ends when there is nothing to do.
//
// Invariants: no compaction begins after stop(); one that stop() ended left no more than a file that no edit names,
// which the next open removes; flushes go on until close().
// Not here: choosing (engine/compaction-plan.ts), the threads' side (job-worker.ts).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { CompactionResult, CompactionTask, FlushTask, KvJobs } from '../kv/host.ts'
import type { KvStore } from '../kv/store.ts'
import { Lane } from '../offload/pool.ts'

const AFTER_MS = 100
const EVERY_MS = 10 * 60_000
const THREAD_IDLE_MS = 10_000
/** Of the thread, MiB; what grows with a job, its index and four bytes a key, lies outside of the heap. */
const HEAP_MIB_MAX = 512

export class Upkeep implements KvJobs {
  private readonly clock: Clock
  private readonly onError: (error: unknown) => void
  private readonly compacting: Lane
  private readonly flushing: Lane
  private store: KvStore | null = null
  private cancel: () => void = () => {}

  /** @param dir  absolute path of the store */
  constructor(dir: string, clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock
    this.onError = onError
    this.compacting = jobLane('varve compaction', dir, clock)
    this.flushing = jobLane('varve flush', dir, clock)
  }

  begin(store: KvStore): void {
    this.store = store
    this.soon()
  }

  /** A flush made a segment. */
  soon(): void {
    this.in(AFTER_MS)
  }

  /** Joins segments until nothing is worth the writing. @throws {VarveError} VARVE_CLOSED, VARVE_WORKER_FAILED, of the disk */
  async run(): Promise<void> {
    const { store } = this
    if (store === null) throw new VarveError('VARVE_CLOSED', 'Cannot compact: the store is not open')
    while (this.store !== null && (await store.compact()).job !== null);
  }

  async compact(task: CompactionTask): Promise<CompactionResult> {
    return (await this.compacting.call('compact', task)) as CompactionResult
  }

  async flush(task: FlushTask): Promise<SegmentInfo | null> {
    return (await this.flushing.call('flush', task)) as SegmentInfo | null
  }

  /** Resolves when nothing is compacted any more. */
  async stop(): Promise<void> {
    this.store = null
    this.cancel()
    await this.compacting.close()
  }

  /** Resolves when no thread is left: after the store was closed. */
  async close(): Promise<void> {
    await this.flushing.close()
  }

  private in(ms: number): void {
    if (this.store === null) return
    this.cancel()
    this.cancel = this.clock.after(ms, () => {
      this.run()
        .catch(error => {
          if (this.store !== null) this.onError(error)
        })
        .finally(() => this.in(EVERY_MS))
    })
  }
}

function jobLane(name: string, dir: string, clock: Clock): Lane {
  return new Lane({
    name,
    clock,
    idleMs: THREAD_IDLE_MS,
    // Beside this file in the sources, beside the bundle in the package.
    code: new URL(`./job-worker${import.meta.url.slice(-3)}`, import.meta.url),
    data: dir,
    callsMax: 1,
    heapMiBMax: HEAP_MIB_MAX,
    onStart: () => {},
    onNotice: () => {},
    // The call that it failed tells it.
    onDeath: () => {}
  })
}

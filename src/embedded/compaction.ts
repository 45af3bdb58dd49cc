// Sees to it that segments of an embedded store are joined: a moment after a flush made one, and now and then, since
// entries also expire while nobody writes. The work is done in a thread of its own, which ends when there is none, so
// that who puts and gets does not wait for it.
//
// Invariants: nothing begins after stop(); a job that stop() ended left no more than a file that no edit names, which
// the next open removes.
// Not here: choosing (engine/compaction-plan.ts), the thread's side (compaction-worker.ts).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { CompactionResult, CompactionTask } from '../kv/host.ts'
import type { KvStore } from '../kv/store.ts'
import { Lane } from '../offload/pool.ts'

const AFTER_MS = 100
const EVERY_MS = 10 * 60_000
const THREAD_IDLE_MS = 10_000
/** Of the thread, MiB; what grows with a job, its index and four bytes a key, lies outside of the heap. */
const HEAP_MIB_MAX = 512

export class Compaction {
  private readonly clock: Clock
  private readonly onError: (error: unknown) => void
  private readonly lane: Lane
  private store: KvStore | null = null
  private cancel: () => void = () => {}

  /** @param dir  absolute path of the store */
  constructor(dir: string, clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock
    this.onError = onError
    this.lane = new Lane({
      name: 'varve compaction',
      clock,
      idleMs: THREAD_IDLE_MS,
      // Beside this file in the sources, beside the bundle in the package.
      code: new URL(`./compaction-worker${import.meta.url.slice(-3)}`, import.meta.url),
      data: dir,
      callsMax: 1,
      heapMiBMax: HEAP_MIB_MAX,
      onStart: () => {},
      onNotice: () => {},
      // The call that it failed tells it.
      onDeath: () => {}
    })
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

  /** Does one job. */
  async compact(task: CompactionTask): Promise<CompactionResult> {
    return (await this.lane.call('compact', task)) as CompactionResult
  }

  /** Resolves when the thread has ended. */
  async stop(): Promise<void> {
    this.store = null
    this.cancel()
    await this.lane.close()
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

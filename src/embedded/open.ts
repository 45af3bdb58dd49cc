// Opens a store in the own process, without a daemon: one directory, one process, the same engine and the same
// promises. A directory belongs to one process at a time, be it a daemon or a program.
//
// Compaction runs by itself, in slices between which everything else goes on, a moment after a flush made a segment
// and now and then, since entries also expire while nobody writes.
// Not here: what the database does (database.ts).
import { type Clock, systemClock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import { DirLock } from '../disk/dir-lock.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { Engine } from '../engine/engine.ts'
import { runCompaction } from '../kv/compaction-run.ts'
import { engineFiles } from '../kv/engine-files.ts'
import type { KvLimits } from '../kv/options.ts'
import { giveWay } from '../kv/segment-job.ts'
import { KvStore } from '../kv/store.ts'
import { Database } from './database.ts'

export interface OpenChoices {
  /**
   * Longest wait of a write for others to share its sync, ms; default 0: none. Longer is less wear, and every write
   * takes that long.
   */
  readonly delayMaxMs?: number
  /** Bounds of the store; see kv/options.ts for each. */
  readonly limits?: Partial<KvLimits>
  /** All files of the WAL together, bytes; default 64 MiB. */
  readonly walBytesMax?: number
  readonly clock?: Clock
  /** Told of damage, by file and place; what it hit is gone, everything else is there. Default: it is thrown by open(). */
  readonly onDamage?: (error: CorruptionError) => void
  /** Told of what fails in the background; default: a warning of the process. */
  readonly onError?: (error: unknown) => void
}

const COMPACT_AFTER_MS = 100
const COMPACT_EVERY_MS = 10 * 60_000
const WAL_FILE_BYTES = 8 * 2 ** 20
const WAL_BYTES_MAX = 64 * 2 ** 20

/**
 * Opens or makes a store.
 * @param dir  its directory
 * @throws {VarveError} VARVE_LOCKED when another process has it open, VARVE_FORMAT_NEWER, VARVE_DISK_FULL, VARVE_IO;
 *   VARVE_CORRUPTION when it is damaged and nobody is told
 */
export async function open(dir: string, choices: OpenChoices = {}): Promise<Database> {
  const disk = new NodeDisk(dir)
  await disk.makeDir('')
  const lock = await DirLock.take(disk)
  try {
    return await openLocked(disk, lock, choices)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked(disk: NodeDisk, lock: DirLock, choices: OpenChoices): Promise<Database> {
  const { clock = systemClock, delayMaxMs = 0, walBytesMax = WAL_BYTES_MAX, onDamage } = choices
  const onError = choices.onError ?? warn
  const compaction = new Compaction(clock, onError)
  const files = engineFiles(disk)
  const store = new KvStore({
    clock,
    limits: choices.limits ?? {},
    onError,
    compactor: task => runCompaction(files, task, () => compaction.pause()),
    onSegment: () => compaction.soon(),
    ...(onDamage === undefined ? {} : { onDamage })
  })
  const engine = await Engine.open({
    disk,
    clock,
    owners: [store],
    wal: { fileBytes: WAL_FILE_BYTES, filesMax: Math.max(2, Math.floor(walBytesMax / WAL_FILE_BYTES)) },
    pace: { delayMaxMs }
  })
  const damaged = await store.attach({ wal: engine.wal, manifest: engine.manifest, files })
  const damage = [...engine.damage, ...damaged.map(({ error }) => error)]
  if (damage.length > 0 && onDamage === undefined) {
    await engine.close()
    await store.close()
    throw damage[0]!
  }
  for (const error of damage) onDamage!(error)
  compaction.begin(store)
  return new Database({
    store,
    clock,
    synced: group => engine.wal.synced(group),
    compact: () => compaction.run(),
    close: async () => {
      compaction.stop()
      await engine.close()
      await store.close()
      lock.release()
    }
  })
}

/** Sees to it that segments are joined. */
class Compaction {
  private readonly clock: Clock
  private readonly onError: (error: unknown) => void
  private store: KvStore | null = null
  private cancel: () => void = () => {}

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock
    this.onError = onError
  }

  begin(store: KvStore): void {
    this.store = store
    this.soon()
  }

  /** A flush made a segment. */
  soon(): void {
    this.in(COMPACT_AFTER_MS)
  }

  async run(): Promise<void> {
    const { store } = this
    if (store === null) throw new VarveError('VARVE_CLOSED', 'Cannot compact: the store is not open')
    while (this.store !== null && (await store.compact()).job !== null);
  }

  /** Lets others run between two slices. @throws {VarveError} VARVE_CLOSED when the store is being closed */
  async pause(): Promise<void> {
    await giveWay()
    if (this.store === null) throw new VarveError('VARVE_CLOSED', 'Cannot go on: the store is being closed')
  }

  stop(): void {
    this.store = null
    this.cancel()
  }

  private in(ms: number): void {
    if (this.store === null) return
    this.cancel()
    this.cancel = this.clock.after(ms, () => {
      this.run()
        .catch(error => {
          if (this.store !== null) this.onError(error)
        })
        .finally(() => this.in(COMPACT_EVERY_MS))
    })
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

// Opens a store in the own process, without a daemon: one directory, one process, the same engine and the same
// promises. A directory belongs to one process at a time, be it a daemon or a program.
//
// Not here: what the database does (database.ts), when segments are joined (upkeep.ts).
import { type Clock, systemClock } from '../base/clock.ts'
import type { CorruptionError } from '../base/errors.ts'
import { DirLock } from '../disk/dir-lock.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { Engine } from '../engine/engine.ts'
import { engineFiles } from '../kv/engine-files.ts'
import type { KvLimits } from '../kv/options.ts'
import { KvStore } from '../kv/store.ts'
import { Database } from './database.ts'
import { Upkeep } from './upkeep.ts'

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
  const upkeep = new Upkeep(disk.root, clock, onError)
  const files = engineFiles(disk)
  const store = new KvStore({
    clock,
    limits: choices.limits ?? {},
    onError,
    jobs: upkeep,
    onSegment: () => upkeep.soon(),
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
    await store.close()
    await upkeep.close()
    await engine.close()
    throw damage[0]!
  }
  for (const error of damage) onDamage!(error)
  upkeep.begin(store)
  return new Database({
    store,
    clock,
    synced: group => engine.wal.synced(group),
    compact: () => upkeep.run(),
    written: engine.wal.stats,
    close: async () => {
      await upkeep.stop()
      await store.close()
      await upkeep.close()
      await engine.close()
      lock.release()
    }
  })
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

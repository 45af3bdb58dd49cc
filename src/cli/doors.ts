// What the commands ask of the daemon layer: to run, to answer from a directory, to verify one, to read its
// wear. The types are the commands' side of the agreement; doors() opens each lazily, so that a command
// loads only what it uses.
// Not here: the work behind the doors (daemon/*.ts).
import type { Config } from '../config/schema.ts'
import type { BackupReport, RestoreReport } from '../daemon/backup.ts'
import type { DaemonHooks, RunningDaemon } from '../daemon/compose.ts'
import type { BytesByCause, WearFacts } from '../daemon/wear-ledger.ts'
import { resolveDataDir } from './config-file.ts'

export type { BytesByCause, DaemonHooks, RunningDaemon }

/** One question in the words of the native HTTP API: /v1/<route>?<params>. */
export type Route = 'series' | 'last' | 'range' | 'history' | 'export'

/** Whoever answers: a running daemon over HTTP, or a directory read in place. */
export interface Answerer {
  /** The body, in pieces. @throws {VarveError} the error of the API, with its code */
  ask(route: Route, params: URLSearchParams): Promise<AsyncIterable<Uint8Array>>
  close(): Promise<void>
}

/** A damaged place. */
export interface Finding {
  readonly file: string
  readonly offset: number
  readonly why: string
}

/** What a verification reports as it goes. */
export type CheckStep =
  | { readonly kind: 'file'; readonly file: string; readonly bytes: number; readonly blocks: number }
  | ({ readonly kind: 'damage' } & Finding)

/** The wear ledger of a data directory. */
export interface WearLedger extends WearFacts {
  /** Size of the whole medium that holds the directory, as the daemon or the system knows it. */
  readonly mediumBytes: number
  /** The device, its file system, and what is wrong with them. */
  readonly flash: WearFlash | null
  /** What the daemon does for the budget now; null when none was asked. */
  readonly control: WearControl | null
}

export interface WearFlash {
  readonly device: string | null
  readonly kind: string | null
  readonly model: string | null
  readonly deviceBytes: number | null
  readonly eraseBytes: number | null
  /** "normal", "mostly used", "nearly used up"; null: it does not say. */
  readonly spareBlocks: string | null
  readonly fileSystem: string | null
  /** 0 to 1, by the device's own account. */
  readonly lifeUsed: readonly [from: number, to: number] | null
  readonly notes: readonly string[]
}

export interface WearControl {
  readonly state: string
  readonly why: string
  readonly allowedBytesPerDay: number
  readonly waitMs: number
  readonly earlyBytesPerDay: number
  readonly flushBytes: number
  readonly merges: boolean
  readonly rollups: boolean
}

export interface Doors {
  startDaemon(config: Config, hooks: DaemonHooks): Promise<RunningDaemon>
  /** Read-only; works while a daemon runs. */
  openDirectory(dir: string): Promise<Answerer>
  /** Read-only; reads every byte. */
  checkDirectory(dir: string): AsyncIterable<CheckStep>
  /** Reads a data directory, beside its daemon or without one, and writes its backup. */
  backup(
    dir: string,
    target: string,
    verify: boolean,
    onProgress: (bytes: number, of: number) => void
  ): Promise<BackupReport & { readonly body: object; readonly uncounted: string | null }>
  restore(
    backup: string,
    dir: string,
    onProgress: (bytes: number, of: number) => void
  ): Promise<RestoreReport>
  /** Read-only: the ledger as it was noted last. */
  readLedger(dir: string): Promise<WearLedger>
}

/** The doors of the product; each loads what is behind it when it is opened. */
export const doors: Doors = {
  async startDaemon(config, hooks) {
    const { startDaemon } = await import('../daemon/compose.ts')
    return startDaemon(config, resolveDataDir(config.data.dir), hooks)
  },
  async openDirectory(dir) {
    const { openDirectory } = await import('../daemon/directory.ts')
    const directory = await openDirectory(dir, error => process.stderr.write(`varve: ${error.message}\n`))
    return { ask: async (route, params) => directory.ask(route, params), close: () => directory.close() }
  },
  async *checkDirectory(dir) {
    const { checkDirectory } = await import('./check-directory.ts')
    yield* checkDirectory(dir)
  },
  async backup(dir, target, verify, onProgress) {
    const { backUpBeside, backupBody } = await import('../daemon/backup.ts')
    const { report, uncounted } = await backUpBeside({ from: dir, dir: target, verify, onProgress })
    return { ...report, body: backupBody(report), uncounted: uncounted?.message ?? null }
  },
  async restore(backup, dir, onProgress) {
    const { restore } = await import('../daemon/backup.ts')
    return restore(backup, dir, onProgress)
  },
  async readLedger(dir) {
    const { readLedger } = await import('../daemon/directory.ts')
    const { facts, mediumBytes, flash } = await readLedger(dir)
    const { device, fileSystem, notes } = flash
    const about = {
      device: device?.name ?? null,
      kind: device?.kind ?? null,
      model: device?.model ?? null,
      deviceBytes: device?.bytes ?? null,
      eraseBytes: device?.eraseBytes ?? null,
      lifeUsed: device?.lifeUsed ?? null,
      spareBlocks: device?.spareBlocks ?? null
    }
    return { ...facts, mediumBytes, flash: { ...about, fileSystem, notes }, control: null }
  }
}

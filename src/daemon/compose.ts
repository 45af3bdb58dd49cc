// Puts the daemon together: storage, workers, ingest, faces, scheduler; and takes it apart in order. The
// only place that knows all layers.
//
// Start: lock, storage (WAL replayed), faces, scheduler, run.json. Stop: scheduler, faces (what waits is
// acknowledged or refused), one flush of nothing new (the WAL has it), storage, lock. A failed sync ends
// in `failed`: the process stops and is started anew by its supervisor, which opens the store afresh; until
// then every write is refused and health says why.
//
// Invariants: no socket opens before the WAL is replayed; the lock outlives every write.
// Not here: what each part does.
import { type Clock, systemClock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import { GatewayClock } from '../base/gateway-clock.ts'
import type { Log } from '../base/log.ts'
import { versionText } from '../base/version.ts'
import type { Broker } from '../broker/server.ts'
import type { Config } from '../config/schema.ts'
import { writeAtomic } from '../disk/atomic-file.ts'
import { DirLock } from '../disk/dir-lock.ts'
import { fileSystemFacts, probeFlash, systemTree } from '../disk/flash-probe.ts'
import type { FileSystemFacts } from '../disk/metadata-cost.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { WearMeter } from '../disk/wear-meter.ts'
import { Auth } from '../http/auth.ts'
import type { HttpServer } from '../http/server.ts'
import { AnswerCache } from '../query/answer-cache.ts'
import type { RespServer } from '../resp/server.ts'
import type { Jobs } from '../schedule/jobs.ts'
import { type ClockSource, machineClockSource } from './clock-source.ts'
import type { DiskGuard } from './disk-guard.ts'
import { listening, openBroker, openHttp } from './faces.ts'
import { Flushing } from './flushing.ts'
import { Gate } from './gate.ts'
import { boundHeaps } from './heap.ts'
import { openIngest } from './ingest-parts.ts'
import { watchLoop } from './loop-delay.ts'
import type { Maintenance } from './maintenance.ts'
import type { HttpCounts, Parts } from './parts.ts'
import * as policy from './policy.ts'
import { MessageTap, openResp } from './resp-face.ts'
import { printRunFile, RUN_FILE } from './run-file.ts'
import { httpTokens, mqttAuth } from './secrets.ts'
import { SegmentPins } from './segment-pins.ts'
import { SmallNotes, WEAR_NOTE } from './small-notes.ts'
import { type Storage, seriesStorage } from './storage.ts'
import { openKeeper, openSteer, openStore, openWorkers, type StoreGround, saveNotes } from './store-parts.ts'
import { Tail } from './tail.ts'
import { topicServices } from './topic-services.ts'
import { COMPACTION, openGuard, openJobs, openMaintenance } from './upkeep.ts'
import { WearLedger } from './wear-ledger.ts'
import { recoverLedger, segmentFiles } from './wear-steer.ts'
import { entryJobs, type Workers } from './workers.ts'

/** A store that failed ends the process after this long: time to say so in health and log. */
const FAILED_MS = 10_000

export interface DaemonHooks {
  readonly log: Log
  /** The line for `systemctl status`. */
  status(text: string): void
}

export interface MachineTime {
  readonly clock: Clock
  readonly source: ClockSource
}

export interface RunningDaemon {
  /** Resolves when everything acknowledged is on the medium and every socket is closed. */
  stop(): Promise<void>
  /** Takes over the keys that are live; the others stay as they are until a restart. */
  reload(config: Config): void
  /** Rejects when the daemon cannot go on; never resolves. */
  readonly failed: Promise<never>
  /** Sockets open and the event loop turns: the watchdog may be fed. */
  alive(): boolean
}

/**
 * Starts everything.
 * @param dir   the data directory, made when it is not there
 * @param time  the machine's wall clock, and who knows whether it is right
 * @throws {VarveError} VARVE_LOCKED, VARVE_READ_ONLY, VARVE_DISK_FULL, VARVE_FORMAT_NEWER, VARVE_LISTEN
 */
export async function startDaemon(
  config: Config,
  dir: string,
  hooks: DaemonHooks,
  time: MachineTime = { clock: systemClock, source: machineClockSource() }
): Promise<RunningDaemon> {
  boundHeaps()
  const disk = new NodeDisk(dir)
  await disk.makeDir('')
  const daemon = new Daemon(config, disk, hooks, time)
  const lock = await DirLock.take(disk, daemon.meter)
  try {
    await daemon.start()
  } catch (error) {
    await daemon.stop()
    lock.release()
    throw error
  }
  return {
    stop: async () => {
      await daemon.stop()
      lock.release()
    },
    reload: next => daemon.reload(next),
    failed: daemon.failed.promise,
    alive: () => daemon.isAlive
  }
}

class Daemon implements StoreGround {
  readonly failed = Promise.withResolvers<never>()
  isAlive = false
  config: Config
  readonly disk: NodeDisk
  readonly meter: WearMeter
  readonly fileSystem: FileSystemFacts
  readonly log: Log
  private readonly hooks: DaemonHooks
  readonly clock: GatewayClock
  readonly source: ClockSource
  private readonly startedMs: number
  readonly damage: { file: string; offset: number; why: string }[] = []
  /** What was started, to be stopped in the opposite order. */
  readonly stops: (() => Promise<void> | void)[] = []
  private maintenance: Maintenance | null = null
  private workers: Workers | null = null
  private jobs: Jobs | null = null
  private broker: Broker | null = null
  private readonly auth = new Auth([])
  /** Takes over what the configuration says of the pace. */
  private setPace: () => void = () => {}
  private removeFile: (id: number) => Promise<void> = async () => {}
  readonly pins = new SegmentPins(id => {
    this.removeFile(id).catch(error => this.background('remove segment', error))
  })
  private guard: DiskGuard | null = null
  private flushing: Flushing | null = null

  constructor(config: Config, disk: NodeDisk, hooks: DaemonHooks, { clock, source }: MachineTime) {
    this.config = config
    this.clock = new GatewayClock(clock)
    this.source = source
    this.startedMs = clock.monotonicMs()
    this.disk = disk
    this.fileSystem = fileSystemFacts(probeFlash(disk.root, systemTree), disk.blockBytes())
    this.meter = new WearMeter(disk, this.clock, this.fileSystem)
    this.log = hooks.log
    this.hooks = hooks
    this.failed.promise.catch(() => {})
  }

  async start(): Promise<void> {
    const { meter } = this
    const files = segmentFiles(this.disk)
    const storage = await openStore(this, {
      onFull: () => this.flushing?.flush(),
      entryJobs: entryJobs(() => this.workers!),
      onEntrySegment: () => void this.jobs?.runNow(COMPACTION)
    })
    const { engine, series } = storage
    const workers = openWorkers(this, storage)
    this.workers = workers
    if (series.headSamples > 0 || engine.manifest.segments.size > 0) workers.expectQuery()
    const keeper = openKeeper(this, storage, workers)
    await keeper.start()
    const notes = new SmallNotes(engine.manifest, () => keeper.moment())
    const ledger = new WearLedger(this.clock, engine.manifest.note(WEAR_NOTE))
    recoverLedger(ledger, storage, files)
    this.removeFile = id => engine.removeFile(id)
    const small = () => notes.notes(steer.saved(series.openSamples))
    series.start(seriesStorage(storage, workers, small), storage.catalogFile, workers)
    const steer = openSteer(this, storage, ledger, workers)
    this.setPace = () => {
      engine.wal.setPace(policy.syncPace(this.config))
      steer.step()
    }
    this.watchFailure(storage)
    const gate = new Gate(engine.wal, series, policy.headBytes(this.config).pause)
    this.watchFlushes(storage, gate)
    saveNotes(this, notes, steer, storage)
    keeper.keep()
    this.stops.push(() => keeper.stop())

    const ingest = openIngest(this, storage, gate)
    const guard = openGuard(this, storage, () => this.maintenance!)
    this.guard = guard
    this.maintenance = openMaintenance(this, storage, workers, steer)
    const questions = { queries: 0, replays: 0, refused: 0 }
    const services = topicServices(this, storage, workers, questions)
    const tap = new MessageTap(ingest.messages)
    const broker = await openBroker(this, storage, gate, tap, services)
    this.broker = broker
    this.stops.push(() => broker.close())
    const jobs = openJobs(this, this.maintenance, { kv: storage.kv, plan: () => steer.plan }, notes)
    this.jobs = jobs
    const http: HttpCounts = { requests: 0, failures: 0 }
    const parts: Parts = {
      clock: this.clock,
      startedMs: this.startedMs,
      version: versionText(),
      disk: this.disk,
      storage,
      meter,
      ledger,
      steer,
      keeper,
      workers,
      answers: this.openAnswers(workers, storage),
      broker,
      ...ingest,
      tail: this.openTail(storage),
      questions,
      jobs,
      guard,
      http,
      memoryMax: this.config.memory.max,
      loop: watchLoop(),
      damage: this.damage
    }
    const server = await this.openServer(parts)
    const resp = await openResp(parts, { config: this.config, log: this.log, auth: this.auth, gate, tap })
    jobs.start()
    guard.start()
    await this.announce(broker, server, resp)
    this.isAlive = true
  }

  async stop(): Promise<void> {
    this.isAlive = false
    for (const stop of this.stops.splice(0).reverse()) {
      try {
        await stop()
      } catch (error) {
        this.background('stop', error)
      }
    }
  }

  /** Takes over what may change while running; what needs a restart was told by whoever read the file. */
  reload(config: Config): void {
    const before = this.config
    this.config = config
    this.setPace()
    // To end without any user or token would open the ports that the first one opened to the network.
    if (config.mqtt.users.length > 0 || before.mqtt.users.length === 0) {
      mqttAuth(config).then(
        auth => this.broker?.setAuth(auth),
        error => this.background('reload of mqtt.users', error)
      )
    } else this.log.error('mqtt.users not taken over: the last user is only removed by a restart')
    if (config.http.tokens.length > 0 || before.http.tokens.length === 0)
      this.auth.replace(httpTokens(config))
    else this.log.error('http.tokens not taken over: the last token is only removed by a restart')
  }

  private openAnswers(workers: Workers, { series }: Storage): AnswerCache {
    return new AnswerCache(
      workers,
      {
        epoch: () => `${workers.epoch()} ${JSON.stringify(policy.queryLimits(this.config))}`,
        takeLowUs: () => series.takeLowUs()
      },
      this.config.query.cacheMax
    )
  }

  private watchFlushes(storage: Storage, gate: Gate): void {
    this.flushing = new Flushing({
      storage,
      clock: this.clock,
      log: this.log,
      onFlushed: () => gate.flushed(),
      onFailed: () => this.guard?.look()
    })
    this.flushing.watch()
  }

  /** A failed write or sync: every row is refused, and soon the process ends. */
  private watchFailure({ engine, series }: Storage): void {
    engine.wal.onFailed(error => {
      this.log.error('the store refuses writes: a write or sync failed', { error })
      series.refuse(new VarveError('VARVE_STORE_FAILED', error.message, { cause: error }))
      this.hooks.status('the store refuses writes')
      this.clock.after(FAILED_MS, () => this.failed.reject(error))
    })
  }

  private async openServer(parts: Parts): Promise<HttpServer> {
    this.auth.replace(httpTokens(this.config))
    const server = await openHttp(parts, {
      config: this.config,
      log: this.log,
      auth: this.auth,
      isReady: () => this.isAlive
    })
    // The tail's streams have no end, and the server would wait for them.
    this.stops.push(
      () => server.close(),
      () => parts.tail.close()
    )
    return server
  }

  private openTail({ series, engine }: Storage): Tail {
    const clientsMax = () => this.config.http.tailClientsMax
    return new Tail({ series, wal: engine.wal, clock: this.clock, clientsMax })
  }

  private async announce(broker: Broker, server: HttpServer, resp: RespServer | null): Promise<void> {
    if (resp !== null) this.stops.push(() => resp.close())
    const facts = {
      pid: process.pid,
      version: versionText(),
      startedUs: this.clock.nowUs() - this.upMs() * 1000,
      ...listening(broker, server, resp)
    }
    await writeAtomic(this.meter, RUN_FILE, new TextEncoder().encode(printRunFile(facts)), 'other')
    this.stops.push(() => this.meter.remove(RUN_FILE))
    const { pid, startedUs: _, ...ports } = facts
    this.log.info('listening', {
      pid,
      data: this.disk.root,
      started_ms: this.upMs(),
      ...ports
    })
  }

  private upMs(): number {
    return Math.round(this.clock.monotonicMs() - this.startedMs)
  }

  background(what: string, error: unknown): void {
    this.log.error(`${what} failed`, { error })
  }
}

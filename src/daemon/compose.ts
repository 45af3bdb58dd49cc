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
import { systemClock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { anyRandom } from '../base/random.ts'
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
import { DeadLetters } from '../ingest/dead-letter.ts'
import { INGEST_LIMITS } from '../ingest/limits.ts'
import { TimeGuard } from '../ingest/time-guard.ts'
import { Jobs } from '../schedule/jobs.ts'
import { DiskGuard } from './disk-guard.ts'
import { listening, openBroker, openHttp } from './faces.ts'
import { Gate } from './gate.ts'
import { LineProtocolSink, MessageSink } from './ingest-sink.ts'
import { DeadLetterEntries } from './kept-entries.ts'
import { watchLoop } from './loop-delay.ts'
import { Maintenance } from './maintenance.ts'
import type { HttpCounts, Parts } from './parts.ts'
import * as policy from './policy.ts'
import { printRunFile, RUN_FILE } from './run-file.ts'
import { httpTokens, mqttAuth } from './secrets.ts'
import { SegmentPins } from './segment-pins.ts'
import { SmallNotes, WEAR_NOTE } from './small-notes.ts'
import { openStorage, type Storage, seriesStorage } from './storage.ts'
import { savedOrdinal, WearLedger } from './wear-ledger.ts'
import { recoverLedger, segmentFiles, WearSteer } from './wear-steer.ts'
import { Workers } from './workers.ts'

type Stores = Pick<Storage, 'series' | 'kv'>

/** A store that failed ends the process after this long: time to say so in health and log. */
const FAILED_MS = 10_000
/** How much of memory.max unsynced rows of /write may take. */
const PENDING_SHARE = 0.05

export interface DaemonHooks {
  readonly log: Log
  /** The line for `systemctl status`. */
  status(text: string): void
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
 * @param dir  the data directory, made when it is not there
 * @throws {VarveError} VARVE_LOCKED, VARVE_READ_ONLY, VARVE_DISK_FULL, VARVE_FORMAT_NEWER, VARVE_LISTEN
 */
export async function startDaemon(config: Config, dir: string, hooks: DaemonHooks): Promise<RunningDaemon> {
  const disk = new NodeDisk(dir)
  await disk.makeDir('')
  const daemon = new Daemon(config, disk, hooks)
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

class Daemon {
  readonly failed = Promise.withResolvers<never>()
  isAlive = false
  private config: Config
  private readonly disk: NodeDisk
  readonly meter: WearMeter
  private readonly fileSystem: FileSystemFacts
  private readonly log: Log
  private readonly hooks: DaemonHooks
  private readonly clock = systemClock
  private readonly startedUs = systemClock.nowUs()
  private readonly damage: { file: string; offset: number; why: string }[] = []
  /** What was started, to be stopped in the opposite order. */
  private readonly stops: (() => Promise<void> | void)[] = []
  private maintenance: Maintenance | null = null
  private gate: Gate | null = null
  private broker: Broker | null = null
  private readonly auth = new Auth([])
  /** Takes over what the configuration says of the pace. */
  private setPace: () => void = () => {}
  private removeFile: (id: number) => Promise<void> = async () => {}
  private readonly pins = new SegmentPins(id => {
    this.removeFile(id).catch(error => this.background('remove segment', error))
  })
  private guard: DiskGuard | null = null
  /** A flush runs, or one that failed waits for its next try. */
  private isFlushing = false

  constructor(config: Config, disk: NodeDisk, hooks: DaemonHooks) {
    this.config = config
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
    const storage = await this.openStorage()
    const { engine, series } = storage
    const notes = new SmallNotes(engine.manifest)
    const ledger = new WearLedger(this.clock, engine.manifest.note(WEAR_NOTE))
    recoverLedger(ledger, storage, files)
    this.removeFile = id => engine.removeFile(id)
    const workers = this.openWorkers(storage)
    let steer: WearSteer | null = null
    const small = () => notes.notes(steer!.saved(series.openSamples))
    series.start(seriesStorage(storage, workers, small), storage.catalogFile, workers)
    steer = this.openSteer(storage, ledger, workers)
    this.watchWal(storage)
    const gate = new Gate(engine.wal, series, policy.headBytes(this.config).pause)
    this.gate = gate
    this.stops.push(async () => {
      notes.stop()
      if (engine.wal.failure !== null) return
      await engine.manifest.commit({ notes: notes.notes(steer.saved(series.headSamples)) })
    })
    notes.keep({
      clock: this.clock,
      ledger: () => steer.saved(series.headSamples),
      writtenBytes: () => meter.totalBytes,
      onError: error => this.background('save notes', error)
    })

    const { deadLetters, messages, lines } = this.openIngest(storage, gate)
    const guard = this.openGuard(storage)
    this.guard = guard
    this.maintenance = this.openMaintenance(storage, workers, steer)
    const broker = await openBroker(this.config, storage, gate, messages, this.clock, this.log)
    this.broker = broker
    this.stops.push(() => broker.close())
    const jobs = this.openJobs(notes)
    const http: HttpCounts = { requests: 0, failures: 0 }
    const parts: Parts = {
      clock: this.clock,
      startedUs: this.startedUs,
      version: versionText(),
      disk: this.disk,
      storage,
      meter,
      ledger,
      steer,
      workers,
      broker,
      messages,
      lines,
      deadLetters,
      jobs,
      guard,
      http,
      loop: watchLoop(),
      damage: this.damage
    }
    this.auth.replace(httpTokens(this.config))
    const server = await openHttp(parts, {
      config: this.config,
      log: this.log,
      auth: this.auth,
      isReady: () => this.isAlive
    })
    this.stops.push(() => server.close())
    jobs.start()
    guard.start()
    await this.announce(broker, server)
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

  private async openStorage(): Promise<Storage> {
    const { config } = this
    const retention = policy.retentionPolicy(config)
    const { flush: flushBytes, refuse: headBytesMax } = policy.headBytes(config)
    const storage = await openStorage({
      disk: this.meter,
      clock: this.clock,
      readOnly: false,
      series: {
        limits: policy.catalogLimits(() => this.config),
        classes: retention.classes,
        classify: retention.classify,
        flushBytes,
        headBytesMax,
        onLate: (group, timeUs) => storage.progress.markLate(group, timeUs),
        onFull: () => this.flush(storage),
        afterReaders: callback => this.pins.after(callback)
      },
      kv: {},
      wal: {
        fileBytes: config.wal.fileSize,
        filesMax: Math.max(2, Math.floor(config.wal.sizeMax / config.wal.fileSize))
      },
      pace: policy.firstSyncPace(config),
      countAfter: manifest => savedOrdinal(manifest.note(WEAR_NOTE)),
      anyU32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
      onDamage: error => {
        const { file = 'WAL', offset = 0 } = error as { file?: string; offset?: number }
        this.damage.push({ file, offset, why: error.message })
        this.log.error('damage found: what it hit is lost, everything else is served', { error })
      },
      onError: error => this.background('store', error)
    })
    this.stops.push(() => storage.close())
    return storage
  }

  private openSteer(storage: Storage, ledger: WearLedger, workers: Workers): WearSteer {
    const { meter } = this
    const steer = new WearSteer({
      clock: this.clock,
      meter,
      storage,
      ledger,
      segmentIdsOpen: () => workers.segmentIdsOpen,
      probe: () => probeFlash(this.disk.root, systemTree),
      fileSystemBytes: this.disk.mediumBytes(),
      config: () => this.config,
      onState: ({ state, why }) =>
        this.log[state === 'over' ? 'warn' : 'info'](`wear budget: ${why}`, { state }),
      onNote: note => this.log.warn(note, { data: this.disk.root })
    })
    this.setPace = () => {
      storage.engine.wal.setPace(policy.syncPace(this.config))
      steer.step()
    }
    steer.start()
    this.stops.push(() => steer.stop())
    return steer
  }

  private openWorkers(storage: Storage): Workers {
    const { query, memory } = this.config
    const workers = new Workers({
      setup: {
        dir: this.disk.root,
        cache: { filesMax: 256, indexBytesMax: Math.floor(memory.max / 8) },
        fileSystem: this.fileSystem
      },
      series: storage.series,
      progress: storage.progress,
      manifest: storage.engine.manifest,
      meter: this.meter,
      pins: this.pins,
      queryThreads: query.concurrency,
      queriesPerThreadMax: Math.max(1, Math.ceil(query.queueMax / query.concurrency)),
      queryLimits: () => policy.queryLimits(this.config),
      heapMiBMax: Math.max(256, Math.ceil(memory.max / 2 ** 20)),
      onCorruption: ({ file, offset, why }) => {
        if (this.damage.some(known => known.file === file && known.offset === offset)) return
        this.damage.push({ file, offset, why })
        this.log.error('damage found by a query: its samples are left out', { file, offset, why })
      },
      onDeath: (thread, error) => this.log.error('worker died and was started anew', { thread, error })
    })
    this.stops.push(() => workers.close())
    // A flush under way is let finish: what it wrote would have to be written again.
    this.stops.push(() => storage.series.settled())
    return workers
  }

  private watchWal({ engine, series, kv }: Storage): void {
    engine.wal.onPressure(({ kinds }) => {
      if (kinds.includes(series.kind)) this.flush({ series, kv })
    })
    if (engine.wal.pressure.kinds.includes(series.kind) && engine.wal.pressure.filesPinned > 2)
      this.flush({ series, kv })
    engine.wal.onFailed(error => {
      this.log.error('the store refuses writes: a write or sync failed', { error })
      series.refuse(new VarveError('VARVE_STORE_FAILED', error.message, { cause: error }))
      this.hooks.status('the store refuses writes')
      this.clock.after(FAILED_MS, () => this.failed.reject(error))
    })
  }

  /** Flushes the series; a failure is told, the rows stay in memory and WAL, and one later call tries again. */
  private flush({ series, kv }: Stores): void {
    if (this.isFlushing) return
    this.isFlushing = true
    // Both at once: one change of WAL files serves both, and neither keeps the other's old files pinned.
    kv.flush().catch(error => this.background('flush of entries', error))
    series.flush().then(
      report => {
        this.isFlushing = false
        this.gate?.flushed()
        if (report !== null)
          this.log.info('flushed', {
            samples: report.samples,
            segments: report.segments.length,
            bytes: report.segments.reduce((sum, one) => sum + one.bytes, 0)
          })
      },
      error => {
        this.background('flush', error)
        this.guard?.look()
        this.clock.after(RETRY_MS, () => {
          this.isFlushing = false
          this.flush({ series, kv })
        })
      }
    )
  }

  private openIngest({ engine, series, kv }: Storage, gate: Gate) {
    const deadEntries = new DeadLetterEntries(kv, error => this.background('keep dead letter', error))
    const capacity = this.config.ingest.deadLettersMax
    const deadLetters = new DeadLetters({
      clock: this.clock,
      store: deadEntries,
      stored: deadEntries.stored(),
      capacity: Math.max(1, capacity)
    })
    const precision = policy.precisionRules(this.config)
    const options = {
      deadLetters,
      rules: policy.topicRules(this.config),
      guard: new TimeGuard({ aheadUsMax: this.config.ingest.futureMax * 1000 }),
      limits: { ...INGEST_LIMITS, ...policy.ingestLimits(this.config) }
    }
    const messages = new MessageSink(series, this.clock, options, precision)
    const lines = new LineProtocolSink(
      series,
      engine.wal,
      gate,
      this.clock,
      Math.max(4 << 20, this.config.memory.max * PENDING_SHARE),
      precision
    )
    return { deadLetters, messages, lines }
  }

  private openGuard({ series }: Storage): DiskGuard {
    const guard = new DiskGuard({
      clock: this.clock,
      reserveBytes: this.config.data.reserve,
      freeBytes: () => this.disk.freeBytes(),
      free: wanted => this.maintenance!.freeBytes(wanted),
      refuse: error => series.refuse(error),
      onLow: free =>
        this.log.warn('the medium is nearly full: dropping the oldest buckets', { free_bytes: free }),
      onError: error => this.background('watch free space', error)
    })
    this.stops.push(() => guard.stop())
    return guard
  }

  private openMaintenance(
    { engine, series, progress }: Storage,
    workers: Workers,
    steer: WearSteer
  ): Maintenance {
    return new Maintenance({
      clock: this.clock,
      manifest: engine.manifest,
      series,
      workers,
      pins: this.pins,
      progress,
      tiers: () => policy.rollupTiers(this.config).map(({ tier }) => tier),
      synced: () => engine.wal.synced(engine.wal.pendingGroup),
      keep: () =>
        policy.keepTimes(
          policy.retentionPolicy(this.config).classes,
          policy.rollupTiers(this.config).map(({ tier }) => tier)
        ),
      sizeMax: () => this.config.retention.sizeMax ?? Number.POSITIVE_INFINITY,
      plan: () => steer.plan,
      onDropped: (segments, why) =>
        this.log.info('segments dropped', {
          why,
          segments: segments.length,
          bytes: segments.reduce((sum, one) => sum + one.bytes, 0)
        })
    })
  }

  private openJobs(notes: SmallNotes): Jobs {
    const { schedule } = this.config
    const jobs = new Jobs({
      clock: this.clock,
      random: anyRandom(),
      zone: schedule.timezone,
      jitterMaxMs: schedule.jitter,
      store: notes,
      onFailure: (name, error) => this.background(`job ${name}`, error)
    })
    const maintenance = this.maintenance!
    jobs.add({ name: 'retention', cron: schedule.retention, run: () => maintenance.retention() })
    jobs.add({ name: 'merge', cron: schedule.merge, run: signal => maintenance.merge(signal) })
    const tiers = policy.rollupTiers(this.config)
    for (const cron of new Set(tiers.map(one => one.cron))) {
      const own = tiers.filter(one => one.cron === cron).map(({ tier }) => tier)
      jobs.add({
        name: `rollup ${own.map(tier => tier.name).join(' ')}`,
        cron,
        run: () => maintenance.rollup(own)
      })
    }
    this.stops.push(() => jobs.stop())
    return jobs
  }

  private async announce(broker: Broker, server: HttpServer): Promise<void> {
    const facts = {
      pid: process.pid,
      version: versionText(),
      startedUs: this.startedUs,
      ...listening(broker, server)
    }
    await writeAtomic(this.meter, RUN_FILE, new TextEncoder().encode(printRunFile(facts)), 'other')
    this.stops.push(() => this.meter.remove(RUN_FILE))
    const { pid, startedUs, ...ports } = facts
    this.log.info('listening', {
      pid,
      data: this.disk.root,
      started_ms: (this.clock.nowUs() - startedUs) / 1000,
      ...ports
    })
  }

  private background(what: string, error: unknown): void {
    this.log.error(`${what} failed`, { error })
  }
}

const RETRY_MS = 2_000

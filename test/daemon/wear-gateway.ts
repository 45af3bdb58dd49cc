// A gateway by hand, for months of wear in seconds: ledger, plan and pace are the daemon's, the card counts for
// itself; loads, restarts and clocks are drawn from a seed.
import { Random } from '../../src/base/random.ts'
import type { Config } from '../../src/config/schema.ts'
import { firstSyncPace } from '../../src/daemon/policy.ts'
import type { Storage } from '../../src/daemon/storage.ts'
import { WearLedger } from '../../src/daemon/wear-ledger.ts'
import { WearSteer } from '../../src/daemon/wear-steer.ts'
import type { Cause } from '../../src/disk/disk.ts'
import type { FlashFacts } from '../../src/disk/flash-probe.ts'
import { programmedBytes, type WearCount, WearMeter } from '../../src/disk/wear-meter.ts'
import { PACE_DEFAULTS, type PaceOptions } from '../../src/engine/sync-pace.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'

export const MINUTE = 60_000
export const DAY = 86_400_000
export const SAVE_MINUTES = 15
const PAGE = 4096
/** One commit of metadata: blocks of the log, in two pieces. */
const COMMIT_BYTES = 12_288
const COMMITS_A_MINUTE = 11
const START_BYTES = 300_000

interface Load {
  /** Bytes of rows in this minute, and syncs a second that waiters would like. */
  readonly bytes: number
  readonly wishedPerS: number
}

interface Card {
  readonly bytes: number
  readonly endurance: number
  readonly lifeMs: number
  readonly delayMaxMs: number
}

/** A gateway and its card over all its processes. */
export class Gateway {
  readonly clock: HandClock
  /** What the card really programmed, and what it would have with no early sync and no merge. */
  programmed = 0
  floor = 0
  syncs = 0
  /** What syncs cost beyond their data, and what the plans granted for it. */
  syncsPaid = 0
  syncsGranted = 0
  syncsFloor = 0
  minutes = 0
  minutesOver = 0
  delayMsMost = 0
  allowedMost = 0
  flash: FlashFacts = { fileSystem: 'ext4', commitMs: 5000, logsData: false, device: null, notes: [] }
  readonly notes: string[] = []
  ledger!: WearLedger
  steer!: WearSteer
  private readonly card: Card
  private meter!: WearMeter
  private saved: Uint8Array | undefined
  private pace!: PaceOptions
  private store = { stats: { groups: 0, walPaddingBytes: 0 }, segments: 0, newestId: 0, ordinal: 0 }
  private series = { samplesAppended: 0, flushBytes: 20e6 }
  private tokens = 0
  private head = 0
  private unmerged = 0
  /** Since the ledger was saved. */
  private since = { groups: 0, groupBytes: 0, segments: [] as { cause: Cause; bytes: number }[] }

  constructor(card: Card, wallMs: number) {
    this.card = card
    this.clock = new HandClock(wallMs * 1000)
    this.start()
  }

  /** A process begins on what was saved. */
  start(): void {
    const { store, series } = this
    store.stats = { groups: 0, walPaddingBytes: 0 }
    series.samplesAppended = 0
    this.meter = new WearMeter(new CrashDisk(new Random(1)), this.clock)
    this.ledger = new WearLedger(this.clock, this.saved)
    this.ledger.recover({ ...this.since, grownGroups: 0, grownBytes: 0, walFileBytes: 0, headSamples: 0 })
    const { bytes: size, endurance, lifeMs: life, delayMaxMs: delayMax } = this.card
    const config = {
      flash: { size, endurance, life },
      ack: { delayMax, delayMaxQos0: 10 * delayMax },
      wal: { groupMax: 2 ** 20 },
      memory: { max: 100e6 }
    } as unknown as Config
    this.pace = { ...PACE_DEFAULTS, ...firstSyncPace(config) }
    this.tokens = this.pace.wearBurstBytes
    const engine = {
      stats: store.stats,
      wal: {
        ordinal: 0,
        fileBytes: 0,
        setPace: (pace: Partial<PaceOptions>) => Object.assign(this.pace, pace)
      },
      manifest: {
        segments: {
          get size() {
            return store.segments
          }
        },
        newestId: 0
      }
    }
    this.steer = new WearSteer({
      clock: this.clock,
      meter: this.meter,
      storage: { engine, series } as unknown as Pick<Storage, 'engine' | 'series'>,
      ledger: this.ledger,
      segmentIdsOpen: () => [],
      probe: () => this.flash,
      fileSystemBytes: 1,
      config: () => config,
      onState: () => {},
      onNote: note => this.notes.push(note)
    })
    this.steer.start()
    this.write('other', START_BYTES, 0, 20, true)
    this.save()
  }

  save(): void {
    this.saved = this.steer.saved(0)
    this.since = { groups: 0, groupBytes: 0, segments: [] }
  }

  /** The process ends, with or without saving, and begins again after a time off. */
  restart(isKill: boolean, offMs: number): void {
    if (!isKill) this.save()
    this.steer.stop()
    this.clock.advance(offMs)
    this.start()
  }

  stepClock(ms: number): void {
    this.clock.setWall(Math.max(0, this.clock.nowUs() + ms * 1000))
  }

  minute({ bytes, wishedPerS }: Load): void {
    const { pace, steer } = this
    this.delayMsMost = Math.max(this.delayMsMost, pace.delayMs)
    this.allowedMost = Math.max(this.allowedMost, steer.plan.allowedBytesPerS)
    this.minutes++
    if (steer.plan.state === 'over') this.minutesOver++
    const wished = 60 * wishedPerS
    const floor = Math.min(wished, MINUTE / pace.delayMaxMs)
    const normal = Math.min(wished, MINUTE / Math.min(pace.delayMs, pace.delayMaxMs))
    const padding = Math.max(0, PAGE - bytes / Math.max(1, normal))
    const each = padding + pace.syncBytes
    this.tokens = Math.min(pace.wearBurstBytes, this.tokens + pace.wearBytesPerSecond * 60)
    const eager = Math.floor(Math.max(0, Math.min(wished - normal, (this.tokens - normal * each) / each)))
    this.tokens = Math.max(-pace.wearBurstBytes, this.tokens - (normal + eager) * each)
    this.sync(Math.floor(normal), bytes, true)
    if (eager > 0) this.sync(eager, 0, false)
    this.syncs += Math.floor(normal) + eager
    this.syncsPaid += (normal + eager) * each
    this.syncsGranted += pace.wearBytesPerSecond * 60
    this.syncsFloor += Math.floor(floor)
    this.work(bytes)
    if (this.minutes % SAVE_MINUTES === 0) this.save()
    this.clock.advance(MINUTE)
  }

  private sync(count: number, bytes: number, isFloor: boolean): void {
    if (count === 0) return
    const written = Math.max(count * PAGE, Math.ceil(bytes / PAGE) * PAGE)
    this.store.stats.groups += count
    this.store.stats.walPaddingBytes += written - bytes
    this.since.groups += count
    this.since.groupBytes += written
    const commits = isFloor ? COMMITS_A_MINUTE : 0
    this.write('wal', written, commits * COMMIT_BYTES, count + 2 * commits, isFloor)
  }

  /** Flushes, merges and rollups, as the plan allows. */
  private work(bytes: number): void {
    this.head += bytes
    if (this.head >= this.series.flushBytes) {
      this.segment('segment', this.head / 3, true)
      this.unmerged += this.head / 3
      this.store.segments++
      this.head = 0
    }
    if (this.store.segments >= 16 && this.steer.plan.mayMerge) {
      this.segment('merge', this.unmerged, false)
      this.unmerged = 0
      this.store.segments = 1
    }
    if (this.minutes % 60 === 0 && this.steer.plan.mayRollup) this.segment('rollup', bytes * 6, true)
  }

  private segment(cause: Cause, bytes: number, isFloor: boolean): void {
    this.since.segments.push({ cause, bytes: Math.ceil(bytes) })
    this.write(cause, Math.ceil(bytes), 70_000, 12, isFloor)
  }

  private write(cause: Cause, bytes: number, metadataBytes: number, pieces: number, isFloor: boolean): void {
    const count: WearCount = { bytes: Math.ceil(bytes), writes: 1, syncs: 1, metadataBytes, pieces }
    const none: WearCount = { bytes: 0, writes: 0, syncs: 0, metadataBytes: 0, pieces: 0 }
    const counts = Object.fromEntries(Object.keys(this.meter.counts).map(name => [name, none]))
    this.meter.add({ ...counts, [cause]: count } as Parameters<WearMeter['add']>[0])
    this.programmed += programmedBytes(count)
    if (isFloor) this.floor += programmedBytes(count)
  }
}

/** Quiet nights, bursts of hours, idle weeks. */
export function anyLoad(random: Random, meanBytesPerS: number): (minute: number) => Load {
  const wishedPerS = random.below(40) + 0.2
  const burst = 2 + random.below(10)
  let [burstLeft, idleLeft] = [0, 0]
  return minute => {
    if (idleLeft > 0) idleLeft--
    else if (random.below(1440 * 30) === 0) idleLeft = 1440 * (2 + random.below(12))
    if (burstLeft > 0) burstLeft--
    else if (random.below(1440 * 3) === 0) burstLeft = 60 + random.below(240)
    if (idleLeft > 0) return { bytes: 0, wishedPerS: 0 }
    const isNight = Math.floor(minute / 480) % 3 === 0
    const now = burstLeft > 0 ? burst : isNight ? 0.3 : 1
    return {
      bytes: meanBytesPerS * 60 * now * (0.5 + random.unit()),
      wishedPerS: wishedPerS * Math.min(1, now)
    }
  }
}

/** Restarts, kills, days without power, steps of the clock. */
export function anyTrouble(random: Random, offMsMax: number): (gateway: Gateway) => void {
  const every = 1440 * (1 + random.below(20))
  return gateway => {
    if (random.below(every) === 0)
      gateway.restart(random.chance(0.5), random.below(random.chance(0.3) ? offMsMax : MINUTE))
    if (random.below(1440 * 20) === 0) gateway.stepClock((random.unit() - 0.5) * 8 * 3_600_000)
  }
}

/** What one sync a delay_max costs in programmed bytes a second, and the metadata with it. */
export const FLOOR_BYTES_PER_S = 16_384 + (COMMITS_A_MINUTE * (COMMIT_BYTES + 2 * 12_288)) / 60
export const WALL = 20_600 * DAY

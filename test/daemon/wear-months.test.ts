// The controller over months of simulated time: the real ledger, rates and steering, minute by minute, over a
// store that costs what was measured. Drawn from a seed: a trickle, bursts, idle weeks, restarts (ordered,
// killed, off for days), a clock that is wrong at first and steps later. The card counts for itself.
import t from 'tap'
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
import { seeds } from '../kit/seeds.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const SAVE_MINUTES = 15
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
class Gateway {
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
function anyLoad(random: Random, meanBytesPerS: number): (minute: number) => Load {
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
function anyTrouble(random: Random, offMsMax: number): (gateway: Gateway) => void {
  const every = 1440 * (1 + random.below(20))
  return gateway => {
    if (random.below(every) === 0)
      gateway.restart(random.chance(0.5), random.below(random.chance(0.3) ? offMsMax : MINUTE))
    if (random.below(1440 * 20) === 0) gateway.stepClock((random.unit() - 0.5) * 8 * 3_600_000)
  }
}

/** What one sync a delay_max costs in programmed bytes a second, and the metadata with it. */
const FLOOR_BYTES_PER_S = 16_384 + (COMMITS_A_MINUTE * (COMMIT_BYTES + 2 * 12_288)) / 60
const WALL = 20_600 * DAY

t.test('the budget is kept over months with bursts and restarts wherever it can be', async t => {
  let spentMost = 0
  for (const seed of seeds(5)) {
    const random = new Random(seed)
    const days = 60 + random.below(60)
    const evenPerS = 50_000 + random.below(400_000)
    const card = {
      bytes: (evenPerS * days * 86_400) / 100,
      endurance: 100,
      lifeMs: days * DAY,
      delayMaxMs: 1000
    }
    // A gateway that was never on time: its clock is up to three years late until it meets the network.
    const lateMs = random.chance(0.5) ? random.below(1100 * DAY) : 0
    const gateway = new Gateway(card, WALL - lateMs)
    const load = anyLoad(random, (evenPerS - FLOOR_BYTES_PER_S) * (0.05 + random.unit() * 0.3))
    const trouble = anyTrouble(random, 4 * DAY)
    const setAt = random.below(3 * 1440)
    const endMs = card.lifeMs
    for (let minute = 0; gateway.clock.monotonicMs() < endMs; minute++) {
      gateway.minute(load(minute))
      if (minute === setAt) gateway.stepClock(lateMs)
      if (minute > setAt) trouble(gateway)
    }
    const budget = card.bytes * card.endurance
    const say = (what: string) => `${what}, VARVE_SEED=${seed}`
    t.ok(gateway.floor < 0.9 * budget, say('the load is one that the budget can bear'))
    t.ok(gateway.programmed <= budget, say(`${gateway.programmed / budget} of the budget`))
    t.ok(gateway.delayMsMost <= card.delayMaxMs, say(`waited ${gateway.delayMsMost} ms`))
    t.ok(gateway.syncs >= gateway.syncsFloor, say('durability is never traded'))
    t.ok(gateway.allowedMost <= 2.001 * evenPerS, say('what was saved is not spent at any speed'))
    const error = gateway.ledger.programmedBytes / gateway.programmed - 1
    t.ok(Math.abs(error) < 0.03, say(`the ledger is off by ${error}`))
    t.equal(gateway.steer.plan.writtenBytes, gateway.ledger.programmedBytes, say('and is what is steered by'))
    t.ok(
      gateway.minutesOver < 0.2 * gateway.minutes,
      say(`over in ${gateway.minutesOver} of ${gateway.minutes}`)
    )
    spentMost = Math.max(spentMost, gateway.programmed / gateway.floor)
  }
  t.ok(spentMost > 1.1, `what is left is spent on those who wait: ${spentMost}`)
})

t.test(
  'a budget that cannot be met is said, all the time, and nothing is spent beyond the floor',
  async t => {
    for (const seed of seeds(3)) {
      const random = new Random(seed)
      const lifeMs = 90 * DAY
      const card = { bytes: (12_000 * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
      const gateway = new Gateway(card, WALL)
      const trouble = anyTrouble(random, 10 * MINUTE)
      const load = { bytes: 60 * 500, wishedPerS: 5 + random.below(20) }
      for (let minute = 0; minute < 40 * 1440; minute++) {
        gateway.minute(load)
        trouble(gateway)
      }
      const { minutes, minutesOver, syncs, syncsFloor } = gateway
      t.ok(minutesOver > minutes - 1440, `said in ${minutesOver} of ${minutes} minutes, VARVE_SEED=${seed}`)
      t.ok(syncs >= syncsFloor && syncs < syncsFloor * 1.05, `one sync a second, VARVE_SEED=${seed}`)
      t.match(gateway.steer.plan, { mayMerge: false, delayMs: 1000, eagerBytesPerS: 0 })
    }
  }
)

t.test('who restarts every few minutes spends no burst each time', async t => {
  const days = 30
  const card = { bytes: 100_000 * days * 864, endurance: 100, lifeMs: days * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  for (let minute = 0; minute < days * 1440; minute++) {
    gateway.minute({ bytes: 1000, wishedPerS: 40 })
    if (minute % 30 === 0) gateway.restart(minute % 60 === 0, 1000)
  }
  const budget = card.bytes * card.endurance
  t.ok(gateway.programmed <= budget, `${gateway.programmed / budget} of the budget`)
  const paid = gateway.syncsPaid / gateway.syncsGranted
  t.ok(paid > 0.9 && paid <= 1, `${paid} of what was granted to syncs`)
})

t.test('who is killed before it can save counts again what it wrote', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  for (let minute = 0; minute < 2 * 1440; minute++) {
    gateway.minute({ bytes: 6000, wishedPerS: 1 })
    if (minute % (SAVE_MINUTES - 1) === 0) gateway.restart(true, 1000)
  }
  const error = gateway.ledger.programmedBytes / gateway.programmed - 1
  t.ok(Math.abs(error) < 0.06, `the ledger is off by ${error}`)
})

t.test('what an idle month saved is spent later, at twice the even rate at most, and once', async t => {
  const even = 60_000
  const lifeMs = 100 * DAY
  const card = { bytes: (even * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  const allowed = () => gateway.steer.plan.allowedBytesPerS / even
  gateway.restart(false, 30 * DAY)
  t.ok(allowed() > 1.35 && allowed() < 1.5, `after a month off ${allowed()}`)
  for (let minute = 0; minute < 100; minute++) gateway.restart(true, 1000)
  t.ok(allowed() > 1.35 && allowed() < 1.5, `a hundred restarts save nothing ${allowed()}`)
  gateway.restart(false, 40 * DAY)
  t.ok(Math.abs(allowed() - 2) < 1e-9, `and after another ${allowed()}`)
  for (let minute = 0; minute < 30 * 1440; minute++) gateway.minute({ bytes: 6000, wishedPerS: 40 })
  const share = gateway.programmed / (card.bytes * card.endurance)
  t.ok(share > 0.2 && share <= 1, `${share} of the budget`)
})

t.test('a clock that is years ahead or behind changes neither rate nor plan by much', async t => {
  const lifeMs = 1000 * DAY
  const card = { bytes: (60_000 * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
  for (const stepDays of [-2000, -900, -30, -2, 2, 30, 900, 9000]) {
    const gateway = new Gateway(card, WALL)
    const days = (n: number) => {
      for (let minute = 0; minute < n * 1440; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
    }
    days(3)
    const first = gateway.steer.plan
    gateway.restart(false, 1000)
    const again = gateway.steer.plan.bytesPerS / first.bytesPerS
    t.ok(Math.abs(again - 1) < 0.05, `a restart changes the rate to ${again}`)
    days(0.1)
    const before = gateway.steer.plan
    gateway.stepClock(stepDays * DAY)
    days(0.1)
    const after = gateway.steer.plan
    const rate = after.bytesPerS / before.bytesPerS
    t.ok(Math.abs(rate - 1) < 0.1, `${stepDays} days: the rate is ${rate} of what it was`)
    t.ok(after.allowedBytesPerS < 2.001 * 60_000 && after.allowedBytesPerS > 0.9 * 60_000, `${stepDays} days`)
    t.equal(after.state, before.state, `${stepDays} days`)
  }
})

t.test('the first process dates anew what it counted before its clock was set', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, 0)
  for (let minute = 0; minute < 90; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
  gateway.stepClock(WALL)
  gateway.minute({ bytes: 6000, wishedPerS: 1 })
  const facts = gateway.ledger.facts()
  t.equal(facts.sinceMs, WALL)
  t.same(
    facts.days.map(day => day.dayMs),
    [WALL]
  )
  gateway.restart(true, 1000)
  gateway.stepClock(-400 * DAY)
  gateway.minute({ bytes: 6000, wishedPerS: 1 })
  const { sinceMs, untilMs } = gateway.ledger.facts()
  t.ok(sinceMs <= untilMs)
})

t.test('a device that says that it is at its end is asked again each hour, and steers', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  const minutes = (n: number) => {
    for (let minute = 0; minute < n; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
  }
  minutes(10)
  t.equal(gateway.steer.plan.state, 'ample')
  const device = {
    name: 'mmcblk0',
    kind: 'emmc',
    model: null,
    bytes: 32e9,
    eraseBytes: null,
    isRotational: false,
    discards: true,
    lifeUsed: [0.3, 0.4],
    spareBlocks: 'nearly used up'
  } as const
  gateway.flash = { ...gateway.flash, device, notes: ['replace it'] }
  minutes(61)
  t.match(gateway.steer.plan, {
    state: 'over',
    why: /at its end: replace it/,
    mayMerge: false,
    delayMs: 1000
  })
  t.equal(gateway.steer.plan.writtenBytes, 0.3 * 32e12, 'its own account counts where it is more')
  minutes(121)
  t.same(gateway.notes, ['replace it'], 'said once')
})

// A gateway in a world that knows the true time: boots of a machine whose clock shows what a test says, the real
// store, keeper and ingest over a simulated disk, and a judgement of what a reader finds against the truth.
//
// Every message carries a number of its own, so that each is found again wherever its time has gone.
import { GatewayClock } from '../../src/base/gateway-clock.ts'
import { Random } from '../../src/base/random.ts'
import { MADE_US } from '../../src/base/version.ts'
import { ClockKeeper, type ClockNews } from '../../src/daemon/clock-keeper.ts'
import type { SyncState } from '../../src/daemon/clock-trust.ts'
import { MessageSink } from '../../src/daemon/ingest-sink.ts'
import { DeadLetters } from '../../src/ingest/dead-letter.ts'
import { TimeGuard } from '../../src/ingest/time-guard.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { readRuns } from '../kit/sent-rows.ts'
import { InlineStore } from '../kit/series-store.ts'

/** A moment after the program was made, on a whole bucket of the test store (an hour). */
export const TRUE_START_US = Math.ceil((MADE_US + 200 * 86_400e6) / 3600e6) * 3600e6

/** A message and the truth of it. */
export interface Sent {
  readonly n: number
  readonly topic: string
  /** When it really came. */
  readonly trueUs: number
  /** The time that its device gave and that is to be kept; null: none. */
  readonly deviceUs: number | null
  /** The boot of the machine it came in. */
  readonly boot: number
}

export interface BootFacts {
  /** What the machine's clock shows. */
  readonly showsUs: number
  readonly sync?: SyncState['state']
  readonly hasBattery?: boolean
  readonly source?: 'auto' | 'trusted'
  /** The machine itself did not restart. */
  readonly sameBoot?: boolean
}

export class World {
  trueUs = TRUE_START_US
  readonly sent: Sent[] = []
  disk: CrashDisk
  boots = 0
  readonly random: Random
  /** The clock of the machine's boot under way. */
  hand = new HandClock(0)

  constructor(seed = 1, diesAt = Number.POSITIVE_INFINITY) {
    this.random = new Random(seed)
    this.disk = new CrashDisk(new Random(seed), diesAt)
  }

  async boot(facts: BootFacts): Promise<Life> {
    if (facts.sameBoot !== true) {
      this.boots++
      this.hand = new HandClock(facts.showsUs)
    }
    return Life.open(this, facts)
  }

  /** Time goes by while the machine is off. */
  off(ms: number): void {
    this.trueUs += ms * 1000
  }
}

export class Life {
  readonly world: World
  readonly hand: HandClock
  readonly clock: GatewayClock
  readonly store: InlineStore
  readonly keeper: ClockKeeper
  readonly news: ClockNews[] = []
  readonly facts: { sync: SyncState['state']; source: 'auto' | 'trusted' }
  /** Readers were told that segments moved. */
  moved = 0
  /** Edits of the manifest. */
  edits = 0
  private readonly sink: MessageSink

  private constructor(world: World, clock: GatewayClock, store: InlineStore, boot: BootFacts) {
    this.world = world
    this.hand = world.hand
    this.clock = clock
    this.store = store
    this.facts = { sync: boot.sync ?? 'waiting', source: boot.source ?? 'auto' }
    const { series, engine, progress } = store.storage
    const hasBattery = boot.hasBattery === true
    const commit = engine.manifest.commit.bind(engine.manifest)
    engine.manifest.commit = edit => {
      this.edits++
      return commit(edit)
    }
    this.keeper = new ClockKeeper({
      clock,
      source: {
        kernel: `kernel-${world.boots}`,
        uptimeMs: () => this.hand.monotonicMs() + 5000,
        ask: async () => ({ state: this.facts.sync, by: 'a test', hasBattery })
      },
      series,
      manifest: engine.manifest,
      progress,
      mode: () => this.facts.source,
      onMoved: () => this.moved++,
      onNews: news => this.news.push(news),
      onError: error => {
        throw error
      }
    })
    this.sink = new MessageSink(
      series,
      clock,
      {
        deadLetters: new DeadLetters({ clock }),
        rules: [{ pattern: 'timed/+', time: 'ts', timeUnit: 'us' }],
        guard: new TimeGuard({ isGatewayKnown: () => clock.isKnown, aheadUsMax: 3600e6 })
      },
      []
    )
  }

  static async open(world: World, boot: BootFacts): Promise<Life> {
    const clock = new GatewayClock(world.hand)
    const wal = { fileBytes: 65_536, filesMax: 60 }
    const onError = (error: unknown) => {
      throw error
    }
    const { disk, random } = world
    const store = await InlineStore.open({ disk, random, clock, wal, onError })
    const life = new Life(world, clock, store, boot)
    await life.keeper.start()
    return life
  }

  /** Time goes by, for everyone. */
  pass(ms: number): void {
    this.world.trueUs += ms * 1000
    this.hand.advance(ms)
  }

  /** A device publishes; with `deviceUs` it says when. */
  send(topic: string, deviceUs: number | null = null): Sent {
    const { world } = this
    const n = world.sent.length
    const text = deviceUs === null ? `{"n":${n}}` : `{"n":${n},"ts":${deviceUs}}`
    const bytes = Buffer.from(text)
    if (this.sink.publish(topic, bytes, 0, bytes.length) === 0) throw new Error('nothing was stored')
    const sent = { n, topic, trueUs: world.trueUs, deviceUs, boot: world.boots }
    world.sent.push(sent)
    this.store.storage.engine.wal.note(20, 1)
    return sent
  }

  /** So many messages of a few devices, some of which know the time, each a time of its own. */
  sendSome(count: number, stepMsMax = 500): void {
    const { random } = this.world
    for (let i = 0; i < count; i++) {
      this.pass(random.below(stepMsMax))
      const deviceUs = this.world.trueUs - random.below(5) * 1000 + (this.world.sent.length % 1000)
      if (random.chance(0.2)) this.send(`timed/d${random.below(2)}`, deviceUs)
      else this.send(`plain/d${random.below(3)}`)
    }
  }

  /** Somebody sets the machine's clock; off by so much. */
  async set(offUs = 0, sync: SyncState['state'] = 'set'): Promise<void> {
    this.hand.setWall(this.world.trueUs + offUs)
    this.facts.sync = sync
    await this.keeper.look()
  }

  synced(): Promise<void> {
    return this.store.synced()
  }

  /** Takes longer than a tick of the clock, as on any medium. */
  async flush(): Promise<void> {
    await this.store.storage.series.flush()
    this.pass(1)
  }

  /** Everything that a reader finds: by number, its times. */
  found(): Map<number, number[]> {
    const found = new Map<number, number[]>()
    this.store.read(reader => {
      const { catalog } = this.store.storage.series
      for (let id = 0; id < catalog.groupCount; id++) {
        const { fields } = catalog.at(id)
        const n = fields.indexOf('n')
        let before = Number.NEGATIVE_INFINITY
        for (const run of reader.runs(id, [n], TIME_MIN_US, TIME_MAX_US)) {
          for (let row = 0; row < run.rows; row++) {
            const timeUs = run.times[row]!
            if (timeUs <= before) throw new Error(`times of group ${id} do not ascend`)
            before = timeUs
            const value = run.columns[0]!.numbers![row]!
            found.set(value, [...(found.get(value) ?? []), timeUs])
          }
        }
      }
    })
    return found
  }

  /** Windows of tiers that are not what the raw rows say. */
  wrongWindows(): string[] {
    const { catalog } = this.store.storage.series
    return this.store.wrongWindows(
      0,
      this.store.read(reader => readRuns(reader, catalog.groupCount))
    )
  }

  /** The machine loses power, or the process its life. */
  cut(): void {
    this.world.disk = this.world.disk.afterCut()
  }

  kill(): void {
    this.world.disk = this.world.disk.afterKill()
  }

  async close(): Promise<void> {
    const { manifest } = this.store.storage.engine
    await manifest.commit({ notes: [this.keeper.moment()] })
    await this.store.close()
  }
}

/**
 * What is wrong with what was found, as sentences: messages that are not there once, at the time of their device or
 * the true one, and in order.
 * @param slackUs  how far a time may be from the truth; null: provisional times are not compared with it
 */
export function judge(
  found: ReadonlyMap<number, number[]>,
  sent: readonly Sent[],
  slackUs: (sent: Sent) => number | null
): string[] {
  const wrongs: string[] = []
  const before = new Map<string, Sent & { timeUs: number }>()
  for (const one of sent) {
    const times = found.get(one.n) ?? []
    if (times.length !== 1) {
      wrongs.push(`message ${one.n} is there ${times.length} times`)
      continue
    }
    const timeUs = times[0]!
    if (timeUs < MADE_US) wrongs.push(`message ${one.n} is dated ${new Date(timeUs / 1000).toISOString()}`)
    if (one.deviceUs !== null) {
      if (timeUs !== one.deviceUs) wrongs.push(`message ${one.n} lost the time of its device`)
      continue
    }
    const slack = slackUs(one)
    if (slack !== null && Math.abs(timeUs - one.trueUs) > slack) {
      wrongs.push(`message ${one.n} is ${(timeUs - one.trueUs) / 1000} ms off`)
    }
    // A boot that was ahead and never knew it may lie after one that knew.
    const order = `${one.topic} ${slack === null}`
    const last = before.get(order)
    if (last !== undefined && last.timeUs >= timeUs) wrongs.push(`message ${one.n} is not after ${last.n}`)
    before.set(order, { ...one, timeUs })
  }
  for (const n of found.keys()) if (!sent.some(one => one.n === n)) wrongs.push(`message ${n} was never sent`)
  return wrongs.slice(0, 5)
}

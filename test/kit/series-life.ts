// One life of a store on a disk that may die: opens, judges what it finds, works until the cut or the end. The
// workload is everything the daemon does to a store: appends (late, duplicate, of every kind, of new groups and
// shapes), group syncs, flushes, merges, rollups, retention, and entries in the same WAL (entry-life.ts).
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { Disk } from '../../src/disk/disk.ts'
import { HOUR_US } from '../../src/rollup/progress.ts'
import { KIND, type Kind } from '../../src/series/sample.ts'
import { anyValue, type ModelRow } from '../series/model.ts'
import { EntryLife, NAMESPACES } from './entry-life.ts'
import { HandClock } from './hand-clock.ts'
import { readEntries, SentEntries } from './sent-entries.ts'
import { readAll, readRuns, SentRows } from './sent-rows.ts'
import { InlineStore, KEEP_US, type StoreOptions, TIERS } from './series-store.ts'
import { Verdict } from './verdict.ts'

const START_US = 1_700_000_000_000_000
const KINDS: readonly Kind[] = [KIND.number, KIND.number, KIND.number, KIND.boolean, KIND.string, KIND.bytes]

/** What outlives the lives. */
export interface SeriesFacts {
  readonly sent: SentRows
  readonly entries: SentEntries
  wallUs: number
  /** Windows that begin before it are not repaired any more, since their raw rows may be dropped soon. */
  windowsFromUs: number
  /** Groups that have been used: later ones are new. */
  groups: number
}

export function nothingYet(): SeriesFacts {
  return { sent: new SentRows(), entries: new SentEntries(), wallUs: START_US, windowsFromUs: 0, groups: 3 }
}

/** The same facts, apart from these. */
export function copyFacts(facts: SeriesFacts): SeriesFacts {
  return { ...facts, sent: facts.sent.copy(), entries: facts.entries.copy() }
}

export class SeriesLife {
  readonly store: InlineStore
  readonly clock: HandClock
  readonly facts: SeriesFacts
  readonly entries: EntryLife
  /** What failed in the background. */
  readonly troubles: unknown[]
  private readonly random: Random
  private readonly ended: PromiseWithResolvers<never>
  private jobs: Promise<unknown> = Promise.resolve()

  private constructor(
    store: InlineStore,
    clock: HandClock,
    facts: SeriesFacts,
    random: Random,
    ended: PromiseWithResolvers<never>,
    troubles: unknown[]
  ) {
    this.troubles = troubles
    this.store = store
    this.ended = ended
    this.clock = clock
    this.facts = facts
    this.random = random
    this.entries = new EntryLife(store.storage, facts.entries, random, clock)
    const pressed = () => this.background(store.storage.series.flush())
    store.storage.engine.wal.onPressure(pressed)
    const { filesPinned, filesMax } = store.storage.engine.wal.pressure
    if (filesPinned + 2 >= filesMax) pressed()
  }

  static async open(
    disk: Disk,
    random: Random,
    facts: SeriesFacts,
    wal?: StoreOptions['wal']
  ): Promise<SeriesLife> {
    const clock = new HandClock(facts.wallUs)
    const ended = Promise.withResolvers<never>()
    ended.promise.catch(() => {})
    const troubles: unknown[] = []
    const onError = (error: unknown): void => {
      troubles.push(error)
      ended.reject(error)
    }
    const store = await InlineStore.open({ disk, random, clock, onError, ...(wal && { wal }) })
    return new SeriesLife(store, clock, facts, random, ended, troubles)
  }

  /** What is wrong with what readers see, as sentences. */
  judge(verdict = new Verdict()): string[] {
    const { facts, store } = this
    const { series, kv } = store.storage
    facts.windowsFromUs = Math.max(facts.windowsFromUs, facts.wallUs - KEEP_US)
    const raw = store.read(reader => {
      const runs = readRuns(reader, series.catalog.groupCount)
      facts.sent.judge(readAll(reader, runs.length, runs), verdict)
      return runs
    })
    for (const wrong of store.wrongWindows(facts.windowsFromUs, raw)) verdict.wrong(wrong)
    facts.entries.judge(readEntries(kv, NAMESPACES, verdict), this.clock.nowUs(), verdict)
    if (kv.lastVersion < facts.entries.versionMax) verdict.wrong(`versions begin anew at ${kv.lastVersion}`)
    for (const error of store.damage) verdict.wrong(`told as damage: ${error.message}`)
    return verdict.wrongs
  }

  /** What is wrong with what readers see when all that was taken has to be there, as sentences. */
  judgeTaken(verdict: Verdict): void {
    const { store } = this
    const { series, kv } = store.storage
    const { sent, entries } = copyFacts(this.facts)
    sent.acknowledge(sent.count)
    entries.acknowledge(entries.count)
    sent.judge(
      store.read(reader => readAll(reader, series.catalog.groupCount)),
      verdict
    )
    entries.judge(readEntries(kv, NAMESPACES, verdict), this.clock.nowUs(), verdict)
  }

  /** Works for so many turns; rejects at a power cut. */
  async work(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await Promise.race([this.turn(), this.ended.promise])
  }

  /** Appends some rows; resolves when they are acknowledged, or at once. */
  async append(rows: number, waits = this.random.chance(0.6)): Promise<void> {
    const { random, facts } = this
    for (let i = 0; i < rows; i++) {
      this.clock.advance(random.below(20_000))
      const row = this.anyRow()
      this.store.write(row, random.pick([0, 1, 2]))
      facts.sent.add(row)
    }
    facts.wallUs = this.clock.nowUs()
    const { count, life } = facts.sent
    const synced = this.store.synced().then(() => facts.sent.acknowledge(count, life))
    if (waits) await synced
    else this.background(synced)
  }

  /** Flushes; what was there then is acknowledged by the manifest. */
  async flush(): Promise<void> {
    const { sent } = this.facts
    await this.store.storage.series.flush()
    // A flush that was under way may have sealed before the newest rows: only the next one has them all.
    const { count, life } = sent
    if ((await this.store.storage.series.flush()) !== null) sent.acknowledge(count, life)
  }

  async retention(): Promise<void> {
    const { sent } = this.facts
    const until = this.clock.nowUs() - KEEP_US
    sent.looseBeforeUs = Math.max(sent.looseBeforeUs, Math.floor(until / HOUR_US) * HOUR_US)
    this.facts.windowsFromUs = Math.max(this.facts.windowsFromUs, sent.looseBeforeUs)
    await this.store.maintenance.retention()
  }

  rollup(): Promise<unknown> {
    return this.store.maintenance.rollup(this.random.chance(0.5) ? TIERS : [this.random.pick(TIERS)])
  }

  /** Does one thing, at random. */
  async turn(): Promise<void> {
    const { random, store } = this
    const what = random.below(100)
    if (what < 38) await this.append(1 + random.below(25))
    else if (what < 56) await this.writeEntries()
    else if (what < 63) await this.flush()
    else if (what < 69) this.background(store.storage.series.flush())
    else if (what < 72) await this.entries.flush()
    else if (what < 75) this.background(this.entries.flush())
    else if (what < 79) await this.job(() => this.entries.compact())
    else if (what < 84) await this.job(() => store.maintenance.merge(new AbortController().signal))
    else if (what < 88) await this.job(() => this.retention())
    else if (what < 93) await this.job(() => this.rollup())
    else if (what < 96) this.background(this.job(() => this.rollup()))
    else {
      this.clock.advance(random.below(3) * 3_600_000)
      this.facts.wallUs = this.clock.nowUs()
    }
  }

  private async writeEntries(): Promise<void> {
    for (let left = this.random.below(6); left > 0; left--) this.background(this.entries.write())
    await this.entries.write()
  }

  /** Jobs of the scheduler run one at a time here. */
  private job(run: () => Promise<unknown>): Promise<unknown> {
    this.jobs = this.jobs.catch(() => {}).then(run)
    return this.jobs
  }

  /** What fails in the background ends the life: nobody else would notice that power is gone. */
  private background(work: Promise<unknown>): void {
    work.catch(error => {
      this.troubles.push(error)
      this.ended.reject(error)
    })
  }

  private anyRow(): ModelRow {
    const { random, facts } = this
    const nowUs = this.clock.nowUs()
    const isLate = random.chance(0.15)
    const timeUs = nowUs - (isLate ? random.below(3 * 3600) * 1_000_000 : 0)
    const before = random.chance(0.1) ? facts.sent.placeAt(-1 - random.below(20)) : undefined
    if (random.chance(0.02)) facts.groups++
    const values = new Map<number, ModelRow['values'][number]>()
    // Often a device's one state and nothing else: the same shape again and again.
    const only = random.chance(0.3) ? 4 : null
    for (let k = only === null ? 1 + random.below(5) : 1; k > 0; k--) {
      const field = only ?? random.below(6)
      const kind = random.chance(0.95) ? KINDS[field]! : random.pick(KINDS)
      values.set(field, { field, kind, value: anyValue(random, kind) })
    }
    const place = before ?? { group: random.below(facts.groups), timeUs }
    return { group: place.group, timeUs: place.timeUs, values: [...values.values()] }
  }
}

export interface LifeOptions {
  readonly disk: Disk
  readonly random: Random
  readonly facts: SeriesFacts
  readonly turns: number
  readonly closes?: boolean
}

/** Runs one life; ends by itself at a power cut. Returns what was wrong with what it found, as sentences. */
export async function liveSeries(options: LifeOptions): Promise<string[]> {
  const { disk, random, facts, turns, closes = false } = options
  try {
    const life = await SeriesLife.open(disk, random, facts)
    const wrongs = life.judge()
    if (wrongs.length > 0) return wrongs
    await life.work(turns)
    if (closes) await life.store.close()
    return []
  } catch (error) {
    if (!isCut(error)) throw error
    return []
  }
}

/** Whether an error is, at its bottom, the power cut. */
export function isCut(error: unknown): boolean {
  for (let e = error; e instanceof VarveError; e = e.cause) if (e.code === 'VARVE_POWER_CUT') return true
  return false
}

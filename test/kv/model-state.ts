// A store on a medium that may be cut, and beside it the plain map that it must agree with: batches in order, how many
// of them are acknowledged, and what a watch was told.
// Not here: what is written (model-writes.ts), what must agree (model-checks.ts), in which order (model-run.ts).
import { Random } from '../../src/base/random.ts'
import type { Entry } from '../../src/kv/entry.ts'
import { KvStore } from '../../src/kv/store.ts'
import type { Snapshot } from '../../src/kv/view.ts'
import type { Watch } from '../../src/kv/watch.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Medium, openOn, type SimWal } from './sim-host.ts'

export interface Kept {
  value: string
  version: number
  expiresUs: number
}
export type Model = Map<string, Kept>
export interface Change {
  key: string
  version: number
  /** null: deleted. */
  kept: Kept | null
}

export const SPACES = ['a', 'b', 'cfg']

export class Run {
  readonly clock = new HandClock()
  readonly random: Random
  readonly medium: Medium
  store!: KvStore
  wal!: SimWal
  watch!: Watch
  /** Batches since the last known state, and how many of them are acknowledged. */
  base: Model = new Map()
  batches: Change[][] = []
  acknowledged = 0
  groups: number[] = []
  /** What the watch should have told and what it told, since it started. */
  told: string[] = []
  expected: string[] = []
  watchFrom = 0
  reopens = 0
  faults: string[] = []
  snapshots: { snapshot: Snapshot; model: Model; nowUs: number }[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
    this.medium = new Medium(this.random)
  }

  async open(): Promise<void> {
    this.store = new KvStore({
      clock: this.clock,
      onError: error => {
        if (!this.medium.dead && this.wal.failure === null) this.faults.push(String(error))
      },
      limits: {
        memtableBytesMax: 12_000,
        carryBytesMax: 400,
        cacheBytesMax: this.random.pick([0, 200_000]),
        hotBytesMax: this.random.pick([0, 5000, 200_000]),
        compaction: { segmentsMax: 5, tierMin: 3, tierRatio: 1.5, gainMin: 0.3 }
      }
    })
    this.wal = await openOn(this.medium, this.store)
    this.groups = []
  }

  acknowledge(): void {
    while (this.acknowledged < this.batches.length) {
      const group = this.groups[this.groups.length - this.batches.length + this.acknowledged]
      if (group === undefined || group > this.wal.syncedGroup) return
      this.acknowledged++
    }
  }

  /** The model after the first n batches. */
  after(n: number): Model {
    const model = new Map(this.base)
    for (const batch of this.batches.slice(0, n)) {
      for (const { key, kept } of batch) {
        if (kept === null) model.delete(key)
        else model.set(key, kept)
      }
    }
    return model
  }

  visible(model: Model, nowUs = this.clock.nowUs()): string[] {
    return [...model]
      .filter(([, kept]) => kept.expiresUs === 0 || kept.expiresUs > nowUs)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, kept]) => `${key}=${kept.value}@${kept.version}`)
  }

  contents(from: { scan: KvStore['scan'] } | Snapshot, reverse = false): string[] {
    const spaces = reverse ? [...SPACES].reverse() : SPACES
    return spaces.flatMap(ns => [...from.scan(ns, { reverse })].map(textOf))
  }

  key(): { ns: string; key: string } {
    const ns = this.random.pick(SPACES)
    const n = this.random.below(40)
    return { ns, key: this.random.chance(0.3) ? `ключ/${n}` : `key/${'x'.repeat(n % 5)}/${n}` }
  }

  isAlive({ expiresUs }: Kept): boolean {
    return expiresUs === 0 || expiresUs > this.clock.nowUs()
  }

  same(found: unknown, wanted: unknown, what: string): void {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      this.faults.push(`${what}: found ${JSON.stringify(found)} wanted ${JSON.stringify(wanted)}`)
    }
  }
}

/** A key as entries tell it. */
export function storedKey(ns: string, key: string): string {
  return `${ns}\0${Buffer.from(key).toString('latin1')}`
}

/** An entry as `visible` tells it. */
export function textOf(entry: Entry): string {
  return `${entry.stored}=${Buffer.from(entry.value).toString()}@${entry.version}`
}

// The store against a plain map, over seeds, with flushes and compactions under way, clean reopens and
// power cuts at any step. After a cut the store holds what the map held after some of the batches, in
// order, and at least after all that were acknowledged: nothing lost, nothing invented, no batch in part.
import { Random } from '../../src/base/random.ts'
import type { Entry } from '../../src/kv/entry.ts'
import { KvStore } from '../../src/kv/store.ts'
import { cursorOf, type Snapshot } from '../../src/kv/view.ts'
import type { Watch } from '../../src/kv/watch.ts'
import { ConflictError, type Write } from '../../src/kv/write.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Medium, openOn, type SimWal } from './sim-host.ts'

interface Kept {
  value: string
  version: number
  expiresUs: number
}
type Model = Map<string, Kept>
interface Change {
  key: string
  version: number
  /** null: deleted. */
  kept: Kept | null
}

const SPACES = ['a', 'b', 'cfg']

class Run {
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

  /** One key is read, changed and written: a counter, a structured value in part, or any value by a function. */
  change(): void {
    const { random, store } = this
    const kind = random.pick(['count', 'doc', 'any'] as const)
    const ns = random.pick(SPACES)
    const key = `${kind}/${random.below(4)}`
    const there = this.after(this.batches.length).get(storedKey(ns, key))
    const now = there !== undefined && this.isAlive(there) ? there : undefined
    const expiresUs = now?.expiresUs ?? 0
    const before = store.lastVersion
    let value: string | null
    if (kind === 'count') {
      const by = random.below(20) - 10
      value = String(Number(now?.value ?? 0) + by)
      if (store.add(ns, key, by).value !== Number(value)) this.faults.push(`add gave another than ${value}`)
    } else if (kind === 'doc') {
      const member = `m${random.below(3)}`
      const patch = { [member]: random.chance(0.3) ? null : random.below(100) }
      const merged = { ...JSON.parse(now?.value ?? '{}'), ...patch }
      if (patch[member] === null) delete merged[member]
      value = JSON.stringify(merged)
      store.patch(ns, key, Buffer.from(JSON.stringify(patch)))
    } else {
      value = random.chance(0.3) ? null : `${now?.value ?? ''}${random.below(10)}`.slice(-40)
      store.update(
        ns,
        key,
        entry => {
          this.same(entry && Buffer.from(entry.value).toString(), now?.value, 'update')
          return value === null ? null : Buffer.from(value)
        },
        { expiresUs }
      )
    }
    if (store.lastVersion === before) return
    const version = before + 1
    this.batches.push([
      { key: storedKey(ns, key), version, kept: value === null ? null : { value, version, expiresUs } }
    ])
    this.groups.push(store.lastGroup)
  }

  isAlive({ expiresUs }: Kept): boolean {
    return expiresUs === 0 || expiresUs > this.clock.nowUs()
  }

  /** A page of a range, forwards or backwards, against the same cut from the model. */
  page(): void {
    const { random, store } = this
    const reverse = random.chance(0.5)
    const limit = 1 + random.below(5)
    const range = random.pick([
      {},
      { prefix: 'key/' },
      { from: 'key/x', to: 'key/xxx' },
      { prefix: 'doc/', from: 'doc/1' }
    ])
    const ns = random.pick(SPACES)
    const { prefix = '', from = '', to = '\uffff' } = range as { prefix?: string; from?: string; to?: string }
    const all = this.visible(this.after(this.batches.length)).filter(line => {
      const key = line.slice(ns.length + 1)
      return line.startsWith(`${ns}\0`) && key.startsWith(prefix) && key >= from && key < to
    })
    if (reverse) all.reverse()
    const found: string[] = []
    let cursor: string | undefined
    do {
      const entries = [
        ...store.scan(ns, { ...range, reverse, limit, ...(cursor === undefined ? {} : { cursor }) })
      ]
      found.push(...entries.map(textOf))
      cursor = entries.length < limit ? undefined : cursorOf(entries.at(-1)!)
    } while (cursor !== undefined)
    this.same(found, all, `pages of ${limit} of ${JSON.stringify(range)}`)
  }

  write(): void {
    const { random, store } = this
    if (random.chance(0.2)) {
      this.change()
      return
    }
    const model = this.after(this.batches.length)
    const writes: Write[] = []
    const count = random.chance(0.2) ? 1 + random.below(6) : 1
    for (let i = 0; i < count; i++) {
      const { ns, key } = this.key()
      if (random.chance(0.25)) writes.push({ op: 'delete', ns, key })
      else {
        const value = Buffer.from('v'.repeat(random.below(random.chance(0.05) ? 3000 : 60)) + random.u32())
        const expiresUs = random.chance(0.2) ? this.clock.nowUs() + random.below(60) * 1_000_000 : 0
        writes.push({ op: 'put', ns, key, value, expiresUs })
      }
    }
    const before = store.lastVersion
    const changes: Change[] = []
    if (count === 1) {
      const write = writes[0]!
      const there = model.get(storedKey(write.ns, write.key as string))
      const alive = there !== undefined && (there.expiresUs === 0 || there.expiresUs > this.clock.nowUs())
      const condition = random.chance(0.2)
        ? { ifVersion: alive && random.chance(0.6) ? there.version : 0 }
        : {}
      try {
        if (write.op === 'put')
          store.put(write.ns, write.key, write.value, { expiresUs: write.expiresUs!, ...condition })
        else store.delete(write.ns, write.key, condition)
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
        if (condition.ifVersion === (alive ? there.version : 0))
          this.faults.push(`conflict without cause: ${error}`)
        return
      }
      if (condition.ifVersion !== undefined && condition.ifVersion !== (alive ? there.version : 0)) {
        this.faults.push('a condition that does not hold let a write through')
      }
    } else store.batch(writes)
    let version = before
    for (const write of writes) {
      if (count === 1 && store.lastVersion === before) continue
      const key = storedKey(write.ns, write.key as string)
      version++
      const kept =
        write.op === 'delete'
          ? null
          : { value: Buffer.from(write.value).toString(), version, expiresUs: write.expiresUs! }
      changes.push({ key, version, kept })
    }
    if (changes.length === 0) return
    this.batches.push(changes)
    this.groups.push(store.lastGroup)
  }

  acknowledge(): void {
    while (this.acknowledged < this.batches.length) {
      const group = this.groups[this.groups.length - this.batches.length + this.acknowledged]
      if (group === undefined || group > this.wal.syncedGroup) return
      this.acknowledged++
    }
  }

  check(): void {
    const model = this.after(this.batches.length)
    const wanted = this.visible(model)
    this.same(this.contents(this.store), wanted, 'scan')
    this.same(this.contents(this.store, true), [...wanted].reverse(), 'scan backwards')
    const { ns, key } = this.key()
    const found = this.store.get(ns, key)
    const kept = model.get(storedKey(ns, key))
    const alive = kept !== undefined && (kept.expiresUs === 0 || kept.expiresUs > this.clock.nowUs())
    this.same(
      found && textOf(found),
      alive ? `${storedKey(ns, key)}=${kept.value}@${kept.version}` : undefined,
      'get'
    )
    this.same(this.store.has(ns, key), alive, 'has')
    const otherwise = Buffer.from('none')
    this.same(
      Buffer.from(this.store.getOrDefault(ns, key, otherwise)).toString(),
      alive ? kept.value : 'none',
      'getOrDefault'
    )
    this.page()
    for (const { snapshot, model, nowUs } of this.snapshots) {
      this.same(this.contents(snapshot), this.visible(model, nowUs), 'snapshot')
    }
  }

  same(found: unknown, wanted: unknown, what: string): void {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      this.faults.push(`${what}: found ${JSON.stringify(found)} wanted ${JSON.stringify(wanted)}`)
    }
  }

  /** Compares what the watch tells with the batches that are durable. */
  listen(): void {
    for (const entry of this.watch.take(10_000))
      this.told.push(`${entry.stored}@${entry.version}${entry.deleted}`)
    this.acknowledge()
    this.same(this.told, this.wanted(this.acknowledged), 'watch')
  }

  wanted(batches: number): string[] {
    return [
      ...this.expected,
      ...this.batches
        .slice(0, batches)
        .flat()
        .filter(({ key, version }) => key.startsWith('a\0') && version > this.watchFrom)
        .map(({ key, version, kept }) => `${key}@${version}${kept === null}`)
    ]
  }

  /**
   * After a reopen: finds which of the possible states is there, and goes on from it. States that differ
   * only in what has expired look the same to a scan; what the watch tells decides between them.
   */
  settle(watched: boolean): void {
    const found = JSON.stringify(this.contents(this.store))
    const told = JSON.stringify(this.told)
    let fits = false
    for (let n = this.batches.length; n >= this.acknowledged; n--) {
      if (found !== JSON.stringify(this.visible(this.after(n)))) continue
      fits = true
      if (watched && told !== JSON.stringify(this.wanted(n))) continue
      this.expected = watched ? this.wanted(n) : []
      this.base = this.after(n)
      this.batches = []
      this.acknowledged = 0
      return
    }
    this.faults.push(
      fits
        ? `watch over a reopen: told ${told}, of all ${JSON.stringify(this.wanted(this.batches.length))}`
        : `no state fits: ${found}; acknowledged ${this.acknowledged} of ${this.batches.length}`
    )
  }

  /** Goes on watching where the watch before ended, or from now where that is too old. */
  rewatch(): boolean {
    const at = this.watch?.version ?? 0
    try {
      this.watch = this.store.watch('a', { after: at })
      return true
    } catch (error) {
      if ((error as { code?: string }).code !== 'VARVE_WATCH_OLD') throw error
      this.told = []
      this.expected = []
      this.watchFrom = this.store.lastVersion
      this.watch = this.store.watch('a', {})
      return false
    }
  }
}

function storedKey(ns: string, key: string): string {
  return `${ns}\0${Buffer.from(key).toString('latin1')}`
}

function textOf(entry: Entry): string {
  return `${entry.stored}=${Buffer.from(entry.value).toString()}@${entry.version}`
}

async function oneStep(run: Run): Promise<void> {
  const { random } = run
  const draw = random.below(100)
  if (draw < 60) run.write()
  else if (draw < 72) await run.wal.sync()
  else if (draw < 76) run.clock.advance(random.below(20_000))
  else if (draw < 80) background(run, run.store.flush(random.pick(['any', 'segment'])))
  else if (draw < 84) background(run, run.store.compact(random.pick([1e9, 2000])))
  else if (draw < 86) await run.store.flush('segment')
  else if (draw < 88) await run.store.compact()
  else if (draw < 91) {
    if (run.snapshots.length > 3) run.snapshots.shift()!.snapshot.close()
    const nowUs = run.clock.nowUs()
    run.snapshots.push({ snapshot: run.store.snapshot(), model: run.after(run.batches.length), nowUs })
  } else if (draw < 97) run.check()
  else await new Promise(resolve => setImmediate(resolve))
  if (random.chance(0.3)) run.listen()
  run.acknowledge()
}

function background(run: Run, work: Promise<unknown>): void {
  work.catch(error => {
    if (!run.medium.dead && run.wal.failure === null) run.faults.push(`background: ${error}`)
  })
}

async function reopen(run: Run): Promise<void> {
  run.acknowledge()
  for (const { snapshot } of run.snapshots) snapshot.close()
  run.snapshots = []
  await run.store.close()
  run.reopens++
  await run.open()
  const watched = run.rewatch()
  for (const entry of run.watch.take(10_000))
    run.told.push(`${entry.stored}@${entry.version}${entry.deleted}`)
  run.settle(watched)
}

/** One run of a seed: what went wrong, and how often the store was opened again. */
export async function runModel(seed: number, steps: number): Promise<{ faults: string[]; reopens: number }> {
  const run = new Run(seed)
  await run.open()
  run.rewatch()
  let cuts = true
  for (let i = 0; i < steps && run.faults.length === 0; i++) {
    if (cuts) {
      run.medium.cutAt = run.medium.steps + 1 + run.random.below(40)
      cuts = false
    }
    try {
      await oneStep(run)
      if (!run.medium.dead && !run.random.chance(0.01)) continue
      if (!run.medium.dead) await run.wal.sync()
    } catch (error) {
      if (!run.medium.dead) throw error
    }
    await reopen(run)
    cuts = true
  }
  await run.store.close()
  return { faults: run.faults, reopens: run.reopens }
}

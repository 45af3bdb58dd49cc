// The store on the real engine, on a disk that loses power at any write, sync or rename: everything that was
// acknowledged is there after the next open, with its version, and nothing that was not written.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { Engine } from '../../src/engine/engine.ts'
import { engineFiles } from '../../src/kv/engine-files.ts'
import { KvStore } from '../../src/kv/store.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'

/** One write: a pair of keys in two namespaces that always change together, so that half a batch shows. */
interface Sent {
  readonly n: number
  readonly key: string
  /** null: both are deleted. */
  readonly value: string | null
}

class Life {
  readonly random: Random
  disk: CrashDisk
  store!: KvStore
  engine!: Engine
  sent: Sent[] = []
  acknowledged = 0
  errors: unknown[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
    this.disk = new CrashDisk(this.random, this.random.below(150))
  }

  async open(): Promise<void> {
    const { disk, random } = this
    const clock = new HandClock()
    const store = new KvStore({
      clock,
      onError: error => this.errors.push(error),
      limits: {
        memtableBytesMax: 6000,
        carryBytesMax: random.pick([0, 500]),
        cacheBytesMax: 0,
        compaction: { segmentsMax: 4, tierMin: 2, tierRatio: 2, gainMin: 0.3 }
      }
    })
    this.engine = await Engine.open({
      disk,
      owners: [store],
      clock,
      wal: { fileBytes: 65_536, filesMax: 4, groupBytesMax: 1 << 20 },
      pace: { delayMaxMs: 0, delayMaxLazyMs: 0, groupBytesTrigger: 8192 },
      anyU32: () => random.u32()
    })
    this.store = store
    const { wal, manifest } = this.engine
    const damaged = await store.attach({ wal, manifest, files: engineFiles(disk) })
    for (const { error } of damaged) throw new Error(`damaged: ${error.message}`)
    for (const error of this.engine.damage) throw new Error(`damaged: ${error.message}`)
  }

  /** Writes until power goes or the turns are done. */
  async work(turns: number): Promise<void> {
    const { random, store } = this
    for (let i = 0; i < turns; i++) {
      const draw = random.below(100)
      if (draw < 80) await this.write()
      else if (draw < 90) await store.flush(random.pick(['any', 'segment']))
      else await store.compact()
    }
  }

  private async write(): Promise<void> {
    const { random, store } = this
    const n = (this.sent.at(-1)?.n ?? 0) + 1
    const key = `key/${random.below(20)}`
    const value = random.chance(0.3) ? null : `${n}:${'x'.repeat(random.below(200))}`
    this.sent.push({ n, key, value })
    const group = store.batch(
      ['a', 'b'].map(ns =>
        value === null ? { op: 'delete', ns, key } : { op: 'put', ns, key, value: Buffer.from(value) }
      ),
      random.pick([0, 1, 2])
    )
    const synced = this.engine.wal.synced(group).then(() => {
      this.acknowledged = Math.max(this.acknowledged, n)
    })
    if (random.chance(0.5)) await synced
    else synced.catch(() => {})
  }

  /** What is wrong with what the store holds. */
  verdict(): string | null {
    const contents = (ns: string) => {
      const found = [...this.store.scan(ns)].map(entry => [
        entry.keyText,
        Buffer.from(entry.value).toString()
      ])
      return JSON.stringify(found)
    }
    const [a, b] = [contents('a'), contents('b')]
    if (a !== b) return `half a batch: ${a} and ${b}`
    for (let n = this.sent.length; n >= 0; n--) {
      if (n < this.sent.length && this.sent[n]!.n <= this.acknowledged) break
      const model = new Map<string, string>()
      for (const { key, value } of this.sent.slice(0, n)) {
        if (value === null) model.delete(key)
        else model.set(key, value)
      }
      if (a === JSON.stringify([...model].sort(([x], [y]) => (x < y ? -1 : 1)))) {
        this.sent = this.sent.slice(0, n)
        return null
      }
    }
    return `no prefix of at least ${this.acknowledged} of ${this.sent.length} gives ${a}`
  }
}

function isCut(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof VarveError && at.code === 'VARVE_POWER_CUT') return true
  }
  return false
}

async function liveAndDie(seed: number): Promise<string | null> {
  const life = new Life(seed)
  for (let lives = 0; lives < 5; lives++) {
    try {
      await life.open()
      const wrong = life.verdict()
      if (wrong !== null) return `life ${lives}: ${wrong}`
      await life.work(60)
      await life.store.close()
      await life.engine.close()
    } catch (error) {
      if (!isCut(error)) return `life ${lives}: ${(error as Error).stack}`
    }
    const strange = life.errors.find(error => !isCut(error))
    if (strange !== undefined) return `life ${lives}: ${(strange as Error).stack}`
    life.disk = life.disk.afterCut(lives === 3 ? Number.POSITIVE_INFINITY : life.random.below(200))
  }
  return null
}

t.test('KvStore on the engine keeps every acknowledged batch over power cuts', async t => {
  for (const seed of seeds(150)) {
    const wrong = await liveAndDie(seed)
    if (wrong === null) continue
    t.fail(`VARVE_SEED=${seed}: ${wrong.slice(0, 1500)}`)
    return
  }
  t.pass('nothing lost, nothing invented')
})

t.test('KvStore frees a full WAL by itself, also when it was about to carry its memtable onward', async t => {
  const disk = new CrashDisk(new Random(1))
  const errors: unknown[] = []
  // More is carried than a file holds: each carry finds the WAL full and has to end in a segment.
  const limits = { carryBytesMax: 200_000, memtableBytesMax: 1 << 20 }
  const clock = new HandClock()
  const store = new KvStore({ clock, onError: error => errors.push(error), limits })
  const engine = await Engine.open({
    disk,
    owners: [store],
    clock,
    wal: { fileBytes: 65_536, filesMax: 2, groupBytesMax: 1 << 20 },
    pace: { delayMaxMs: 0, delayMaxLazyMs: 0 }
  })
  await store.attach({ wal: engine.wal, manifest: engine.manifest, files: engineFiles(disk) })
  let full = 0
  engine.wal.onPressure(pressure => {
    if (pressure.full) full++
  })
  for (let i = 0; i < 300; i++) {
    await engine.wal.synced(store.put('n', `k${i % 100}`, Buffer.alloc(1500, i)))
  }
  t.ok(full > 0, `full ${full} times`)
  t.equal([...store.scan('n')].length, 100)
  t.same(errors, [])
  await store.close()
  await engine.close()
})

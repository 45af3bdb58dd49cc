// Something of a segment is damaged: everything else stays readable, the damage is told by file and place, and no
// older value of a key comes back in the place of one that cannot be read.
import t from 'tap'
import type { CorruptionError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { COMPACTION_LIMITS } from '../../src/engine/compaction-plan.ts'
import { Engine } from '../../src/engine/engine.ts'
import { MANIFEST, segmentPath } from '../../src/engine/file-names.ts'
import { SegmentReader } from '../../src/engine/segment-reader.ts'
import { engineFiles } from '../../src/kv/engine-files.ts'
import { KvStore } from '../../src/kv/store.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'

const KEYS = 400
const keyOf = (i: number): string => `key/${String(i).padStart(4, '0')}`

async function open(
  disk: CrashDisk,
  onDamage?: (error: CorruptionError) => void,
  compaction = COMPACTION_LIMITS
) {
  const clock = new HandClock()
  const onError = (error: unknown): void => {
    throw error
  }
  const limits = { cacheBytesMax: 0, compaction }
  const store = new KvStore({ clock, onError, limits, ...(onDamage && { onDamage }) })
  const wal = { fileBytes: 1 << 20, filesMax: 4, groupBytesMax: 1 << 20 }
  const engine = await Engine.open({ disk, owners: [store], clock, wal, pace: { delayMaxMs: 0 } })
  const host = { wal: engine.wal, manifest: engine.manifest, files: engineFiles(disk) }
  const damaged = await store.attach(host)
  return { store, engine, damaged }
}

/** Every key with an old value in one segment; in a newer one, half of them new, one in ten deleted. */
async function build() {
  const disk = new CrashDisk(new Random(1))
  const { store, engine } = await open(disk)
  for (let i = 0; i < KEYS; i++) store.put('n', keyOf(i), Buffer.alloc(200, 'o'))
  await store.flush('segment')
  for (let i = 0; i < KEYS; i += 2) {
    if (i % 10 === 0) store.delete('n', keyOf(i))
    else store.put('n', keyOf(i), Buffer.alloc(200, 'n'))
  }
  await store.flush('segment')
  const newest = Math.max(...engine.manifest.segments.keys())
  await store.close()
  await engine.close()
  return { disk, path: segmentPath(newest) }
}

function contents(store: KvStore, reverse: boolean): Map<string, string> {
  return new Map(
    [...store.scan('n', { reverse })].map(entry => [entry.keyText, String.fromCharCode(entry.value[0]!)])
  )
}

t.test('store.scan() goes on behind a damaged block and shows nothing older in its place', async t => {
  const { disk, path } = await build()
  const sound = await open(new CrashDisk(new Random(1), Infinity, disk.medium.copy()))
  const whole = contents(sound.store, false)
  const reader = SegmentReader.open(disk, path)
  const blocks = [...reader.blocks()]
  reader.close()
  t.ok(blocks.length >= 4, `${blocks.length} blocks`)
  for (const [nth, block] of blocks.entries()) {
    const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
    hurt.flip(path, block.offset + 20, 1)
    const told: CorruptionError[] = []
    const { store } = await open(hurt, error => told.push(error))
    const up = contents(store, false)
    t.same([...contents(store, true)].reverse(), [...up], 'both ways')
    t.same(
      told.map(error => [error.file, error.offset]),
      [[path, block.offset]],
      'told once'
    )
    for (const [key, value] of up) t.equal(value, whole.get(key), `block ${nth}: ${key}`)
    const missing = [...whole.keys()].filter(key => !up.has(key))
    t.ok(missing.length > 0 && missing.length < (3 * KEYS) / blocks.length, `${missing.length} are missing`)
    store.put('n', missing[0]!, Buffer.from('x'))
    t.equal(contents(store, false).get(missing[0]!), 'x', 'a later write is shown')
    store.delete('n', missing[1]!)
  }
})

t.test('store.scan() throws at a damaged block when nobody is told', async t => {
  const { disk, path } = await build()
  disk.flip(path, 100, 1)
  const { store } = await open(disk)
  t.throws(() => contents(store, false), { code: 'VARVE_CORRUPTION' })
  t.throws(() => store.get('n', keyOf(2)), { code: 'VARVE_CORRUPTION' })
})

t.test('a store opens beside a compaction whose edit is missing, and reads the same', async t => {
  const { disk } = await build()
  const before = disk.medium.copy()
  const { store, engine } = await open(disk, undefined, {
    segmentsMax: 1,
    tierMin: 2,
    tierRatio: 9,
    gainMin: 0.1
  })
  const whole = contents(store, false)
  const known = new Set(engine.manifest.segments.keys())
  await store.compact()
  const made = [...engine.manifest.segments.keys()].filter(id => !known.has(id))
  t.equal(made.length, 1)
  const cut = new CrashDisk(new Random(1), Infinity, before)
  const copy = await cut.openWrite(segmentPath(made[0]!), 'kv')
  await copy.write(disk.bytesOf(segmentPath(made[0]!)), 0)
  // An edit is damaged and others follow: who knows what it said of this segment.
  cut.flip(MANIFEST, 40, 1)
  const again = await open(cut)
  t.ok(again.engine.manifest.segments.has(made[0]!), 'it was adopted')
  t.same(contents(again.store, false), whole)
  again.store.delete('n', keyOf(1))
  await again.store.flush('segment')
  await again.store.compact()
  whole.delete(keyOf(1))
  t.same(contents(again.store, false), whole)
})

t.test('a store reads everything of a segment whose header, footer or trailer is damaged', async t => {
  const { disk, path } = await build()
  const sound = await open(new CrashDisk(new Random(1), Infinity, disk.medium.copy()))
  const whole = contents(sound.store, false)
  const statistics = sound.store.statistics()
  const reader = SegmentReader.open(disk, path)
  const footerAt = [...reader.blocks()].reduce((end, { offset, length }) => Math.max(end, offset + length), 0)
  reader.close()
  for (const at of [
    0,
    5,
    9,
    14,
    20,
    footerAt,
    footerAt + 5,
    footerAt + 60,
    reader.bytes - 18,
    reader.bytes - 1
  ]) {
    const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
    hurt.flip(path, at, 2)
    const { store, damaged } = await open(hurt)
    t.equal(damaged.length, 1, `byte ${at} is named`)
    t.ok(damaged[0]!.error.file === path && damaged[0]!.error.offset <= at)
    t.same(contents(store, false), whole, `byte ${at}`)
    t.same(contents(store, true), new Map([...whole].reverse()))
    for (let i = 0; i < KEYS; i++) {
      const value = store.get('n', keyOf(i))?.value[0]
      t.equal(value && String.fromCharCode(value), whole.get(keyOf(i)))
    }
    const { entries, tombstones } = store.statistics()
    t.same({ entries, tombstones }, { entries: statistics.entries, tombstones: statistics.tombstones })
    store.put('n', 'new', Buffer.from('x'))
    await store.flush('segment')
    t.equal(contents(store, false).size, whole.size + 1)
  }
})

t.test(
  'a store shows nothing older where neither a block nor the footer of a segment can be read',
  async t => {
    const { disk, path } = await build()
    const whole = contents(
      (await open(new CrashDisk(new Random(1), Infinity, disk.medium.copy()))).store,
      false
    )
    const reader = SegmentReader.open(disk, path)
    const blocks = [...reader.blocks()]
    reader.close()
    for (const [nth, block] of blocks.entries()) {
      const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
      hurt.flip(path, block.offset + 20, 1)
      hurt.flip(path, reader.bytes - 30, 1)
      const told: CorruptionError[] = []
      const { store, damaged } = await open(hurt, error => told.push(error))
      t.equal(damaged.length, 2, 'footer and block are named')
      const found = contents(store, false)
      for (const [key, value] of found) t.equal(value, whole.get(key), `block ${nth}: ${key}`)
      const missing = [...whole.keys()].filter(key => !found.has(key))
      t.ok(
        missing.length > 0 && missing.length <= (2 * KEYS) / blocks.length + 8,
        `${missing.length} are missing`
      )
      for (const key of missing) t.throws(() => store.get('n', key), { code: 'VARVE_CORRUPTION', file: path })
      store.put('n', missing[0]!, Buffer.from('x'))
      t.equal(contents(store, false).get(missing[0]!), 'x', 'a later write is shown')
      await store.flush('segment')
      t.equal(contents(store, false).get(missing[0]!), 'x', 'also from a segment')
    }
  }
)

t.test('a segment of which nothing can be read hides what is older, and nothing that is newer', async t => {
  const { disk, path } = await build()
  disk.alter(path, 0, new Uint8Array(disk.bytesOf(path).length))
  const { store, damaged } = await open(disk, () => {})
  t.equal(damaged.length, 1)
  t.same([...contents(store, false)], [])
  t.throws(() => store.get('n', keyOf(1)), { code: 'VARVE_CORRUPTION', file: path })
  store.put('n', keyOf(1), Buffer.from('x'))
  store.delete('n', keyOf(2))
  t.same([...contents(store, false)], [[keyOf(1), 'x']])
  t.equal(store.get('n', keyOf(2)), undefined)
  await store.flush('segment')
  t.same([...contents(store, false)], [[keyOf(1), 'x']])
})

t.test('a damaged segment is left out of compactions, which go on before and behind it', async t => {
  const disk = new CrashDisk(new Random(1))
  const limits = { ...COMPACTION_LIMITS, segmentsMax: 3, tierMin: 3, tierRatio: 2 }
  const told: CorruptionError[] = []
  const { store, engine } = await open(disk, error => told.push(error), limits)
  const round = async (n: number) => {
    for (let i = 0; i < KEYS; i++) store.put('n', `${n} ${keyOf(i)}`, Buffer.alloc(100, `${n}`))
    await store.flush('segment')
  }
  for (let n = 0; n < 3; n++) await round(n)
  const damaged = [...engine.manifest.segments.keys()][1]!
  disk.alter(segmentPath(damaged), 200, Buffer.alloc(300, 0xff))
  t.match((await store.compact()).why, segmentPath(damaged))
  t.equal(told.length, 1)
  for (let n = 3; n < 7; n++) await round(n)
  for (let joined = true; joined; ) joined = (await store.compact()).job !== null
  t.ok(engine.manifest.segments.has(damaged), 'it stays as it is')
  t.ok(
    engine.manifest.segments.size <= 4,
    `${engine.manifest.segments.size} segments: what is newer was joined`
  )
  t.equal(told.length, 1, 'it is told once')
  const found = contents(store, false)
  for (const n of [0, 2, 3, 4, 5, 6]) t.equal(found.get(`${n} ${keyOf(7)}`), `${n}`)
  await store.close()
  await engine.close()
})

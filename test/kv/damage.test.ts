// A block of a segment is damaged: everything else stays readable, the damage is told by file and place, and no
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
  await store.attach({ wal: engine.wal, manifest: engine.manifest, files: engineFiles(disk) })
  return { store, engine }
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

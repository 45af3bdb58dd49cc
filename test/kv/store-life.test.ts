// What the store promises over flushes, compactions, reopens, failed syncs and damage, one promise a test.
import t from 'tap'
import { KvStore } from '../../src/kv/store.ts'
import { ConflictError } from '../../src/kv/write.ts'
import type { HandClock } from '../kit/hand-clock.ts'
import { bytes, opened } from './opened-store.ts'
import { type Medium, openOn } from './sim-host.ts'

t.test('a flush lets tombstones and expired entries go where no segment can hold their keys', async t => {
  const { store, clock, keys } = await opened({ carryBytesMax: 1000 })
  const expiresUs = clock.nowUs() + 1000
  for (const wanted of ['any', 'segment'] as const) {
    store.put('n', 'short', bytes('v'), { expiresUs })
    store.put('n', 'gone', bytes('v'))
    store.delete('n', 'gone')
    clock.setWall(expiresUs)
    t.equal(await store.flush(wanted), wanted === 'any' ? 'empty' : 'segment')
    const { entries, tombstones, segments } = store.statistics()
    t.same([entries, tombstones, segments, keys('n')], [0, 0, 0, []], wanted)
    clock.setWall(expiresUs - 500)
  }
  store.put('n', 'old', bytes('v'))
  store.put('n', 'older', bytes('v'))
  await store.flush('segment')
  store.delete('n', 'old')
  store.put('n', 'older', bytes('w'), { expiresUs })
  clock.setWall(expiresUs)
  t.equal(await store.flush('segment'), 'segment')
  t.same([store.statistics().tombstones, keys('n')], [2, []], 'what a segment may hold stays hidden')
})

t.test('a scan and a snapshot do not see what is written, flushed or compacted after', async t => {
  const { store, medium, clock } = await opened({ carryBytesMax: 0 })
  for (let i = 0; i < 300; i++)
    store.put('n', `k${i}`, Buffer.alloc(50, i), { expiresUs: clock.nowUs() + 1_000_000 })
  await store.flush('segment')
  const snapshot = store.snapshot()
  const scan = store.scan('n')
  scan.next()
  for (let i = 0; i < 300; i++) store.delete('n', `k${i}`)
  await store.flush('segment')
  t.match((await store.compact()).why, 'reclaim')
  clock.advance(5000)
  t.equal([...scan].length, 299)
  t.equal([...snapshot.scan('n')].length, 300)
  t.ok(snapshot.get('n', 'k7'))
  t.equal([...store.scan('n')].length, 0)
  t.equal(medium.segments.size, 1, 'what the snapshot reads stays')
  snapshot.close()
  await new Promise(resolve => setImmediate(resolve))
  t.equal(medium.segments.size, 0, 'files go with the last reader')
  t.throws(() => snapshot.get('n', 'k7'), { code: 'VARVE_CLOSED' })
})

t.test('store.flush() carries a small memtable in the WAL and frees the files before', async t => {
  const first = await opened()
  first.store.put('n', 'k', bytes('v'))
  await first.wal.sync()
  t.equal(await first.store.flush(), 'carried')
  t.equal(first.medium.segments.size, 0)
  t.equal(first.medium.wal.size, 1)
  const second = await first.again()
  t.equal(second.text('n', 'k'), 'v')
  t.equal(await second.store.flush('segment'), 'segment')
  const third = await second.again()
  t.equal(third.text('n', 'k'), 'v')
  t.equal(await third.store.flush(), 'empty')
})

t.test('a memtable that is full is flushed by itself', async t => {
  const { store, medium, errors } = await opened({
    memtableBytesMax: 12_000,
    memtablesBytesMax: 36_000,
    carryBytesMax: 0
  })
  for (let i = 0; i < 200; i++) {
    store.put('n', `k${i}`, Buffer.alloc(100))
    await new Promise(resolve => setImmediate(resolve))
  }
  t.ok(medium.segments.size >= 2)
  t.same(errors, [])
  t.equal([...store.scan('n')].length, 200)
})

t.test('after a failed sync the store refuses writes until it is opened anew', async t => {
  const { store, wal, medium, again } = await opened()
  await wal.synced(store.put('n', 'kept', bytes('1')))
  medium.cutAt = medium.steps + 1
  const group = store.put('n', 'doubtful', bytes('2'))
  await t.rejects(wal.synced(group), { code: 'VARVE_IO' })
  t.throws(() => store.put('n', 'k', bytes('3')), { code: 'VARVE_IO' })
  t.equal((await again()).text('n', 'kept'), '1')
})

t.test('a version that was seen but lost never names another write', async t => {
  const first = await opened()
  await first.wal.synced(first.store.put('n', 'k', bytes('durable')))
  first.store.put('n', 'k', bytes('lost'))
  const seen = first.store.lastVersion
  const second = await first.again()
  t.equal(second.text('n', 'k'), 'durable')
  second.store.put('n', 'k', bytes('new'))
  t.ok(second.store.lastVersion > seen)
  t.throws(() => second.store.put('n', 'k', bytes('x'), { ifVersion: seen }), ConflictError)
  const unsynced = second.store.lastVersion
  const third = await second.again()
  third.store.put('n', 'k', bytes('newer'))
  t.ok(third.store.lastVersion > unsynced)
})

t.test('versions grow although everything was deleted and compacted away', async t => {
  const first = await opened({ carryBytesMax: 0 })
  first.store.put('n', 'k', bytes('v'))
  await first.store.flush('segment')
  first.store.delete('n', 'k')
  await first.store.flush('segment')
  await first.store.compact()
  t.equal(first.store.statistics().segments, 0)
  const before = first.store.lastVersion
  const { store } = await first.again()
  store.put('n', 'k', bytes('v'))
  t.ok(store.lastVersion > before)
})

t.test('replay of a damaged WAL brings nothing back that a compaction dropped', async t => {
  // The delete and what it deletes are both in the WAL file that the checkpoint keeps, and in a segment; the
  // tombstone was compacted away; then the group with the delete is damaged.
  const first = await opened({ carryBytesMax: 0 })
  const rotate = first.wal.rotate.bind(first.wal)
  first.wal.rotate = async () => {
    const file = await rotate()
    await first.wal.synced(first.store.put('n', 'k', bytes('v')))
    await first.wal.synced(first.store.delete('n', 'k'))
    return file
  }
  await first.store.flush('segment')
  await first.store.compact()
  t.equal(first.store.statistics().segments, 0)
  const groups = first.medium.wal.get(first.medium.walFile)!
  t.equal(groups.length, 2)
  groups.pop()
  const { text } = await first.again()
  t.equal(text('n', 'k'), undefined)
})

t.test(
  'a segment with a footer that makes no sense is named, and nothing older shows in its place',
  async t => {
    const first = await opened({ carryBytesMax: 0 })
    first.store.put('n', 'one', bytes('1'))
    await first.store.flush('segment')
    first.store.put('n', 'two', bytes('2'))
    await first.store.flush('segment')
    const id = Math.max(...first.medium.segments.keys())
    first.medium.segments.set(id, { ...first.medium.segments.get(id)!, footer: new Uint8Array(3) })
    const { store, text, damaged } = await attachDamaged(first.medium, first.clock)
    t.same(damaged, [id])
    for (const key of ['one', 'two']) t.throws(() => text(key), { code: 'VARVE_CORRUPTION' })
    store.put('n', 'one', bytes('3'))
    t.equal(text('one'), '3')
  }
)

async function attachDamaged(medium: Medium, clock: HandClock) {
  const store = new KvStore({ clock, onError: () => {} })
  const found: number[] = []
  const attach = store.attach.bind(store)
  store.attach = async host => {
    const damaged = await attach(host)
    found.push(...damaged.map(({ id }) => id))
    return damaged
  }
  await openOn(medium, store)
  const text = (key: string) => {
    const entry = store.get('n', key)
    return entry && Buffer.from(entry.value).toString()
  }
  return { store, text, damaged: found }
}

// What the store promises to its callers, one promise a test; random histories are in model.test.ts.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { KvLimits } from '../../src/kv/options.ts'
import { KvStore } from '../../src/kv/store.ts'
import { cursorOf } from '../../src/kv/view.ts'
import { ConflictError } from '../../src/kv/write.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Medium, openOn } from './sim-host.ts'

const bytes = (text: string) => Buffer.from(text)

async function opened(
  limits: Partial<KvLimits> = {},
  medium = new Medium(new Random(1)),
  clock = new HandClock()
) {
  const errors: unknown[] = []
  const store = new KvStore({ clock, onError: error => errors.push(error), limits })
  const wal = await openOn(medium, store)
  const again = () => opened(limits, medium, clock)
  const text = (ns: string, key: string) => {
    const found = store.get(ns, key)
    return found && Buffer.from(found.value).toString()
  }
  const keys = (ns: string, options = {}) => [...store.scan(ns, options)].map(entry => entry.keyText)
  return { store, wal, medium, clock, errors, again, text, keys }
}

t.test('store.put() is seen at once and names the group to wait for', async t => {
  const { store, wal, text } = await opened()
  const group = store.put('cfg', 'ip', bytes('10.0.0.1'))
  t.equal(text('cfg', 'ip'), '10.0.0.1')
  t.equal(group, wal.pendingGroup)
  t.ok(wal.syncedGroup < group)
  await wal.synced(group)
  t.ok(wal.syncedGroup >= group)
  t.equal(store.get('other', 'ip'), undefined)
  const entry = store.get('cfg', 'ip')!
  t.same([entry.namespace, entry.keyText, entry.version], ['cfg', 'ip', store.lastVersion])
})

t.test('store.put() keeps its own copy of key and value', async t => {
  const { store, text } = await opened()
  const value = bytes('before')
  const key = bytes('key')
  store.put('n', key, value)
  value.fill(0)
  key.fill(0)
  t.equal(text('n', 'key'), 'before')
})

t.test('a key that is written for ever takes the room of one value, and costs no segment', async t => {
  const { store, wal, text } = await opened({ memtableBytesMax: 2 ** 20, carryBytesMax: 2 ** 18 })
  store.put('n', 'other', bytes('stays'))
  store.put('n', 'empty', bytes(''))
  store.put('n', 'large', bytes('x'.repeat(10_000)))
  const value = (i: number) => bytes(String(i).padEnd(1000))
  for (let i = 0; i < 500; i++) store.put('n', 'counter', value(i))
  const snapshot = store.snapshot()
  for (let i = 500; i < 3000; i++) {
    store.put('n', 'counter', value(i))
    if (i % 100 === 0) await wal.synced(store.lastGroup)
  }
  const { memtableBytes, segments } = store.statistics()
  t.ok(memtableBytes < 2 ** 18, String(memtableBytes))
  t.equal(segments, 0)
  t.same(
    ['counter', 'other', 'empty', 'large'].map(key => text('n', key)?.trim()),
    ['2999', 'stays', '', 'x'.repeat(10_000)]
  )
  t.equal(Buffer.from(snapshot.get('n', 'counter')!.value).toString().trim(), '499')
  snapshot.close()
})

t.test('store.delete(), has() and getOrDefault() agree; deleting nothing writes nothing', async t => {
  const { store } = await opened()
  store.put('n', 'k', bytes('v'))
  t.ok(store.has('n', 'k'))
  store.delete('n', 'k')
  t.notOk(store.has('n', 'k'))
  t.same(store.getOrDefault('n', 'k', bytes('else')), bytes('else'))
  const { lastVersion } = store
  t.equal(store.delete('n', 'k'), store.lastGroup)
  t.equal(store.lastVersion, lastVersion)
})

t.test('store.put() with a condition lets one of two writers win', async t => {
  const { store, text, clock } = await opened()
  store.put('n', 'k', bytes('1'), { ifAbsent: true })
  const { version } = store.get('n', 'k')!
  t.throws(() => store.put('n', 'k', bytes('2'), { ifAbsent: true }), { code: 'VARVE_CONFLICT', version })
  store.put('n', 'k', bytes('2'), { ifVersion: version })
  t.throws(() => store.put('n', 'k', bytes('3'), { ifVersion: version }), ConflictError)
  t.throws(() => store.delete('n', 'k', { ifVersion: version }), ConflictError)
  t.equal(text('n', 'k'), '2')
  store.put('n', 'gone', bytes('x'), { expiresUs: clock.nowUs() + 1000 })
  clock.advance(1)
  store.put('n', 'gone', bytes('y'), { ifAbsent: true })
  t.equal(text('n', 'gone'), 'y')
})

t.test('store.batch() makes all writes or none', async t => {
  const { store, keys, text } = await opened({ batchBytesMax: 100, valueBytesMax: 50 })
  store.put('b', 'there', bytes('1'))
  const put = (ns: string, key: string, more = {}) => ({
    op: 'put' as const,
    ns,
    key,
    value: bytes('v'),
    ...more
  })
  t.throws(() => store.batch([put('a', 'x'), put('b', 'there', { ifAbsent: true })]), ConflictError)
  t.throws(() => store.batch([put('a', 'x'), put('b', 'y', { value: Buffer.alloc(51) })]), {
    code: 'VARVE_VALUE'
  })
  t.throws(() => store.batch([1, 2, 3].map(n => put('a', `${n}`, { value: Buffer.alloc(40) }))), {
    code: 'VARVE_BATCH'
  })
  t.same(keys('a'), [])
  store.batch([
    put('a', 'x'),
    { op: 'delete', ns: 'b', key: 'there' },
    put('a', 'x', { value: bytes('last') })
  ])
  t.same([keys('a'), keys('b'), text('a', 'x')], [['x'], [], 'last'])
})

t.test('store.update() and add() read, change and write as one step', async t => {
  const { store, text, clock } = await opened()
  store.update('n', 'k', now => bytes(`${now?.keyText ?? 'none'}!`))
  t.equal(text('n', 'k'), 'none!')
  store.update('n', 'k', () => undefined)
  store.update('n', 'k', () => null)
  t.equal(text('n', 'k'), undefined)
  t.equal(store.add('n', 'count', 5).value, 5)
  t.equal(store.add('n', 'count', -7).value, -2)
  t.equal(text('n', 'count'), '-2')
  store.put('n', 'ttl', bytes('1'), { expiresUs: clock.nowUs() + 1_000_000 })
  store.add('n', 'ttl', 1)
  clock.advance(1000)
  t.equal(text('n', 'ttl'), undefined)
  t.throws(() => store.add('n', 'count', Number.MAX_SAFE_INTEGER * 2), { code: 'VARVE_COUNTER' })
  store.put('n', 'word', bytes('one'))
  t.throws(() => store.add('n', 'word', 1), { code: 'VARVE_COUNTER' })
})

t.test('an entry is there until its expiry to the microsecond, in memory and in segments', async t => {
  const { store, clock, text, keys } = await opened({ carryBytesMax: 0 })
  const expiresUs = clock.nowUs() + 2000
  store.put('n', 'k', bytes('v'), { expiresUs })
  for (const where of ['memtable', 'segment']) {
    clock.setWall(expiresUs - 1)
    t.same([text('n', 'k'), keys('n')], ['v', ['k']], where)
    if (where === 'memtable') await store.flush('segment')
    clock.setWall(expiresUs)
    t.same([text('n', 'k'), keys('n')], [undefined, []], where)
  }
  t.throws(() => store.put('n', 'k', bytes('v'), { expiresUs: -1 }), { code: 'VARVE_EXPIRY' })
  t.throws(() => store.put('n', 'k', bytes('v'), { expiresUs: 1.5 }), { code: 'VARVE_EXPIRY' })
})

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

t.test('store.scan() goes both ways by prefix, range, limit and cursor', async t => {
  const { store, keys } = await opened({ carryBytesMax: 0 })
  for (const key of ['a', 'b/1', 'b/2', 'b/3', 'b0', 'c']) {
    store.put('n', key, bytes(key))
    if (key === 'b/2') await store.flush('segment')
  }
  store.put('m', 'z', bytes('z'))
  t.same(keys('n'), ['a', 'b/1', 'b/2', 'b/3', 'b0', 'c'])
  t.same(keys('n', { prefix: 'b/', reverse: true }), ['b/3', 'b/2', 'b/1'])
  t.same(keys('n', { from: 'b/2', to: 'b0' }), ['b/2', 'b/3'])
  t.same(keys('n', { prefix: 'b', from: 'b/3', limit: 2 }), ['b/3', 'b0'])
  t.same(keys('n', { from: 'x', to: 'a' }), [])
  for (const reverse of [false, true]) {
    const paged: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = [...store.scan('n', { reverse, limit: 2, ...(cursor === undefined ? {} : { cursor }) })]
      paged.push(...page.map(entry => entry.keyText))
      if (page.length < 2) break
      cursor = cursorOf(page.at(-1)!)
    }
    t.same(paged, reverse ? keys('n').reverse() : keys('n'))
  }
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

t.test('a store that cannot take a write refuses it and changes nothing', async t => {
  const { store, keys } = await opened({
    ...{ keyBytesMax: 10, valueBytesMax: 1000, batchBytesMax: 1000, pendingBytesMax: 3000 },
    ...{ memtableBytesMax: 8000, memtablesBytesMax: 8000, carryBytesMax: 0 }
  })
  t.throws(() => store.put('n', 'x'.repeat(11), bytes('')), { code: 'VARVE_KEY' })
  t.throws(() => store.put('n', 'x', Buffer.alloc(1001)), { code: 'VARVE_VALUE' })
  t.throws(() => store.put('bad name', 'x', bytes('')), { code: 'VARVE_NAMESPACE' })
  store.put('n', 'a', Buffer.alloc(1000))
  store.put('n', 'a', Buffer.alloc(1000))
  t.throws(() => store.put('n', 'b', Buffer.alloc(1000)), { code: 'VARVE_BUSY' })
  t.same(keys('n'), ['a'])
  await store.close()
  t.throws(() => store.put('n', 'b', bytes('')), { code: 'VARVE_CLOSED' })
  t.throws(() => store.get('n', 'a'), { code: 'VARVE_CLOSED' })
  t.throws(() => new KvStore({ clock: new HandClock(), onError: () => {}, limits: { pendingBytesMax: 1 } }), {
    code: 'VARVE_LIMIT'
  })
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

t.test('store.watch() tells each durable change once, in order, over a reopen', async t => {
  const first = await opened()
  const watch = first.store.watch('n', { prefix: 'a/' })
  const told = (changes: { keyText: string; deleted: boolean }[]) =>
    changes.map(c => `${c.keyText}${c.deleted ? '-' : ''}`)
  first.store.put('n', 'a/1', bytes('1'))
  first.store.put('n', 'b/1', bytes('1'))
  t.same(watch.take(), [], 'nothing is told before it is on the medium')
  await first.wal.sync()
  first.store.delete('n', 'a/1')
  t.same(told(watch.take()), ['a/1'])
  await first.wal.sync()
  const second = await first.again()
  const later = second.store.watch('n', { prefix: 'a/', after: watch.version })
  t.same(told(later.take()), ['a/1-'])
  const found: string[] = []
  const reading = (async () => {
    for await (const change of later) found.push(...told([change]))
  })()
  for (let i = 0; i < 5; i++) {
    second.store.put('n', `a/${i}`, bytes('x'))
    await second.wal.sync()
  }
  await new Promise(resolve => setImmediate(resolve))
  later.close()
  await reading
  t.same(found, ['a/0', 'a/1', 'a/2', 'a/3', 'a/4'])
})

t.test('store.watch() from a version that is not kept says so', async t => {
  const { store, wal } = await opened({ historyBytesMax: 3000 })
  const slow = store.watch('n')
  const at = store.lastVersion
  for (let i = 0; i < 100; i++) store.put('n', `k${i}`, Buffer.alloc(100))
  await wal.sync()
  // Those of the newest sync are kept for who is woken by it.
  store.put('n', 'k', Buffer.alloc(100))
  await wal.sync()
  t.throws(() => slow.take(), { code: 'VARVE_WATCH_OLD' })
  t.throws(() => store.watch('n', { after: at }), { code: 'VARVE_WATCH_OLD' })
  const iterator = slow[Symbol.asyncIterator]()
  await t.rejects(iterator.next(), { code: 'VARVE_WATCH_OLD' })
  t.same(store.watch('n', { after: store.snapshot().version }).take(), [])
})

t.test('store.close() ends watches', async t => {
  const { store } = await opened()
  const reading = (async () => {
    for await (const _ of store.watch('n')) t.fail('nothing was written')
  })()
  await new Promise(resolve => setImmediate(resolve))
  await store.close()
  await reading
  t.pass('the watch ended')
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

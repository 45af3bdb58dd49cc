// What reads and writes of the store promise to its callers, one promise a test; random histories are in
// model.test.ts. Not here: flushes, restarts and faults (store-life.test.ts), watches (watch.test.ts).
import t from 'tap'
import { KvStore } from '../../src/kv/store.ts'
import { cursorOf } from '../../src/kv/view.ts'
import { ConflictError } from '../../src/kv/write.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { bytes, opened } from './opened-store.ts'

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

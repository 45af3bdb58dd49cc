// What a watch promises: each durable change once, in order, or an error that says why not.
import t from 'tap'
import { bytes, opened } from './opened-store.ts'

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

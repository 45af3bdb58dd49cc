// A reply never tells of what a power cut may take back, and what was told is there after one.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { sortable, unsortable } from '../../src/resp/elements.ts'
import { decodeHead, encodeHead, Head } from '../../src/resp/head.ts'
import { seeds } from '../kit/seeds.ts'
import { Medium } from '../kv/sim-host.ts'
import { openFace } from './face.ts'

/** Looks once a turn, so that nothing done in turns is over before it was seen; a busy machine gets its time. */
async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!isTrue() && performance.now() < end) await turn()
}

t.test('+OK comes after the sync, in order, and commands behind it run meanwhile', async t => {
  const face = await openFace(t, { syncs: false })
  const client = await face.client()
  const replies = [client.run('SET a 1'), client.run('GET a'), client.run('PING')]
  await until(() => face.store.get('redis.0', 'a') !== undefined)
  t.equal(client.unread, 0)
  const other = await face.client()
  t.equal(await other.run('PING'), '+PONG', 'who asked for nothing that waits is answered')
  const read = other.run('GET a')
  await sleep(30)
  t.equal(other.unread, 0, 'who saw what is not durable waits too')
  await face.wal.sync()
  t.same(await Promise.all([...replies, read]), ['+OK', '"1"', '+PONG', '"1"'])
  t.equal(await other.run('GET a'), '"1"', 'what is durable is told at once')
})

t.test('a sync that failed acknowledges nothing', async t => {
  const face = await openFace(t, { syncs: false })
  const client = await face.client()
  const reply = client.run('SET a 1')
  await until(() => face.store.get('redis.0', 'a') !== undefined)
  face.fail(new VarveError('VARVE_SYNC_FAILED', 'Cannot sync: the medium is gone'))
  t.equal(await reply, 'closed')
})

t.test('EXEC is whole after a power cut, or not there', async t => {
  for (const seed of seeds(20)) {
    const medium = new Medium(new Random(seed))
    const face = await openFace(t, { medium, syncs: false })
    const client = await face.client()
    for (const command of ['MULTI', 'SET a 1', 'RPUSH l x y', 'ZADD z 1 m', 'SET b 1'])
      client.socket.write(`${command}\r\n`)
    client.socket.write('EXEC\r\n')
    await sleep(15)
    medium.cutAt = medium.steps + 1
    await face.wal.sync().catch(() => {})
    medium.restore()
    await face.server.close(0)
    const again = await openFace(t, { medium })
    const found = await (await again.client()).run('EXISTS a l z b')
    t.ok(found === ':0' || found === ':4', `VARVE_SEED=${seed}: ${found}`)
    await again.server.close(0)
  }
})

t.test('a large collection goes with one entry, and its elements soon after', async t => {
  const face = await openFace(t)
  const client = await face.client()
  const members = Array.from({ length: 2000 }, (_, i) => `m${i}`).join(' ')
  t.equal(await client.run(`SADD s ${members}`), ':2000')
  const before = face.store.lastVersion
  t.equal(await client.run('DEL s'), ':1')
  t.ok(face.store.lastVersion - before < 10, 'few entries are written')
  t.equal(await client.run('SCARD s'), ':0')
  const left = () => [...face.store.scan('redis.parts')].length + [...face.store.scan('redis.dead')].length
  for (let i = 0; i < 3000 && left() > 0; i++) await sleep(20)
  t.equal(left(), 0)
})

t.test(
  'FLUSHALL of many keys lets others run, spares what they write, and answers after the sync',
  async t => {
    const face = await openFace(t, { syncs: false })
    for (let i = 0; i < 5000; i++) face.store.put('redis.0', `k${i}`, Buffer.from('v'))
    face.store.put('redis.3', 'k', Buffer.from('v'))
    const [client, other] = [await face.client(), await face.client()]
    const flushed = client.run('FLUSHALL')
    await until(() => face.store.get('redis.0', 'k0') === undefined)
    t.ok(face.store.get('redis.0', 'k999'), 'it is under way')
    const written = other.run('SET k999 new')
    await until(() => face.store.get('redis.3', 'k') === undefined)
    t.equal(client.unread, 0)
    await face.wal.sync()
    t.same(await Promise.all([flushed, written]), ['+OK', '+OK'])
    t.same(
      [...face.store.scan('redis.0')].map(entry => entry.keyText),
      ['k999']
    )
  }
)

t.test('a head is the bytes that its header says', async t => {
  const head = new Head('list', 9, 2, 0, 1000)
  t.equal(Buffer.from(encodeHead(head)).toString('hex'), '0102090200e807')
  t.same(decodeHead(Buffer.from('0102090200e807', 'hex')), head)
  t.throws(() => decodeHead(Buffer.from('0109', 'hex')), { code: 'VARVE_RESP_HEAD' })
})

t.test('sortable() sorts as the numbers do', async t => {
  const numbers = [
    Number.NEGATIVE_INFINITY,
    -1e300,
    -2,
    -1.5,
    -1e-300,
    0,
    5e-324,
    1,
    1.5,
    2 ** 60,
    Number.POSITIVE_INFINITY
  ]
  const texts = numbers.map(sortable)
  t.same([...texts].sort(), texts)
  t.same(texts.map(unsortable), numbers)
})

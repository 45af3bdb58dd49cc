// Flow: early sync, back-pressure, slow subscribers, bounds of queues, rights, $SYS and the close of the broker.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { AckQueue } from '../../src/broker/ack-queue.ts'
import { Auth, hashPassword, verifyPassword } from '../../src/broker/auth.ts'
import { brokerLimits } from '../../src/broker/limits.ts'
import { SubscriptionTrie } from '../../src/broker/subscription-trie.ts'
import { filterCovers, filterMatches, isFilter, isTopic } from '../../src/broker/topic.ts'
import { EAGER, NORMAL, promptMs, provingMs, quietMs, Urgency } from '../../src/broker/urgency.ts'
import { bytesOf, client, FakeStore, inbox, pause, RawClient, startBroker, until } from './kit.ts'

/** Bytes of buffers that are in use: after a collection, when the turn that used them is over. */
async function arrayBuffers(): Promise<number> {
  await pause(50)
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().arrayBuffers
}

const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }

t.test('Urgency is eager for a sender that stands still, and normal for a device with a beat', async t => {
  const one = new Urgency()
  t.equal(one.published(0, 1), EAGER, 'the first of a connection')
  one.acked(1000, 1)
  t.equal(one.published(1002, 1), EAGER, 'it published at once after its acknowledgement')
  one.acked(1003, 1)
  t.equal(one.published(1005, 1), EAGER, 'and stays eager though the sync is now fast')
  one.acked(1006, 1)
  t.equal(one.published(1006 + promptMs + 1, 1), NORMAL, 'a pause unmasks it')
  const device = new Urgency()
  for (let i = 0; i < 5; i++) {
    t.equal(device.published(i * 10_000, 1), i === 0 ? EAGER : NORMAL)
    t.notOk(i > 0 && device.isStuck(i * 10_000 + 9_000, 1), 'a beat is never waited for')
    device.acked(i * 10_000 + 900, 1)
  }
  const piped = new Urgency()
  for (let i = 1; i <= 20; i++) t.equal(piped.published(i / 100, i), i === 1 ? EAGER : NORMAL)
  piped.acked(1000, 20)
  for (let i = 1; i < 20; i++) t.equal(piped.published(1001, i), NORMAL)
  t.equal(piped.published(1001, 20), EAGER, 'its window is full again')
  piped.acked(1002, 20)
  for (let i = 1; i <= 7; i++) piped.published(1003, i)
  t.notOk(piped.isStuck(1003 + quietMs - 1, 7))
  t.ok(piped.isStuck(1003 + quietMs, 7), 'fewer than its window, and silent')
  const stream = new Urgency()
  let eager = 0
  for (let i = 0; i < 100; i++) {
    if (stream.published(i, 3) === EAGER) eager++
    if (i % 3 === 2) stream.acked(i, 3)
  }
  t.equal(eager, 1, 'a steady stream is eager once')
})

t.test('Urgency believes a new sender after one silence, and a fast beat never', async t => {
  for (const window of [1, 20]) {
    const quick = new Urgency()
    const burst = (nowMs: number): number[] => {
      const found: number[] = []
      for (let n = 1; n <= window; n++) found.push(quick.published(nowMs, n))
      return found
    }
    t.equal(burst(0)[0], EAGER)
    quick.acked(3, window)
    t.notOk(burst(4).includes(EAGER), 'an early acknowledgement proves no silence')
    t.notOk(quick.isStuck(4 + provingMs - 1, window))
    t.ok(quick.isStuck(4 + provingMs, window))
    quick.acked(4 + provingMs + 1, window)
    t.equal(burst(4 + provingMs + 2).at(-1), EAGER, 'now it is known')
  }
  for (const beatMs of [10, 25, 49, 51, 100, 150, 249, 251, 300, 1000]) {
    for (const syncMs of [1, 20, 60, 180]) {
      const beat = new Urgency()
      let syncs = 0
      let unacked = 0
      let syncedAt = Number.POSITIVE_INFINITY
      for (let nowMs = 0; nowMs < 20_000; nowMs++) {
        if (nowMs === syncedAt) {
          beat.acked(nowMs, unacked)
          unacked = 0
          syncedAt = Number.POSITIVE_INFINITY
        }
        const isDue = nowMs % beatMs === 0
        const isEager = isDue ? beat.published(nowMs, ++unacked) === EAGER : beat.isStuck(nowMs, unacked)
        if (syncedAt < Number.POSITIVE_INFINITY) continue
        if (isEager) syncs++
        if (isEager || nowMs % 1000 === 700) syncedAt = nowMs + syncMs
      }
      t.equal(syncs, 1, `${syncs} early syncs in 20 s: a beat of ${beatMs} ms, syncs of ${syncMs} ms`)
    }
  }
})

t.test('the broker asks the gate for an early sync only when it helps', async t => {
  const store = new FakeStore(false)
  const broker = await startBroker(store)
  const raw = await RawClient.open(broker)
  const publish = (id: number, qos = 1): void =>
    raw.send({ cmd: 'publish', topic: 't', payload: 'xy', qos, messageId: id })
  publish(1)
  await until(() => store.notes.length === 1)
  publish(2, 0)
  await until(() => store.notes.length === 2)
  t.same(store.notes, [
    { bytes: 2, urgency: EAGER },
    { bytes: 2, urgency: 0 }
  ])
  await pause(provingMs + 10)
  store.sync()
  await until(() => raw.of('puback').length === 1)
  publish(3)
  await until(() => store.notes.length === 3)
  t.same(store.notes[2], { bytes: 2, urgency: EAGER })
  raw.end()
  await broker.close(0)
})

t.test('AckQueue releases by group in the order of the messages', async t => {
  const queue = new AckQueue()
  const out: number[] = []
  const write = (bytes: Uint8Array, start: number, end: number): void => {
    out.push(...bytes.subarray(start, end))
  }
  queue.add(4, 1, 5, 10)
  queue.add(4, 2, 5, 10)
  queue.add(5, 3, 7, 10)
  queue.add(4, 4, 0, 10, 0x97)
  t.equal(queue.release(4, write), 0)
  t.equal(queue.release(6, write), 2)
  t.same(out, [0x40, 2, 0, 1, 0x40, 2, 0, 2])
  t.equal(queue.payloadBytes, 20)
  t.equal(queue.release(7, write), 2, 'one without a group never overtakes')
  t.same(out.slice(8), [0x50, 2, 0, 3, 0x40, 3, 0, 4, 0x97])
  t.equal(queue.count, 0)
  t.equal(queue.payloadBytes, 0)
})

t.test('all publishers are paused while the store is too far behind', async t => {
  const store = new FakeStore(false)
  const broker = await startBroker(store, { limits: { pendingBytesMax: 100 } })
  const raw = await RawClient.open(broker)
  const lazy = await RawClient.open(broker)
  raw.send({ cmd: 'publish', topic: 't', payload: '1', qos: 1, messageId: 1 })
  await until(() => store.stored.length === 1)
  store.pendingBytes = 101
  lazy.send({ cmd: 'publish', topic: 't', payload: '2', qos: 0 })
  await until(() => store.stored.length === 2)
  lazy.send({ cmd: 'publish', topic: 't', payload: '3', qos: 0 })
  raw.send({ cmd: 'publish', topic: 't', payload: '4', qos: 1, messageId: 2 })
  await pause(30)
  t.equal(store.stored.length, 2)
  store.pendingBytes = 0
  store.sync()
  t.ok(await until(() => store.stored.length === 4))
  for (const c of [raw, lazy]) c.end()
  await broker.close(0)
})

t.test(
  'a slow subscriber costs bounded memory, loses QoS 0 messages, and is closed when it stays slow',
  async t => {
    const store = new FakeStore()
    store.publish = () => 0
    const broker = await startBroker(store, {
      limits: { subscriberBytesMax: 256 * 1024, subscriberStuckMs: 1500 }
    })
    const slow = await RawClient.open(broker)
    slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    await until(() => slow.of('suback').length === 1)
    slow.socket.pause()
    const before = await arrayBuffers()
    const quick = await RawClient.open(broker)
    quick.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    await until(() => quick.of('suback').length === 1)
    const publisher = await RawClient.open(broker)
    const batch = Buffer.concat(
      Array.from({ length: 20 }, () =>
        bytesOf({ cmd: 'publish', topic: 't', payload: Buffer.alloc(5000), qos: 0 })
      )
    )
    let held = 0
    for (let n = 1; n <= 200; n++) {
      publisher.send(batch)
      t.ok(await until(() => quick.packets.length === 22), 'the quick subscriber loses nothing')
      quick.packets.length = 2
      held = Math.max(held, broker.outlets.totalBytes)
    }
    t.ok(held > 128 * 1024 && held < 384 * 1024, `${held} bytes were held for both`)
    t.ok(broker.stats.droppedQos0 > 0)
    t.ok((await arrayBuffers()) - before < 1e6, 'of 20 MB the slow subscriber keeps its bound')
    t.ok(await until(() => slow.socket.destroyed || broker.stats.subscribersStuck === 1, 4000))
    t.equal(broker.stats.subscribersStuck, 1)
    for (const c of [slow, quick, publisher]) c.end()
    await broker.close()
  }
)

t.test('a subscriber that does not acknowledge gets its window, and its queue is bounded', async t => {
  const store = new FakeStore()
  const broker = await startBroker(store, { limits: { windowMax: 5, queueMax: 10 } })
  const deaf = await RawClient.open(broker)
  deaf.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 2 }] })
  await until(() => deaf.of('suback').length === 1)
  const publisher = await client(broker)
  for (let i = 0; i < 30; i++) await publisher.publishAsync('t', `${i}`, { qos: i % 2 === 0 ? 1 : 2 })
  await until(() => deaf.of('publish').length === 5)
  t.equal(broker.stats.droppedQueued, 15)
  for (let n = 0; n < 15; n++) {
    const packet = deaf.of('publish')[n]!
    if (packet.qos === 1) {
      deaf.send({ cmd: 'puback', messageId: packet.messageId })
    } else {
      deaf.send({ cmd: 'pubrec', messageId: packet.messageId })
      await until(() => deaf.of('pubrel').some(p => p.messageId === packet.messageId))
      deaf.send({ cmd: 'pubcomp', messageId: packet.messageId })
    }
    await until(() => deaf.of('publish').length >= Math.min(15, n + 6))
  }
  t.same(
    deaf.of('publish').map(p => String(p.payload)),
    Array.from({ length: 15 }, (_, i) => `${i}`)
  )
  deaf.end()
  await broker.close()
})

t.test('retained messages keep their bounds', async t => {
  const store = new FakeStore()
  const broker = await startBroker(store, { limits: { retainedMax: 2, retainedBytesMax: 100 } })
  const five = await RawClient.open(broker, {}, 5)
  const retain = (id: number, topic: string, payload: string): void =>
    five.send({ cmd: 'publish', topic, payload, qos: 1, messageId: id, retain: true }, 5)
  retain(1, 'a', 'x')
  retain(2, 'b', 'x')
  retain(3, 'c', 'x')
  retain(4, 'a', 'y'.repeat(200))
  retain(5, 'b', '')
  retain(6, 'c', 'x')
  t.ok(await until(() => five.of('puback').length === 6))
  t.same(
    five.of('puback').map(p => p.reasonCode),
    [0, 0, 0x97, 0x97, 0, 0]
  )
  t.same([...store.retained.keys()], ['a', 'c'])
  t.equal(store.stored.length, 4, 'what is refused is not stored')
  five.end()
  await broker.close()
})

t.test('users connect with their password only and stay within their rights', async t => {
  const store = new FakeStore()
  const passwordHash = await hashPassword('secret')
  t.ok(await verifyPassword('secret', passwordHash))
  t.notOk(await verifyPassword('Secret', passwordHash))
  t.notMatch(passwordHash, /secret/)
  await t.rejects(verifyPassword('x', 'md5$1'), { code: 'VARVE_PASSWORD_HASH' })
  const rights = { publish: ['dev/%u/#'], subscribe: ['dev/%u/+', 'all/#'] }
  const lines: string[] = []
  const log = {
    info: (fields: object, message: string) => lines.push(JSON.stringify(fields) + message),
    warn: (fields: object, message: string) => lines.push(JSON.stringify(fields) + message)
  }
  const users = [
    { name: 'ann', passwordHash, rights },
    { name: 'a/b', passwordHash, rights }
  ]
  for (const fastPath of [true, false]) {
    const broker = await startBroker(store, { auth: { allowAnonymous: false, users }, log, fastPath })
    const login = async (username?: string, password?: string): Promise<unknown> => {
      const raw = await RawClient.open(broker, {
        username,
        ...(password ? { password: Buffer.from(password) } : {})
      })
      const code = raw.packets[0]?.returnCode
      raw.end()
      return code
    }
    t.equal(await login(), 5)
    t.equal(await login('ann', 'wrong-word'), 4)
    t.equal(await login('nobody', 'secret'), 4)
    t.equal(await login('ann', 'secret'), 0)
    const ann = { username: 'ann', password: Buffer.from('secret') }
    const good = await RawClient.open(broker, ann, 5)
    const subscriptions = ['dev/ann/x', 'dev/ann/+', 'dev/ann/#', 'dev/+/x', 'all/#', '#'].map(topic => ({
      topic,
      qos: 1
    }))
    good.send({ cmd: 'subscribe', messageId: 1, subscriptions }, 5)
    await until(() => good.of('suback').length === 1)
    t.same(good.of('suback')[0]!.granted, [1, 1, 0x87, 0x87, 1, 0x87])
    good.send({ cmd: 'publish', topic: 'dev/ann/x', payload: '1', qos: 1, messageId: 2 }, 5)
    good.send({ cmd: 'publish', topic: 'dev/bob/x', payload: '1', qos: 1, messageId: 3 }, 5)
    await until(() => good.of('puback').length === 2)
    t.same(
      good.of('puback').map(p => p.reasonCode),
      [0, 0x87]
    )
    const old = await RawClient.open(broker, ann)
    old.send({ cmd: 'publish', topic: 'dev/bob/x', payload: '1', qos: 0 })
    t.ok(await until(() => old.isClosed))
    const odd = await RawClient.open(broker, { ...ann, username: 'a/b' }, 5)
    odd.send({ cmd: 'publish', topic: 'dev/a/b', payload: '1', qos: 1, messageId: 3 }, 5)
    await until(() => odd.of('puback').length === 1)
    t.equal(odd.of('puback')[0]!.reasonCode, 0x87, 'a user name cannot widen a right')
    for (const c of [good, odd]) c.end()
    await broker.close()
  }
  t.same(
    store.stored.map(s => s.topic),
    ['dev/ann/x', 'dev/ann/x']
  )
  t.notMatch(lines.join(), /secret|wrong-word/, 'no line holds a password')
  const auth = new Auth({ allowAnonymous: true, users: [] })
  t.ok(await auth.admit(undefined, undefined, 'c'))
})

t.test('$SYS is served to those who ask for it, and # does not', async t => {
  const store = new FakeStore()
  const broker = await startBroker(store, { sysMs: 50 })
  const watcher = await client(broker)
  const got = inbox(watcher)
  await watcher.subscribeAsync('$SYS/#')
  const all = await client(broker)
  const gotAll = inbox(all)
  await all.subscribeAsync('#')
  t.ok(await until(() => got.some(m => m.topic === '$SYS/broker/clients/connected' && m.text === '2')))
  t.match(
    got.find(m => m.topic === '$SYS/broker/version'),
    { text: 'varve version test', retain: true }
  )
  t.same(gotAll, [])
  t.equal(store.stored.length, 0)
  t.equal(store.retained.size, 0, '$SYS is never stored')
  await broker.close()
})

t.test('the daemon publishes like a client and waits for the sync', async t => {
  const store = new FakeStore(false)
  const broker = await startBroker(store)
  const watcher = await client(broker)
  const got = inbox(watcher)
  await watcher.subscribeAsync('d/#', { qos: 1 })
  let isDone = false
  const done = broker.publish('d/1', 'x', { qos: 1, retain: true }).then(() => {
    isDone = true
  })
  t.ok(await until(() => got.length === 1))
  t.notOk(isDone)
  store.sync()
  await done
  broker.relay('d/2', 'not stored')
  t.ok(await until(() => got.length === 2))
  t.same(
    store.stored.map(s => s.topic),
    ['d/1']
  )
  await t.rejects(broker.publish('d/#', 'x'), { code: 'VARVE_TOPIC' })
  await broker.close()
})

t.test('close() waits for what is unacknowledged, sends it, and sends no wills', async t => {
  const store = new FakeStore(false)
  const broker = await startBroker(store)
  const will = { topic: 'will', payload: Buffer.from('dead'), qos: 0, retain: false }
  const raw = await RawClient.open(broker, { will })
  raw.send({ cmd: 'publish', topic: 't', payload: 'x', qos: 1, messageId: 1 })
  await until(() => store.stored.length === 1)
  const closed = broker.close()
  await pause(20)
  t.notOk(raw.isClosed)
  store.sync()
  await closed
  t.ok(await until(() => raw.isClosed))
  t.equal(raw.of('puback').length, 1)
  t.equal(store.stored.length, 1)
})

t.test('SubscriptionTrie finds what filterMatches() says, on random filters and topics', async t => {
  const first = Number(process.env.VARVE_SEED ?? 1)
  for (let seed = first; seed < first + 300; seed++) {
    const random = new Random(seed)
    const level = (): string => random.pick(['a', 'b', '', '$x', '+'])
    const trie = new SubscriptionTrie<string>()
    const held = new Map<string, Set<string>>()
    for (let i = 0; i < 30; i++) {
      let filter = Array.from({ length: 1 + random.below(3) }, level).join('/')
      if (random.chance(0.3)) filter = random.chance(0.3) ? '#' : `${filter}/#`
      if (!isFilter(filter, brokerLimits)) continue
      const who = `s${random.below(5)}`
      const filters = held.get(who) ?? new Set()
      held.set(who, filters)
      if (random.chance(0.3)) {
        if (trie.remove(filter, who) !== filters.delete(filter)) t.fail(`VARVE_SEED=${seed}`)
      } else {
        trie.add(filter, who, { ...plain, qos: 0 })
        filters.add(filter)
      }
    }
    for (let i = 0; i < 20; i++) {
      const topic = Array.from({ length: 1 + random.below(4) }, level)
        .join('/')
        .replaceAll('+', 'c')
      if (!isTopic(topic, brokerLimits)) continue
      const expected = [...held]
        .filter(([, f]) => [...f].some(filter => filterMatches(filter, topic)))
        .map(([who]) => who)
      const found = trie.match(topic).map(route => route.subscriber)
      if (found.sort().join() !== expected.sort().join()) t.fail(`VARVE_SEED=${seed} ${topic}`)
    }
  }
  t.ok(filterMatches('a/#', 'a'))
  t.notOk(filterMatches('#', '$SYS/x'))
  t.ok(filterCovers('a/#', 'a/+/b'))
  t.notOk(filterCovers('a/+', 'a/#'))
})

// Flow: early sync, back-pressure, slow subscribers, bounds of queues, $SYS and the close of the broker.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Clock } from '../../src/base/clock.ts'
import { AckQueue } from '../../src/broker/ack-queue.ts'
import { sweepMs } from '../../src/broker/server.ts'
import { EAGER, provingMs } from '../../src/broker/urgency.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { bytesOf, client, FakeStore, inbox, pause, RawClient, slowClock, startBroker, until } from './kit.ts'

/** Bytes of buffers that are in use: the least of a few collections, as V8 frees buffers some time after one. */
async function arrayBuffers(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 4; i++) {
    await pause(30)
    collect()
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

t.test('the broker asks the gate for an early sync only when it helps', async t => {
  const store = new FakeStore(false)
  const clock = new HandClock()
  const broker = await startBroker(store, { clock })
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
  clock.advance(provingMs + 10)
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
    // Short waits are long, so that the quick one is quick on any machine; longer ones end when they are to.
    const hand = new HandClock()
    const clock: Clock = {
      nowUs: () => slowClock.nowUs(),
      monotonicMs: () => slowClock.monotonicMs() + hand.monotonicMs(),
      after: (ms, callback) => (ms < sweepMs ? slowClock : hand).after(ms, callback)
    }
    const broker = await startBroker(store, {
      clock,
      limits: { subscriberBytesMax: 256 * 1024, subscriberStuckMs: 1.5 * sweepMs }
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
    t.equal(broker.stats.subscribersStuck, 0)
    hand.advance(3 * sweepMs)
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

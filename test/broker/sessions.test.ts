// Connections and the sessions that outlive them: wills, takeovers, keep-alive, expiry. Every test runs with the
// fast path and with everything through aedes.
import t from 'tap'
import { client, FakeStore, inbox, pause, pauseLate, RawClient, startBroker, until } from './kit.ts'

/** A machine that makes a pause so much longer makes messages come after the keep-alive, ms: it is tried again. */
const lateMsMax = 1000

// Tests that wait for a second of real time wait beside each other.
t.jobs = 2

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  t.test(`${way}: a will is sent when the connection breaks, not after DISCONNECT`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const watcher = await client(broker)
    const got = inbox(watcher)
    await watcher.subscribeAsync('will/#', { qos: 1 })
    const will = { topic: 'will/a', payload: Buffer.from('dead'), qos: 1, retain: true }
    const breaks = await RawClient.open(broker, { will })
    const leaves = await RawClient.open(broker, { will: { ...will, topic: 'will/b' } })
    leaves.send({ cmd: 'disconnect' })
    t.ok(await until(() => leaves.isClosed))
    breaks.end()
    t.ok(await until(() => got.length === 1))
    await pause(20)
    t.same(
      got.map(m => [m.topic, m.text, m.qos]),
      [['will/a', 'dead', 1]]
    )
    t.same(
      store.stored.map(s => s.topic),
      ['will/a']
    )
    t.ok(store.retained.has('will/a'))
    await broker.close()
  })

  t.test(
    `${way}: a second connection takes over, and a session keeps subscriptions and messages`,
    async t => {
      const store = new FakeStore()
      const broker = await startBroker(store, { fastPath })
      const first = await RawClient.open(broker, { clientId: 'dev', clean: false })
      t.match(first.packets[0], { sessionPresent: false })
      first.send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [
          { topic: 'q/#', qos: 1 },
          { topic: 'z', qos: 0 }
        ]
      })
      await until(() => first.of('suback').length === 1)
      const publisher = await client(broker)
      await publisher.publishAsync('q/0', 'unacknowledged', { qos: 1 })
      await until(() => first.of('publish').length === 1)
      const second = await RawClient.open(broker, { clientId: 'dev', clean: false })
      t.ok(await until(() => first.isClosed))
      t.match(second.packets[0], { cmd: 'connack', sessionPresent: true })
      t.ok(await until(() => second.of('publish').length === 1))
      t.match(second.of('publish')[0], { dup: true, qos: 1, topic: 'q/0' })
      second.send({ cmd: 'puback', messageId: second.of('publish')[0]!.messageId })
      second.send({ cmd: 'pingreq' })
      t.ok(await until(() => second.of('pingresp').length === 1), 'what was sent before it was taken')
      second.end()
      await until(() => broker.stats.clients === 1)
      for (let i = 1; i <= 5; i++) await publisher.publishAsync('q/1', `${i}`, { qos: 1 })
      await publisher.publishAsync('q/1', 'qos 0 is not kept', { qos: 0 })
      const third = await RawClient.open(broker, { clientId: 'dev', clean: false })
      t.ok(await until(() => third.of('publish').length === 5))
      t.same(
        third.of('publish').map(p => String(p.payload)),
        ['1', '2', '3', '4', '5']
      )
      third.end()
      await until(() => broker.stats.clients === 1)
      const clean = await RawClient.open(broker, { clientId: 'dev', clean: true })
      t.match(clean.packets[0], { sessionPresent: false })
      await publisher.publishAsync('q/1', 'x', { qos: 1 })
      await pause(20)
      t.equal(clean.of('publish').length, 0, 'a clean session forgets')
      clean.end()
      await broker.close()
    }
  )

  t.test(`${way}: keep-alive counts packets of both ways`, { buffered: true }, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    for (let lateMs = Number.POSITIVE_INFINITY; lateMs > lateMsMax; ) {
      const silent = await RawClient.open(broker, { keepalive: 1 })
      const busy = await RawClient.open(broker, { keepalive: 1 })
      lateMs = 0
      for (let i = 0; i < 10 || !silent.isClosed; i++) {
        busy.send({ cmd: 'publish', topic: 't', payload: `${i}`, qos: 0 })
        lateMs = Math.max(lateMs, await pauseLate(200))
      }
      if (lateMs <= lateMsMax) t.notOk(busy.isClosed, 'who sends stays longer than who is silent')
      busy.end()
    }
    await broker.close()
  })

  t.test(`${way}: version 5 sessions end when their expiry says`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const properties = { sessionExpiryInterval: 100 }
    const first = await RawClient.open(broker, { clientId: 's', clean: true, properties }, 5)
    first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 's', qos: 1 }] }, 5)
    await until(() => first.of('suback').length === 1)
    first.end()
    await until(() => broker.stats.clients === 0)
    const second = await RawClient.open(broker, { clientId: 's', clean: false }, 5)
    t.match(second.packets[0], { sessionPresent: true })
    second.end()
    await until(() => broker.stats.clients === 0)
    const third = await RawClient.open(broker, { clientId: 's', clean: false }, 5)
    t.match(third.packets[0], { sessionPresent: false }, 'expiry 0 ended it')
    third.end()
    await broker.close()
  })
}

// What is acknowledged, and when: after its sync, and never when the store refused it. Every test runs with the
// fast path and with everything through aedes.
import t from 'tap'
import { FakeStore, pause, RawClient, startBroker, until } from './kit.ts'

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  t.test(`${way}: acknowledgements wait for the sync while later packets are accepted`, async t => {
    const store = new FakeStore(false)
    const broker = await startBroker(store, { fastPath })
    const raw = await RawClient.open(broker)
    raw.send({ cmd: 'publish', topic: 't', payload: '1', qos: 1, messageId: 1 })
    raw.send({ cmd: 'publish', topic: 't', payload: '2', qos: 2, messageId: 2 })
    raw.send({ cmd: 'publish', topic: 't', payload: '3', qos: 1, messageId: 3, retain: true })
    raw.send({ cmd: 'publish', topic: 't', payload: '4', qos: 1, messageId: 4 })
    raw.send({ cmd: 'pingreq' })
    raw.send({ cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: 'x', qos: 0 }] })
    t.ok(await until(() => store.stored.length === 4 && raw.of('suback').length === 1))
    t.equal(raw.of('pingresp').length, 1)
    t.equal(raw.of('puback').length + raw.of('pubrec').length, 0, 'nothing is acknowledged before the sync')
    t.equal(broker.stats.unacked, 4)
    raw.send({ cmd: 'publish', topic: 't', payload: '2', qos: 2, messageId: 2, dup: true })
    await pause(30)
    t.equal(store.stored.length, 4, 'a QoS 2 message sent again is not taken twice')
    t.equal(raw.of('pubrec').length, 0)
    store.sync()
    t.ok(await until(() => raw.of('puback').length === 3 && raw.of('pubrec').length === 2))
    t.same(
      raw.of('puback').map(p => p.messageId),
      [1, 3, 4]
    )
    raw.send({ cmd: 'pubrel', messageId: 2 })
    t.ok(await until(() => raw.of('pubcomp').length === 1))
    raw.send({ cmd: 'publish', topic: 't', payload: 'new', qos: 2, messageId: 2 })
    t.ok(await until(() => store.stored.length === 5), 'the id is free again')
    raw.end()
    await broker.close(0)
  })

  t.test(`${way}: a QoS 2 message sent again on a new connection waits for the same sync`, async t => {
    const store = new FakeStore(false)
    const broker = await startBroker(store, { fastPath })
    const first = await RawClient.open(broker, { clientId: 'p', clean: false })
    first.send({ cmd: 'publish', topic: 't', payload: '1', qos: 2, messageId: 9 })
    await until(() => store.stored.length === 1)
    first.end()
    const second = await RawClient.open(broker, { clientId: 'p', clean: false })
    t.match(second.packets[0], { cmd: 'connack', sessionPresent: true })
    second.send({ cmd: 'publish', topic: 't', payload: '1', qos: 2, messageId: 9, dup: true })
    await pause(30)
    t.equal(store.stored.length, 1)
    t.equal(second.of('pubrec').length, 0)
    store.sync()
    t.ok(await until(() => second.of('pubrec').length === 1))
    second.end()
    await broker.close(0)
  })

  t.test(`${way}: a store that refuses is never acknowledged`, async t => {
    const store = new FakeStore(false)
    const broker = await startBroker(store, { fastPath })
    const waiting = await RawClient.open(broker)
    waiting.send({ cmd: 'publish', topic: 't', payload: '1', qos: 1, messageId: 1 })
    await until(() => store.stored.length === 1)
    store.fail()
    t.ok(await until(() => waiting.isClosed), 'who waits when the sync fails is closed')
    const old = await RawClient.open(broker)
    old.send({ cmd: 'publish', topic: 't', payload: '1', qos: 1, messageId: 1 })
    t.ok(await until(() => old.isClosed), 'version 3.1.1 is closed')
    const lazy = await RawClient.open(broker)
    lazy.send({ cmd: 'publish', topic: 't', payload: '1', qos: 0 })
    lazy.send({ cmd: 'pingreq' })
    t.ok(await until(() => lazy.of('pingresp').length === 1), 'QoS 0 is dropped and the client stays')
    const five = await RawClient.open(broker, {}, 5)
    five.send({ cmd: 'publish', topic: 't', payload: '1', qos: 1, messageId: 1 }, 5)
    five.send({ cmd: 'publish', topic: 't', payload: '1', qos: 2, messageId: 2 }, 5)
    t.ok(await until(() => five.of('pubrec').length === 1))
    t.match(five.of('puback')[0], { messageId: 1, reasonCode: 0x80 })
    t.match(five.of('pubrec')[0], { messageId: 2, reasonCode: 0x80 })
    t.equal(waiting.of('puback').length + old.of('puback').length, 0)
    five.end()
    lazy.end()
    await broker.close(0)
  })
}

// How MQTT 3.1.1 and 5 carry messages, which must not depend on the way a packet takes: every test runs with
// the fast path and with everything through aedes. Not here: acknowledgements (acknowledgements.test.ts),
// connections and sessions (sessions.test.ts).
import t from 'tap'
import { bytesOf, client, FakeStore, inbox, pause, portOf, RawClient, startBroker, until } from './kit.ts'

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  t.test(`${way}: a publish of every QoS reaches sink and subscribers`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const subscriber = await client(broker)
    const got = inbox(subscriber)
    await subscriber.subscribeAsync('a/#', { qos: 2 })
    const low = await client(broker)
    const gotLow = inbox(low)
    await low.subscribeAsync('a/+', { qos: 0 })
    const publisher = await client(broker, { clientId: 'pub' })
    for (const qos of [0, 1, 2] as const) await publisher.publishAsync('a/b', `q${qos}`, { qos })
    t.ok(await until(() => got.length === 3 && gotLow.length === 3))
    t.same(
      got.map(m => [m.topic, m.text, m.qos, m.retain]),
      [
        ['a/b', 'q0', 0, false],
        ['a/b', 'q1', 1, false],
        ['a/b', 'q2', 2, false]
      ]
    )
    t.same(
      gotLow.map(m => [m.text, m.qos]),
      [
        ['q0', 0],
        ['q1', 0],
        ['q2', 0]
      ]
    )
    t.same(
      store.stored.map(s => [s.topic, s.payload.toString(), s.qos, s.client]),
      [
        ['a/b', 'q0', 0, 'pub'],
        ['a/b', 'q1', 1, 'pub'],
        ['a/b', 'q2', 2, 'pub']
      ]
    )
    t.equal(broker.stats.fastPath, fastPath ? 2 : 0)
    t.equal(broker.stats.unacked, 0)
    for (const c of [subscriber, low, publisher]) await c.endAsync()
    await until(() => broker.stats.connections === 0)
    t.equal(broker.stats.clients, 0)
    await broker.close()
  })

  t.test(`${way}: messages of one client arrive in order whatever way each takes`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const raw = await RawClient.open(broker)
    raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'o/#', qos: 0 }] })
    const burst: Buffer[] = []
    for (let i = 0; i < 60; i++) {
      const qos = [0, 1, 2][i % 3]
      const packet = {
        cmd: 'publish',
        topic: 'o/t',
        payload: `${i}`,
        qos,
        retain: i % 5 === 0,
        messageId: i + 10
      }
      burst.push(bytesOf(packet))
    }
    raw.send(Buffer.concat(burst))
    t.ok(await until(() => raw.of('publish').length === 60), 'a subscription counts for what follows it')
    t.same(
      raw.of('publish').map(p => String(p.payload)),
      Array.from({ length: 60 }, (_, i) => `${i}`)
    )
    t.same(
      store.stored.map(s => s.payload.toString()),
      Array.from({ length: 60 }, (_, i) => `${i}`)
    )
    t.ok(await until(() => raw.of('puback').length === 20 && raw.of('pubrec').length === 20))
    raw.end()
    await broker.close()
  })

  t.test(`${way}: retained messages are served to new subscribers and deleted by an empty one`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const publisher = await client(broker)
    const binary = Buffer.from([0, 255, 128, 1])
    await publisher.publishAsync('r/bin', binary, { qos: 1, retain: true })
    await publisher.publishAsync('r/two', 'old', { qos: 2, retain: true })
    await publisher.publishAsync('r/two', 'new', { qos: 2, retain: true })
    await publisher.publishAsync('r/zero', 'z', { qos: 0, retain: true })
    await publisher.publishAsync('r/gone', 'x', { qos: 1, retain: true })
    await publisher.publishAsync('r/gone', '', { qos: 1, retain: true })
    t.same([...store.retained.keys()].sort(), ['r/bin', 'r/two', 'r/zero'])
    t.same(store.retained.get('r/bin')!.payload, binary)
    const subscriber = await client(broker)
    const got = inbox(subscriber)
    await subscriber.subscribeAsync('r/#', { qos: 1 })
    t.ok(await until(() => got.length === 3))
    t.same(got.map(m => [m.topic, m.text, m.qos, m.retain]).sort(), [
      ['r/bin', binary.toString(), 1, true],
      ['r/two', 'new', 1, true],
      ['r/zero', 'z', 0, true]
    ])
    await publisher.publishAsync('r/two', 'live', { qos: 1, retain: true })
    t.ok(await until(() => got.length === 4))
    t.equal(got[3]!.retain, false, 'a live message has no retain flag')
    await broker.close()
    const again = await startBroker(store, { fastPath })
    const late = await client(again)
    const gotLate = inbox(late)
    await late.subscribeAsync('r/two', { qos: 0 })
    t.ok(await until(() => gotLate.length === 1), 'retained messages survive a restart')
    t.equal(gotLate[0]!.text, 'live')
    await again.close()
  })

  t.test(`${way}: filters match as the standard says, and unsubscribing ends it`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const subscriber = await client(broker)
    const got = inbox(subscriber)
    await subscriber.subscribeAsync(['a/#', 'a/b', '+/+/c', '/x', '$other/#'], { qos: 1 })
    const publisher = await client(broker)
    const topics = ['a', 'a/b', 'a/b/c', 'z/z/c', '/x', 'x', '/a/c', '$other/y', '$hidden/y/c', 'b']
    for (const topic of topics) await publisher.publishAsync(topic, '.', { qos: 1 })
    await until(() => got.length >= 7)
    await pause(20)
    t.same(
      got.map(m => m.topic),
      ['a', 'a/b', 'a/b/c', 'z/z/c', '/x', '/a/c', '$other/y']
    )
    await subscriber.unsubscribeAsync(['a/#', '+/+/c'])
    got.length = 0
    for (const topic of topics) await publisher.publishAsync(topic, '.', { qos: 0 })
    await publisher.publishAsync('/x', 'last', { qos: 1 })
    await until(() => got.some(m => m.text === 'last'))
    t.same(
      got.map(m => m.topic),
      ['a/b', '/x', '$other/y', '/x']
    )
    await broker.close()
  })

  t.test(`${way}: version 5 carries properties, reasons and options`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const five = await RawClient.open(broker, { clientId: '' }, 5)
    t.match(five.packets[0], {
      cmd: 'connack',
      reasonCode: 0,
      properties: { sharedSubscriptionAvailable: false }
    })
    t.ok((five.packets[0]!.properties as Record<string, unknown>).assignedClientIdentifier)
    const subscriptions = [
      { topic: 'p/#', qos: 1, nl: true, rap: false, rh: 0 },
      { topic: '$share/g/p/#', qos: 1 }
    ]
    five.send({ cmd: 'subscribe', messageId: 3, subscriptions }, 5)
    t.ok(await until(() => five.of('suback').length === 1))
    t.same(five.of('suback')[0]!.granted, [1, 0x9e])
    const old = await client(broker)
    const gotOld = inbox(old)
    await old.subscribeAsync('p/#', { qos: 1 })
    const other = await client(broker, { protocolVersion: 5 })
    const gotOther = inbox(other)
    await other.subscribeAsync('p/#', { qos: 0 })
    const properties = {
      userProperties: { k: 'v' },
      contentType: 'text/plain',
      messageExpiryInterval: 100,
      correlationData: Buffer.from([1, 2])
    }
    five.send({ cmd: 'publish', topic: 'p/1', payload: 'mine', qos: 1, messageId: 4, properties }, 5)
    await other.publishAsync('p/2', 'theirs', { qos: 1, properties })
    await other.publishAsync('p/3', 'kept', { qos: 1, retain: true, properties })
    t.ok(await until(() => gotOld.length === 3 && gotOther.length === 3 && five.of('publish').length === 2))
    t.same(
      five.of('publish').map(p => String(p.payload)),
      ['theirs', 'kept'],
      'no local holds'
    )
    t.match(five.of('publish')[0]!.properties, { contentType: 'text/plain', userProperties: { k: 'v' } })
    t.match(gotOther[0]!.properties, properties)
    t.same(
      gotOld.map(m => m.text),
      ['mine', 'theirs', 'kept']
    )
    t.match(five.of('puback')[0], { messageId: 4, reasonCode: 0 })
    t.ok(store.retained.get('p/3')!.properties!.length > 0)
    five.send({ cmd: 'unsubscribe', messageId: 8, unsubscriptions: ['p/#', 'never'] }, 5)
    t.ok(await until(() => five.of('unsuback').length === 1))
    t.same(five.of('unsuback')[0]!.granted, [0, 0x11])
    five.send(Buffer.from([0x30, 4, 0, 1, 0x2b, 0]))
    t.ok(await until(() => five.isClosed))
    t.match(five.of('disconnect')[0], { reasonCode: 0x90 })
    await broker.close()
  })
}

t.test('WebSocket clients are served like TCP clients', async t => {
  const store = new FakeStore()
  const listen = (['tcp', 'websocket'] as const).map(transport => ({ transport, host: '127.0.0.1', port: 0 }))
  const broker = await startBroker(store, { listen })
  const web = await client(broker, { protocol: 'ws', port: broker.listeners[1]!.port, path: '/mqtt' })
  const got = inbox(web)
  await web.subscribeAsync('w/#', { qos: 1 })
  const plain = await client(broker, { port: portOf(broker) })
  await plain.publishAsync('w/1', 'x'.repeat(100_000), { qos: 1 })
  await web.publishAsync('w/2', 'y', { qos: 2 })
  t.ok(await until(() => got.length === 2))
  t.same(
    got.map(m => m.text.length),
    [100_000, 1]
  )
  await broker.close()
})

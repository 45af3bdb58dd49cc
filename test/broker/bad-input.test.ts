// What a hostile or broken client may send: the door answers as the standard says, keeps its bounds, and the
// result does not depend on how the bytes were cut.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { parseConnect } from '../../src/broker/connect-packet.ts'
import { brokerLimits } from '../../src/broker/limits.ts'
import { encodePublish } from '../../src/broker/packet.ts'
import { PacketReader } from '../../src/broker/packet-reader.ts'
import { parseProperties } from '../../src/broker/properties.ts'
import { parsePublish, publishPacket } from '../../src/broker/publish-packet.ts'
import { parseSubscribe } from '../../src/broker/subscribe-packet.ts'
import { bytesOf, FakeStore, pause, RawClient, startBroker, until } from './kit.ts'

const firstSeed = Number(process.env.VARVE_SEED ?? 1)

/** The packets a reader finds, as hex, when the bytes come in these pieces. */
function packetsOf(pieces: readonly Uint8Array[], packetBytesMax = 4096): string[] {
  const found: string[] = []
  const lent = new Uint8Array(65_536)
  const reader = new PacketReader(
    {
      onPacket: (bytes, start, body, end) =>
        found.push(`${body - start} ${Buffer.from(bytes.subarray(start, end)).toString('hex')}`),
      mayRead: () => true,
      onBroken: reason => found.push(`broken ${reason}`)
    },
    packetBytesMax
  )
  for (const piece of pieces) {
    lent.set(piece)
    reader.read(lent, piece.length, true)
  }
  return found
}

function anyPublish(random: Random): Buffer {
  const size = random.pick([0, 1, 5, 120, 127, 128, 300, 2000])
  const qos = random.below(3)
  return bytesOf({
    cmd: 'publish',
    topic: `t/${random.below(10)}`,
    payload: Buffer.alloc(size, random.below(256)),
    qos,
    messageId: 1 + random.below(1000),
    retain: random.chance(0.2)
  })
}

t.test('PacketReader cuts the same packets however the bytes are split', async t => {
  for (let seed = firstSeed; seed < firstSeed + 60; seed++) {
    const random = new Random(seed)
    const parts = Array.from({ length: 4 }, () => anyPublish(random))
    if (random.chance(0.5)) parts.push(Buffer.from(Array.from({ length: 12 }, () => random.below(256))))
    const whole = Buffer.concat(parts)
    const expected = packetsOf([whole])
    for (let at = 0; at <= whole.length; at++) {
      const found = packetsOf([whole.subarray(0, at), whole.subarray(at)])
      if (found.join() !== expected.join()) t.fail(`split at ${at}: VARVE_SEED=${seed}`)
    }
    const bytes = Array.from(whole, byte => Uint8Array.of(byte))
    if (packetsOf(bytes).join() !== expected.join()) t.fail(`byte by byte: VARVE_SEED=${seed}`)
  }
  t.pass('every split agrees')
})

t.test('PacketReader stops when told and goes on where it stopped', async t => {
  const random = new Random(7)
  const packets = Array.from({ length: 50 }, () => anyPublish(random))
  const whole = Buffer.concat(packets)
  const found: Buffer[] = []
  let budget = 0
  const reader = new PacketReader(
    {
      onPacket: (bytes, start, _body, end) => {
        budget--
        found.push(Buffer.from(bytes.subarray(start, end)))
      },
      mayRead: () => budget > 0,
      onBroken: () => t.fail('not broken')
    },
    4096
  )
  const lent = new Uint8Array(97)
  for (let at = 0; at < whole.length; at += 97) {
    const piece = whole.subarray(at, at + 97)
    lent.set(piece)
    reader.read(lent, piece.length, true)
  }
  t.equal(found.length, 0)
  while (found.length < 50) {
    const before = found.length
    budget = 3
    reader.proceed()
    t.ok(found.length - before <= 3)
  }
  t.same(Buffer.concat(found), whole)
})

t.test('the parsers survive random and mutated bytes', async t => {
  const limits = brokerLimits
  const connect = bytesOf(
    {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: 'c',
      clean: true,
      keepalive: 1,
      username: 'u',
      password: Buffer.from('p'),
      will: {
        topic: 'w',
        payload: Buffer.from('x'),
        qos: 1,
        retain: false,
        properties: { willDelayInterval: 3 }
      },
      properties: { sessionExpiryInterval: 5, userProperties: { a: 'b' } }
    },
    5
  )
  const subscribe = bytesOf(
    {
      cmd: 'subscribe',
      messageId: 4,
      subscriptions: [
        { topic: 'a/+/b', qos: 1 },
        { topic: '#', qos: 2 }
      ]
    },
    5
  )
  const properties = { contentType: 'a', userProperties: { x: 'y' }, messageExpiryInterval: 4 }
  const publish = bytesOf(
    { cmd: 'publish', topic: 'a/b', payload: 'xyz', qos: 1, messageId: 4, properties },
    5
  )
  for (let seed = firstSeed; seed < firstSeed + 3000; seed++) {
    const random = new Random(seed)
    const bytes = Buffer.from(random.pick([connect, subscribe, publish, Buffer.alloc(random.below(60))]))
    for (let i = random.below(4); i >= 0 && bytes.length > 0; i--)
      bytes[random.below(bytes.length)] = random.below(256)
    const end = random.chance(0.3) ? random.below(bytes.length + 1) : bytes.length
    const at = Math.min(end, 2)
    try {
      parseConnect(bytes, at, end)
      parseProperties(bytes, at, end)
      parseSubscribe(bytes, at, end, random.pick([4, 5]), random.chance(0.5), limits)
      const read = parsePublish(bytes, 0, at, end, random.pick([4, 5]))
      if (read === 0 && (publishPacket.topicEnd > end || publishPacket.payloadStart > end))
        throw new Error('outside')
    } catch (error) {
      t.fail(`${String(error)}: VARVE_SEED=${seed}`)
    }
  }
  t.pass('nothing was thrown')
})

t.test('encodePublish() and parsePublish() agree, also with the example of packet.ts', async t => {
  const example = Buffer.from('320900 03612f62000a6869'.replace(' ', ''), 'hex')
  t.equal(parsePublish(example, 0, 2, example.length, 4), 0)
  t.match(publishPacket, { qos: 1, id: 10, topicStart: 4, topicEnd: 7, payloadStart: 9 })
  for (const size of [0, 100, 118, 119, 120, 16_370, 16_374, 16_375, 16_376, 100_000]) {
    const parts = {
      topicBytes: Buffer.from('a/b'),
      properties: null,
      bytes: Buffer.alloc(size, 7),
      start: 0,
      end: size
    }
    const packet = encodePublish(parts, 4, { qos: 1, retain: true, dup: true, id: 513 })
    t.same(
      packet,
      bytesOf({
        cmd: 'publish',
        topic: 'a/b',
        payload: parts.bytes,
        qos: 1,
        retain: true,
        dup: true,
        messageId: 513
      })
    )
  }
})

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  t.test(`${way}: bad packets close the connection and store nothing`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const publish = (topic: Buffer, flags = 0): Buffer =>
      Buffer.concat([
        Buffer.from([0x30 | flags, topic.length + 4, 0, topic.length]),
        topic,
        Buffer.from('hi')
      ])
    const bad: [string, Buffer][] = [
      ['invalid UTF-8 in the topic', publish(Buffer.from([0x61, 0xff, 0x62]))],
      ['a surrogate in the topic', publish(Buffer.from([0xed, 0xa0, 0x80]))],
      ['U+0000 in the topic', publish(Buffer.from('a\0b'))],
      ['a wildcard in the topic', publish(Buffer.from('a/+/b'))],
      ['# in the topic', publish(Buffer.from('#'))],
      ['the same, retained', publish(Buffer.from('a/#'), 1)],
      ['an empty topic', publish(Buffer.alloc(0))],
      ['too many levels', publish(Buffer.from('/'.repeat(100)))],
      ['$SYS as topic', publish(Buffer.from('$SYS/broker/uptime'))],
      ['QoS 3', publish(Buffer.from('a'), 6)],
      ['DUP with QoS 0', publish(Buffer.from('a'), 8)],
      ['id 0', Buffer.from([0x32, 6, 0, 1, 0x61, 0, 0, 0x78])],
      ['a topic longer than the packet', Buffer.from([0x30, 4, 0, 9, 0x61, 0x61])],
      ['no topic length', Buffer.from([0x30, 1, 0])],
      [
        'a filter that is none',
        bytesOf({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a+', qos: 0 }] })
      ],
      ['invalid UTF-8 in a filter', Buffer.from([0x82, 6, 0, 1, 0, 1, 0xff, 0])],
      ['SUBSCRIBE without filters', Buffer.from([0x82, 2, 0, 1])],
      ['SUBSCRIBE with wrong flags', Buffer.from([0x80, 6, 0, 1, 0, 1, 0x61, 0])],
      ['packet type 0', Buffer.from([0x00, 0])],
      ['packet type 15', Buffer.from([0xf0, 0])],
      [
        'a second CONNECT',
        bytesOf({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'x' })
      ],
      ['a length of five bytes', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])],
      ['1 GB remaining length', Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]
    ]
    for (const [name, bytes] of bad) {
      const raw = await RawClient.open(broker)
      raw.send(bytes)
      t.ok(await until(() => raw.isClosed), name)
    }
    t.equal(store.stored.length, 0)
    await until(() => broker.stats.connections === 0)
    await broker.close()
  })

  t.test(`${way}: random bytes after CONNECT never harm the broker or another client`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath })
    const steady = await RawClient.open(broker)
    for (let seed = firstSeed; seed < firstSeed + 60; seed++) {
      const random = new Random(seed)
      const raw = await RawClient.open(broker, {}, random.pick([4, 5]))
      const parts = Array.from({ length: 5 }, () => anyPublish(random))
      const bytes = Buffer.concat(parts)
      for (let i = 0; i < 3; i++) bytes[random.below(bytes.length)] = random.below(256)
      raw.send(bytes.subarray(0, random.below(bytes.length)))
      raw.socket.end()
      t.ok(await until(() => raw.isClosed), `VARVE_SEED=${seed}`)
    }
    steady.send({ cmd: 'pingreq' })
    t.ok(await until(() => steady.of('pingresp').length === 1))
    steady.end()
    await broker.close()
  })
}

t.test(
  'a 1 GB length is refused at its header, and a long packet is not collected ahead of its bytes',
  async t => {
    const store = new FakeStore()
    const broker = await startBroker(store)
    const before = process.memoryUsage().arrayBuffers
    const raws: RawClient[] = []
    for (let i = 0; i < 50; i++) {
      const raw = await RawClient.open(broker)
      raw.send(Buffer.from([0x30, 0xf0, 0xff, 0x3f, 0, 1, 0x61]))
      raws.push(raw)
    }
    await pause(30)
    t.ok(process.memoryUsage().arrayBuffers - before < 10e6, '50 claims of 1 MB cost less than 10 MB')
    t.equal(broker.stats.protocolErrors, 0)
    for (const raw of raws) raw.end()
    await broker.close()
  }
)

t.test('CONNECT is checked: first packet, version, client id, will, time', async t => {
  const store = new FakeStore()
  const broker = await startBroker(store)
  const answer = async (bytes: Buffer): Promise<unknown> => {
    const raw = await RawClient.open(broker, null)
    raw.send(bytes)
    await until(() => raw.isClosed || raw.packets.length > 0)
    const code = raw.packets[0]?.returnCode ?? 'closed'
    raw.end()
    return code
  }
  const connect = {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId: 'a',
    clean: true,
    keepalive: 0
  }
  t.equal(await answer(bytesOf(connect)), 0)
  t.equal(await answer(Buffer.from([0xc0, 0])), 'closed')
  t.equal(await answer(Buffer.from('GET / HTTP/1.1\r\n\r\n')), 'closed')
  t.equal(await answer(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 9, 2, 0, 0, 0, 0])), 1)
  t.equal(await answer(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0])), 2)
  t.equal(await answer(bytesOf({ ...connect, clientId: 'x'.repeat(300) })), 2)
  t.equal(
    await answer(
      bytesOf({ ...connect, will: { topic: 'a/#', payload: Buffer.from(''), qos: 0, retain: false } })
    ),
    2
  )
  t.equal(
    await answer(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0xff])),
    'closed'
  )
  t.equal(
    await answer(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 3, 0, 0, 0, 1, 0x61])),
    'closed'
  )
  await broker.close()
  const hurried = await startBroker(store, { limits: { connectTimeoutMs: 150 } })
  const idle = await RawClient.open(hurried, null)
  const slow = await RawClient.open(hurried, null)
  slow.send(Buffer.from([0x10]))
  t.ok(await until(() => idle.isClosed && slow.isClosed), 'who does not finish CONNECT in time is closed')
  await hurried.close()
})

t.test('connections beyond the bounds are closed at once and counted', async t => {
  const store = new FakeStore()
  const broker = await startBroker(store, { limits: { connectionsMax: 8, connectingMax: 3 } })
  const silent: RawClient[] = []
  for (let i = 0; i < 6; i++) silent.push(await RawClient.open(broker, null))
  t.ok(await until(() => silent.filter(raw => raw.isClosed).length === 3), 'three may be connecting')
  t.same(
    silent.map(raw => raw.isClosed),
    [true, true, true, false, false, false],
    'who has been silent for longest makes room'
  )
  const speaking = await RawClient.open(broker)
  t.equal(speaking.isClosed, false)
  speaking.end()
  for (const raw of silent) raw.end()
  await until(() => broker.stats.connections === 0)
  const full: RawClient[] = []
  for (let i = 0; i < 10; i++) full.push(await RawClient.open(broker))
  t.equal(full.filter(raw => raw.isClosed).length, 2)
  t.ok(broker.stats.connectionsRefused >= 3)
  for (const raw of full) raw.end()
  await broker.close()
})

// Sockets lend the broker their bytes for the length of a read: whatever is kept longer (a will, a message on
// its way through aedes, the rest of a read that has to wait) must have been copied before others overwrite it.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { Broker } from '../../src/broker/server.ts'
import { bytesOf, FakeStore, RawClient, startBroker, until } from './kit.ts'

const firstSeed = Number(process.env.VARVE_SEED ?? 1)
const seeds = process.env.VARVE_SEED === undefined ? 3 : 1

/** What a client says: its own byte, so that bytes of others show. */
function says(who: number, length: number): Buffer {
  return Buffer.alloc(length, who)
}

/** Overwrites what the broker reads into, with another client's bytes. */
async function overwrite(broker: Broker, store: FakeStore): Promise<void> {
  const raw = await RawClient.open(broker)
  const before = store.stored.length
  const flood = Array.from({ length: 8 }, () =>
    bytesOf({ cmd: 'publish', topic: 'flood', payload: says(0xee, 16_000), qos: 0 })
  )
  raw.send(Buffer.concat(flood))
  await until(() => store.stored.length === before + flood.length)
  raw.end()
}

for (const version of [4, 5]) {
  t.test(`a will of version ${version} is as it was sent, whatever came since`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store)
    const heard = await RawClient.open(broker, {}, 5)
    heard.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/will', qos: 1 }] }, 5)
    await until(() => heard.of('suback').length === 1)
    const will = {
      topic: 'a/will',
      payload: says(7, 300),
      qos: 1,
      retain: false,
      ...(version === 5 ? { properties: { contentType: 'text/last-words' } } : {})
    }
    const mourned = await RawClient.open(broker, { will }, version)
    await overwrite(broker, store)
    mourned.end()
    t.ok(await until(() => heard.of('publish').length === 1))
    const [packet] = heard.of('publish') as { payload: Buffer; properties?: { contentType?: string } }[]
    t.same(packet!.payload, will.payload)
    if (version === 5) t.equal(packet!.properties?.contentType, 'text/last-words')
    heard.end()
    await broker.close()
  })
}

t.test('messages of many that wait on their way stay as they were sent', async t => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const random = new Random(seed)
    const store = new FakeStore()
    const broker = await startBroker(store, { limits: { unackedMax: 4 } })
    const clients = await Promise.all(
      Array.from({ length: 8 }, (_, i) => RawClient.open(broker, { clientId: `c${i}` }, 4 + (i % 2)))
    )
    let sent = 0
    for (let round = 0; round < 12; round++) {
      for (const [i, raw] of clients.entries()) {
        const version = 4 + (i % 2)
        const packets: Buffer[] = []
        // What follows a SUBSCRIBE or a message for aedes waits in what was read.
        for (let n = 0; n < 6; n++) {
          const messageId = 1 + round * 6 + n
          const subscriptions = [{ topic: `nobody/${i}/${messageId}`, qos: 0 }]
          if (random.chance(0.3))
            packets.push(bytesOf({ cmd: 'subscribe', messageId, subscriptions }, version))
          const payload = says(i, 1 + random.below(900))
          const properties = version === 5 ? { properties: { contentType: String(i).repeat(9) } } : {}
          const [qos, retain] = [random.below(3), random.chance(0.4)]
          packets.push(
            bytesOf(
              { cmd: 'publish', topic: `from/${i}`, payload, qos, retain, messageId, ...properties },
              version
            )
          )
          if (qos === 2) packets.push(bytesOf({ cmd: 'pubrel', messageId }, version))
          sent++
        }
        raw.send(Buffer.concat(packets))
      }
    }
    t.ok(await until(() => store.stored.length === sent), `${store.stored.length} of ${sent}`)
    const wrong = store.stored.filter(
      ({ topic, client, payload }) =>
        topic !== `from/${client.slice(1)}` || payload.some(byte => byte !== Number(client.slice(1)))
    )
    t.equal(wrong.length, 0, `VARVE_SEED=${seed}`)
    const kept = [...store.retained.values()].filter(({ topic, payload }) =>
      payload.some(byte => byte !== Number(topic.slice(5)))
    )
    t.equal(kept.length, 0, `retained, VARVE_SEED=${seed}`)
    for (const raw of clients) raw.end()
    await broker.close()
  }
})

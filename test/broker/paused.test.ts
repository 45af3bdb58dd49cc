// A sender whose messages wait for no sync, since the store refuses them or has nothing to sync for them, is
// read on: nothing that comes later would wake it.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { bytesOf, FakeStore, RawClient, startBroker, until } from './kit.ts'

const unackedMax = 10
const messages = 25 * unackedMax

async function flood(t: Test, store: FakeStore): Promise<Record<string, unknown>[]> {
  const broker = await startBroker(store, { limits: { unackedMax } })
  t.teardown(() => broker.close())
  const raw = await RawClient.open(broker, { protocolVersion: 5 }, 5)
  const packet = (i: number) =>
    bytesOf(
      { cmd: 'publish', topic: 'a', payload: 'x', qos: 1, messageId: i + 1, dup: false, retain: false },
      5
    )
  raw.socket.write(Buffer.concat(Array.from({ length: messages }, (_, i) => packet(i))))
  const acks = () => raw.packets.filter(one => one.cmd === 'puback')
  await until(() => acks().length === messages)
  return acks()
}

type Test = typeof t

t.test('a flood of refused messages is answered to its end, each with the reason', async t => {
  const store = new FakeStore()
  store.refusal = new VarveError('VARVE_MEMORY', 'Cannot store sample: 1 bytes are waiting to be flushed')
  const acks = await flood(t as Test, store)
  t.equal(acks.length, messages)
  t.ok(acks.every(one => one.reasonCode === 0x97))
})

t.test('a flood of messages that become no rows is acknowledged to its end', async t => {
  const store = new FakeStore()
  store.publish = () => 0
  t.equal((await flood(t as Test, store)).length, messages)
})

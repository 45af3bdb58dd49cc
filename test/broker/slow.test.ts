// Subscribers that cannot keep up: who is waited for and how long, what all of them may hold together.
import t, { type Test } from 'tap'
import { brokerLimits } from '../../src/broker/limits.ts'
import { Outlets } from '../../src/broker/outlet.ts'
import { holdMs, Patience } from '../../src/broker/patience.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { bytesOf, FakeStore, RawClient, slowClock, startBroker, until } from './kit.ts'

/** Only what Patience asks of a publisher. */
class Held {
  isHeld = false
  turns = 0
  readonly onTurn: () => void
  constructor(onTurn: () => void = () => {}) {
    this.onTurn = onTurn
  }
  proceed(): void {
    this.turns++
    this.onTurn()
  }
}

t.test('publishers wait for a subscriber that catches up, and go on in the order they were held', async t => {
  const clock = new HandClock()
  const patience = new Patience(clock)
  const quick = {} as never
  const order: string[] = []
  const publishers = ['a', 'b', 'c'].map(name => new Held(() => order.push(name)))
  patience.ask(quick)
  t.ok(patience.isHolding)
  for (const publisher of publishers) patience.hold(publisher as never)
  patience.hold(publishers[0] as never)
  t.same(order, [])
  patience.drained(quick)
  t.notOk(patience.isHolding)
  t.same(order, ['a', 'b', 'c'], 'each once')
})

t.test('who is held again stands behind those that had no turn', async t => {
  const patience = new Patience(new HandClock())
  const quick = {} as never
  const order: string[] = []
  const make = (name: string): Held => {
    const held: Held = new Held(() => {
      order.push(name)
      patience.ask(quick)
      patience.hold(held as never)
    })
    return held
  }
  for (const publisher of [make('a'), make('b')]) patience.hold(publisher as never)
  for (let n = 0; n < 4; n++) {
    patience.ask(quick)
    patience.drained(quick)
  }
  t.same(order, ['a', 'b', 'a', 'b'])
})

t.test('a slow subscriber is waited for once, and again only after it took everything', async t => {
  const clock = new HandClock()
  const patience = new Patience(clock)
  const [slow, quick] = [{}, {}] as never[]
  const publisher = new Held()
  patience.ask(slow!)
  patience.hold(publisher as never)
  clock.advance(holdMs - 1)
  t.equal(publisher.turns, 0)
  clock.advance(2)
  t.equal(publisher.turns, 1, 'no longer than holdMs')
  patience.ask(slow!)
  t.notOk(patience.isHolding, 'it had its chance')
  patience.ask(quick!)
  t.ok(patience.isHolding, 'others have theirs')
  patience.drained(quick!)
  t.notOk(patience.isHolding)
  patience.drained(slow!)
  patience.ask(slow!)
  t.ok(patience.isHolding, 'it took everything')
})

t.test('outlets share what all may hold, and each keeps a little', async t => {
  const outlets = new Outlets(1000_000, 4000_000)
  t.equal(outlets.shareMax, 1000_000)
  outlets.changed(3500_000)
  t.equal(outlets.shareMax, 500_000)
  outlets.changed(500_000)
  t.equal(outlets.shareMax, 16 * 1024)
  outlets.changed(-4000_000)
  t.equal(outlets.shareMax, 1000_000)
  t.ok(brokerLimits.subscribersBytesMax >= brokerLimits.subscriberBytesMax)
})

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  // Broker and quick subscriber share a thread here: one that the machine stopped at the wrong moment was not quick.
  const flooded = async (t: Test, isLast: boolean): Promise<boolean> => {
    const store = new FakeStore()
    store.publish = () => 0
    const limits = { subscriberBytesMax: 512 * 1024, subscribersBytesMax: 2 * 1024 * 1024 }
    const broker = await startBroker(store, { fastPath, limits, clock: slowClock })
    const all = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }
    const stuck: RawClient[] = []
    for (let i = 0; i < 12; i++) {
      const raw = await RawClient.open(broker)
      raw.send(all)
      await until(() => raw.of('suback').length === 1)
      raw.socket.pause()
      stuck.push(raw)
    }
    const quick = await RawClient.open(broker)
    quick.send(all)
    await until(() => quick.of('suback').length === 1)
    const publisher = await RawClient.open(broker)
    const payload = Buffer.alloc(10_000)
    const messages = 1500
    let held = 0
    for (let n = 0; n < messages; n += 100) {
      const batch = Array.from({ length: 100 }, (_, i) => {
        payload.writeUInt32BE(n + i)
        return bytesOf({ cmd: 'publish', topic: 't', payload, qos: 0 })
      })
      publisher.send(Buffer.concat(batch))
      held = Math.max(held, broker.outlets.totalBytes)
    }
    const untilMs = performance.now() + 10_000
    await until(() => quick.of('publish').length === messages || performance.now() > untilMs)
    const isWhole = quick.of('publish').length === messages
    if (isWhole || isLast) {
      t.same(
        quick.of('publish').map(packet => (packet.payload as Buffer).readUInt32BE()),
        Array.from({ length: messages }, (_, i) => i),
        'nothing is lost, and in order'
      )
    }
    held = Math.max(held, broker.outlets.totalBytes)
    t.ok(held <= limits.subscribersBytesMax + 13 * 96 * 1024, `all hold ${held} bytes`)
    t.ok(broker.stats.droppedQos0 > 0, 'who reads nothing loses')
    for (const raw of [...stuck, quick, publisher]) raw.end()
    t.ok(await until(() => broker.stats.connections === 0))
    t.equal(broker.outlets.totalBytes, 0, 'closed connections hold nothing')
    await broker.close()
    return isWhole
  }

  t.test(`${way}: a flood reaches a quick subscriber whole, beside many that read nothing`, async t => {
    for (let tries = 1; tries <= 3; tries++) if (await flooded(t, tries === 3)) return
  })
}

// Durable queues: what is sent is delivered until it is acknowledged, to one receiver at a time, over starts and
// power cuts.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { type QueueLimits, Queues } from '../../src/kv/queue.ts'
import { decodeDelivery, decodeMessage, messageKey, parseQueueKey } from '../../src/kv/queue-record.ts'
import { KvStore } from '../../src/kv/store.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'
import { examplesOf } from './example.ts'
import { Medium, openOn } from './sim-host.ts'

const bytes = (text: string) => Buffer.from(text)

async function opened(
  medium = new Medium(new Random(1)),
  clock = new HandClock(),
  limits: Partial<QueueLimits> = {}
) {
  const store = new KvStore({ clock, onError: error => t.fail(String(error)) })
  const wal = await openOn(medium, store)
  const queues = new Queues(store, clock, limits)
  const take = (name: string, visibilityMs = 1000) => {
    const [delivery] = queues.receive(name, { visibilityMs })
    return delivery && { ...delivery, text: Buffer.from(delivery.body).toString() }
  }
  return { store, wal, clock, queues, medium, take }
}

t.test('receive() gives the highest priority first, of those the oldest', async t => {
  const { queues } = await opened()
  for (const [text, priority] of [
    ['a', 5],
    ['b', 9],
    ['c', 5],
    ['d', 0],
    ['e', 9]
  ] as const) {
    queues.send('q', bytes(text), { priority })
  }
  const all = queues.receive('q', { max: 10 })
  t.equal(all.map(({ body }) => Buffer.from(body).toString()).join(''), 'beacd')
  t.same(queues.states('q'), { ready: 0, delayed: 0, delivered: 5 })
  t.same(queues.receive('q'), [])
})

t.test('a message is hidden until its visibility is over, then comes again with another token', async t => {
  const { queues, clock, take } = await opened()
  queues.send('q', bytes('a'))
  const first = take('q')!
  clock.advance(900)
  queues.extend('q', first.id, first.token, 1000)
  clock.advance(999)
  t.equal(take('q'), undefined)
  clock.advance(1)
  const second = take('q')!
  t.match(second, { id: first.id, attempts: 2, text: 'a' })
  t.throws(() => queues.ack('q', first.id, first.token), { code: 'VARVE_QUEUE_TOKEN' })
  queues.ack('q', second.id, second.token)
  t.throws(() => queues.ack('q', second.id, second.token), { code: 'VARVE_QUEUE_TOKEN' })
  clock.advance(10_000)
  t.equal(take('q'), undefined)
})

t.test('nack() gives a message back at once or after a delay, and send() may delay it too', async t => {
  const { queues, clock, take } = await opened()
  queues.send('q', bytes('a'), { delayMs: 500 })
  t.equal(take('q'), undefined)
  clock.advance(500)
  const first = take('q')!
  queues.nack('q', first.id, first.token)
  const second = take('q')!
  t.equal(second.attempts, 2)
  queues.nack('q', second.id, second.token, 300)
  t.same(queues.states('q'), { ready: 0, delayed: 1, delivered: 0 })
  clock.advance(299)
  t.equal(take('q'), undefined)
  clock.advance(1)
  t.equal(take('q')!.attempts, 3)
})

t.test('after its attempts a message is a dead letter that says where it comes from', async t => {
  const { queues, clock, take } = await opened()
  queues.send('q', bytes('poison'), { attemptsMax: 2 })
  queues.send('q', bytes('fine'))
  const first = take('q')!
  queues.nack('q', first.id, first.token)
  t.equal(take('q')!.text, 'poison')
  const fine = take('q')!
  t.equal(fine.text, 'fine')
  queues.ack('q', fine.id, fine.token)
  clock.advance(1000)
  t.equal(take('q'), undefined)
  const dead = take('q.dead')!
  t.match(dead, { text: 'poison', origin: 'q' })
  clock.advance(1000)
  t.equal(take('q.dead')!.attempts, 2, 'it stays there until it is acknowledged')
  t.same([...queues.names()], ['q.dead'])
})

t.test('receiveWithin() waits for a message, a delay or a visibility that ends, in turn', async t => {
  const { queues, clock } = await opened()
  const wait = (ms: number) => queues.receiveWithin('q', { visibilityMs: 100 }, ms).then(([one]) => one)
  const [first, second, third] = [wait(10_000), wait(10_000), wait(50)]
  queues.send('q', bytes('a'))
  const a = await first
  t.same(a?.body, bytes('a'))
  clock.advance(50)
  t.equal(await third, undefined)
  clock.advance(50)
  t.match(await second, { id: a!.id, attempts: 2 }, 'the first did not acknowledge')
  queues.send('q', bytes('b'), { delayMs: 20 })
  const fourth = wait(1000)
  clock.advance(20)
  t.same((await fourth)?.body, bytes('b'))
})

t.test('after a start messages are as they were, and deliveries on record hide theirs', async t => {
  const first = await opened()
  for (const text of ['a', 'b', 'c']) first.queues.send('q', bytes(text))
  first.queues.send('q', bytes('later'), { delayMs: 60_000 })
  const a = first.take('q', 5000)!
  const b = first.take('q', 5000)!
  await first.wal.synced(first.queues.ack('q', b.id, b.token))
  first.clock.advance(20_000)
  const second = await opened(first.medium, first.clock)
  t.same(second.queues.states('q'), { ready: 1, delayed: 1, delivered: 1 })
  t.equal(second.take('q')!.text, 'c')
  second.clock.advance(4000)
  t.ok(second.queues.ack('q', a.id, a.token), 'its receiver may still acknowledge')
  second.clock.advance(36_000)
  t.equal(second.take('q', 1)!.text, 'c', 'it was not acknowledged')
  t.equal(second.take('q')!.text, 'later')
})

t.test('clear() and names() see one queue where another begins with its name', async t => {
  const { queues, take, store } = await opened()
  for (const name of ['q', 'q2', 'qé', 'q']) queues.send(name, bytes(name))
  t.same([...queues.names()], ['q', 'q2', 'qé'])
  queues.clear('q')
  t.equal(take('q'), undefined)
  t.same([...queues.names()], ['q2', 'qé'])
  queues.send('q', bytes('new'))
  t.equal(take('q')!.text, 'new')
  t.equal([...store.scan('$queue')].length, 4)
})

t.test('Queues refuses what is out of bounds, by name', async t => {
  const { queues } = await opened(undefined, undefined, { messagesMax: 2, nameBytesMax: 5 })
  for (const name of ['', 'toolong', 'a\0b'])
    t.throws(() => queues.send(name, bytes('x')), { code: 'VARVE_QUEUE' })
  for (const options of [{ priority: 10 }, { priority: 0.5 }, { delayMs: -1 }, { attemptsMax: Number.NaN }]) {
    t.throws(() => queues.send('q', bytes('x'), options), { code: 'VARVE_QUEUE' })
  }
  t.throws(() => queues.receive('q', { max: 0 }), { code: 'VARVE_QUEUE' })
  t.throws(() => queues.receive('q', { visibilityMs: 0 }), { code: 'VARVE_QUEUE' })
  queues.send('q', bytes('x'))
  queues.send('q', bytes('x'))
  t.throws(() => queues.send('q', bytes('x')), { code: 'VARVE_QUEUE_FULL' })
})

t.test('the records decode as their examples say', async t => {
  const [message, delivery] = examplesOf('src/kv/queue-record.ts') as [Uint8Array, Uint8Array]
  const expected = { priority: 5, attemptsMax: 16, readyUs: 0, origin: '' }
  t.match(decodeMessage(message), { ...expected, body: new Uint8Array(bytes('hi')) })
  t.same(decodeDelivery(delivery), { token: 9, attempts: 2, visibilityMs: 30_000 })
  t.same(parseQueueKey(messageKey('qé', 2 ** 50 + 3)), { queue: 'qé', isMessage: true, id: 2 ** 50 + 3 })
  message[0] = 9
  t.throws(() => decodeMessage(message), { code: 'VARVE_FORMAT_NEWER' })
})

/** Senders and receivers over power cuts: the model is what they were told. */
class History {
  readonly random: Random
  readonly medium: Medium
  readonly clock = new HandClock()
  /** Told to be sent and not known to be acknowledged. */
  readonly owed = new Set<string>()
  /** Acknowledged, and the acknowledgement told: must not come again. */
  readonly done = new Set<string>()
  /** In the hands of a receiver, until then, ms. */
  readonly hidden = new Map<string, number>()
  readonly tokens = new Set<number>()
  count = 0

  constructor(seed: number) {
    this.random = new Random(seed)
    this.medium = new Medium(this.random)
  }

  async run(): Promise<string | null> {
    for (let life = 0; life < 5; life++) {
      const { queues, wal, store } = await opened(this.medium, this.clock)
      if (life < 4) this.medium.cutAt = this.medium.steps + this.random.below(40)
      // A cut may lose that a message was delivered.
      this.hidden.clear()
      try {
        for (let turn = 0; turn < 60; turn++) {
          const wrong = await this.turn(queues, wal)
          if (wrong !== null) return wrong
        }
        if (life === 4) return await this.drain(queues, wal)
      } catch (error) {
        if ((error as { code?: string }).code !== 'VARVE_IO') return String((error as Error).stack)
      }
      await store.close()
    }
    return null
  }

  async turn(queues: Queues, wal: { synced(group: number): Promise<void> }): Promise<string | null> {
    const { random, clock } = this
    clock.advance(random.below(30))
    if (random.chance(0.4)) {
      const text = `m${this.count++}`
      const delayMs = random.chance(0.3) ? random.below(100) : 0
      const { group } = queues.send('q', bytes(text), { priority: random.below(10), attemptsMax: 3, delayMs })
      await wal.synced(group)
      this.owed.add(text)
      return null
    }
    const name = random.chance(0.2) ? 'q.dead' : 'q'
    const visibilityMs = 20 + random.below(60)
    const [delivery] = queues.receive(name, { visibilityMs })
    if (delivery === undefined) return null
    const text = Buffer.from(delivery.body).toString()
    if (this.done.has(text)) return `${text} came again after its acknowledgement`
    if ((this.hidden.get(text) ?? 0) > clock.monotonicMs()) return `${text} was given to two`
    if (this.tokens.has(delivery.token)) return `token ${delivery.token} was given twice`
    this.tokens.add(delivery.token)
    this.hidden.set(text, clock.monotonicMs() + visibilityMs)
    const draw = random.below(3)
    if (draw === 0) {
      this.owed.delete(text)
      await wal.synced(queues.ack(name, delivery.id, delivery.token))
      this.done.add(text)
    } else if (draw === 1) {
      this.hidden.delete(text)
      await wal.synced(queues.nack(name, delivery.id, delivery.token, random.below(50)))
    }
    return null
  }

  /** Everything that is owed still comes out, from the queue or its dead letters. */
  async drain(queues: Queues, wal: { synced(group: number): Promise<void> }): Promise<string | null> {
    for (let turn = 0; turn < 5000; turn++) {
      this.clock.advance(100)
      const all = ['q', 'q.dead'].flatMap(name =>
        queues.receive(name, { max: 50, visibilityMs: 50 }).map(delivery => ({ name, ...delivery }))
      )
      if (all.length === 0 && [...queues.names()].length === 0) break
      for (const { name, id, token, body } of all) {
        const text = Buffer.from(body).toString()
        if (this.done.has(text)) return `${text} came again after its acknowledgement`
        await wal.synced(queues.ack(name, id, token))
        this.owed.delete(text)
        this.done.add(text)
      }
    }
    return this.owed.size === 0 ? null : `${[...this.owed]} never came`
  }
}

t.test('over power cuts nothing sent is lost, nothing acknowledged comes again, nobody shares', async t => {
  for (const seed of seeds(300)) {
    const wrong = await new History(seed).run()
    if (wrong !== null) return t.fail(`VARVE_SEED=${seed}: ${wrong}`)
  }
  t.pass('no history contradicts itself')
})

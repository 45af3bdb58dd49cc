import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { ServiceRequest } from '../../src/broker/service.ts'
import { KvTopics } from '../../src/daemon/kv-topics.ts'
import { KvStore } from '../../src/kv/store.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'
import { Medium, openOn } from '../kv/sim-host.ts'

const ended = { next: () => null, close: () => {} }

/** A subscriber as the broker would serve it: retained messages when it reads, changes when they are told. */
interface Watcher {
  readonly seen: Map<string, string[]>
  retained: Iterator<{ topic: string; bytes: Uint8Array }>
  isReading: boolean
}

async function world(seed: number) {
  const store = new KvStore({ clock: new HandClock(), onError: error => t.fail(String(error)), limits: {} })
  const wal = await openOn(new Medium(new Random(seed)), store)
  const watchers: Watcher[] = []
  const note = (watcher: Watcher, topic: string, value: Uint8Array) => {
    const values = watcher.seen.get(topic) ?? []
    watcher.seen.set(topic, values)
    values.push(Buffer.from(value).toString())
  }
  const broker = {
    relayWhole: (topic: string, value: Uint8Array) =>
      watchers.forEach(watcher => void note(watcher, topic, value)),
    hasSubscribers: () => watchers.length > 0,
    limits: { topicBytesMax: 1024, levelsMax: 64 }
  }
  const topics = new KvTopics(store, broker, { feed: () => ended }, error => t.fail(String(error)))
  wal.onSynced(() => topics.synced())
  const ask = (topic: string, payload: string, retain = false) => {
    const client = { id: 'c', rights: null, onGone: () => {} }
    const request: ServiceRequest = {
      ...{ topic, payload: Buffer.from(payload), qos: 1, retain, client },
      ...{ responseTopic: null, correlation: null }
    }
    return topics.request(request)
  }
  return {
    ...{ store, wal, watchers, ask },
    subscribe(filter: string): Watcher {
      topics.subscribing(filter)
      const watcher: Watcher = { seen: new Map(), retained: [][Symbol.iterator](), isReading: true }
      watchers.push(watcher)
      watcher.retained = topics.retained(filter)[Symbol.iterator]()
      return watcher
    },
    /** Takes up to n of its retained messages. */
    read(watcher: Watcher, n: number) {
      for (; n > 0 && watcher.isReading; n--) {
        const { done, value } = watcher.retained.next()
        if (done) watcher.isReading = false
        else note(watcher, value.topic, value.bytes)
      }
    }
  }
}

t.test(
  'a subscriber sees each value once, in order, and the newest last, whenever it comes and however slowly it reads',
  async t => {
    for (const seed of seeds(200)) {
      const random = new Random(seed)
      const { store, wal, watchers, ask, subscribe, read } = await world(seed)
      const counts = new Map<string, number>()
      for (let step = 0; step < 120; step++) {
        const key = `k${random.below(90)}`
        const dice = random.below(10)
        if (dice < 5) {
          const value = (counts.get(key) ?? 0) + 1
          counts.set(key, value)
          ask(`$kv/n/${key}`, String(value))
        } else if (dice < 7) await wal.sync()
        else if (dice < 8 && watchers.length < 4) subscribe('$kv/n/#')
        else if (watchers.length > 0) read(random.pick(watchers), random.below(40))
      }
      await wal.sync()
      for (const watcher of watchers) read(watcher, 1e6)
      for (const [i, { seen }] of watchers.entries()) {
        for (const [topic, values] of seen) {
          const numbers = values.map(Number)
          const isRun = numbers.every((n, at) => at === 0 || n === numbers[at - 1]! + 1)
          const newest = Buffer.from(store.get('n', topic.slice(6))!.value).toString()
          if (!isRun || values.at(-1) !== newest)
            return t.fail(`VARVE_SEED=${seed}: watcher ${i} of ${topic} saw ${values}, it is ${newest}`)
        }
        if (seen.size !== [...store.scan('n')].length)
          return t.fail(`VARVE_SEED=${seed}: watcher ${i} misses keys`)
      }
    }
    t.pass('none missing, none twice')
  }
)

t.test('filters, names that are no topics, and namespaces of the daemon', async t => {
  const { store, wal, ask, subscribe, read } = await world(1)
  ask('$kv/a/x/y', '1')
  ask('$kv/b/x', '2')
  store.put('b', Buffer.from([0xff]), Buffer.from('no text'))
  store.put('b', 'a+b', Buffer.from('no topic'))
  store.put('mqtt.retained', 'x', Buffer.from('not yours'))
  store.put('last', 'x', Buffer.from('nobody wrote this'))
  await wal.sync()
  const found = (filter: string) => {
    const watcher = subscribe(filter)
    read(watcher, 100)
    return [...watcher.seen.keys()]
  }
  t.same(found('$kv/#'), ['$kv/a/x/y', '$kv/b/x'])
  t.same(found('$kv/+/x'), ['$kv/b/x'])
  t.same(found('$kv/+/x/#'), ['$kv/a/x/y', '$kv/b/x'])
  t.same(found('$kv/a/x/+'), ['$kv/a/x/y'])
  t.same(found('$kv/mqtt.retained/#'), [])
  t.same(found('$kv/no such/#'), [])
  for (const topic of ['$kv', '$kv/a', '$kv/a/', '$kv//x'])
    t.throws(() => ask(topic, '1'), { code: 'VARVE_TOPIC' }, topic)
  for (const topic of ['$kv/ingest.dead/1', '$kv/last/a/b'])
    t.throws(() => ask(topic, '1'), { code: 'VARVE_KV_RESERVED' }, topic)
})

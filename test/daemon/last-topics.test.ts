// Last values as topics, over a store that is drained, synced and read by hand.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Feed } from '../../src/broker/service.ts'
import { LastTopics } from '../../src/daemon/last-topics.ts'
import { topicKeyOf } from '../../src/daemon/last-values.ts'
import { Catalog } from '../../src/series/catalog.ts'
import { seriesName } from '../../src/series/catalog-names.ts'
import type { ArrivedRow } from '../../src/series/head-walk.ts'
import { makeLabels } from '../../src/series/label.ts'
import type { Value } from '../../src/series/sample.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'

interface Told {
  readonly topic: string
  readonly text: string
  readonly retain: boolean
}

interface Row {
  readonly group: number
  readonly timeUs: number
  readonly value: Value
}

function world() {
  const catalog = new Catalog({ seriesMax: 1000, fieldsPerGroupMax: 100 })
  const listeners = new Set<(row: ArrivedRow) => void>()
  const syncs: ((group: number) => void)[] = []
  const wal = { pendingGroup: 1, onSynced: (listener: (group: number) => void) => void syncs.push(listener) }
  const newest = new Map<number, Row>()
  const clock = new HandClock()
  const errors: unknown[] = []
  const template = { fields: Uint16Array.of(0), kinds: Uint8Array.of(0) }
  let pending: Row[] = []
  /** Answers that are on their way: as of the question. */
  const answers: (() => void)[] = []
  const kit = {
    ...{ catalog, wal, newest, listeners, answers, clock, errors },
    fail: null as VarveError | null,
    topics: null as unknown as LastTopics,
    row(topic: string, timeUs: number, value: Value) {
      const group = catalog.group('', makeLabels([['topic', topic]]))
      catalog.field(group, 't')
      pending.push({ group, timeUs, value })
      if (timeUs >= (newest.get(group)?.timeUs ?? 0)) newest.set(group, { group, timeUs, value })
    },
    drain() {
      wal.pendingGroup++
      for (const { group, timeUs, value } of pending) {
        const row = { id: group, shape: { group, boot: 0, template }, timeUs, value: () => value }
        for (const listener of listeners) listener(row)
      }
      pending = []
    },
    sync(group = wal.pendingGroup - 1) {
      for (const listener of syncs) listener(group)
    },
    subscribe(filter: string, wantsRetained = true) {
      const told: Told[] = []
      let isWoken = true
      const feed: Feed = kit.topics.feed(filter, wantsRetained, () => {
        isWoken = true
      })
      return {
        ...{ feed, told, filter },
        /** Takes up to n messages; nothing where nobody said that there are some. */
        read(n = 1e6) {
          for (; n > 0 && isWoken; n--) {
            const next = feed.next()
            if (next === null) {
              isWoken = false
              return
            }
            const { message, retain } = next
            told.push({ topic: message.topic, text: Buffer.from(message.bytes).toString(), retain })
          }
        }
      }
    }
  }
  const values = {
    newest(series: readonly number[]) {
      const found = series.flatMap(id => {
        const { group } = catalog.place(id)
        const row = newest.get(group)
        if (row === undefined) return []
        const { name, labels, fields } = catalog.at(group)
        const topicKey = topicKeyOf(seriesName(name, fields[0]!), labels)
        return [{ topicKey, timeUs: row.timeUs, value: Buffer.from(String(row.value)) }]
      })
      return new Promise<typeof found>((resolve, reject) => {
        answers.push(() => (kit.fail === null ? resolve(found) : reject(kit.fail)))
      })
    }
  }
  kit.topics = new LastTopics({
    series: {
      catalog,
      boots: null as never,
      onDrain: listener => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      }
    },
    ...{ wal, values, clock },
    limits: { topicBytesMax: 1024, levelsMax: 64 },
    onError: error => void errors.push(error)
  })
  return kit
}

type World = ReturnType<typeof world>

/** Lets slices be chosen, and answers those that were. */
async function turn({ answers }: World, isAnswering = true): Promise<void> {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  if (isAnswering) for (const answer of answers.splice(0)) answer()
  await new Promise(setImmediate)
}

async function settle(kit: World, readers: { read(): void }[]): Promise<void> {
  for (let i = 0; i < 8; i++) {
    for (const reader of readers) reader.read()
    await turn(kit)
  }
  for (const reader of readers) reader.read()
}

t.test('what is there is told as retained, then what each sync made the newest', async t => {
  const kit = world()
  kit.row('a/b', 1, 1)
  kit.row('a/b', 2, 2)
  kit.row('a/c', 1, 'on')
  kit.drain()
  kit.sync()
  t.equal(kit.listeners.size, 0, 'nothing is looked at while nobody subscribes')
  const all = kit.subscribe('$kv/last/#')
  const one = kit.subscribe('$kv/last/a/b/t')
  const late = kit.subscribe('$kv/last/+/b/t', false)
  const readers = [all, one, late]
  await settle(kit, readers)
  const [b, c] = ['$kv/last/a/b/t', '$kv/last/a/c/t']
  t.same(all.told, [
    { topic: b, text: '2', retain: true },
    { topic: c, text: 'on', retain: true }
  ])
  t.same(one.told, [{ topic: b, text: '2', retain: true }])
  t.same(late.told, [])

  kit.row('a/b', 4, 4)
  kit.row('a/b', 3, 3)
  kit.row('new', 1, true)
  kit.drain()
  await settle(kit, readers)
  t.equal(all.told.length, 2, 'nothing before the sync')
  kit.sync()
  kit.row('a/b', 3.5, 'late')
  kit.drain()
  kit.sync()
  await settle(kit, readers)
  const four = { topic: b, text: '4', retain: false }
  t.same(all.told.slice(2), [four, { topic: '$kv/last/new/t', text: 'true', retain: false }])
  t.same([one.told.slice(1), late.told], [[four], [four]])
  for (const { feed } of readers) feed.close()
  t.equal(kit.listeners.size, 0)
})

t.test(
  'whenever it comes and however it reads, a subscriber ends with the newest and never goes back',
  async t => {
    for (const seed of seeds(150)) {
      const random = new Random(seed)
      const kit = world()
      const readers: ReturnType<World['subscribe']>[] = []
      const sent = new Set<string>()
      let time = 0
      let undrained = 0
      for (let step = 0; step < 150; step++) {
        const dice = random.below(12)
        if (dice < 5) {
          const at = random.below(4) === 0 ? 1 + random.below(time + 1) : ++time
          time = Math.max(time, at)
          const topic = `d/${random.below(80)}`
          // The same sample again would be told again.
          if (sent.has(`${topic} ${at}`)) continue
          sent.add(`${topic} ${at}`)
          kit.row(topic, at, at)
          undrained++
        } else if (dice < 7 && undrained > 0) {
          kit.drain()
          undrained = 0
        } else if (dice < 8) kit.sync(Math.max(0, kit.wal.pendingGroup - 1 - random.below(2)))
        else if (dice < 9 && readers.length < 4)
          readers.push(kit.subscribe(random.pick(['$kv/last/#', '$kv/last/d/+/t'])))
        else if (dice < 11 && readers.length > 0) random.pick(readers).read(random.below(30))
        else await turn(kit, random.below(2) === 0)
      }
      kit.drain()
      kit.sync()
      await settle(kit, readers)
      for (const { told } of readers) {
        const seen = new Map<string, string>()
        for (const { topic, text } of told) {
          if (Number(text) <= Number(seen.get(topic) ?? 0))
            return t.fail(`VARVE_SEED=${seed}: ${topic} was ${seen.get(topic)}, then ${text}`)
          seen.set(topic, text)
        }
        for (const [group, { value }] of kit.newest) {
          const topic = `$kv/last/${kit.catalog.at(group).labels[0]![1]}/t`
          if (seen.get(topic) !== String(value))
            return t.fail(`VARVE_SEED=${seed}: ${topic} is ${value}, told ${seen.get(topic)}`)
        }
      }
    }
    t.pass('none missing, none twice')
  }
)

t.test('what is there is read in slices, the next one when the one before was taken', async t => {
  const kit = world()
  for (let i = 0; i < 600; i++) kit.row(`d/${i}`, 1, 1)
  kit.drain()
  kit.sync()
  const reader = kit.subscribe('$kv/last/#')
  const counts: number[] = []
  for (let i = 0; i < 8; i++) {
    const before = reader.told.length
    await turn(kit)
    reader.read(100)
    counts.push(reader.told.length - before)
    if (i === 1) t.equal(kit.answers.length, 0, 'nothing is asked for while something waits')
  }
  await settle(kit, [reader])
  t.same(counts.slice(0, 4), [0, 100, 100, 56])
  t.same(new Set(reader.told.map(({ topic }) => topic)).size, 600)
  t.equal(reader.told.length, 600)
})

t.test('what waits for a subscriber that does not read is one value a series', async t => {
  const kit = world()
  const slow = kit.subscribe('$kv/last/#')
  await settle(kit, [slow])
  for (let i = 1; i <= 5000; i++) {
    kit.row(`d/${i % 3}`, i, i)
    if (i % 10 === 0) {
      kit.drain()
      kit.sync()
    }
  }
  slow.read()
  t.same(slow.told.map(({ text }) => text).sort(), ['4998', '4999', '5000'])
})

t.test(
  'a question that nobody has room for is asked again; one that fails is told, and changes go on',
  async t => {
    const kit = world()
    kit.row('a', 1, 1)
    kit.drain()
    kit.sync()
    const reader = kit.subscribe('$kv/last/#')
    kit.fail = new VarveError('VARVE_QUERY_BUSY', 'Cannot start query: 8 wait')
    await settle(kit, [reader])
    t.same([reader.told, kit.errors], [[], []])
    kit.fail = null
    kit.clock.advance(100)
    await settle(kit, [reader])
    t.match(reader.told, [{ text: '1', retain: true }])
    const other = kit.subscribe('$kv/last/a/t')
    kit.fail = new VarveError('VARVE_QUERY_MEMORY', 'Cannot finish query: too much')
    await settle(kit, [other])
    t.match(kit.errors, [{ code: 'VARVE_QUERY_MEMORY' }])
    kit.row('a', 2, 2)
    kit.drain()
    kit.sync()
    await settle(kit, [other])
    t.same(other.told, [{ topic: '$kv/last/a/t', text: '2', retain: false }])
  }
)

t.test('a series that topic and field do not name is called by its selector', t => {
  t.equal(topicKeyOf('t', makeLabels([['topic', 'a/b']])), 'a/b/t')
  t.equal(topicKeyOf('t', makeLabels([['site', 'a']])), 't{site="a"}')
  t.equal(topicKeyOf('t/x', makeLabels([['topic', 'a']])), 't/x{topic="a"}')
  t.equal(topicKeyOf('t', []), 't')
  t.equal(topicKeyOf('a b', makeLabels([['topic', 'x{y']])), '{"a b",topic="x{y"}')
  t.end()
})

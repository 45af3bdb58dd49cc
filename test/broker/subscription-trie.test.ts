// The tree of filters against the plain rule of one filter and one topic.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { brokerLimits } from '../../src/broker/limits.ts'
import { SubscriptionTrie } from '../../src/broker/subscription-trie.ts'
import { filterCovers, filterMatches, isFilter, isTopic } from '../../src/broker/topic.ts'

const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }

t.test('SubscriptionTrie finds what filterMatches() says, on random filters and topics', async t => {
  const first = Number(process.env.VARVE_SEED ?? 1)
  for (let seed = first; seed < first + 300; seed++) {
    const random = new Random(seed)
    const level = (): string => random.pick(['a', 'b', '', '$x', '+'])
    const trie = new SubscriptionTrie<string>()
    const held = new Map<string, Set<string>>()
    for (let i = 0; i < 30; i++) {
      let filter = Array.from({ length: 1 + random.below(3) }, level).join('/')
      if (random.chance(0.3)) filter = random.chance(0.3) ? '#' : `${filter}/#`
      if (!isFilter(filter, brokerLimits)) continue
      const who = `s${random.below(5)}`
      const filters = held.get(who) ?? new Set()
      held.set(who, filters)
      if (random.chance(0.3)) {
        if (trie.remove(filter, who) !== filters.delete(filter)) t.fail(`VARVE_SEED=${seed}`)
      } else {
        trie.add(filter, who, { ...plain, qos: 0 })
        filters.add(filter)
      }
    }
    for (let i = 0; i < 20; i++) {
      const topic = Array.from({ length: 1 + random.below(4) }, level)
        .join('/')
        .replaceAll('+', 'c')
      if (!isTopic(topic, brokerLimits)) continue
      const expected = [...held]
        .filter(([, f]) => [...f].some(filter => filterMatches(filter, topic)))
        .map(([who]) => who)
      const found = trie.match(topic).map(route => route.subscriber)
      if (found.sort().join() !== expected.sort().join()) t.fail(`VARVE_SEED=${seed} ${topic}`)
    }
  }
  t.ok(filterMatches('a/#', 'a'))
  t.notOk(filterMatches('#', '$SYS/x'))
  t.ok(filterCovers('a/#', 'a/+/b'))
  t.notOk(filterCovers('a/+', 'a/#'))
})

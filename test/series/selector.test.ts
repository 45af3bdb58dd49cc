import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { Matcher } from '../../src/series/matcher.ts'
import { parseSelector, SelectorError } from '../../src/series/selector.ts'
import { checkTopicFilter, topicMatches } from '../../src/series/topic-filter.ts'
import { seeds } from '../query/fake-source.ts'

const named = (value: string): Matcher => ({ name: '__name__', op: '=', value })

t.test('parseSelector() reads what Prometheus writes', async t => {
  t.strictSame(parseSelector('up'), [named('up')])
  t.strictSame(parseSelector(' °C { a = "x" , b!~`\\d` , } '), [
    named('°C'),
    { name: 'a', op: '=', value: 'x' },
    { name: 'b', op: '!~', value: '\\d' }
  ])
  t.strictSame(parseSelector('{"temp in","my label"=~\'\'}'), [
    named('temp in'),
    { name: 'my label', op: '=~', value: '' }
  ])
  t.strictSame(parseSelector('{}'), [])
  t.strictSame(parseSelector('{a!="\\"\\\\\\n\\t\\x41\\u00e9\\U0001F600\\101"}'), [
    { name: 'a', op: '!=', value: '"\\\n\tAé😀A' }
  ])
})

t.test('parseSelector() says where it cannot go on', async t => {
  const bad: [text: string, position: number][] = [
    ['', 1],
    ['t x', 3],
    ['t{', 3],
    ['t{a', 4],
    ['t{a=', 5],
    ['t{a=x}', 5],
    ['t{a="x"', 8],
    ['t{a="x', 7],
    ['t{a="\\q"}', 6],
    ['t{a="\\ud800"}', 6],
    ['t{,}', 3],
    ['t{a="x" b="y"}', 9],
    ['t{a=="x"}', 5],
    ['t}', 2]
  ]
  for (const [text, position] of bad) {
    t.throws(() => parseSelector(text), { code: 'VARVE_SELECTOR', position }, JSON.stringify(text))
  }
  t.throws(() => parseSelector(`{${'a="b",'.repeat(200)}}`), { code: 'VARVE_SELECTOR' })
  t.throws(() => parseSelector('a'.repeat(200_000)), { code: 'VARVE_SELECTOR' })
})

t.test('parseSelector() reads back any matchers, and throws only SelectorError for any text', async t => {
  const chars = [...'ab{}",=~!\\`\' \n°']
  for (const seed of seeds(4000)) {
    const random = new Random(seed)
    const text = (max: number) => Array.from({ length: random.below(max) }, () => random.pick(chars)).join('')
    const matchers = Array.from({ length: random.below(4) }, () => {
      const op = random.pick(['=', '!=', '=~', '!~'] as const)
      return { name: `x${text(5)}`, op, value: text(8) }
    })
    const written = matchers.map(({ name, op, value }) => JSON.stringify(name) + op + JSON.stringify(value))
    t.strictSame(parseSelector(`{${written.join()}}`), matchers, `VARVE_SEED=${seed}`)
    try {
      parseSelector(text(14))
    } catch (error) {
      if (!(error instanceof SelectorError)) t.fail(`VARVE_SEED=${seed} ${error}`)
    }
  }
})

/** The rules of MQTT 3.1.1, section 4.7, level by level. */
function modelMatches(filter: readonly string[], topic: readonly string[]): boolean {
  if (filter[0] === '#') return true
  if (filter.length === 0 || topic.length === 0) return filter.length === topic.length
  return (filter[0] === '+' || filter[0] === topic[0]) && modelMatches(filter.slice(1), topic.slice(1))
}

t.test('topicMatches() follows the rules of MQTT', async t => {
  const levels = ['a', 'b', '', '+', '$x']
  for (const seed of seeds(4000)) {
    const random = new Random(seed)
    const any = (from: readonly string[]) =>
      Array.from({ length: 1 + random.below(4) }, () => random.pick(from))
    const filter = any(levels)
    if (random.chance(0.3)) filter.push('#')
    const topic = any(['a', 'b', '', '$x'])
    checkTopicFilter(`x/${filter.join('/')}`)
    const isHidden = topic[0] === '$x' && ['+', '#'].includes(filter[0]!)
    const expected = topic.join('/') !== '' && !isHidden && modelMatches(filter, topic)
    const found = topicMatches(filter.join('/'), topic.join('/'))
    t.equal(found, expected, `${filter.join('/')} on ${topic.join('/')} VARVE_SEED=${seed}`)
  }
  t.equal(topicMatches('#', '$SYS/x'), false)
  t.equal(topicMatches('$SYS/#', '$SYS/x'), true)
  for (const filter of ['', 'a/#/b', 'a#', 'a/b+', '+a', '##', 'a'.repeat(70_000)]) {
    t.throws(() => checkTopicFilter(filter), { code: 'VARVE_TOPIC_FILTER' }, filter.slice(0, 20))
  }
})

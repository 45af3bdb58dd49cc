import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { type Parameters, readRequest } from '../../src/query/parameters.ts'
import type { QueryKind } from '../../src/query/request.ts'
import { seeds } from './fake-source.ts'

const NOW_US = 1_700_000_000_000_000

function given(text: string): Parameters {
  const parameters = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    parameters.set(name, [...(parameters.get(name) ?? []), value])
  }
  return parameters
}

const read = (kind: QueryKind, text: string) => readRequest(kind, given(text), NOW_US)

t.test('readRequest() fills in what is not given', async t => {
  const question = { select: { selectors: [], topic: null }, format: 'json', time: 'us', limit: null }
  t.strictSame(read('series', ''), { kind: 'series', ...question })
  const toUs = 2 ** 52 - 1
  t.strictSame(read('last', ''), { kind: 'last', ...question, toUs })
  const fromUs = 0
  t.strictSame(read('range', ''), { kind: 'range', ...question, fromUs, toUs, order: 'asc', windows: null })
  t.match(read('range', 'step=5m'), { windows: { stepUs: 300_000_000, functions: ['avg'], by: null } })
  t.match(read('range', 'step=1h&fn=max,min&fn=avg&by=site,%20device,site&from=-1h&to=now&order=desc'), {
    fromUs: NOW_US - 3_600_000_000,
    toUs: NOW_US,
    order: 'desc',
    windows: { functions: ['max', 'min', 'avg'], by: ['device', 'site'] }
  })
  t.match(read('range', 'step=1h&by='), { windows: { by: [] } })
  t.match(read('history', 'topic=a/%23&match[]=t&match={x="1"}&format=csv&time=iso&limit=5'), {
    select: {
      selectors: [[{ name: 'x', op: '=', value: '1' }], [{ name: '__name__', op: '=', value: 't' }]],
      topic: 'a/#'
    },
    format: 'csv',
    time: 'iso',
    limit: 5
  })
})

t.test('readRequest() names the parameter that is wrong', async t => {
  const bad: [QueryKind, string, string][] = [
    ['series', 'from=1', 'from'],
    ['last', 'step=1m', 'step'],
    ['range', 'mach=x', 'mach'],
    ['range', 'format=xml', 'format'],
    ['range', 'format=json&format=csv', 'format'],
    ['range', 'time=h', 'time'],
    ['range', 'limit=0', 'limit'],
    ['range', 'limit=-1', 'limit'],
    ['range', 'limit=1.5', 'limit'],
    ['range', 'limit=all', 'limit'],
    ['range', 'limit=99999999999999999999', 'limit'],
    ['range', 'from=yesterday', 'from'],
    ['range', 'to=2023-02-30', 'to'],
    ['range', 'to=99999999999999999', 'to'],
    ['range', 'from=2&to=1', 'from'],
    ['range', 'order=up', 'order'],
    ['range', 'step=0s', 'step'],
    ['range', 'step=60', 'step'],
    ['range', 'step=-1m', 'step'],
    ['range', 'step=400y', 'step'],
    ['range', 'step=1m&fn=median', 'fn'],
    ['range', 'step=1m&fn=avg,avg', 'fn'],
    ['range', 'fn=avg', 'fn'],
    ['range', 'by=site', 'by'],
    ['range', 'step=1m&by=__name__', 'by'],
    ['range', `step=1m&by=${Array.from({ length: 40 }, (_, i) => `l${i}`).join()}`, 'by'],
    ['range', 'match=', 'match:1'],
    ['range', 'match=t{', 'match:3'],
    ['range', 'match[]=t{a="}', 'match[]:7'],
    ['range', 'match=t{a=~"("}', 'match'],
    ['range', 'match=t&'.repeat(65), 'match'],
    ['range', 'topic=a/%23/b', 'topic'],
    ['range', 'topic=a%2b', 'topic'],
    ['history', '', 'topic']
  ]
  for (const [kind, text, where] of bad) {
    t.throws(() => read(kind, text), { code: 'VARVE_PARAMETER', where }, `${kind} ${text.slice(0, 60)}`)
  }
})

t.test('readRequest() throws nothing but coded errors for any parameters', async t => {
  const names = [
    'match',
    'match[]',
    'topic',
    'format',
    'time',
    'limit',
    'from',
    'to',
    'order',
    'step',
    'fn',
    'by'
  ]
  const bits = [
    '',
    'json',
    'us',
    '1',
    '-',
    'now',
    '1h',
    '{',
    '}',
    '"',
    '=~',
    't',
    ',',
    '(',
    '[',
    '\\',
    '#',
    '/',
    'é'
  ]
  let read = 0
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const parameters = new Map<string, string[]>()
    for (let i = random.below(4); i > 0; i--) {
      const value = Array.from({ length: random.below(6) }, () => random.pick(bits)).join('')
      parameters.set(random.pick(names), [value])
    }
    const kind = random.pick(['series', 'last', 'range', 'history'] as const)
    try {
      readRequest(kind, parameters, NOW_US)
      read++
    } catch (error) {
      if (!(error instanceof VarveError)) t.fail(`VARVE_SEED=${seed} ${error}`)
    }
  }
  t.ok(read > 0)
})

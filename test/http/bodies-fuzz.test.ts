// Any body for the paths that ask: forms, JSON, gzip that is none, bytes. Each is answered in the shape of its API
// with a status of its table, and the server goes on.
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { seeds } from '../kit/seeds.ts'
import { Kit } from './server-kit.ts'

const FORM = 'application/x-www-form-urlencoded'
const TYPES = [FORM, FORM, FORM, `${FORM}; charset=utf-8`, 'application/json', 'text/plain', 'x', '', '/;=']
/** By the beginning of a path: its parameters, and a member that every error of its shape has. */
const FACES = [
  {
    paths: ['query', 'query_range', 'labels', 'series', 'format_query', 'query_exemplars'].map(
      name => `/api/v1/${name}`
    ),
    names: [
      'query',
      'time',
      'start',
      'end',
      'step',
      'timeout',
      'limit',
      'match[]',
      'explain',
      'tier',
      'rules',
      'lookback_delta'
    ],
    member: 'errorType'
  },
  {
    paths: ['/query'],
    names: ['q', 'epoch', 'params', 'chunked', 'chunk_size', 'pretty', 'db'],
    member: 'error'
  },
  {
    paths: ['series', 'last', 'range', 'history', 'export'].map(name => `/v1/${name}`),
    names: [
      'match',
      'topic',
      'from',
      'to',
      'step',
      'fn',
      'by',
      'format',
      'limit',
      'after',
      'order',
      'time',
      'explain'
    ],
    member: 'code'
  }
] as const
const VALUES = [
  '',
  '1',
  '-1',
  '0',
  '1e400',
  'NaN',
  '+Inf',
  '1.5',
  'now',
  '-1h',
  '1h',
  '9e15',
  '2026-01-31T12:00:00Z',
  'true',
  'raw',
  'auto',
  't',
  't{site="ž"}',
  '{__name__=~".+"}',
  'rate(t[5m])',
  'sum by (',
  't[1m:1s] @ end()',
  '"',
  '\\',
  '{',
  '\0',
  '\ud800',
  '%',
  'x'.repeat(5000),
  'SELECT mean(t) FROM t GROUP BY time(1m)',
  'SHOW TAG VALUES WITH KEY = site',
  'SELECT $x FROM t',
  '{"x":1}',
  '{"x":[]}',
  '[',
  'ms',
  'µ',
  'count,p99',
  '{"group":{}}'
]

function textOf(random: Random, names: readonly string[], type: string): string {
  const pairs = Array.from(
    { length: random.below(5) },
    () => [random.pick([...names]), random.pick(VALUES)] as const
  )
  if (type === 'application/json') {
    if (random.chance(0.2))
      return random.pick(['[]', '1', 'null', '{', '{"query":{}}', '{"query":[[]]}', '{"__proto__":"x"}'])
    return JSON.stringify(Object.fromEntries(pairs))
  }
  return new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString()
}

t.test('any body is answered in the shape of its path', async t => {
  const kit = await Kit.open({ rows: 20, queryLimits: { secondsMax: 5 } })
  t.teardown(() => kit.server.close())
  const statuses = new Map<number, number>()
  for (const seed of seeds(900)) {
    const random = new Random(seed)
    const { paths, names, member } = random.pick([...FACES])
    const type = random.pick(TYPES)
    const path = random.pick([...paths])
    let bytes = Buffer.from(textOf(random, names, type))
    for (let n = random.chance(0.3) ? 3 : 0; n > 0 && bytes.length > 0; n--)
      bytes[random.below(bytes.length)] = random.below(256)
    const encoding = random.pick(['', '', '', 'gzip', 'gzip', 'br'])
    if (encoding === 'gzip') {
      bytes = gzipSync(bytes)
      if (random.chance(0.4)) bytes[random.below(bytes.length)]! ^= 1 + random.below(255)
      if (random.chance(0.2)) bytes = bytes.subarray(0, random.below(bytes.length))
    }
    const headers: Record<string, string> = { 'content-type': type }
    if (encoding !== '') headers['content-encoding'] = encoding
    const response = await kit.fetch(path, { method: 'POST', headers, body: new Uint8Array(bytes) })
    const text = await response.text()
    const { status } = response
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const message = `VARVE_SEED=${seed} ${path} ${status} ${text.slice(0, 200)}`
    if (![200, 400, 404, 409, 413, 415, 422].includes(status)) return t.fail(message)
    if (status !== 200 && typeof JSON.parse(text)[member] !== 'string') return t.fail(message)
  }
  const isOne = process.env.VARVE_SEED !== undefined
  for (const status of [200, 400, 415])
    t.ok(isOne || statuses.get(status)! > 30, `${status}: ${statuses.get(status)}`)
  t.ok(kit.sources.every(source => source.isClosed))
  t.ok(kit.facts.every(({ isOurs }) => !isOurs))
})

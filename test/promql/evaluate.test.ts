// Evaluation beyond what scripts say: strings, limits, random queries over odd data.
import t from 'tap'
import { oracleSeries } from '../../scripts/oracle-data.ts'
import { randomQuery } from '../../scripts/oracle-queries.ts'
import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { answer } from '../../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../../src/query/limits.ts'
import { plainText, valueText } from '../../src/query/promql/float-text.ts'
import {
  DEFAULT_PROMQL_OPTIONS,
  readInstantRequest,
  readListRequest,
  readRangeRequest
} from '../../src/query/promql/parameters.ts'
import type { PromqlListRequest } from '../../src/query/request.ts'
import { makeLabels } from '../../src/series/label.ts'
import type { SeriesSource } from '../../src/series/source.ts'
import { seeds } from '../kit/seeds.ts'
import { FakeSource } from '../query/fake-source.ts'
import { ArraySource, STALE } from './array-source.ts'

const S = 1_000_000

interface Asked {
  query: string
  time?: string
  start?: string
  end?: string
  step?: string
  rules?: string
}

function ask(
  source: SeriesSource,
  asked: Asked,
  limits: Partial<QueryLimits> = {},
  isCancelled = () => false
) {
  const given = new Map(Object.entries(asked).map(([name, value]) => [name, [value]]))
  const read = asked.start === undefined ? readInstantRequest : readRangeRequest
  const request = read(given, 0, DEFAULT_PROMQL_OPTIONS)
  const context = { limits: { ...DEFAULT_QUERY_LIMITS, ...limits }, clock: systemClock, isCancelled }
  return JSON.parse(Buffer.concat([...answer(source, request, context)]).toString()).data
}

/** name{labels} values, one line a series. */
function lines(data: {
  result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[]
}) {
  return data.result
    .map(({ metric, value, values }) => {
      const labels = Object.entries(metric).map(([name, text]) => `${name}=${text}`)
      return `${labels.join()} ${(values ?? [value!]).map(([time, text]) => `${time}:${text}`).join(' ')}`
    })
    .sort()
}

const STATES = [null, 'on', 'on', 'off', true, 3, '', 'on']

function states() {
  const rows = STATES.map((cell, i) => ({ timeUs: i * 10 * S, cells: [cell, i] }))
  return new FakeSource(
    [{ name: '', labels: makeLabels([['topic', 'a']]), fields: ['lamp', 'n'], rows }],
    3,
    3
  )
}

t.test('a string is a series of value 1 with the label value, and ends when the state changes', async t => {
  const data = ask(states(), { query: 'lamp', start: '0', end: '80', step: '10' })
  t.same(lines(data), [
    '__name__=lamp,topic=a 40:1 50:3',
    '__name__=lamp,topic=a,value=off 30:1',
    '__name__=lamp,topic=a,value=on 10:1 20:1 70:1 80:1'
  ])
  t.same(lines(ask(states(), { query: 'lamp{value="on"}', time: '20' })), [
    '__name__=lamp,topic=a,value=on 20:1'
  ])
  t.same(lines(ask(states(), { query: 'lamp{value!="on"}', time: '20' })), [])
  t.same(lines(ask(states(), { query: 'count_over_time(lamp[2m])', time: '80' })), [
    'topic=a 80:2',
    'topic=a,value=off 80:1',
    'topic=a,value=on 80:3'
  ])
  t.same(lines(ask(states(), { query: 'sum(n * 2)', time: '70' })), [' 70:14'])
})

t.test('lists tell of strings where a matcher on value or its values ask for them', async t => {
  const whole = (
    kind: PromqlListRequest['kind'],
    parameters: Record<string, string | string[]>,
    name = ''
  ) => {
    const given = new Map(Object.entries(parameters).map(([key, value]) => [key, [value].flat()]))
    const request = readListRequest(kind, given, 0, name)
    const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
    return JSON.parse(Buffer.concat([...answer(states(), request, context)]).toString())
  }
  const list: typeof whole = (...asked) => whole(...asked).data
  const match = 'lamp{value="on"}'
  t.same(list('promql-series', { 'match[]': match }), [{ __name__: 'lamp', topic: 'a', value: 'on' }])
  t.same(list('promql-series', { 'match[]': match, start: '25', end: '65' }), [], 'on is gone for that span')
  t.same(list('promql-series', { 'match[]': 'lamp{value="broken"}' }), [])
  t.same(list('promql-series', { 'match[]': 'lamp' }), [{ __name__: 'lamp', topic: 'a' }])
  t.same(list('promql-labels', { 'match[]': match }), ['__name__', 'topic', 'value'])
  t.same(list('promql-values', { 'match[]': match }, 'topic'), ['a'])
  t.same(list('promql-values', { 'match[]': 'lamp' }, 'value'), ['off', 'on'])
  t.same(list('promql-values', { 'match[]': 'lamp', end: '25' }, 'value'), ['on'])
  const twice = list('promql-series', { 'match[]': ['lamp{value!="off"}', 'lamp', match] })
  t.same(
    twice,
    [
      { __name__: 'lamp', topic: 'a' },
      { __name__: 'lamp', topic: 'a', value: 'on' }
    ],
    'once each'
  )
  const cut = whole('promql-series', { 'match[]': '{topic="a"}', limit: '1' })
  t.same([cut.data.length, cut.warnings], [1, ['results truncated due to limit']])
  t.same(list('promql-values', {}, 'value'), [], 'who names no series would read them all')
})

t.test('fields of one group are read together, whatever is asked of them', async t => {
  const source = states()
  const data = ask(source, {
    query: '{__name__=~"lamp|n",topic="a"} > 2',
    start: '50',
    end: '70',
    step: '10'
  })
  t.same(lines(data), ['__name__=lamp,topic=a 50:3', '__name__=n,topic=a 50:5 60:6 70:7'])
})

function manySeries(series: number, samples: number): ArraySource {
  return new ArraySource(
    Array.from({ length: series }, (_, i) => ({
      name: 'm',
      labels: makeLabels([['i', String(i)]]),
      times: new Float64Array(samples).map((_, at) => at * S),
      values: new Float64Array(samples).map((_, at) => at)
    }))
  )
}

t.test('a query ends with the code of the limit it crosses', async t => {
  const source = manySeries(50, 400)
  const range = { start: '0', end: '400', step: '1' }
  t.throws(() => ask(source, { query: 'm', time: '9' }, { seriesMax: 49 }), { code: 'VARVE_QUERY_SERIES' })
  t.throws(() => ask(source, { query: 'm', ...range }, { samplesMax: 10_000 }), {
    code: 'VARVE_QUERY_SAMPLES'
  })
  t.throws(() => ask(source, { query: 'm + m', ...range }, { heldBytesMax: 200_000 }), {
    code: 'VARVE_QUERY_MEMORY'
  })
  t.equal(ask(source, { query: 'sum(m)', ...range }, { heldBytesMax: 200_000 }).result.length, 1)
  t.throws(() => ask(source, { query: 'm', ...range }, { rowsMax: 100 }), { code: 'VARVE_QUERY_ROWS' })
  t.throws(() => ask(source, { query: 'm', ...range }, {}, () => true), { code: 'VARVE_QUERY_CANCELLED' })
  t.throws(() => ask(source, { query: 'sum_over_time(m[200y:1ms])', time: '9' }), {
    code: 'VARVE_QUERY_MEMORY'
  })
  const slow = { query: 'sum(sum_over_time(sum_over_time(m[5m:1s])[10m:1s]))', ...range }
  t.throws(() => ask(source, slow, { secondsMax: 0.05 }), { code: 'VARVE_QUERY_SECONDS' })
  t.throws(() => ask(source, { query: 'label_replace(m, "x", "$1", "i", "((a*)*)*b(")', time: '9' }), {
    code: 'VARVE_PROMQL_EVAL'
  })
})

t.test('an instant query of a range gives the samples, and stale marks are none', async t => {
  const values = new Float64Array([1, 0, 3])
  values.set(STALE, 1)
  const times = new Float64Array([0, 1_500_000, 3_000_001])
  const source = new ArraySource([{ name: 'm', labels: [], times, values }])
  const data = ask(source, { query: 'm[1m]', time: '5' })
  t.equal(data.resultType, 'matrix')
  t.same(lines(data), ['__name__=m 0:1 3.000001:3'])
  t.same(ask(source, { query: '"a" ', time: '5.5' }), { resultType: 'string', result: [5.5, 'a'] })
  t.same(ask(source, { query: '1e-7', time: '5' }), { resultType: 'scalar', result: [5, '1e-07'] })
  t.throws(() => ask(source, { query: 'm[1m]', start: '0', end: '1', step: '1' }), {
    code: 'VARVE_PROMQL_TYPE',
    message: 'invalid expression type "range vector" for range query, must be Scalar or instant Vector'
  })
})

t.test('numbers are written as Prometheus writes them', async t => {
  const pairs: [number, string, string][] = [
    [0, '0', '0'],
    [-0, '-0', '-0'],
    [1e21, '1e+21', '1000000000000000000000'],
    [1.5e-7, '1.5e-07', '0.00000015'],
    [123456789.25, '123456789.25', '123456789.25'],
    [-1e-300, '-1e-300', `-0.${'0'.repeat(299)}1`],
    [Number.NaN, 'NaN', 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Inf', '-Inf']
  ]
  for (const [value, short, plain] of pairs) {
    t.equal(valueText(value), short)
    t.equal(plainText(value), plain)
  }
})

t.test(
  'any query over odd data has an answer or a coded error; runs cut elsewhere change nothing',
  async t => {
    const start = 1_700_000_000_000
    for (const seed of seeds(60)) {
      const random = new Random(seed)
      const all = oracleSeries(1 + (seed % 2), start).map(({ name, labels, times, values }) => {
        const numbers = new Float64Array(values.length)
        values.forEach((value, i) => {
          if (value === 'stale') numbers.set(STALE, i)
          else numbers[i] = value
        })
        return { name, labels, times: Float64Array.from(times, ms => ms * 1000), values: numbers }
      })
      const query = randomQuery(random, 1 + random.below(4))
      const seconds = (ms: number) => String((start + ms) / 1000)
      const asked = {
        query,
        start: seconds(0),
        end: seconds(7_200_000),
        step: '240',
        rules: random.pick(['2', '3'])
      }
      const answers = [1, 2].map(cut => {
        try {
          return JSON.stringify(ask(new ArraySource(all, cut), asked))
        } catch (error) {
          if (!(error instanceof VarveError)) throw new Error(`VARVE_SEED=${seed}: ${query}: ${error}`)
          return error.message
        }
      })
      t.equal(answers[0], answers[1], `VARVE_SEED=${seed}: ${query}`)
    }
  }
)

// InfluxQL over an array of rows: times in WHERE, SHOW, errors, limits, and the forms of an answer.
// Not here: what SELECT computes (influxql-select.test.ts).
import t from 'tap'
import type { QueryLimits } from '../../src/query/limits.ts'
import { ask, START_S, values } from './influxql-answers.ts'

t.test('WHERE takes times from either side, open and closed ends, and zones in their text', async t => {
  const found = (where: string) => values(`SELECT value FROM cpu WHERE host = 'a' AND ${where}`)
  const s = (seconds: number) => `${START_S + seconds}s`
  const [at60, at200] = [
    [60, 5],
    [200, 4]
  ]
  t.strictSame(found(`time > ${s(60)}`), [[at200]])
  t.strictSame(found(`time >= ${s(60)}`), [[at60, at200]])
  t.strictSame(found(`time > ${s(30)} AND time < ${s(200)}`), [[at60]])
  t.strictSame(found(`time > ${s(30)} AND time <= ${s(200)}`), [[at60, at200]])
  t.strictSame(found(`${s(60)} < time`), [[at200]])
  t.strictSame(found(`${s(60)} <= time AND ${s(200)} > time`), [[at60]])
  t.strictSame(found("time = '2023-11-15T03:45:00+05:30'"), [[at60]])
  t.strictSame(found("time = '2023-11-14T22:15:00Z'"), [[at60]])
})

t.test('SHOW lists measurements, fields, tags, values and series', async t => {
  const lists: readonly [string, unknown][] = [
    ['SHOW MEASUREMENTS', [[['cpu'], ['on'], ['room'], ['temperature']]]],
    ['SHOW MEASUREMENTS WITH MEASUREMENT =~ /o/ LIMIT 1 OFFSET 1', [[['room']]]],
    [
      'SHOW FIELD KEYS FROM cpu',
      [
        [
          ['other', 'float'],
          ['state', 'string'],
          ['value', 'float']
        ]
      ]
    ],
    ['SHOW FIELD KEYS FROM "on"', [[['value', 'boolean']]]],
    ['SHOW TAG KEYS', [[['host'], ['region']], [['topic']], [['topic']]]],
    [
      'SHOW TAG VALUES FROM cpu WITH KEY IN (host, region)',
      [
        [
          ['host', 'a'],
          ['host', 'b'],
          ['region', 'eu']
        ]
      ]
    ],
    ['SHOW TAG VALUES FROM cpu WITH KEY != host', [[['region', 'eu']]]],
    ["SHOW TAG VALUES WITH KEY = host WHERE region = 'eu'", [[['host', 'a']]]],
    ['SHOW SERIES FROM cpu', [[['cpu,host=a,region=eu'], ['cpu,host=b']]]],
    ['SHOW DATABASES', [[['varve']]]]
  ]
  for (const [q, wanted] of lists) t.strictSame(values(q), wanted, q)
})

t.test('a statement that fails says so in its place; the others are answered', async t => {
  const { results } = JSON.parse(
    ask('SELECT foo(value) FROM cpu; DROP SERIES FROM cpu; SHOW DATABASES; SELECT value FROM nothing')
  )
  t.match(results, [
    { statement_id: 0, error: 'undefined function foo()' },
    { statement_id: 1, error: /^DROP SERIES FROM is not there/ },
    { statement_id: 2, series: [{ name: 'databases' }] },
    { statement_id: 3 }
  ])
  const bad: readonly [string, RegExp][] = [
    ['SELECT mean(value), value FROM cpu', /mixing aggregate and non-aggregate/],
    ['SELECT derivative(mean(value)) FROM cpu', /requires a GROUP BY interval/],
    ['SELECT value FROM cpu GROUP BY time(1m)', /requires at least one aggregate/],
    ['SELECT mean(value, 2) FROM cpu', /invalid number of arguments for mean, expected 1, got 2/],
    ["SELECT value FROM cpu WHERE time > 'x'", /not compatible/],
    ["SELECT value FROM cpu WHERE time > 0 OR host = 'a'", /cannot use OR with time/],
    ['SELECT value FROM cpu WHERE host =~ /(/', /regular expression/],
    ['SELECT top(value, 2) FROM cpu', /not there|invalid/]
  ]
  for (const [q, why] of bad) t.match(values(q), why, q)
})

t.test('limits end a statement: series, samples, memory of windows', async t => {
  const failing = (q: string, limits: Partial<QueryLimits>) => JSON.parse(ask(q, {}, limits)).results[0].error
  t.match(failing('SELECT value FROM cpu', { seriesMax: 1 }), /more than 1 match/)
  t.match(failing('SELECT mean(value) FROM cpu', { samplesMax: 2 }), /reads more than 2 samples/)
  t.match(
    failing('SELECT mean(value) FROM cpu GROUP BY time(1s) fill(none)', { heldBytesMax: 500 }),
    /holds more than/
  )
})

t.test('chunked answers are lines of so many rows, pretty ones indented; times by epoch', async t => {
  const lines = ask('SELECT value FROM cpu; SHOW DATABASES', {
    chunked: 'true',
    chunk_size: '4',
    epoch: 'ms'
  })
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line).results[0])
  t.match(lines, [
    { statement_id: 0, partial: true, series: [{ partial: true, values: { length: 4 } }] },
    { statement_id: 0, series: [{ values: { length: 2 } }] },
    { statement_id: 1, series: [{ name: 'databases' }] }
  ])
  t.equal(lines[1].partial, undefined)
  const pretty = ask('SELECT value FROM room', { pretty: 'true', epoch: 'ns' })
  t.match(pretty, `"values": [\n                        [\n                            ${START_S}000000000,`)
  t.strictSame(JSON.parse(pretty), JSON.parse(ask('SELECT value FROM room', { epoch: 'ns' })))
})

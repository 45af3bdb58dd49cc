// InfluxQL over an array of rows. What each function and clause comes to was compared with a real InfluxDB by
// scripts/influxql-oracle.ts; here are the answers that it gave for small data.
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { answer } from '../../src/query/evaluate.ts'
import { readInfluxqlRequest } from '../../src/query/influxql/parameters.ts'
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../../src/query/limits.ts'
import { makeLabels } from '../../src/series/label.ts'
import { type FakeGroup, FakeSource } from './fake-source.ts'

const START_S = 1_700_000_040
const at = (s: number) => (START_S + s) * 1e6
const row = (s: number, ...cells: (number | string | boolean | null)[]) => ({ timeUs: at(s), cells })
const labels = (...pairs: [string, string][]) => makeLabels(pairs)
const GROUPS = [
  {
    name: 'cpu',
    labels: labels(['host', 'a'], ['region', 'eu']),
    fields: ['value', 'other', 'state'],
    rows: [row(0, 1, 10, 'on'), row(30, 3, null, null), row(60, 5, 20, 'off'), row(200, 4, null, null)]
  },
  { name: 'cpu', labels: labels(['host', 'b']), fields: ['value'], rows: [row(30, 2), row(60, 8)] },
  { name: '', labels: labels(['topic', 'x/t']), fields: ['temperature', 'on'], rows: [row(0, 21.5, true)] },
  { name: 'room', labels: labels(), fields: ['value'], rows: [row(0, 7)] }
]

function ask(
  q: string,
  more: Record<string, string> = {},
  limits: Partial<QueryLimits> = {},
  groups: readonly FakeGroup[] = GROUPS
): string {
  const parameters = new Map(Object.entries({ q, ...more }).map(([name, value]) => [name, [value]]))
  const context = {
    limits: { ...DEFAULT_QUERY_LIMITS, ...limits },
    clock: systemClock,
    isCancelled: () => false
  }
  const request = readInfluxqlRequest(parameters, at(300), () => ['varve'])
  return Buffer.concat([...answer(new FakeSource(groups), request, context)]).toString()
}

/** The values of each series of the first statement, or its error; times in seconds from the start. */
function values(q: string): unknown {
  const [result] = JSON.parse(ask(q, { epoch: 's' })).results
  if (result.error !== undefined) return result.error
  const moved = ([time, ...cells]: unknown[]) => [
    typeof time === 'number' && time > 1e9 ? time - START_S : time,
    ...cells
  ]
  return (result.series ?? []).map((one: { tags?: Record<string, string>; values: unknown[][] }) =>
    one.tags === undefined
      ? one.values.map(moved)
      : [Object.values(one.tags).join(), ...one.values.map(moved)]
  )
}

// Two series with a value at one time: which of them first() and last() give is what InfluxDB gives.
const at30 = (...cells: (number | boolean)[]) => [row(30, ...cells)]
const TIED = ['a', 'b', 'c'].map((host, i) => ({
  name: 'tied',
  labels: labels(['host', host]),
  fields: ['open', 'level'],
  rows: at30(i !== 1, [5, 9, 7][i]!)
}))

const BOUND = `time >= ${START_S}s AND time < ${START_S + 240}s`

t.test('SELECT: rows of several series come by time, with tags and nulls', async t => {
  t.strictSame(JSON.parse(ask('SELECT * FROM cpu LIMIT 3')), {
    results: [
      {
        statement_id: 0,
        series: [
          {
            name: 'cpu',
            columns: ['time', 'host', 'other', 'region', 'state', 'value'],
            values: [
              ['2023-11-14T22:14:00Z', 'a', 10, 'eu', 'on', 1],
              ['2023-11-14T22:14:30Z', 'a', null, 'eu', null, 3],
              ['2023-11-14T22:14:30Z', 'b', null, null, null, 2]
            ]
          }
        ]
      }
    ]
  })
  t.strictSame(values("SELECT value * 2 + 1 FROM cpu WHERE host = 'b' ORDER BY time DESC"), [
    [
      [60, 17],
      [30, 5]
    ]
  ])
  t.strictSame(values("SELECT other FROM cpu WHERE value > 1 AND (state = 'off' OR other < 0)"), [[[60, 20]]])
  t.strictSame(values('SELECT host FROM cpu'), [])
  t.strictSame(values("SELECT value FROM cpu WHERE region !~ /e/ AND host != ''"), [
    [
      [30, 2],
      [60, 8]
    ]
  ])
})

t.test('SELECT: a field of MQTT is a measurement with the field value', async t => {
  t.strictSame(values('SELECT value FROM temperature'), [[[0, 21.5]]])
  t.strictSame(values('SELECT value FROM "on" WHERE topic = \'x/t\''), [[[0, true]]])
  t.match(ask('SELECT value FROM room'), '"name":"room"')
})

t.test('SELECT: windows, their fills, and groups', async t => {
  const of = (fill: string) =>
    values(`SELECT mean(value) FROM cpu WHERE ${BOUND} AND host = 'a' GROUP BY time(1m) ${fill}`)
  t.strictSame(of(''), [
    [
      [0, 2],
      [60, 5],
      [120, null],
      [180, 4]
    ]
  ])
  t.strictSame(of('fill(none)'), [
    [
      [0, 2],
      [60, 5],
      [180, 4]
    ]
  ])
  t.strictSame(of('fill(previous)'), [
    [
      [0, 2],
      [60, 5],
      [120, 5],
      [180, 4]
    ]
  ])
  t.strictSame(of('fill(linear)'), [
    [
      [0, 2],
      [60, 5],
      [120, 4.5],
      [180, 4]
    ]
  ])
  t.strictSame(of('fill(7)'), [
    [
      [0, 2],
      [60, 5],
      [120, 7],
      [180, 4]
    ]
  ])
  t.strictSame(values(`SELECT count(value) FROM cpu WHERE ${BOUND} GROUP BY time(2m), host`), [
    ['a', [0, 3], [120, 1]],
    ['b', [0, 2], [120, 0]]
  ])
  t.strictSame(
    values(`SELECT count(value) FROM cpu WHERE ${BOUND} GROUP BY time(2m, 1m) ORDER BY time DESC`),
    [
      [
        [180, 1],
        [60, 2],
        [-60, 3]
      ]
    ]
  )
})

t.test('SELECT: each function', async t => {
  const said: Record<string, unknown> = {}
  const names = ['count', 'sum', 'mean', 'median', 'min', 'max', 'first', 'last', 'spread', 'stddev', 'mode']
  for (const fn of names) said[fn] = (values(`SELECT ${fn}(value) FROM cpu`) as unknown[][][])[0]![0]![1]
  said.stddev = Math.round((said.stddev as number) * 1e6) / 1e6
  t.strictSame(said, {
    count: 6,
    sum: 23,
    mean: 23 / 6,
    median: 3.5,
    min: 1,
    max: 8,
    first: 1,
    last: 4,
    spread: 7,
    stddev: 2.483277,
    mode: 1
  })
  t.strictSame(values('SELECT percentile(value, 50) FROM cpu'), [[[30, 3]]])
  t.strictSame(values('SELECT percentile(value, 60) FROM cpu'), [[[200, 4]]], 'the rank is rounded')
  t.strictSame(values('SELECT max(value) FROM cpu'), [[[60, 8]]])
  t.strictSame(values('SELECT count(distinct(state)) FROM cpu'), [[[0, 2]]])
  t.strictSame(values('SELECT distinct(state) FROM cpu'), [
    [
      [0, 'on'],
      [0, 'off']
    ]
  ])
  const series = (fn: string) => values(`SELECT ${fn} FROM cpu WHERE host = 'a'`)
  t.strictSame(series('difference(value)'), [
    [
      [30, 2],
      [60, 2],
      [200, -1]
    ]
  ])
  t.strictSame(series('derivative(value, 1m)'), [
    [
      [30, 4],
      [60, 4],
      [200, -1 / (140 / 60)]
    ]
  ])
  t.strictSame(series('non_negative_derivative(value, 1m)'), [
    [
      [30, 4],
      [60, 4]
    ]
  ])
  t.strictSame(series('moving_average(value, 2)'), [
    [
      [30, 2],
      [60, 4],
      [200, 4.5]
    ]
  ])
  t.strictSame(series('cumulative_sum(value)'), [
    [
      [0, 1],
      [30, 4],
      [60, 9],
      [200, 13]
    ]
  ])
  t.strictSame(series('elapsed(value, 1s)'), [
    [
      [30, 30],
      [60, 30],
      [200, 140]
    ]
  ])
  t.strictSame(
    values(`SELECT derivative(mean(value), 1m) FROM cpu WHERE ${BOUND} GROUP BY time(1m) fill(none)`),
    [
      [
        [60, 4.5],
        [180, -1.25]
      ]
    ]
  )
  t.strictSame(values(`SELECT mean(value) / count(value), max(value) - 1 FROM cpu`), [[[0, 23 / 6 / 6, 7]]])
})

t.test('SELECT: time zones move windows and the times that are shown', async t => {
  const text = ask(
    `SELECT count(value) FROM cpu WHERE ${BOUND} GROUP BY time(1d) fill(none) tz('Asia/Kolkata')`
  )
  t.match(text, '"values":[["2023-11-15T00:00:00+05:30",6]]')
  t.match(
    ask("SELECT value FROM room WHERE time = '2023-11-15 03:44:00' tz('Asia/Kolkata')"),
    '2023-11-15T03:44:00+05:30'
  )
})

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

t.test(
  'at one time first() takes false before true and the larger number, last() the larger of both',
  async t => {
    const cells = (q: string) =>
      JSON.parse(ask(q, { epoch: 's' }, {}, TIED)).results[0].series[0].values[0].slice(1)
    for (let seed = 0; seed < 3; seed++) {
      t.strictSame(cells('SELECT first(open) FROM tied'), [false])
      t.strictSame(cells('SELECT last(open) FROM tied'), [true])
      t.strictSame(cells('SELECT first(level) FROM tied'), [9])
      t.strictSame(cells('SELECT last(level) FROM tied'), [9])
      TIED.reverse()
    }
  }
)

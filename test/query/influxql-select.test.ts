// SELECT over an array of rows. What each function and clause comes to was compared with a real InfluxDB by
// scripts/influxql-oracle.ts; here are the answers that it gave for small data.
import t from 'tap'
import { ask, labels, row, START_S, values } from './influxql-answers.ts'

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

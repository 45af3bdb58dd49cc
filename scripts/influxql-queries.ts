// The data and statements by which varve's InfluxQL is compared with a real InfluxDB: random lines with gaps,
// missing tags and fields, several kinds, equal times; and statements that go through every function and
// clause, alone and at random.

import type { Random } from '../src/base/random.ts'

export const START_S = 1_700_000_000
export const SPAN_S = 7200

/** Lines of protocol with times in ms. */
export function randomLines(random: Random): string[] {
  const lines: string[] = []
  const series = [
    ...['a', 'b', 'c'].flatMap(host => ['eu', 'us'].map(region => `cpu,host=${host},region=${region}`)),
    'cpu,host=d',
    'cpu',
    'disk,host=a',
    'disk,host=b,path=/var\\ x',
    '°C,entity_id=küche'
  ]
  for (const key of series) {
    let ms = START_S * 1000 + random.below(4) * 15_000
    while (ms < (START_S + SPAN_S) * 1000) {
      const fields: string[] = []
      if (random.chance(0.9)) fields.push(`value=${number(random)}`)
      if (random.chance(0.5)) fields.push(`other=${number(random)}`)
      if (random.chance(0.3)) fields.push(`total=${random.below(20)}`)
      if (random.chance(0.2)) fields.push(`state="${random.pick(['on', 'off', 'a \\"b\\"', 'x\\\\y'])}"`)
      if (random.chance(0.2)) fields.push(`flag=${random.chance(0.5)}`)
      if (fields.length > 0) lines.push(`${key} ${fields.join()} ${ms}`)
      ms += random.chance(0.03) ? 900_000 : random.chance(0.7) ? 15_000 : 1 + random.below(30_000)
    }
  }
  return lines
}

function number(random: Random): string {
  if (random.chance(0.1)) return String(random.below(5))
  return (random.unit() * 200 - 50).toFixed(random.below(7))
}

const FUNCTIONS = [
  'count',
  'sum',
  'mean',
  'median',
  'min',
  'max',
  'first',
  'last',
  'spread',
  'stddev',
  'percentile 90',
  'percentile 50',
  'percentile 100'
]
const TRANSFORMS = [
  'derivative',
  'derivative 1m',
  'non_negative_derivative',
  'non_negative_derivative 10s',
  'difference',
  'non_negative_difference',
  'moving_average 3',
  'cumulative_sum',
  'elapsed 1s'
]
const FILLS = ['', 'fill(null)', 'fill(none)', 'fill(previous)', 'fill(linear)', 'fill(7)', 'fill(-1.5)']
const BOUNDS = [
  `time >= ${START_S}s AND time < ${START_S + SPAN_S}s`,
  `time > ${START_S + 600}s AND time <= ${START_S + 4321}s`,
  `time >= '2023-11-14T22:30:00Z' AND time < '2023-11-14 23:10:00.5'`,
  `time >= ${START_S}000ms AND time <= ${START_S + 100}000000000`,
  `time > '2023-11-14' AND time < '2023-11-14' + 1d`,
  `time = ${START_S + 15}s`,
  `time >= ${START_S - 5000}s AND time < ${START_S + SPAN_S + 3000}s`
]
const CONDITIONS = [
  '',
  `"host" = 'a'`,
  `host != 'a'`,
  `host =~ /^[ab]$/`,
  `host !~ /a|c/`,
  `host = 'a' OR host = 'b'`,
  `(host = 'a' OR region = 'us') AND region != ''`,
  `region = ''`,
  `nothing = ''`,
  `nothing = 'x'`,
  'value > 20',
  'value > 20 AND other < 50',
  'value <= 0 OR other > 90',
  `state = 'on'`,
  `state =~ /o/`,
  'flag = true',
  'flag != true',
  'value * 2 > other',
  `value > 10 AND host = 'b'`,
  'nofield > 3'
]
const GROUPS = ['', 'host', 'region', 'host, region', '*', '/^re/', 'nothing', '"host"']
const STEPS = ['time(5m)', 'time(1m)', 'time(7m, 2m)', 'time(1h)', 'time(30s)', 'time(10m, -3m)', 'time(1d)']
const ZONES = ['', '', '', "tz('Europe/Berlin')", "tz('America/New_York')", "tz('Asia/Kolkata')"]

function call(name: string, argument: string): string {
  const [fn, parameter] = name.split(' ')
  return parameter === undefined ? `${fn}(${argument})` : `${fn}(${argument}, ${parameter})`
}

const SHOWS = [
  'SHOW MEASUREMENTS',
  'SHOW MEASUREMENTS WITH MEASUREMENT =~ /c/',
  'SHOW MEASUREMENTS WITH MEASUREMENT = disk',
  'SHOW MEASUREMENTS LIMIT 1 OFFSET 1',
  `SHOW MEASUREMENTS WHERE host = 'd'`,
  'SHOW TAG KEYS',
  'SHOW TAG KEYS FROM cpu',
  'SHOW TAG KEYS FROM /d/',
  'SHOW TAG VALUES WITH KEY = host',
  'SHOW TAG VALUES FROM cpu WITH KEY IN (host, region)',
  'SHOW TAG VALUES WITH KEY =~ /h/',
  'SHOW TAG VALUES FROM cpu WITH KEY != host',
  `SHOW TAG VALUES FROM cpu WITH KEY = host WHERE region = 'eu'`,
  `SHOW TAG VALUES FROM cpu WITH KEY = host WHERE host =~ /a|b/ LIMIT 1`,
  'SHOW SERIES',
  'SHOW SERIES FROM disk',
  `SHOW SERIES WHERE host = 'b'`,
  'SHOW SERIES LIMIT 2 OFFSET 3',
  'SHOW FIELD KEYS',
  'SHOW FIELD KEYS FROM cpu'
]

const BAD = [
  'SELECT',
  'SELECT value',
  'SELECT value FROM',
  'SELECT value FROM cpu WHERE',
  'SELECT value FROM cpu GROUP time(1m)',
  'SELECT mean(value) FROM cpu GROUP BY time()',
  'SELECT foo(value) FROM cpu',
  'SELECT mean(value), value FROM cpu',
  'SELECT mean(value, other) FROM cpu',
  'SELECT percentile(value) FROM cpu',
  'SELECT derivative(mean(value)) FROM cpu',
  'SELECT value FROM cpu GROUP BY time(1m)',
  'SELECT time FROM cpu',
  'SELECT value FROM cpu ORDER BY host',
  "SELECT value FROM cpu WHERE time > 'nonsense'",
  'SELECT value FROM cpu LIMIT x',
  "SELECT value FROM cpu tz('Nowhere/Else')",
  'HELLO',
  'SHOW',
  'SHOW TAG VALUES',
  'SHOW TAG VALUES WITH KEY'
]

/** Each function and clause by itself. */
export function systematic(): string[] {
  const [bound] = BOUNDS
  const all: string[] = [...SHOWS, ...BAD]
  for (const fn of FUNCTIONS) {
    const value = call(fn, 'value')
    all.push(
      `SELECT ${value} FROM cpu`,
      `SELECT ${value} FROM cpu WHERE ${bound} GROUP BY host`,
      `SELECT ${value} FROM cpu WHERE ${bound} GROUP BY time(10m), host`,
      `SELECT ${value} FROM cpu WHERE ${bound} GROUP BY time(10m) ORDER BY time DESC`,
      `SELECT ${value}, ${call(fn, 'other')} FROM cpu WHERE ${bound} GROUP BY time(20m) fill(none)`,
      `SELECT ${call(fn, '*')} FROM cpu WHERE ${bound}`,
      `SELECT ${call(fn, 'nofield')} FROM cpu WHERE ${bound}`
    )
  }
  for (const fn of ['count', 'first', 'last', 'distinct']) {
    for (const field of ['state', 'flag']) {
      all.push(
        `SELECT ${fn}(${field}) FROM cpu`,
        `SELECT ${fn}(${field}) FROM cpu WHERE ${bound} GROUP BY time(30m)`
      )
    }
  }
  for (const fn of TRANSFORMS) {
    all.push(
      `SELECT ${call(fn, 'value')} FROM disk WHERE ${bound}`,
      `SELECT ${call(fn, 'value')} FROM disk WHERE ${bound} GROUP BY host`,
      `SELECT ${call(fn, 'value')} FROM disk WHERE ${bound} GROUP BY host ORDER BY time DESC LIMIT 5`
    )
    for (const inner of ['mean', 'max', 'count', 'last']) {
      for (const fill of FILLS.slice(0, 5)) {
        const bounded = inner === 'mean' ? BOUNDS[1] : bound
        all.push(
          `SELECT ${call(fn, `${inner}(value)`)} FROM cpu WHERE ${bounded} GROUP BY time(10m), host ${fill}`
        )
      }
    }
  }
  for (const fill of FILLS) {
    for (const order of ['', 'ORDER BY time DESC']) {
      all.push(
        `SELECT mean(value), count(state), last(flag) FROM cpu WHERE ${BOUNDS[6]} AND host = 'a' GROUP BY time(5m) ${fill} ${order}`,
        `SELECT mean(value) FROM "°C" GROUP BY time(1d) ${fill} ${order} LIMIT 3`
      )
    }
  }
  for (const bounds of BOUNDS) {
    all.push(`SELECT value FROM cpu WHERE ${bounds}`, `SELECT mean(value) FROM cpu WHERE ${bounds}`)
    for (const step of STEPS) all.push(`SELECT count(value) FROM cpu WHERE ${bounds} GROUP BY ${step}`)
  }
  for (const condition of CONDITIONS.slice(1)) {
    all.push(
      `SELECT value, other, state FROM cpu WHERE ${condition}`,
      `SELECT mean(value), count(other) FROM cpu WHERE ${bound} AND (${condition}) GROUP BY host`
    )
  }
  for (const group of GROUPS.slice(1)) {
    all.push(
      `SELECT * FROM cpu WHERE ${BOUNDS[1]} GROUP BY ${group}`,
      `SELECT mean(value) FROM /c|d/ WHERE ${bound} GROUP BY ${group}`
    )
  }
  for (const zone of ZONES.slice(3)) {
    for (const step of ['time(1d)', 'time(1h)', 'time(7h)', 'time(1d, 2h)']) {
      all.push(
        `SELECT mean(value), max(value) FROM cpu WHERE ${BOUNDS[6]} GROUP BY ${step} fill(none) ${zone}`
      )
    }
    all.push(`SELECT value FROM disk WHERE time >= '2023-11-14 17:30:00' ${zone}`)
  }
  return [...all, ...SHAPES.map(text => text.replace('BOUND', bound!))]
}

const SHAPES = [
  'SELECT * FROM cpu',
  'SELECT * FROM disk',
  'SELECT *::field FROM cpu',
  'SELECT *::tag FROM cpu',
  'SELECT host FROM cpu',
  'SELECT host, value FROM cpu',
  'SELECT value, host, region FROM cpu LIMIT 7',
  'SELECT /^v|^o/ FROM cpu LIMIT 5 OFFSET 3',
  'SELECT value AS v, value FROM cpu LIMIT 2',
  'SELECT value, value, value FROM cpu LIMIT 2',
  'SELECT time, value FROM cpu LIMIT 2',
  'SELECT time AS t, value FROM cpu LIMIT 2',
  'SELECT value * 2 + 1, other / 0, -value FROM cpu',
  'SELECT value + other, value - other, value * other, value / other FROM cpu',
  'SELECT (value + other) / 2 AS half FROM cpu WHERE BOUND',
  'SELECT value FROM cpu, disk',
  'SELECT value FROM nothing',
  'SELECT nofield FROM cpu',
  'SELECT nofield, value FROM cpu LIMIT 4',
  'SELECT value FROM cpu GROUP BY * SLIMIT 2',
  'SELECT value FROM cpu GROUP BY * LIMIT 1 SLIMIT 2 SOFFSET 1',
  'SELECT mean(value) FROM cpu WHERE BOUND GROUP BY host, region SLIMIT 3 SOFFSET 2',
  'SELECT mean(value) * 2, mean(value) / mean(other), max(value) - min(value) FROM cpu WHERE BOUND GROUP BY time(30m)',
  'SELECT mean(value) + mean(other) AS both FROM cpu WHERE BOUND GROUP BY time(30m), host fill(previous)',
  'SELECT mean(value), mean(value), mean(other) FROM cpu',
  'SELECT min(value), max(value) FROM cpu',
  'SELECT first(value), last(other) FROM cpu WHERE BOUND',
  'SELECT distinct(total) FROM cpu WHERE BOUND',
  'SELECT DISTINCT total FROM cpu',
  'SELECT count(distinct(total)) FROM cpu WHERE BOUND GROUP BY time(1h)',
  'SELECT mode(total) FROM cpu GROUP BY host',
  'SELECT mean(*) FROM /./',
  'SELECT last(*) FROM cpu GROUP BY host',
  'SELECT mean(/^v|^o/) FROM cpu WHERE BOUND GROUP BY time(1h)',
  'SELECT derivative(mean(*), 1m) FROM disk WHERE BOUND GROUP BY time(10m)',
  'SELECT mean("value") AS value FROM "°C" WHERE "entity_id" = \'küche\'',
  'SELECT mean("value") FROM "mydb"."autogen"."cpu" WHERE BOUND GROUP BY time(1h)',
  'SELECT mean("value") FROM "mydb".."cpu"',
  'SELECT value FROM cpu ORDER BY time DESC LIMIT 5',
  'SELECT last(value) FROM cpu GROUP BY *',
  'SELECT mean(value) FROM cpu; SELECT max(value) FROM disk; SHOW MEASUREMENTS',
  'SELECT mean(value) FROM cpu WHERE BOUND GROUP BY time(10m) LIMIT 3 OFFSET 2',
  '-- a comment\nSELECT value /* here */ FROM cpu LIMIT 1'
]

/** A statement of random clauses. */
export function randomStatement(random: Random): string {
  const from = random.pick(['cpu', 'cpu', 'disk', '/./', '/^c/', 'cpu, disk'])
  const conditions = [random.pick(BOUNDS), random.pick(CONDITIONS)].filter(text => text !== '')
  const isRaw = random.chance(0.2)
  const fields = ['value', 'other', 'total']
  const columns: string[] = []
  for (let n = 1 + random.below(3); n > 0; n--) {
    const field = random.pick(fields)
    if (isRaw) columns.push(random.pick([field, `${field} * 2`, `${field} + ${random.pick(fields)}`]))
    else {
      const one = call(random.pick(FUNCTIONS), field)
      const kind = random.below(6)
      columns.push(kind === 0 ? call(random.pick(TRANSFORMS), one) : kind === 1 ? `${one} / 2` : one)
    }
  }
  const isNested = columns.some(column => TRANSFORMS.some(name => column.startsWith(name.split(' ')[0]!)))
  const groups = [random.pick(GROUPS)].filter(text => text !== '')
  if (!isRaw && (isNested || random.chance(0.7))) groups.unshift(random.pick(STEPS.slice(0, 6)))
  const parts = [
    `SELECT ${columns.join(', ')} FROM ${from} WHERE ${conditions.map(text => `(${text})`).join(' AND ')}`
  ]
  if (groups.length > 0) parts.push(`GROUP BY ${groups.join(', ')}`)
  if (!isRaw) parts.push(random.pick(FILLS))
  if (random.chance(0.3)) parts.push('ORDER BY time DESC')
  if (random.chance(0.2)) parts.push(`LIMIT ${1 + random.below(10)}`)
  if (random.chance(0.1)) parts.push(`OFFSET ${random.below(4)}`)
  if (random.chance(0.1)) parts.push(`SLIMIT ${1 + random.below(3)}`)
  if (random.chance(0.1)) parts.push(random.pick(ZONES))
  return parts.filter(text => text !== '').join(' ')
}

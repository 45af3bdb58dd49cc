// The queries of the oracle: each function and operator in turn, then random expressions built of them, and
// on demand the published compliance templates of Prometheus.

import { readFileSync } from 'node:fs'
import type { Random } from '../src/base/random.ts'

const MATH =
  'abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad round sgn sin sinh sqrt tan tanh timestamp'.split(
    ' '
  )
const DATES = 'day_of_month day_of_week day_of_year days_in_month hour minute month year'.split(' ')
const OVER_TIME =
  'avg_over_time changes count_over_time delta deriv idelta increase irate last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time absent_over_time'.split(
    ' '
  )
const AGGREGATIONS = 'sum avg min max count stddev stdvar group'.split(' ')
const ARITHMETIC = '+ - * / % ^ atan2'.split(' ')
const COMPARISON = '== != < > <= >='.split(' ')
const SELECTORS = [
  ...[
    'temp',
    'temp{room="a"}',
    'odd',
    'odd{sensor=~"1|2"}',
    'req_total',
    'req_total{code!="500"}',
    'err_total'
  ],
  ...[
    'limit',
    'state{room!~"c"}',
    'up',
    'lone',
    'oddcount_total',
    '{__name__=~"temp|odd",room="b"}',
    'none',
    'seconds'
  ]
]
const RANGES = ['30s', '1m', '5m', '17m', '1h']
const SHIFTS = ['', '', '', ' offset 3m', ' offset -2m', ' @ start()', ' @ end()', ' @ end() offset 5m']

/** Every function, operator and modifier at least once. */
export function systematic(): string[] {
  return [...new Set([...SELECTORS.flatMap(ofSelector), ...operators(), ...others()])]
}

function ofSelector(selector: string): string[] {
  const out: string[] = []
  out.push(selector, `${selector} offset 7m`, `${selector} @ end()`, `absent(${selector})`, `-${selector}`)
  for (const range of RANGES) for (const fn of OVER_TIME) out.push(`${fn}(${selector}[${range}])`)
  for (const op of AGGREGATIONS) {
    out.push(
      `${op}(${selector})`,
      `${op} by (room, job)(${selector})`,
      `${op} without (sensor, code)(${selector})`
    )
  }
  for (const fn of MATH) out.push(`${fn}(${selector})`)
  for (const q of ['-1', '0', '0.3', '0.5', '1', '2', 'NaN']) {
    out.push(`quantile(${q}, ${selector})`, `quantile_over_time(${q}, ${selector}[5m])`)
  }
  out.push(
    `topk(2, ${selector})`,
    `bottomk by (job)(1, ${selector})`,
    `topk(0, ${selector})`,
    `topk(5, ${selector})`
  )
  out.push(`count_values("v", state)`, `count_values without (room)("room", ${selector} > 0)`)
  out.push(`holt_winters(${selector}[10m], 0.3, 0.6)`, `predict_linear(${selector}[10m], 600)`)
  out.push(
    `clamp(${selector}, -1, 3)`,
    `clamp_min(${selector}, 2)`,
    `clamp_max(${selector}, 2)`,
    `clamp(${selector}, 3, 1)`
  )
  out.push(`round(${selector}, 0.3)`, `scalar(${selector})`, `vector(scalar(sum(${selector})))`)
  out.push(
    `label_replace(${selector}, "x", "$1-y", "room", "(.)")`,
    `label_join(${selector}, "x", "-", "room", "job")`
  )
  out.push(`sort(${selector})`, `sort_desc(${selector})`)
  for (const fn of [
    'rate',
    'max_over_time',
    'avg_over_time',
    'stddev_over_time',
    'deriv',
    'quantile_over_time'
  ]) {
    const inner = fn === 'quantile_over_time' ? '0.7, ' : ''
    out.push(
      `${fn}(${inner}${selector}[10m:30s])`,
      `${fn}(${inner}${selector}[10m:])`,
      `${fn}(${inner}${selector}[8m:1m] offset 4m)`,
      `${fn}(${inner}${selector}[8m:1m] @ end())`
    )
  }
  return out
}

function operators(): string[] {
  const out: string[] = []
  for (const op of [...ARITHMETIC, ...COMPARISON]) {
    const isComparison = COMPARISON.includes(op)
    for (const bool of isComparison ? ['', ' bool'] : ['']) {
      out.push(`temp ${op}${bool} odd`, `temp ${op}${bool} 3`, `3 ${op}${bool} temp`, `odd ${op}${bool} NaN`)
      out.push(
        `temp ${op}${bool} on(room, sensor) odd`,
        `temp ${op}${bool} ignoring(sensor) group_left(kind) limit`
      )
      out.push(
        `limit ${op}${bool} on(room) group_right temp`,
        `req_total ${op}${bool} ignoring(code) group_left err_total`
      )
      out.push(
        `err_total ${op}${bool} ignoring(code) req_total`,
        `temp ${op}${bool} on(room) odd`,
        `sum(temp) ${op}${bool} sum(odd)`
      )
      out.push(
        `err_total ${op}${bool} on(job) group_left up`,
        `temp ${op}${bool} on(room) group_left(sensor) limit`
      )
      out.push(`odd ${op}${bool} 0`, `0 ${op}${bool} odd`, `Inf ${op}${bool} odd`, `state ${op}${bool} state`)
      if (bool !== '' || !isComparison)
        out.push(`1 ${op}${bool} 2`, `NaN ${op}${bool} 1`, `-1 ${op}${bool} Inf`, `7 ${op}${bool} -3`)
    }
  }
  for (const op of ['and', 'or', 'unless']) {
    out.push(
      `temp ${op} odd`,
      `temp ${op} on(room) limit`,
      `temp > 3 ${op} odd < 3`,
      `limit ${op} ignoring(kind, sensor) temp`,
      `temp ${op} none`,
      `none ${op} temp`,
      `temp ${op} on() vector(1)`
    )
  }
  return out
}

function others(): string[] {
  const out: string[] = []
  for (const fn of DATES) out.push(`${fn}()`, `${fn}(seconds)`, `${fn}(odd)`)
  for (const q of ['0', '0.1', '0.5', '0.9', '1', '-1', '2', 'NaN']) {
    out.push(
      `histogram_quantile(${q}, latency_bucket)`,
      `histogram_quantile(${q}, rate(latency_bucket[5m]))`,
      `histogram_quantile(${q}, sum by (le)(rate(latency_bucket[5m])))`
    )
  }
  out.push(
    'time()',
    'pi()',
    'vector(1)',
    '1',
    '-2^2',
    '2^3^2',
    '1 + 2 * 3 - 4 / 5 % 6',
    '"text"',
    'scalar(vector(NaN))',
    'lone[5m]',
    'odd[3m]',
    'rate(lone[1m])[10m:30s]',
    'min_over_time(rate(req_total[2m])[10m:30s])'
  )
  out.push(
    'sum(',
    'rate(temp)',
    'foo bar',
    'unknown(temp)',
    'temp{room=~"("}',
    '{}',
    'temp + on(room) limit',
    'sum by (x) (temp) + "a"',
    'temp[5m',
    'holt_winters(temp[5m], 2, 0.5)'
  )
  return out
}

/** A random expression of type vector. */
export function randomQuery(random: Random, depth: number): string {
  const sub = () => randomQuery(random, depth - 1)
  const selector = () => random.pick(SELECTORS) + random.pick(SHIFTS)
  const range = () => `${random.pick(SELECTORS)}[${random.pick(RANGES)}]${random.pick(SHIFTS)}`
  if (depth <= 0) return random.chance(0.5) ? selector() : `${random.pick(OVER_TIME)}(${range()})`
  const grouping = random.pick([
    '',
    ' by (room)',
    ' by (job, code)',
    ' without (sensor)',
    ' by ()',
    ' without ()'
  ])
  switch (random.below(12)) {
    case 0:
    case 1:
      return `${random.pick(AGGREGATIONS)}${grouping} (${sub()})`
    case 2:
      return `${random.pick(MATH)}(${sub()})`
    case 3:
      return `${sub()} ${random.pick(ARITHMETIC)} ${(random.unit() * 5).toFixed(2)}`
    case 4:
      return `(${sub()}) ${random.pick(COMPARISON)}${random.chance(0.5) ? ' bool' : ''} ${(random.unit() * 5).toFixed(2)}`
    case 5:
      return `${random.pick(OVER_TIME)}((${sub()})[${random.pick(['3m', '10m'])}:${random.pick(['', '20s', '1m'])}]${random.pick(SHIFTS)})`
    case 6:
      return `(${sub()}) ${random.pick(ARITHMETIC)} ${random.pick(['', 'on(room) ', 'ignoring(code) ', 'on(job, instance) '])}(${sub()})`
    case 7:
      return `(${sub()}) ${random.pick(['and', 'or', 'unless'])} ${random.pick(['', 'on(room) ', 'ignoring(sensor) ', 'on() '])}(${sub()})`
    case 8:
      return `sum by (room, job)(${sub()}) ${random.pick([...ARITHMETIC, ...COMPARISON])} ${random.pick(['', 'on(room) group_left() ', 'on(job) group_right() '])}sum by (room, job)(${sub()})`
    case 9:
      return `${random.pick(['topk', 'bottomk'])}${grouping} (${1 + random.below(3)}, ${sub()})`
    case 10:
      return `quantile${grouping} (${random.unit().toFixed(2)}, ${sub()})`
    default:
      return `-(${sub()})`
  }
}

const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  range: ['1s', '15s', '1m', '5m', '15m', '1h'],
  offset: ['1m', '5m', '10m'],
  simpleAggrOp: ['sum', 'avg', 'max', 'min', 'count', 'stddev', 'stdvar'],
  topBottomOp: ['topk', 'bottomk'],
  quantile: ['-0.5', '0.1', '0.5', '0.75', '0.95', '0.90', '0.99', '1', '1.5'],
  arithBinOp: ['+', '-', '*', '/', '%', '^'],
  compBinOp: ['==', '!=', '<', '>', '<=', '>='],
  binOp: ['+', '-', '*', '/', '%', '^', '==', '!=', '<', '>', '<=', '>='],
  simpleMathFunc: ['abs', 'ceil', 'floor', 'exp', 'sqrt', 'ln', 'log2', 'log10', 'round'],
  extrapolatedRateFunc: ['delta', 'rate', 'increase'],
  clampFunc: ['clamp_min', 'clamp_max'],
  instantRateFunc: ['idelta', 'irate'],
  dateFunc: ['day_of_month', 'day_of_week', 'days_in_month', 'hour', 'minute', 'month', 'year'],
  smoothingFactor: ['0.1', '0.5', '0.8'],
  trendFactor: ['0.1', '0.5', '0.8'],
  simpleTimeAggrOp: ['sum', 'avg', 'max', 'min', 'count', 'stddev', 'stdvar', 'absent', 'last']
}

/** The queries of promql-test-queries.yml, expanded. */
export function compliance(file: string): string[] {
  const out: string[] = []
  let query: string | null = null
  const flush = (names: readonly string[]) => {
    if (query === null) return
    let expanded = [query]
    for (const name of names) {
      const values = VARIANTS[name]
      if (values === undefined) throw new Error(`unknown variant ${name}`)
      expanded = expanded.flatMap(text =>
        values.map(value => text.replaceAll(new RegExp(`\\{\\{\\s*\\.${name}\\s*\\}\\}`, 'g'), value))
      )
    }
    out.push(...expanded)
    query = null
  }
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const found = /^\s*- query:\s*(.*)$/.exec(line)
    if (found !== null) {
      flush([])
      const text = found[1]!.trim()
      query = text.startsWith("'")
        ? text.slice(1, -1).replaceAll("''", "'")
        : text.startsWith('"')
          ? JSON.parse(text)
          : text.replace(/\s+#.*$/, '')
    }
    const names = /^\s*variant_args:\s*\[(.*)\]/.exec(line)
    if (names !== null) flush(names[1]!.split(',').map(name => name.trim().replace(/^['"]|['"]$/g, '')))
  }
  flush([])
  return out
}

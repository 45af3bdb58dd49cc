// The questions that bench-query.ts asks of each store about the standard workload, in each store's own
// language, and what an answer comes to, so that stores which answer differently are found out.
//
// A digest is [values in the answer, their sum]: equal for equal answers, whatever their shape. Means of the
// stores differ in the last digits, so digests are compared to 1e-6.
// Not here: asking and timing (query-client.ts).
import { deviceName } from './workload.ts'

export type Digest = readonly [values: number, sum: number]
export type Face = 'varve /v1' | 'varve PromQL' | 'victoria-metrics' | 'influxdb'

/** The span of the data, ms since the epoch: of the first round and after the last. */
export interface Span {
  readonly startMs: number
  readonly endMs: number
}

export interface Question {
  readonly name: string
  /** Path and query for each face that can be asked. */
  readonly paths: Readonly<Partial<Record<Face, string>>>
}

const fields = ['temperature', 'humidity', 'battery', 'power', 'total']
const device = deviceName(7)
const series = `telemetry_temperature{device="${device}"}`
const stepMs = 300_000
const dayMs = 86_400_000
const hourMs = 3_600_000

function query(path: string, parameters: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => [name, String(value)])
  return `${path}?${new URLSearchParams(pairs)}`
}

/** An instant query at the end; the same text for varve and VictoriaMetrics. */
function instant(text: string, endMs: number): Pick<Question['paths'], 'varve PromQL' | 'victoria-metrics'> {
  const path = query('/api/v1/query', { query: text, time: endMs / 1000 })
  return { 'varve PromQL': path, 'victoria-metrics': path }
}

function ranged(text: string, fromMs: number, toMs: number): ReturnType<typeof instant> {
  const path = query('/api/v1/query_range', {
    query: text,
    start: fromMs / 1000,
    end: toMs / 1000,
    step: 300
  })
  return { 'varve PromQL': path, 'victoria-metrics': path }
}

function influx(text: string): Pick<Question['paths'], 'influxdb'> {
  return { influxdb: query('/query', { db: 'bench', epoch: 'ms', q: text }) }
}

function native(
  path: string,
  parameters: Readonly<Record<string, string | number>>
): Pick<Question['paths'], 'varve /v1'> {
  return { 'varve /v1': query(path, parameters) }
}

/** The six questions about data of a span. */
export function questions({ startMs, endMs }: Span): Question[] {
  // Whole windows, so that all stores speak of the same samples.
  const fromMs = Math.ceil(startMs / stepMs) * stepMs
  const toMs = Math.floor(endMs / stepMs) * stepMs
  const dayFromMs = Math.max(fromMs, toMs - dayMs)
  const spanMs = endMs - startMs + hourMs
  const v1 = (match: string, from: number, to: number, more: Readonly<Record<string, string | number>>) =>
    native('/v1/range', { match, from: `${from}ms`, to: `${to - 1}ms`, ...more })
  const within = (from: number, to: number) => `time >= ${from}ms AND time < ${to}ms`
  return [
    {
      name: 'last of 1,000 series',
      paths: {
        ...native('/v1/last', { match: 'telemetry_temperature' }),
        ...instant('telemetry_temperature', endMs),
        ...influx('SELECT last(temperature) FROM telemetry GROUP BY device')
      }
    },
    {
      name: 'one series, raw',
      paths: {
        ...v1(series, startMs, endMs + 1, {}),
        ...instant(`${series}[${spanMs}ms]`, endMs),
        ...influx(`SELECT temperature FROM telemetry WHERE device='${device}'`)
      }
    },
    {
      name: 'one series, 24 h by 5 min',
      paths: {
        ...v1(series, dayFromMs, toMs, { step: '5m', fn: 'avg' }),
        ...ranged(`avg_over_time(${series}[5m])`, dayFromMs + stepMs, toMs),
        ...influx(
          `SELECT mean(temperature) FROM telemetry WHERE device='${device}' AND ${within(dayFromMs, toMs)} GROUP BY time(5m)`
        )
      }
    },
    {
      name: 'avg by 5 min over 1,000',
      paths: {
        ...v1('telemetry_temperature', fromMs, toMs, { step: '5m', fn: 'avg', by: '' }),
        ...ranged('avg(avg_over_time(telemetry_temperature[5m]))', fromMs + stepMs, toMs),
        ...influx(`SELECT mean(temperature) FROM telemetry WHERE ${within(fromMs, toMs)} GROUP BY time(5m)`)
      }
    },
    {
      name: 'top 5 by max, last hour',
      paths: {
        ...instant('topk(5, max_over_time(telemetry_power[1h]))', endMs),
        ...influx(
          `SELECT top(most, 5) FROM (SELECT max(power) AS most FROM telemetry WHERE time > ${endMs - hourMs}ms AND time <= ${endMs}ms GROUP BY device)`
        )
      }
    },
    {
      name: 'count of everything',
      paths: {
        ...native('/v1/range', { step: '36500d', fn: 'count', by: '' }),
        // Not one selector of all names: their counts would be series of equal labels, which is an error.
        ...instant(
          fields.map(field => `sum(count_over_time(telemetry_${field}[${spanMs}ms]))`).join(' + '),
          endMs
        ),
        ...influx('SELECT count(*) FROM telemetry')
      }
    }
  ]
}

/** A dashboard of 12 panels: four fields of three devices over a span in steps of an hour, as Grafana asks it. */
export function dashboard({ startMs, endMs }: Span): string[] {
  const paths: string[] = []
  for (const which of [0, 1, 2]) {
    for (const field of ['temperature', 'humidity', 'power', 'battery']) {
      const text = `avg_over_time(telemetry_${field}{device="${deviceName(which)}"}[1h])`
      const start = Math.ceil(startMs / hourMs) * 3600 + 3600
      const end = Math.floor(endMs / hourMs) * 3600
      paths.push(query('/api/v1/query_range', { query: text, start, end, step: 3600 }))
    }
  }
  return paths
}

interface Answers {
  readonly series?: readonly { readonly rows?: readonly (readonly number[])[]; readonly value?: number }[]
  readonly data?: { readonly result: readonly { value?: [number, string]; values?: [number, string][] }[] }
  readonly results?: readonly {
    series?: readonly { columns: string[]; values: (number | string | null)[][] }[]
  }[]
}

/** What an answer comes to. @throws when it has no value */
export function digest(text: string): Digest {
  const answer = JSON.parse(text) as Answers
  let [values, sum] = [0, 0]
  const add = (value: unknown) => {
    if (value === null) return
    values++
    sum += Number(value)
  }
  for (const { rows, value } of answer.series ?? []) {
    if (value !== undefined) add(value)
    for (const row of rows ?? []) add(row[1])
  }
  for (const { value, values: pairs } of answer.data?.result ?? []) {
    if (value !== undefined) add(value[1])
    for (const pair of pairs ?? []) add(pair[1])
  }
  for (const { series: all } of answer.results ?? []) {
    // count(*) gives a column for each field: they are one count.
    for (const { columns, values: rows } of all ?? []) {
      if (columns[1]?.startsWith('count_')) add(rows[0]!.slice(1).reduce((a: number, b) => a + Number(b), 0))
      else for (const row of rows) add(row[1])
    }
  }
  // A count by names of series is one count.
  if (answer.series !== undefined && text.startsWith('{"columns":["time_us","count"]')) values = 1
  if (values === 0) throw new Error(`Cannot measure: an answer without values: ${text.slice(0, 300)}`)
  return [values, sum]
}

/** Whether two answers say the same. */
export function agree(a: Digest, b: Digest): boolean {
  return a[0] === b[0] && Math.abs(a[1] - b[1]) <= 1e-6 * Math.abs(a[1])
}

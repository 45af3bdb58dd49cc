// What Grafana and InfluxDB's clients ask before they show anything, over the names of many series: measurements,
// fields, tags, names and values of labels, and selectors with regular expressions. CPU milliseconds of evaluation
// alone, the first time (columns of names are made) and again.
//
// Usage: node scripts/bench-lists.ts [--series=100000]
//
// Series are those of devices with five fields in three measurements, and a third of them MQTT topics of one value.
// Guards, exit 1 when one fails: every question but those that list series themselves within 250 ms the first time
// and 50 ms again.
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { answer } from '../src/query/evaluate.ts'
import { readInfluxqlRequest } from '../src/query/influxql/parameters.ts'
import { DEFAULT_QUERY_LIMITS } from '../src/query/limits.ts'
import {
  type ApiParameters,
  DEFAULT_PROMQL_OPTIONS,
  readInstantRequest,
  readListRequest
} from '../src/query/promql/parameters.ts'
import type { QueryRequest } from '../src/query/request.ts'
import { Catalog } from '../src/series/catalog.ts'
import { makeLabels } from '../src/series/label.ts'
import { SeriesReader } from '../src/series/reader.ts'
import { SegmentCache } from '../src/series/segment-cache.ts'
import { judge, printHead, printTable } from './bench-report.ts'

const FIRST_MS_MAX = 250
const AGAIN_MS_MAX = 50
const ROUNDS = 5
const FIELDS = ['temperature', 'humidity', 'battery', 'power', 'total']

function catalogOf(series: number): Catalog {
  const catalog = new Catalog({ seriesMax: series + 10, fieldsPerGroupMax: 16 })
  for (let i = 0; catalog.seriesCount < series; i++) {
    const isTopic = i % 8 > 2
    const labels: [string, string][] = [
      ['site', `site-${i % 20}`],
      ['topic', `site-${i % 20}/device-${i}/telemetry`]
    ]
    if (!isTopic) labels.push(['device', `device-${i}`])
    const group = catalog.group(isTopic ? '' : `kind${i % 8}`, makeLabels(labels))
    for (const field of isTopic ? [`value${i % 10}`] : FIELDS) catalog.field(group, field)
  }
  return catalog
}

const { values } = parseArgs({ options: { series: { type: 'string', default: '100000' } } })
const count = Number(values.series)
printHead('lists of names', {
  bounds: [`CPU of evaluation at most ${FIRST_MS_MAX} ms the first time, ${AGAIN_MS_MAX} ms again`],
  workload: `${count} series, of devices with five fields and of topics with one`
})

const given = (parameters: Record<string, string>): ApiParameters =>
  new Map(Object.entries(parameters).map(([name, value]) => [name, [value]]))
const NOW_US = systemClock.nowUs()
const influx = (q: string): QueryRequest => readInfluxqlRequest(given({ q }), NOW_US, () => [])
const instant = (query: string) => readInstantRequest(given({ query }), NOW_US, DEFAULT_PROMQL_OPTIONS)
const valuesOf = (label: string, match: Record<string, string> = {}) =>
  readListRequest('promql-values', given(match), NOW_US, label)
const QUESTIONS: Record<string, QueryRequest> = {
  'SHOW MEASUREMENTS': influx('SHOW MEASUREMENTS'),
  'SHOW MEASUREMENTS WITH ... LIMIT 100': influx(
    'SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)KIND/ LIMIT 100'
  ),
  'SHOW TAG KEYS FROM kind1': influx('SHOW TAG KEYS FROM kind1'),
  'SHOW TAG VALUES ... site': influx('SHOW TAG VALUES WITH KEY = "site"'),
  'SHOW MEASUREMENTS WHERE site =~': influx('SHOW MEASUREMENTS WHERE site =~ /-7$/'),
  'SELECT ... WHERE topic =~': influx(
    `SELECT mean(power) FROM kind1 WHERE topic =~ /device-17\\// AND time > now() - 1h`
  ),
  labels: readListRequest('promql-labels', given({}), NOW_US),
  '__name__ values': valuesOf('__name__'),
  'site values, match[]': valuesOf('site', { 'match[]': '{__name__=~"kind1.*"}' }),
  'topic values, match[]': valuesOf('topic', { 'match[]': 'kind1_power{site="site-7"}' }),
  'count by regex': instant('count({topic=~".*device-1[0-9]{3}/.*"})'),
  metadata: readListRequest('promql-metadata', given({ limit: '100' }), NOW_US)
}

const rows: Record<string, string | number>[] = []
for (const [name, request] of Object.entries(QUESTIONS)) {
  const catalog = catalogOf(count)
  const cache = new SegmentCache(new NodeDisk('/'), { filesMax: 1, indexBytesMax: 1 })
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  const took: number[] = []
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    const source = new SeriesReader({ catalog, segments: [], heads: [] }, cache, error => {
      throw error
    })
    const before = process.cpuUsage()
    bytes = 0
    for (const piece of answer(source, request, context)) bytes += piece.length
    const { user, system } = process.cpuUsage(before)
    took.push((user + system) / 1000)
  }
  const [first, ...again] = took
  rows.push({
    question: name,
    'first, ms': first!.toFixed(1),
    'again, ms': Math.min(...again).toFixed(1),
    bytes,
    'columns, KiB': Math.round(catalog.names.bytes / 1024)
  })
}
printTable(rows)
const worst = (column: string) => Math.max(...rows.map(row => Number(row[column])))
judge('slowest question, first time', worst('first, ms'), '<=', FIRST_MS_MAX, ' ms')
judge('slowest question, again', worst('again, ms'), '<=', AGAIN_MS_MAX, ' ms')

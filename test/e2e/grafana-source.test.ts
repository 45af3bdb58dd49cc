// The requests of Grafana's data sources, Prometheus and InfluxDB (InfluxQL), as their source sends them in 10 and 11
// (pkg/promlib, packages/grafana-prometheus, pkg/tsdb/influxdb): paths, methods, headers and forms, replayed.

import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { Varve } from '../../scripts/varve-process.ts'
import { serve, temporary, write } from './daemon.ts'

const FORM = 'application/x-www-form-urlencoded'
const START_S = 1_700_000_040
const END_S = START_S + 600

interface Replied {
  readonly status: number
  readonly type: string
  readonly isGzip: boolean
  readonly body: unknown
}

/** As Go's client sends it: gzip asked for by the transport, a form in the body of POST. */
async function send(
  varve: Varve,
  method: string,
  path: string,
  form: Record<string, string> = {}
): Promise<Replied> {
  const text = new URLSearchParams(form).toString()
  const isPost = method === 'POST'
  const query = isPost || text === '' ? '' : `${path.includes('?') ? '&' : '?'}${text}`
  const request = httpRequest(`${varve.httpUrl}${path}${query}`, {
    method,
    headers: {
      'user-agent': 'Grafana/11.2.0',
      'accept-encoding': 'gzip',
      ...(isPost ? { 'content-type': FORM, 'content-length': Buffer.byteLength(text) } : {})
    }
  })
  request.end(isPost ? text : undefined)
  const [response] = await once(request, 'response')
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  const isGzip = response.headers['content-encoding'] === 'gzip'
  const bytes = isGzip ? gunzipSync(Buffer.concat(pieces)) : Buffer.concat(pieces)
  const type = String(response.headers['content-type'])
  return { status: response.statusCode, type, isGzip, body: JSON.parse(bytes.toString()) }
}

/** Two hosts every ten seconds, a door over MQTT's names, in a daemon. */
async function filled(t: Test): Promise<Varve> {
  const varve = await serve(t, temporary(t))
  const lines: string[] = []
  for (let s = 0; s <= 600; s += 10) {
    for (const [host, region] of [
      ['a', 'eu'],
      ['b.c', 'us']
    ])
      lines.push(`cpu,host=${host},region=${region} value=${s},idle=${600 - s} ${START_S + s}`)
  }
  lines.push(
    `events,host=a title="deploy",text="all fine" ${START_S + 60}`,
    `http_requests_total value=5 ${START_S}`
  )
  t.same(await write(varve, lines.join('\n'), '?precision=s&db=home'), [204, ''])
  return varve
}

t.test("Grafana's Prometheus data source: save and test, editor, panels, in its order", async t => {
  const varve = await filled(t)
  const success = async <T>(method: string, path: string, form: Record<string, string> = {}): Promise<T> => {
    const { status, type, body } = await send(varve, method, `/api/v1/${path}`, form)
    t.equal(status, 200, `${method} ${path} ${JSON.stringify(body)}`)
    t.match(type, /^application\/json/)
    const { status: word, data } = body as { status: string; data: unknown }
    t.equal(word, 'success')
    return data as T
  }
  // Save and test: promlib/healthcheck.go, heuristics.go.
  t.same(await success('POST', 'query', { query: '1+1', time: '4' }), {
    resultType: 'scalar',
    result: [4, '2']
  })
  const build = await success<{ version: string; features?: object }>('GET', 'status/buildinfo')
  t.match(build.version, /^[3-9]\./)
  t.notOk(build.features, 'features would make it a Mimir')
  // datasource.ts init(): recording rules, and whether there are exemplars (times in ms, as it sends them).
  t.same(await success('GET', 'rules'), { groups: [] })
  const exemplars = { query: 'test', start: String(START_S * 1000), end: String(END_S * 1000) }
  t.same(await success('GET', 'query_exemplars', exemplars), [])
  t.same(await success('POST', 'query_exemplars', exemplars), [])
  // Alerting's list of rules of a data source.
  t.same(await success('GET', 'alerts'), { alerts: [] })
  // Editor and variables: resource_clients.ts, metric_find_query.ts. Labels and series by POST, values by GET.
  const span = { start: String(START_S), end: String(END_S) }
  const limit = { limit: '40000', ...span }
  const names = ['cpu', 'cpu_idle', 'events_text', 'events_title', 'http_requests_total']
  t.same(await success('GET', 'label/__name__/values', limit), names)
  t.same(await success('POST', 'labels', limit), ['__name__', 'host', 'region'])
  t.same(await success('POST', 'labels', { ...limit, 'match[]': 'events_title' }), ['__name__', 'host'])
  t.same(await success('GET', 'labels', { ...limit, 'match[]': '{__name__=~".*requests.*"}' }), ['__name__'])
  t.same(await success('GET', 'label/host/values', { ...limit, 'match[]': 'cpu{region="us"}' }), ['b.c'])
  t.same(await success('GET', 'label/host/values', { ...span, 'match[]': '{__name__="cpu"}' }), ['a', 'b.c'])
  t.same(await success('GET', 'label/U__host/values', limit), ['a', 'b.c'], 'escaped as of UTF-8 names')
  t.same(await success('POST', 'series', { ...limit, 'match[]': 'cpu{host=~"b.*"}' }), [
    { __name__: 'cpu', host: 'b.c', region: 'us' }
  ])
  t.equal((await success<unknown[]>('POST', 'series', { ...limit, 'match[]': '{__name__!=""}' })).length, 7)
  t.same(Object.keys(await success<object>('GET', 'metadata')), names)
  t.same(Object.keys(await success<object>('GET', 'metadata', { limit: '2' })), names.slice(0, 2))
  // A panel: client.go QueryRange with float seconds, and its time-out as configured.
  const range = { start: String(START_S), end: String(END_S + 0.5), step: '15', timeout: '60s' }
  const panel = await send(varve, 'POST', '/api/v1/query_range', {
    query: 'sum by (host) (rate(cpu[1m]))',
    ...range
  })
  t.ok(panel.isGzip, 'compressed when asked for')
  const { data } = panel.body as {
    data: { resultType: string; result: { metric: object; values: [number, string][] }[] }
  }
  t.equal(data.resultType, 'matrix')
  t.same(
    data.result.map(({ metric }) => metric),
    [{ host: 'a' }, { host: 'b.c' }]
  )
  t.ok(data.result[0]!.values.length > 35)
  t.ok(data.result[0]!.values.every(([at, value]) => (at - START_S) % 15 === 0 && Number(value) > 0))
  // A variable of several values, a table (instant), an annotation, a query that differs from the one before by &.
  const picked = { query: 'cpu{host=~"(a|b\\\\.c)"}', time: String(END_S) }
  t.equal((await success<{ result: unknown[] }>('POST', 'query', picked)).result.length, 2)
  t.match(
    await success('POST', 'query', { query: 'cpu{host="a"} and on() vector(1)', time: '1700000640.123' }),
    {
      result: [{ value: [1700000640.123, '600'] }]
    }
  )
  t.match(
    await success('POST', 'query_range', { query: 'events_title{value="deploy"}', ...range, step: '60' }),
    {
      result: [{ metric: { value: 'deploy' } }]
    }
  )
  // What it reads of errors: 400, 422 and 503 with a body; a POST that is refused is tried again by GET.
  for (const [status, type, form] of [
    [400, 'bad_data', { query: 'sum(', ...range }],
    [422, 'execution', { query: 'label_replace(cpu,"","","","")', ...range }],
    [400, 'bad_data', { query: 'cpu', ...range, step: '0.01' }]
  ] as const) {
    for (const method of ['POST', 'GET']) {
      const found = await send(varve, method, '/api/v1/query_range', form)
      t.equal(found.status, status)
      t.match(found.body, { status: 'error', errorType: type, error: /./ })
    }
  }
})

t.test("Grafana's InfluxDB data source in InfluxQL mode: save and test, editor, panels", async t => {
  const varve = await filled(t)
  const ask = async (q: string, method = 'POST') => {
    const path = `/query?${new URLSearchParams({ db: 'home', epoch: 'ms', ...(method === 'GET' ? { q } : {}) })}`
    const { status, type, body } = await send(varve, method, path, method === 'POST' ? { q } : {})
    t.equal(status, 200, q)
    t.match(type, /^application\/json/)
    const [result] = (
      body as { results: { error?: string; series?: { tags?: object; values: unknown[][] }[] }[] }
    ).results
    t.notOk(result!.error, `${q} ${result!.error}`)
    return result!.series ?? []
  }
  const values = async (q: string, method?: string) => (await ask(q, method)).map(one => one.values)
  // healthcheck.go, then the editor's lists: influxql_query_builder.ts.
  for (const method of ['GET', 'POST'])
    t.same(await values('SHOW measurements', method), [[['cpu'], ['events'], ['http_requests_total']]])
  t.same(await values('SHOW RETENTION POLICIES on "home"'), [[['autogen', '0s', '168h0m0s', 1, true]]])
  t.same(await values('SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)CP/ LIMIT 100'), [[['cpu']]])
  t.same(await values(`SHOW MEASUREMENTS WHERE "region" = 'eu' LIMIT 100`), [[['cpu']]])
  t.same(await values('SHOW FIELD KEYS FROM "cpu"'), [
    [
      ['idle', 'float'],
      ['value', 'float']
    ]
  ])
  t.same(await values('SHOW FIELD KEYS FROM "autogen"."events"'), [
    [
      ['text', 'string'],
      ['title', 'string']
    ]
  ])
  t.same(await values('SHOW TAG KEYS FROM "cpu"'), [[['host'], ['region']]])
  t.same(await values(`SHOW TAG VALUES FROM "cpu" WITH KEY = "host" WHERE "region" = 'us'`), [
    [['host', 'b.c']]
  ])
  t.same(await values('SHOW TAG VALUES FROM /cp.*/ WITH KEY = "host" WHERE "host" =~ /^a/'), [
    [['host', 'a']]
  ])
  // Panels: models/query.go.
  const when = `time >= ${START_S}000ms and time <= ${END_S}000ms`
  const mean = await ask(
    `SELECT mean("value") FROM "cpu" WHERE ("host"::tag =~ /^(a|b\\.c)$/) AND ${when} GROUP BY time(1m), "host"::tag fill(null)`
  )
  t.same(
    mean.map(({ tags }) => tags),
    [{ host: 'a' }, { host: 'b.c' }]
  )
  t.same(mean[0]!.values.slice(0, 2), [
    [START_S * 1000, 25],
    [START_S * 1000 + 60_000, 85]
  ])
  const two = `SELECT mean("value") / 100 FROM "autogen"."cpu" WHERE ("host" = 'a' OR "host" = 'b.c') AND ${when} GROUP BY time(5m), "region" fill(previous) ORDER BY time DESC LIMIT 1 SLIMIT 1 tz('Europe/Paris')`
  t.same(await values(two), [[[(START_S + 360) * 1000, 4.8]]])
  const rate = `SELECT non_negative_derivative(mean("value"), 1s) AS "rate" FROM "cpu" WHERE ("host" = 'a') AND ${when} GROUP BY time(1m) fill(none)`
  t.ok((await values(rate))[0]!.every(([, value]) => value === 1 || value === 35 / 60))
  t.same(await values(`SELECT last("value"), max("idle") FROM "cpu" WHERE ${when}`), [
    [[START_S * 1000, 600, 600]]
  ])
  const annotation = `SELECT "title", "text" FROM "events" WHERE ${when} ORDER BY time ASC LIMIT 1000`
  t.same(await values(annotation), [[[(START_S + 60) * 1000, 'deploy', 'all fine']]])
  t.same(await values(`SELECT "value" FROM "none" WHERE ${when}`), [])
  // What it shows of an error.
  const failed = await send(varve, 'POST', '/query?db=home&epoch=ms', { q: 'SELECT mean("value" FROM cpu' })
  t.match(failed, { status: 400, body: { error: /^error parsing query: found FROM, expected/ } })
})

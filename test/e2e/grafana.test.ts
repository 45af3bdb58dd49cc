// What deploy/grafana installs, held against the daemon: the dashboard's expressions and variables are asked of
// it, with its own metrics written back as the agent's configuration does, and every metric named is one it has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compress, type RequestSeries, writeRequest } from '../kit/write-request.ts'
import { connect, serve, temporary } from './daemon.ts'
import { absent, promtool } from './prometheus.ts'

const dir = join(import.meta.dirname, '../../deploy/grafana')
const read = (file: string) => readFileSync(join(dir, file), 'utf8')

interface Dashboard {
  readonly uid: string
  readonly panels: readonly {
    readonly title: string
    readonly type: string
    readonly datasource?: { readonly uid: string }
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    readonly targets?: readonly { readonly expr: string; readonly instant: boolean }[]
  }[]
  readonly templating: {
    readonly list: readonly {
      readonly name: string
      readonly definition: string
      readonly allValue: string
    }[]
  }
}

const dashboard: Dashboard = JSON.parse(read('dashboards/gateway.json'))

/** The series of /metrics as a scrape gives them. */
function scraped(text: string): RequestSeries['labels'][] {
  const more: [string, string][] = [
    ['instance', 'pi:8086'],
    ['job', 'varve']
  ]
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)].map(([, name, labels]) => [
    ['__name__', name!],
    ...[...(labels ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!] as const),
    ...more
  ])
}

/** An expression with Grafana's variables filled in as for "All". */
function filled(expr: string): string {
  let text = expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h')
  for (const { name, allValue } of dashboard.templating.list) text = text.replaceAll(`$${name}`, allValue)
  return text
}

t.test('the dashboard: every panel has an answer, every variable values', async t => {
  const varve = await serve(t, temporary(t))
  const device = await connect(t, varve)
  await device.publishAsync('site1/dev7/telemetry', '{"temperature":21.4,"state":"on"}', { qos: 1 })
  const metrics = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  const nowMs = Date.now()
  const all = scraped(metrics).map(labels => ({
    labels,
    samples: [45, 30, 15, 0].map((ago, i) => [nowMs - ago * 1000, i] as const)
  }))
  t.ok(all.length > 60, `${all.length} series`)
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
  const body = compress(writeRequest(all))
  const written = await fetch(`${varve.httpUrl}/api/v1/write`, { method: 'POST', headers, body })
  t.equal(written.status, 204)

  const ask = async (path: string, parameters: Record<string, string>) => {
    const reply = await fetch(`${varve.httpUrl}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters)
    })
    return (await reply.json()) as { error?: string; data?: { result: unknown[] } & unknown[] }
  }
  const end = String(nowMs / 1000 + 1)
  const start = String(nowMs / 1000 - 300)
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, instant } of targets) {
      const query = filled(expr)
      const answer = instant
        ? await ask('query', { query, time: end })
        : await ask('query_range', { query, start, end, step: '15' })
      t.ok((answer.data?.result.length ?? 0) > 0, `${title}: ${query} ${answer.error ?? ''}`)
      for (const [name] of query.matchAll(/\bvarve_\w+/g)) {
        t.match(metrics, new RegExp(`^${name}[ {]`, 'm'), `${name} is a metric`)
      }
    }
  }
  for (const { name, definition } of dashboard.templating.list) {
    const found = /^label_values\((?:(.+), )?(\w+)\)$/.exec(definition)
    const match = found?.[1] === undefined ? '' : `?match[]=${encodeURIComponent(filled(found[1]))}`
    const reply = await fetch(`${varve.httpUrl}/api/v1/label/${found![2]}/values${match}`)
    const { data } = (await reply.json()) as { data: string[] }
    t.ok(data.length > 0, `${name}: ${definition}`)
  }
})

t.test('the dashboard: panels do not overlap, ids and data source fit the provisioning', async t => {
  const sources = read('provisioning/datasources/varve.yaml')
  t.match(sources, /^ {4}uid: varve$/m)
  t.match(sources, /^ {4}type: prometheus$/m)
  t.match(sources, /^ {4}url: http:\/\/127\.0\.0\.1:8086$/m)
  t.match(read('provisioning/dashboards/varve.yaml'), /^ {6}path: \/var\/lib\/grafana\/dashboards\/varve$/m)
  const taken = new Set<string>()
  for (const { title, type, datasource, gridPos } of dashboard.panels) {
    if (type !== 'row') t.equal(datasource?.uid, 'varve', title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        if (x > 23 || taken.has(`${x},${y}`)) t.fail(`${title} overlaps at ${x},${y}`)
        taken.add(`${x},${y}`)
      }
    }
  }
})

t.test('the agent configuration is one that Prometheus takes', { skip: absent('promtool') }, async t => {
  t.match(promtool('check', 'config', '--agent', join(dir, 'prometheus-agent.yml')), /is valid/)
})

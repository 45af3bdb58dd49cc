// Prometheus' API over a socket: shapes, statuses, and what Grafana asks first.
import t from 'tap'
import { Kit, token } from './server-kit.ts'

const kit = await Kit.open({ rows: 5 })
t.teardown(() => kit.server.close())

async function get(path: string, init: RequestInit = {}) {
  const response = await kit.fetch(`/api/v1/${path}`, init)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

function form(path: string, parameters: Record<string, string>) {
  return get(path, { method: 'POST', body: new URLSearchParams(parameters) })
}

t.test('query and query_range answer GET and POST in the shapes of Prometheus', async t => {
  t.same(await get('query?query=1%2B1&time=4'), {
    status: 200,
    body: { status: 'success', data: { resultType: 'scalar', result: [4, '2'] } }
  })
  t.same(await form('query', { query: 't', time: '1970-01-01T00:00:01Z' }), {
    status: 200,
    body: {
      status: 'success',
      data: {
        resultType: 'vector',
        result: [{ metric: { __name__: 't', site: 'ž', topic: 'site1/t' }, value: [1, '0.5'] }]
      }
    }
  })
  t.same(await form('query_range', { query: 'sum(t)/0 - t{}*0', start: '0.5', end: '1', step: '250ms' }), {
    status: 200,
    body: { status: 'success', data: { resultType: 'matrix', result: [] } }
  })
  const { body } = await form('query_range', { query: 'sum(t)/0', start: '0.5', end: '1', step: '0.25' })
  t.same(body.data, {
    resultType: 'matrix',
    result: [
      {
        metric: {},
        values: [
          [0.5, '+Inf'],
          [0.75, '+Inf'],
          [1, '+Inf']
        ]
      }
    ]
  })
})

t.test('errors have the status, the type and the words of Prometheus', async t => {
  const cases: [string, number, string, string][] = [
    [
      'query?query=sum(',
      400,
      'bad_data',
      'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'
    ],
    ['query', 400, 'bad_data', 'invalid parameter "query": 1:1: parse error: no expression found in input'],
    [
      'query?query=1&time=x',
      400,
      'bad_data',
      'invalid parameter "time": cannot parse "x" to a valid timestamp'
    ],
    [
      'query_range?query=1&start=2&end=1&step=1',
      400,
      'bad_data',
      'invalid parameter "end": end timestamp must not be before start time'
    ],
    [
      'query_range?query=1&start=1&end=2&step=0',
      400,
      'bad_data',
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer'
    ],
    [
      'query_range?query=1&start=1&end=2&step=x',
      400,
      'bad_data',
      'invalid parameter "step": cannot parse "x" to a valid duration'
    ],
    [
      'query_range?query=1&start=0&end=11001&step=1',
      400,
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)'
    ],
    [
      'query_range?query=t[1m]&start=0&end=1&step=1',
      400,
      'bad_data',
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector'
    ],
    [
      'query?query=label_replace(t,"","","","")&time=1',
      422,
      'execution',
      'invalid destination label name in label_replace(): '
    ],
    [
      'query?query=t&timeout=0',
      503,
      'timeout',
      'Cannot finish query: it works longer than 0 s; ask for a shorter range'
    ],
    ['series', 400, 'bad_data', 'no match[] parameter provided'],
    [
      'labels?match[]=rate(x[1m])',
      400,
      'bad_data',
      'invalid parameter "match[]": 1:1: parse error: "rate(x[1m])" is no series selector'
    ],
    ['labels?limit=-1', 400, 'bad_data', 'invalid parameter "limit": limit must be non-negative']
  ]
  for (const [path, status, errorType, error] of cases) {
    t.same(await get(path), { status, body: { status: 'error', errorType, error } }, path)
  }
})

t.test('labels, values, series and metadata list what is there, in a span, up to a limit', async t => {
  const data = async (path: string) => (await get(path)).body.data
  t.same(await data('labels'), ['__name__', 'site', 'topic'])
  t.same(await data('labels?match[]=none'), [])
  t.same(await data('label/topic/values?match[]=t&start=0&end=1'), ['site1/t'])
  t.same(await data('label/topic/values?start=100&end=200'), [])
  t.same(await data('label/U__to_70_ic/values'), ['site1/t'])
  t.same(await data('series?match[]={site="ž"}&match[]=t'), [{ __name__: 't', site: 'ž', topic: 'site1/t' }])
  t.same(await data('metadata'), { t: [{ type: 'unknown', help: '', unit: '' }] })
  const cut = await get('labels?limit=1')
  t.same(cut.body, { status: 'success', warnings: ['results truncated due to limit'], data: ['__name__'] })
})

t.test('what Grafana asks before it shows a panel has an answer', async t => {
  const build = (await get('status/buildinfo')).body.data as { version: string }
  t.match(build.version, /^(?:2\.(?:2[4-9]|[3-9]\d)|[3-9])\./)
  t.same((await get('rules')).body.data, { groups: [] })
  t.same((await get('alerts')).body.data, { alerts: [] })
  t.same((await form('query_exemplars', { query: 't', start: '0', end: '1' })).body.data, [])
  t.same((await get('format_query?query=sum(t)by(x)')).body.data, 'sum by (x) (t)')
})

t.test('the API wants the right to read', async t => {
  const closed = await Kit.open({ tokens: [token('w', 'secret', ['write'])] })
  t.teardown(() => closed.server.close())
  const response = await closed.fetch('/api/v1/query?query=1')
  t.equal(response.status, 401)
  t.match(await response.json(), { status: 'error', errorType: 'unauthorized' })
  const headers = { authorization: 'Bearer secret' }
  const forbidden = await closed.fetch('/api/v1/query?query=1', { headers })
  t.equal(forbidden.status, 403)
  t.match(await forbidden.json(), { status: 'error', errorType: 'unauthorized' })
})

t.test('what no route serves, or not so, is refused in the shape of the API whose path it is', async t => {
  const refused = async (path: string, init: RequestInit = {}) => {
    const response = await kit.fetch(path, init)
    return { status: response.status, allow: response.headers.get('allow'), body: await response.json() }
  }
  const error = (errorType: string, words: RegExp) => ({ status: 'error', errorType, error: words })
  for (const path of ['status/config', 'targets', 'status/tsdb', 'nothing/at/all', 'label/topic'])
    t.match(await refused(`/api/v1/${path}`), { status: 404, body: error('not_found', /nothing is served/) })
  const put = await refused('/api/v1/query_range', { method: 'PUT', body: 'x' })
  t.match(put, { status: 405, allow: 'GET, POST', body: error('bad_data', /it takes GET, POST/) })
  const values = await refused('/api/v1/label/topic/values', { method: 'POST' })
  t.match(values, { status: 405, allow: 'GET', body: error('bad_data', /it takes GET/) })
  const post = (path: string, type: string, body: string) =>
    refused(path, { method: 'POST', body, headers: { 'content-type': type } })
  const form = 'application/x-www-form-urlencoded'
  t.match(await post('/api/v1/query', 'text/plain', 'query=1'), {
    status: 415,
    body: error('bad_data', /form/)
  })
  t.match(await post('/api/v1/query', 'not a type', 'query=1'), { status: 415, body: error('bad_data', /./) })
  t.match(await post('/api/v1/query', 'application/json', '[]'), {
    status: 400,
    body: error('bad_data', /JSON/)
  })
  const long = `query=${'1'.repeat(1024 ** 2)}`
  t.match(await post('/api/v1/query', form, long), { status: 413, body: error('bad_data', /longer/) })
  t.match(await refused('/api/v1/label/%FF/values'), { status: 400, body: error('bad_data', /./) })

  const influx = (words: RegExp) => ({ error: words, errorType: undefined, code: undefined })
  t.match(await refused('/query', { method: 'DELETE' }), { status: 405, body: influx(/GET, POST/) })
  t.match(await refused('/query/more'), { status: 404, body: influx(/nothing is served/) })
  t.match(await refused('/write'), { status: 405, body: influx(/POST/) })
  t.match(await post('/query', 'text/plain', 'q=x'), { status: 415, body: influx(/form/) })
  t.match(await post('/query', form, `q=${'1'.repeat(1024 ** 2)}`), { status: 413, body: influx(/longer/) })
  t.match(await refused('/query?q=SELEC'), { status: 400, body: influx(/^error parsing query: found SELEC/) })
  t.match(await refused('/query?db=x'), { status: 400, body: influx(/^missing required parameter "q"$/) })
  const buckets = await refused('/api/v2/buckets')
  t.match(buckets, { status: 404, body: { code: 'not found', message: /nothing/ } })
  t.match(await refused('/v1/none'), { status: 404, body: { code: 'VARVE_HTTP_PATH' } })
})

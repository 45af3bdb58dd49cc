// Prometheus itself as a client: it writes to varve across a SIGKILL of the daemon and loses nothing, and
// promtool queries varve.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { serve, temporary, write } from './daemon.ts'
import { absent, freePort, promtool, startPrometheus } from './prometheus.ts'

interface Found {
  readonly metric: Record<string, string>
  readonly values: readonly [number, string][]
}

async function samplesOf(
  url: string,
  query: string,
  headers: Record<string, string> = {}
): Promise<Map<string, string>> {
  const reply = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`, { headers })
  const { data, error } = (await reply.json()) as { data?: { result: Found[] }; error?: string }
  if (data === undefined) throw new Error(`Cannot ask ${url}: ${error}`)
  const found = new Map<string, string>()
  for (const { metric, values } of data.result) {
    const key = JSON.stringify(Object.entries(metric).sort())
    for (const [time, value] of values) found.set(`${key} @${time}`, value)
  }
  return found
}

/** Waits until a server has so many samples of `up`. */
async function scraped(url: string, wanted: number, headers: Record<string, string> = {}): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    if ((await samplesOf(url, 'up[10m]', headers)).size >= wanted) return
    await sleep(50)
  }
  throw new Error(`Cannot go on: ${url} has fewer than ${wanted} samples`)
}

t.test(
  'prometheus writes across a SIGKILL of the daemon, and every sample arrives',
  { skip: absent('prometheus') },
  async t => {
    const [dir, own] = [temporary(t), temporary(t)]
    const port = await freePort()
    const token = 'a-token-of-the-test'
    const env = { VARVE_HTTP__TOKENS: `[{ name = "prometheus", token = "${token}", role = "write" }]` }
    const flags = ['--http.port', String(port), '--http.host', '127.0.0.1']
    const basic = { authorization: `Basic ${Buffer.from(`prometheus:${token}`).toString('base64')}` }
    const first = await serve(t, dir, ...flags, '--http.tokens', env.VARVE_HTTP__TOKENS)
    const queue = '{ batch_send_deadline: 200ms, max_backoff: 300ms }'
    const auth = `basic_auth: { username: prometheus, password: ${token} }`
    const remote = `{ url: '${first.httpUrl}/api/v1/write', ${auth}, queue_config: ${queue} }`
    const prometheus = await startPrometheus(t, own, `remote_write: [${remote}]\n`)
    await scraped(first.httpUrl, 3, basic)
    await first.stop('SIGKILL')
    const { size } = await samplesOf(prometheus, 'up[10m]')
    await scraped(prometheus, size + 3)
    const second = await serve(t, dir, ...flags, '--http.tokens', env.VARVE_HTTP__TOKENS)
    await scraped(prometheus, size + 6)

    const query =
      '{__name__=~"up|prometheus_http_requests_total|prometheus_http_request_duration_seconds_bucket"}[10m]'
    const theirs = await samplesOf(prometheus, query)
    t.ok(theirs.size > 50, `${theirs.size} samples`)
    let missing: string[] = []
    for (let i = 0; i < 600; i++) {
      const ours = await samplesOf(second.httpUrl, query, basic)
      missing = [...theirs].filter(([key, value]) => ours.get(key) !== value).map(([key]) => key)
      if (missing.length === 0) break
      await sleep(100)
    }
    t.strictSame(missing, [])
    const anonymous = await fetch(`${second.httpUrl}/api/v1/query?query=up`)
    t.equal(anonymous.status, 401)
  }
)

t.test('prometheus answers from varve by remote read', { skip: absent('prometheus') }, async t => {
  const varve = await serve(t, temporary(t))
  const lines = [
    'room,site=a value=1.5 1700000000',
    'door state="open" 1700000010',
    'room,site=a value=2 1700000060'
  ]
  t.same(await write(varve, lines.join('\n'), '?precision=s'), [204, ''])
  const remote = `remote_read: [{ url: '${varve.httpUrl}/api/v1/read', read_recent: true }]\n`
  const prometheus = await startPrometheus(t, temporary(t), remote)
  const found = await samplesOf(prometheus, '{__name__=~"room|door.*"}[5m] @ 1700000100')
  t.strictSame([...found].sort(), [
    ['[["__name__","door_state"],["value","open"]] @1700000010', '1'],
    ['[["__name__","room"],["site","a"]] @1700000000', '1.5'],
    ['[["__name__","room"],["site","a"]] @1700000060', '2']
  ])
})

t.test('promtool queries varve', { skip: absent('promtool') }, async t => {
  const varve = await serve(t, temporary(t))
  const lines = Array.from(
    { length: 5 },
    (_, i) => `room,site=a,n=${i % 2} value=${i} ${1_700_000_000 + 60 * i}`
  )
  t.same(await write(varve, lines.join('\n'), '?precision=s'), [204, ''])
  const at = (i: number) => String(1_700_000_000 + 60 * i)
  const url = varve.httpUrl
  t.equal(
    promtool('query', 'instant', '--time', at(4), url, 'sum by (site) (room)'),
    '{site="a"} => 7 @[1700000240]\n'
  )
  const range = promtool(
    'query',
    'range',
    '--start',
    at(0),
    '--end',
    at(4),
    '--step',
    '60s',
    url,
    'room{n="0"}'
  )
  t.match(range, /room\{n="0", site="a"\} =>\n0 @\[1700000000\]\n0 @\[1700000060\]\n2 @\[1700000120\]/)
  const when = ['--start', at(0), '--end', at(4)]
  t.equal(promtool('query', 'labels', ...when, url, 'site'), 'a\n')
  t.equal(
    promtool('query', 'series', ...when, '--match', 'room{n="1"}', url),
    '{__name__="room", n="1", site="a"}\n'
  )
  t.throws(() => promtool('query', 'instant', url, 'rate(room)'), /expected type range vector/)
})

t.test('PromQL follows query.lookback, query.range_rules and query.points_max', async t => {
  const flags = ['--query.lookback', '30s', '--query.range_rules', '2', '--query.points_max', '100']
  const varve = await serve(t, temporary(t), ...flags)
  t.same(await write(varve, 'm value=1 1700000000\nm value=2 1700000060', '?precision=s'), [204, ''])
  const ask = async (path: string) => {
    const reply = await fetch(`${varve.httpUrl}/api/v1/${path}`)
    const { data, error } = (await reply.json()) as { data?: { result: unknown[] }; error?: string }
    return error ?? JSON.stringify(data!.result)
  }
  t.equal(await ask('query?query=m&time=1700000091'), '[]')
  t.match(await ask('query?query=m&time=1700000089'), '"2"')
  t.match(await ask('query?query=count_over_time(m[1m])&time=1700000060'), '"2"')
  t.match(await ask('query?query=count_over_time(m[1m])&time=1700000060&rules=3'), '"1"')
  t.match(
    await ask('query_range?query=m&start=1700000000&end=1700000101&step=1'),
    /maximum resolution of 100 points/
  )
})

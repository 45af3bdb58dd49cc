// Entries in the running daemon: what is dead leaves the medium without anybody asking, and what is done is told.
import t from 'tap'
import type { Varve } from '../../scripts/varve-process.ts'
import { isLinearizable } from '../kit/linearizable.ts'
import { type RegisterOp, stepRegister } from '../kv/concurrent.ts'
import { connect, serve, temporary } from './daemon.ts'

interface Entries {
  readonly entries: number
  readonly tombstones: number
  readonly segments: number
  readonly segmentBytes: number
  readonly compactions: { readonly runs: number; readonly dropped: number; readonly why: string }
}

async function json<T>(varve: Varve, path: string, method = 'GET', body?: unknown): Promise<T> {
  const reply = await fetch(`${varve.httpUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
  return (await reply.json()) as T
}

async function entriesOf(varve: Varve): Promise<Entries> {
  return (await json<{ store: { entries: Entries } }>(varve, '/v1/status')).store.entries
}

function writes(count: number, more: (key: string) => object): object {
  return { writes: Array.from({ length: count }, (_, i) => ({ ns: 'app', ...more(`key/${i}`) })) }
}

t.test('expired entries and tombstones leave the medium by the compaction job, which says why', async t => {
  const varve = await serve(t, temporary(t), '--log.level', 'info')
  const put = (ttl: number) => writes(2000, key => ({ op: 'put', key, value: 'v'.repeat(100), ttl_ms: ttl }))
  await json(varve, '/v1/kv', 'POST', put(1))
  await json(varve, '/v1/kv', 'POST', { writes: [{ op: 'put', ns: 'app', key: 'stays', value: 'here' }] })
  t.match(await json(varve, '/v1/flush', 'POST'), { entries: 'segment' })
  t.equal((await entriesOf(varve)).entries, 1, 'what had expired was not written')

  await json(varve, '/v1/kv', 'POST', put(0))
  await json(varve, '/v1/flush', 'POST')
  await json(
    varve,
    '/v1/kv',
    'POST',
    writes(2000, key => ({ op: 'delete', key }))
  )
  await json(varve, '/v1/flush', 'POST')
  const job = await json<{ last_result: { why: string } }>(varve, '/v1/run-job?name=compaction', 'POST')
  const after = await entriesOf(varve)
  t.same([after.entries, after.tombstones, after.segments], [1, 0, 1])
  t.ok(after.segmentBytes < 1000, `${after.segmentBytes} bytes are left`)
  t.ok(after.compactions.runs >= 1 && after.compactions.dropped === 2000, JSON.stringify(after.compactions))
  t.match(job.last_result.why, 'none worth rewriting')
  t.match(varve.said(), /reclaim.*entries compacted/)
  t.match(await (await fetch(`${varve.httpUrl}/metrics`)).text(), /varve_entries_dropped(_total)? 2000/)
  t.equal(await (await fetch(`${varve.httpUrl}/v1/kv/app/stays`)).text(), 'here')
  t.equal(await varve.stop('SIGTERM'), 0)
})

t.test('the newest sample of each series is an entry of the namespace last', async t => {
  const varve = await serve(t, temporary(t))
  const client = await connect(t, varve)
  await client.publishAsync('site1/dev7/telemetry', '{"temperature":21.4,"state":"on","up":true}', { qos: 1 })
  await client.publishAsync('site1/dev7/telemetry', '{"temperature":22.5}', { qos: 1 })
  const read = async (key: string) => {
    const reply = await fetch(`${varve.httpUrl}/v1/kv/last/${key}`)
    return [reply.status, await reply.text(), Number(reply.headers.get('x-varve-version'))] as const
  }
  const [status, text, version] = await read('site1/dev7/telemetry/temperature')
  t.same([status, text], [200, '22.5'])
  t.ok(Math.abs(version / 1000 - Date.now()) < 60_000, 'the version is the time of the sample in us')
  t.same((await read('site1/dev7/telemetry/state')).slice(0, 2), [200, 'on'])
  t.same((await read('site1/dev7/telemetry/up')).slice(0, 2), [200, 'true'])
  t.equal((await read('site1/dev7/telemetry/none'))[0], 404)
  interface Page {
    readonly entries: { readonly key: string; readonly value: string }[]
    readonly cursor: string | null
  }
  const page = await json<Page>(varve, '/v1/kv/last?limit=2')
  const rest = await json<Page>(varve, `/v1/kv/last?cursor=${page.cursor}`)
  const keys = [...page.entries, ...rest.entries].map(({ key }) => key)
  t.same([page.entries.length, rest.cursor, [...keys].sort()], [2, null, keys])
  const temperature = keys.find(key => key.startsWith('temperature'))!
  t.same((await read(encodeURIComponent(temperature))).slice(0, 2), [200, '22.5'], temperature)
  const gone = Buffer.from('state{').toString('base64url')
  const behind = await json<Page>(varve, `/v1/kv/last?cursor=${gone}`)
  t.same(
    behind.entries.map(({ key }) => key),
    keys.filter(key => key >= 'state{'),
    'the entry of a cursor may be gone'
  )
  t.equal((await fetch(`${varve.httpUrl}/v1/kv/last/x`, { method: 'PUT', body: '1' })).status, 403)
  t.equal((await fetch(`${varve.httpUrl}/v1/kv/last/a%7Bb`)).status, 400, 'a key that is no selector')
})

t.test('compare-and-set over HTTP is linearizable over SIGKILL', async t => {
  const dir = temporary(t)
  let varve = await serve(t, dir)
  const history: { op: RegisterOp; start: number; end: number }[] = []
  let [moment, count] = [0, 0]
  const client = async (turns: number, operationsMax: number) => {
    const url = `${varve.httpUrl}/v1/kv/app/register`
    for (let turn = 0; turn < turns && history.length < operationsMax; turn++) {
      const seen = await fetch(url)
      const expected = seen.status === 404 ? null : await seen.text()
      const value = `v${++count}`
      const headers: Record<string, string> =
        expected === null ? { 'if-none-match': '*' } : { 'if-match': seen.headers.get('etag')! }
      const op = { kind: 'swap', expected, value, swapped: null } as const
      const asked: (typeof history)[number] = { op, start: ++moment, end: Number.POSITIVE_INFINITY }
      history.push(asked)
      const { status } = await fetch(url, { method: 'PUT', body: value, headers })
      asked.op = { ...op, swapped: status < 300 }
      asked.end = ++moment
    }
  }
  const clients = Array.from({ length: 4 }, () => client(1000, 20).catch(() => {}))
  while (history.filter(({ end }) => end !== Number.POSITIVE_INFINITY).length < 10) {
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await varve.stop('SIGKILL')
  await Promise.all(clients)
  varve = await serve(t, dir)
  await Promise.all(Array.from({ length: 3 }, () => client(2, 31)))
  t.ok(isLinearizable(history, null, stepRegister, String), JSON.stringify(history))
  t.ok(
    history.some(({ op }) => op.kind === 'swap' && op.swapped === false),
    'some lost the race'
  )
})

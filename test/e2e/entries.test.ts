// Entries in the running daemon: what is dead leaves the medium without anybody asking, and what is done is told.
import t from 'tap'
import type { Varve } from '../../scripts/varve-process.ts'
import { serve, temporary } from './daemon.ts'

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

// The key-value store, leases and queues over HTTP: what a client sends and what it is told.
import t, { type Test } from 'tap'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { Auth } from '../../src/http/auth.ts'
import { kvRoutes } from '../../src/http/routes-kv.ts'
import { leaseRoutes } from '../../src/http/routes-lease.ts'
import { queueRoutes } from '../../src/http/routes-queue.ts'
import { HttpServer } from '../../src/http/server.ts'
import { Entry } from '../../src/kv/entry.ts'
import type { ForeignNamespace } from '../../src/kv/foreign.ts'
import { Leases } from '../../src/kv/lease.ts'
import { Queues } from '../../src/kv/queue.ts'
import { KvStore } from '../../src/kv/store.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Medium, openOn } from '../kv/sim-host.ts'

/** A namespace that somebody else keeps. */
const shown: ForeignNamespace = {
  get: async key => (key === 'a' ? new Entry('shown\0a', 7, 0, Buffer.from('1')) : undefined),
  async *scan() {
    yield new Entry('shown\0a', 7, 0, Buffer.from('1'))
  }
}

/** A server over a store in memory; `ask` gives status, headers and body. */
async function served(t: Test) {
  const clock = new HandClock()
  const store = new KvStore({ clock, onError: error => t.fail(String(error)) })
  const wal = await openOn(new Medium(new Random(1)), store)
  const waited: number[] = []
  const synced = async (group: number) => {
    await wal.synced(group)
    waited.push(group)
  }
  const server = await HttpServer.open({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    auth: new Auth([]),
    routes: [
      ...kvRoutes({ store, clock, synced, foreign: new Map([['shown', shown]]) }),
      ...leaseRoutes({ leases: new Leases(store, clock), synced }),
      ...queueRoutes({ queues: new Queues(store, clock), synced })
    ]
  })
  t.teardown(async () => {
    await store.close()
    await server.close()
  })
  const url = `http://127.0.0.1:${server.port}/v1`
  const ask = async (method: string, path: string, body?: string | Uint8Array, headers = {}) => {
    const reply = await fetch(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as BodyInit })
    })
    const text = await reply.text()
    const isJson = reply.headers.get('content-type')?.startsWith('application/json')
    return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(text) : text }
  }
  return { store, clock, waited, ask, url }
}

t.test('PUT, GET, HEAD and DELETE keep any bytes under any key, after the sync', async t => {
  const { ask, waited, store, url } = await served(t)
  const odd = Buffer.from([0, 255, 128, 10])
  t.equal((await ask('PUT', '/kv/cfg/net/a%20%2Fb', odd)).status, 201)
  t.same(waited, [store.lastGroup])
  t.equal((await ask('PUT', '/kv/cfg/net/a%20%2Fb', odd)).status, 204)
  const reply = await fetch(`${url}/kv/cfg/net/a%20%2Fb`)
  t.same(Buffer.from(await reply.arrayBuffer()), odd)
  t.equal(reply.headers.get('etag'), `"${store.lastVersion}"`)
  t.match(await ask('HEAD', '/kv/cfg/net/a%20%2Fb'), { status: 200, body: '' })
  const tag = reply.headers.get('etag')!
  t.equal((await ask('GET', '/kv/cfg/net/a%20%2Fb', undefined, { 'if-none-match': tag })).status, 304)
  t.equal((await ask('DELETE', '/kv/cfg/net/a%20%2Fb')).status, 204)
  t.match(await ask('GET', '/kv/cfg/net/a%20%2Fb'), { status: 404, body: { code: 'VARVE_KV_ABSENT' } })
  t.equal((await ask('DELETE', '/kv/cfg/net/a%20%2Fb')).status, 404)
})

t.test('conditions of writes are headers, and 412 says that they do not hold', async t => {
  const { ask } = await served(t)
  const first = await ask('PUT', '/kv/cfg/ip', '1', { 'if-none-match': '*' })
  t.equal(first.status, 201)
  const tag = first.headers.get('etag')!
  t.match(await ask('PUT', '/kv/cfg/ip', '2', { 'if-none-match': '*' }), {
    status: 412,
    body: { code: 'VARVE_CONFLICT' }
  })
  t.equal((await ask('PUT', '/kv/cfg/ip', '2', { 'if-match': tag })).status, 204)
  t.equal((await ask('PUT', '/kv/cfg/ip', '3', { 'if-match': tag })).status, 412)
  t.equal((await ask('DELETE', '/kv/cfg/ip', undefined, { 'if-match': tag })).status, 412)
  t.equal((await ask('GET', '/kv/cfg/ip')).body, '2')
  t.match(await ask('PUT', '/kv/cfg/ip', '3', { 'if-match': 'W/x' }), {
    status: 400,
    body: { where: 'if-match' }
  })
})

t.test('entries expire after their ttl, given as parameter or header', async t => {
  const { ask, clock } = await served(t)
  await ask('PUT', '/kv/s/a?ttl=10s', 'x')
  await ask('PUT', '/kv/s/b', 'x', { 'x-varve-ttl': '20s' })
  t.equal((await ask('GET', '/kv/s/a')).headers.get('x-varve-expires-us'), String(clock.nowUs() + 10_000_000))
  clock.advance(10_000)
  t.equal((await ask('GET', '/kv/s/a')).status, 404)
  t.equal((await ask('GET', '/kv/s/b')).status, 200)
  t.match(await ask('PUT', '/kv/s/a?ttl=soon', 'x'), { status: 400, body: { where: 'ttl' } })
})

t.test('a listing goes on where its cursor says, forwards and backwards', async t => {
  const { ask } = await served(t)
  for (const key of ['a', 'b/1', 'b/2', 'b/3', 'c']) await ask('PUT', `/kv/n/${key}`, key)
  const keys: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const after = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await ask('GET', `/kv/n?prefix=b/&limit=2${after}`)
    keys.push(...body.entries.map((entry: { key: string }) => entry.key))
    cursor = body.cursor
  }
  t.same(keys, ['b/1', 'b/2', 'b/3'])
  const { body } = await ask('GET', '/kv/n?reverse=true&limit=2')
  t.same(
    body.entries.map((entry: { value: string }) => entry.value),
    ['c', 'b/3']
  )
  t.match(await ask('GET', '/kv/n?limit=0'), { status: 400, body: { where: 'limit' } })
  t.match(await ask('GET', '/kv/n?colour=red'), { status: 400, body: { where: 'colour' } })
  t.match(await ask('GET', '/kv/n?cursor=!!!'), { status: 400, body: { where: 'cursor' } })
})

t.test('a page of large values ends early, and says bytes that are no text as base64', async t => {
  const { ask } = await served(t)
  const value = Buffer.alloc(3 * 2 ** 20, 0)
  for (const key of ['a', 'b', 'c']) await ask('PUT', `/kv/big/${key}`, value)
  const { body } = await ask('GET', '/kv/big')
  t.same(
    body.entries.map(({ key, value_base64: base64 }: { key: string; value_base64: string }) => [
      key,
      base64.length
    ]),
    [
      ['a', 4 * 2 ** 20],
      ['b', 4 * 2 ** 20]
    ]
  )
  const rest = await ask('GET', `/kv/big?cursor=${body.cursor}`)
  t.match(rest.body, { entries: [{ key: 'c' }], cursor: null })
})

t.test('a watch from a version that was never given is refused', async t => {
  const { ask } = await served(t)
  await ask('PUT', '/kv/n/a', '1')
  t.match(await ask('GET', '/kv/n?watch=9000000000000000'), { status: 400, body: { where: 'watch' } })
})

t.test('a batch is all or nothing, and says which write is wrong', async t => {
  const { ask } = await served(t)
  const batch = (writes: unknown) => ask('POST', '/kv', JSON.stringify({ writes }))
  const put = (key: string, more = {}) => ({ op: 'put', ns: 'n', key, value: 'v', ...more })
  t.match(await batch([put('a'), put('b', { value_base64: '/w==', value: undefined })]), {
    status: 200,
    body: { writes: 2 }
  })
  t.match((await ask('GET', '/kv/n')).body.entries, [
    { key: 'a', value: 'v' },
    { key: 'b', value_base64: '/w==' }
  ])
  t.equal((await batch([put('c'), put('a', { if_absent: true })])).status, 412)
  t.equal((await ask('GET', '/kv/n/c')).status, 404)
  t.match(await batch([put('c'), { op: 'move', ns: 'n', key: 'x' }]), {
    status: 400,
    body: { where: 'writes[1]' }
  })
  t.equal((await batch('none')).status, 400)
  t.equal((await ask('POST', '/kv', '{')).status, 400)
})

t.test('counters add, and refuse what is no number', async t => {
  const { ask } = await served(t)
  t.same((await ask('POST', '/kv/n/hits?add=5')).body, { value: 5 })
  t.same((await ask('POST', '/kv/n/hits?add=-7')).body, { value: -2 })
  await ask('PUT', '/kv/n/text', 'x')
  t.match(await ask('POST', '/kv/n/text?add=1'), { status: 400, body: { code: 'VARVE_COUNTER' } })
  t.match(await ask('POST', '/kv/n/hits?add=1.5'), { status: 400, body: { where: 'add' } })
})

t.test('a watch tells each change after its version once, as events', async t => {
  const { ask, store, url } = await served(t)
  await ask('PUT', '/kv/cfg/a', '1')
  const { version } = store.get('cfg', 'a')!
  await ask('PUT', '/kv/cfg/b', '2')
  const gone = new AbortController()
  const reply = await fetch(`${url}/kv/cfg?watch=${version}`, { signal: gone.signal })
  t.equal(reply.headers.get('content-type'), 'text/event-stream')
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (wanted: string) => {
    while (!text.includes(wanted)) text += (await reader.read()).value ?? ''
  }
  await until('"key":"b"')
  await ask('PUT', '/kv/other/c', '3')
  await ask('DELETE', '/kv/cfg/a')
  await until('event: delete')
  gone.abort()
  const kinds = text.match(/^event: .*$/gm)
  t.same(kinds, ['event: put', 'event: delete'])
  t.notMatch(text, '"key":"c"')
})

t.test('namespaces of the daemon are read, never written', async t => {
  const { ask, store } = await served(t)
  store.put('mqtt.retained', 'topic', Buffer.from('x'))
  t.equal((await ask('GET', '/kv/mqtt.retained/topic')).body, 'x')
  for (const ns of ['mqtt.retained', '$lease', 'ingest.dead']) {
    t.match(await ask('PUT', `/kv/${ns}/x`, 'x'), { status: 403, body: { code: 'VARVE_KV_RESERVED' } })
  }
  t.equal(
    (await ask('POST', '/kv', JSON.stringify({ writes: [{ op: 'delete', ns: '$queue', key: 'x' }] }))).status,
    403
  )
  t.match(await ask('PUT', '/kv/bad%20name/x', 'x'), { status: 400, body: { code: 'VARVE_NAMESPACE' } })
  t.equal((await ask('PUT', `/kv/n/${'k'.repeat(2000)}`, 'x')).status, 400)
  t.equal((await ask('PUT', '/kv/n/%ff', 'x')).status, 400)
  t.equal((await ask('PUT', '/kv/n', 'x')).status, 400)
})

t.test('leases are acquired, renewed, shown and released', async t => {
  const { ask, clock } = await served(t)
  const { body } = await ask('POST', '/leases/a/pump?owner=me&ttl=10s')
  t.match(body, { name: 'a/pump', owner: 'me', left_ms: 10_000 })
  t.match(await ask('POST', '/leases/a/pump?owner=you&ttl=10s'), {
    status: 409,
    body: { message: /me holds it/ }
  })
  t.match((await ask('GET', '/leases')).body, { leases: [{ name: 'a/pump' }] })
  clock.advance(9000)
  t.match((await ask('PUT', `/leases/a/pump?token=${body.token}&ttl=5s`)).body, { left_ms: 5000 })
  const waiting = ask('POST', '/leases/a/pump?owner=you&ttl=1s&wait=30s')
  t.equal((await ask('DELETE', `/leases/a/pump?token=${body.token}`)).status, 204)
  const next = await waiting
  t.match(next, { status: 200, body: { owner: 'you' } })
  t.ok(next.body.token > body.token)
  t.equal((await ask('DELETE', `/leases/a/pump?token=${body.token}`)).status, 409)
  t.match(await ask('GET', '/leases/free'), { status: 404, body: { code: 'VARVE_LEASE_FREE' } })
  t.match(await ask('POST', '/leases/x?ttl=1s'), { status: 400, body: { where: 'owner' } })
})

t.test('queues send, receive, give back and acknowledge', async t => {
  const { ask } = await served(t)
  t.equal((await ask('POST', '/queues/jobs', 'low')).status, 201)
  await ask('POST', '/queues/jobs?priority=9', Buffer.from([255]))
  const { messages } = (await ask('POST', '/queues/jobs/receive?max=5&visibility=30s')).body
  t.match(messages, [{ body_base64: '/w==', priority: 9, attempts: 1 }, { body: 'low' }])
  const [first, second] = messages
  const proof = (one: { id: number; token: number }) => `id=${one.id}&token=${one.token}`
  t.equal((await ask('POST', `/queues/jobs/ack?${proof(first)}`)).status, 204)
  t.equal((await ask('POST', `/queues/jobs/extend?${proof(second)}&visibility=1m`)).status, 204)
  t.equal((await ask('POST', `/queues/jobs/nack?${proof(second)}&delay=1h`)).status, 204)
  t.same((await ask('GET', '/queues/jobs')).body, { ready: 0, delayed: 1, delivered: 0 })
  t.match(await ask('POST', `/queues/jobs/ack?${proof(first)}`), {
    status: 409,
    body: { code: 'VARVE_QUEUE_TOKEN' }
  })
  const waiting = ask('POST', '/queues/jobs/receive?wait=10s')
  await ask('POST', '/queues/jobs', 'soon')
  t.match((await waiting).body, { messages: [{ body: 'soon' }] })
  t.same((await ask('GET', '/queues')).body, { queues: ['jobs'] })
  t.equal((await ask('DELETE', '/queues/jobs')).status, 204)
  t.same((await ask('GET', '/queues')).body, { queues: [] })
  t.equal((await ask('POST', '/queues/jobs/steal')).status, 404)
  t.equal((await ask('POST', '/queues/jobs/ack')).status, 400)
})

t.test('PATCH changes a JSON or CBOR value in part, on a condition, and keeps its expiry', async t => {
  const { ask, store, clock } = await served(t)
  const patch = (body: unknown, headers = {}) =>
    ask('PATCH', '/kv/app/doc', JSON.stringify(body), {
      'content-type': 'application/merge-patch+json',
      ...headers
    })
  const made = await patch({ a: 'b', c: { d: 'e', f: 'g' } })
  t.same(
    [made.status, made.body],
    [200, { a: 'b', c: { d: 'e', f: 'g' } }],
    'an absent one is an empty object'
  )
  const changed = await patch({ a: 'z', c: { f: null } }, { 'if-match': made.headers.get('etag')! })
  t.same(changed.body, { a: 'z', c: { d: 'e' } })
  t.equal((await patch({ a: 1 }, { 'if-match': made.headers.get('etag')! })).status, 412)
  t.equal(Buffer.from(store.get('app', 'doc')!.value).toString(), '{"a":"z","c":{"d":"e"}}')
  const expiresUs = clock.nowUs() + 5_000_000
  store.put('app', 'doc', Buffer.from('{}'), { expiresUs })
  await patch({ a: 1 })
  t.equal(store.get('app', 'doc')!.expiresUs, expiresUs)
  store.put('app', 'bin', encodeCbor({ n: 1, keep: new Uint8Array([1]) }))
  const cbor = await ask('PATCH', '/kv/app/bin', encodeCbor({ n: 2 }), { 'content-type': 'application/cbor' })
  t.equal(cbor.status, 200)
  t.same(decodeCbor(store.get('app', 'bin')!.value), { n: 2, keep: Buffer.from([1]) })
  t.equal((await ask('PATCH', '/kv/app/bin', '{}', { 'content-type': 'application/json' })).status, 422)
  t.equal((await ask('PATCH', '/kv/app/doc', '{"a"', { 'content-type': 'application/json' })).status, 422)
  t.equal((await ask('PATCH', '/kv/app/doc', 'x', { 'content-type': 'text/plain' })).status, 415)
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`
  t.equal((await ask('PATCH', '/kv/app/doc', deep, { 'content-type': 'application/json' })).status, 422)
})

t.test('a namespace that others keep is read like any other and never written', async t => {
  const { ask } = await served(t)
  const one = await ask('GET', '/kv/shown/a')
  t.same([one.status, one.body, one.headers.get('etag')], [200, '1', '"7"'])
  t.equal((await ask('GET', '/kv/shown/b')).status, 404)
  t.match((await ask('GET', '/kv/shown')).body, {
    entries: [{ key: 'a', value: '1', version: 7 }],
    cursor: null
  })
  t.equal((await ask('PUT', '/kv/shown/a', 'x')).status, 403)
  t.equal((await ask('DELETE', '/kv/shown/a')).status, 403)
  const body = JSON.stringify({ writes: [{ op: 'put', ns: 'shown', key: 'a', value: '1' }] })
  t.equal((await ask('POST', '/kv', body)).status, 403)
  t.equal((await ask('GET', '/kv/shown?watch')).status, 400)
  t.match((await ask('GET', '/kv')).body, { version: 33554432 }, 'statistics')
})

t.test('keys of 1 KiB and values of 16 MiB are taken, longer ones are refused', async t => {
  const { ask } = await served(t)
  const value = Buffer.alloc(16 * 2 ** 20, 'v')
  t.equal((await ask('PUT', `/kv/app/${'k'.repeat(1024)}`, value)).status, 201)
  t.equal((await ask('GET', `/kv/app/${'k'.repeat(1024)}`)).body.length, value.length)
  t.equal((await ask('PUT', `/kv/app/${'k'.repeat(1025)}`, 'v')).status, 400)
  t.equal((await ask('PUT', '/kv/app/k', Buffer.alloc(value.length + 1))).status, 413)
})

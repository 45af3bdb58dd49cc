import t from 'tap'
import { BODY_BYTES_MAX, Kit, token } from './server-kit.ts'

const HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0'
}

function post(kit: Kit, body: string, headers: Record<string, string> = {}) {
  return kit.fetch('/api/v1/write', {
    method: 'POST',
    body: Buffer.from(body),
    headers: { ...HEADERS, ...headers }
  })
}

t.test('/api/v1/write answers 204 after the sync', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const response = await post(kit, 'body')
  t.equal(response.status, 204)
  t.equal(await response.text(), '')
  t.strictSame(kit.remote.events, ['body', 'synced'])
  t.equal((await post(kit, 'empty')).status, 204)
  t.strictSame(kit.remote.events.slice(2), ['empty'], 'nothing to sync')
  kit.remote.waiting = new Promise(resolve =>
    setTimeout(() => {
      kit.remote.events.push('room')
      resolve()
    }, 20)
  )
  t.equal((await post(kit, 'more')).status, 204)
  t.strictSame(kit.remote.events.slice(3), ['room', 'more', 'synced'], 'a full store is waited for')
})

t.test(
  '/api/v1/write: 400 for bad data with its place, after the sync of the rest; 503 for what may pass',
  async t => {
    const kit = await Kit.open()
    t.teardown(() => kit.server.close())
    const bad = await post(kit, 'bad')
    t.equal(bad.status, 400)
    t.match(bad.headers.get('content-type'), 'text/plain')
    t.match(await bad.text(), /series 2/)
    t.strictSame(kit.remote.events, ['bad', 'synced'])
    const broken = await post(kit, 'broken')
    t.equal(broken.status, 400)
    t.match(await broken.text(), /at byte 3/)
    const full = await post(kit, 'full')
    t.equal(full.status, 503)
    t.equal(full.headers.get('retry-after'), '1')
    t.equal((await post(kit, 'x'.repeat(BODY_BYTES_MAX + 1))).status, 413)
  }
)

t.test('/api/v1/write: 415 for another content type, encoding or version; 401 without a token', async t => {
  const kit = await Kit.open({ tokens: [token('prometheus', 'secret-word', ['write'])] })
  t.teardown(() => kit.server.close())
  t.equal((await post(kit, 'body')).status, 401)
  const basic = { authorization: `Basic ${Buffer.from('prometheus:secret-word').toString('base64')}` }
  const others: readonly [string, string][] = [
    ['content-type', 'application/json'],
    ['content-type', 'application/x-protobuf;proto=io.prometheus.write.v2.Request'],
    ['content-encoding', 'gzip'],
    ['content-encoding', 'identity'],
    ['x-prometheus-remote-write-version', '2.0.0']
  ]
  for (const [name, value] of others) {
    const response = await post(kit, 'body', { ...basic, [name]: value })
    t.equal(response.status, 415, `${name}: ${value}`)
    t.match(await response.text(), /is not/)
  }
  t.strictSame(kit.remote.events, [])
  const typed = { ...basic, 'content-type': 'application/x-protobuf; proto=prometheus.WriteRequest' }
  t.equal((await post(kit, 'body', typed)).status, 204)
})

import { gzipSync } from 'node:zlib'
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { BODY_BYTES_MAX, Kit, until } from './server-kit.ts'

const post = (body: BodyInit, headers: Record<string, string> = {}) => ({ method: 'POST', body, headers })

t.test('/write answers 204 after the sync that holds its lines', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const response = await kit.fetch(
    '/write?db=telegraf&rp=x&consistency=all&precision=s',
    post('m v=1 1\nm v=2 2')
  )
  t.equal(response.status, 204)
  t.equal(response.headers.get('x-influxdb-version'), '1.8.10')
  t.strictSame(kit.sink.lines, ['m v=1 1', 'm v=2 2'])
  t.strictSame(kit.sink.events, ['sync', 'synced'])
  t.strictSame(kit.sink.precisions, ['s'])
  const gzip = { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' }
  t.equal((await kit.fetch('/write', post(gzipSync('°C v=3'), gzip))).status, 204)
  t.equal(Buffer.from(kit.sink.lines[2]!, 'latin1').toString(), '°C v=3')
  const { socket, said, closed } = kit.connect()
  socket.write(
    'POST /query?q=SHOW%20DATABASES HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n'
  )
  await closed
  t.match(said(), /^HTTP\/1.1 200 /, 'a request without a body may call it gzip, as InfluxDB clients do')
  t.equal((await kit.fetch('/api/v2/write?org=o&bucket=b&precision=us', post('m v=4'))).status, 204)
  t.strictSame(kit.sink.precisions, ['s', 'ns', 'us'])
})

t.test('/write takes lines with an empty content type; one that is none is refused in our words', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const send = async (type: string) => {
    const { socket, said, closed } = kit.connect()
    const head = `POST /write HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: 5\r\n\r\n`
    socket.write(`${head}m v=1`)
    await closed
    return said()
  }
  t.match(await send(''), /^HTTP\/1.1 204 /)
  t.match(
    await send('nonsense'),
    /^HTTP\/1.1 415 [\s\S]*\{"error":"Cannot read body: its content type is none"\}/
  )
  t.strictSame(kit.sink.lines, ['m v=1'])
})

t.test('/write takes the empty body that Home Assistant begins with, without a sync', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  t.equal((await kit.fetch('/write?db=home_assistant', post('\n'))).status, 204)
  t.equal((await kit.fetch('/write?db=home_assistant', { method: 'POST' })).status, 204)
  t.strictSame(kit.sink.events, [])
  const show = await kit.fetch('/query?q=SHOW%20DATABASES%3B')
  t.match(await show.json(), {
    results: [{ series: [{ columns: ['name'], values: [['varve'], ['home_assistant']] }] }]
  })
})

t.test('/query answers what Telegraf asks before it writes, and says what is not there', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const body = new URLSearchParams({ q: 'CREATE DATABASE "tele graf" WITH DURATION 1d; show databases' })
  const created = await kit.fetch('/query', { method: 'POST', body })
  t.equal(created.status, 200)
  t.match(await created.json(), {
    results: [{ statement_id: 0 }, { statement_id: 1, series: [{ values: [['varve'], ['tele graf']] }] }]
  })
  for (const q of ['', ' ', 'DROP', 'show databases;'.repeat(101)]) {
    const response = await kit.fetch(`/query?q=${encodeURIComponent(q)}`)
    t.equal(response.status, q === 'DROP' ? 200 : 400, q.slice(0, 40))
    t.match(await response.text(), /"error":"\w/)
  }
  for (let i = 0; i < 200; i++) kit.databases.add(`db${i}`)
  t.equal(kit.databases.list().length, 64)
})

t.test('/write tells refused lines as InfluxDB does, after the sync of the others', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const partial = await kit.fetch('/write', post('m v=1\nbad\nm v=2'))
  t.equal(partial.status, 400)
  const message = "partial write: unable to parse 'bad' dropped=1"
  t.strictSame(await partial.json(), { error: message })
  t.equal(partial.headers.get('x-influxdb-error'), message)
  t.strictSame(kit.sink.events, ['sync', 'synced'])
  const second = await kit.fetch('/api/v2/write', post('bad'))
  t.equal(second.status, 400)
  t.strictSame(await second.json(), { code: 'invalid', message: "unable to parse 'bad' dropped=1" })
  const precision = await kit.fetch('/write?precision=week', post('m v=1'))
  t.equal(precision.status, 400)
  t.match(await precision.json(), { error: /invalid precision "week"/ })
  t.equal((await kit.fetch('/api/v2/write?precision=h', post('m v=1'))).status, 400)
})

t.test('/write answers what may pass with 5xx, so that a client tries again', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const full = await kit.fetch('/write', post('m v=1\nfull\nm v=2'))
  t.equal(full.status, 507)
  t.equal(full.headers.get('retry-after'), '1')
  kit.sink.syncFailure = new VarveError('VARVE_SYNC_FAILED', 'Cannot sync WAL: the medium failed')
  const failed = await kit.fetch('/api/v2/write', post('m v=1'))
  t.equal(failed.status, 503)
  t.match(await failed.json(), { code: 'unavailable' })
})

t.test('/write bounds a body by its decompressed size', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const line = `m v=${'1'.repeat(995)}\n`
  const large = line.repeat(BODY_BYTES_MAX / 1000 + 10)
  const plain = await kit.fetch('/write', post(large))
  t.equal(plain.status, 413)
  t.match(await plain.json(), { error: /longer than 4194304 bytes/ })
  t.equal(kit.sink.bytes, 0, 'its length told it at once')
  const gzip = { 'content-encoding': 'gzip' }
  const bomb = await kit.fetch('/api/v2/write', post(gzipSync(Buffer.alloc(200 * 1024 ** 2, line)), gzip))
  t.equal(bomb.status, 413)
  t.match(await bomb.json(), { code: 'request too large' })
  t.ok(kit.sink.bytes <= BODY_BYTES_MAX)
  const stream = new ReadableStream({
    // The client runs in this process: without a turn of the event loop it may send for ever and starve the server.
    async pull(controller) {
      await new Promise(resolve => setImmediate(resolve))
      controller.enqueue(Buffer.from(line.repeat(50)))
    }
  })
  const endless = { ...post(stream), duplex: 'half' } as RequestInit
  const answer = await kit.fetch('/write', endless).catch((error: Error) => error)
  t.ok(answer instanceof Error || answer.status === 413, 'cut off or told')
  t.equal((await kit.fetch('/write', post('m v=1'))).status, 204)
})

t.test('/write refuses what is not gzip, ends early or is packed otherwise', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const gzip = { 'content-encoding': 'gzip' }
  const packed = gzipSync(Buffer.alloc(500_000, 'm v=1\n'))
  const flipped = Buffer.from(packed)
  flipped[flipped.length >> 1]! ^= 0xff
  for (const body of [Buffer.from('m v=1'), packed.subarray(0, packed.length - 20), flipped]) {
    const response = await kit.fetch('/write', post(body, gzip))
    t.equal(response.status, 400)
    t.match(await response.json(), { error: /^Cannot read body: / })
  }
  const other = await kit.fetch('/write', post('m v=1', { 'content-encoding': 'br' }))
  t.equal(other.status, 415)
})

t.test('/write waits while the store can take no more', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  let go = () => {}
  kit.sink.waiting = new Promise(resolve => {
    go = resolve
  })
  const answer = kit.fetch('/write', post('m v=1\n'.repeat(100_000)))
  await new Promise(resolve => setTimeout(resolve, 100))
  t.equal(kit.sink.bytes, 0)
  kit.sink.waiting = null
  go()
  t.equal((await answer).status, 204)
  t.equal(kit.sink.lines.length, 100_000)
})

t.test('a connection serves the next request after an error, and a client may go in the middle', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const { socket, said } = kit.connect()
  const bad = `POST /write HTTP/1.1\r\nhost: x\r\ncontent-encoding: br\r\ncontent-length: 5\r\n\r\nabcde`
  socket.write(`${bad}GET /ping HTTP/1.1\r\nhost: x\r\n\r\n`)
  await until(() => said().includes('204'), 'the second is answered')
  t.match(said(), /415[\s\S]*204/)
  socket.write('POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nm v=1\nm v=')
  await until(() => kit.sink.lines.length === 1, 'the first line is stored')
  socket.destroy()
  await until(() => kit.facts.length === 3, 'the request is reported')
  t.equal(kit.facts[2]!.isOurs, false)
  t.strictSame(kit.sink.lines, ['m v=1'], 'the torn line is not')
  t.equal((await kit.fetch('/ping')).status, 204)
})

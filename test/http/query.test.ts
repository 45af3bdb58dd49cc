import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { decode } from 'cbor-x'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { seeds } from '../query/fake-source.ts'
import { Kit, token, until } from './server-kit.ts'

t.test('/v1 takes parameters from the URL, a form and a JSON object', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const expected = [
    [1, 0.125],
    [2, 0.25]
  ]
  const rows = async (response: Promise<Response>) => {
    const answer = await response
    t.equal(answer.status, 200)
    return ((await answer.json()) as { series: { rows: unknown }[] }).series[0]?.rows
  }
  t.strictSame(await rows(kit.fetch('/v1/range?match=t%7Bsite=%22%C5%BE%22%7D&from=1&limit=2')), expected)
  const form = new URLSearchParams({ 'match[]': 't', from: '1', limit: '2' })
  t.strictSame(await rows(kit.fetch('/v1/range', { method: 'POST', body: form })), expected)
  const body = JSON.stringify({ match: ['x', 't'], limit: 2 })
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  t.strictSame(await rows(kit.fetch('/v1/range?from=1', { method: 'POST', body, headers })), expected)
  t.ok(kit.sources.every(source => source.isClosed))
})

t.test('/v1 gives the format that is asked for by parameter or Accept', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const get = async (path: string, accept: string) => {
    const response = await kit.fetch(path, { headers: { accept } })
    t.equal(response.status, 200)
    return [
      response.headers.get('content-type')!.split(';')[0],
      Buffer.from(await response.arrayBuffer())
    ] as const
  }
  const [csvType, csv] = await get('/v1/last?time=iso', 'text/csv, */*;q=0.1')
  t.strictSame([csvType, csv.toString().split('\r\n')[0]], ['text/csv', 'time,name,site,topic,value,kind'])
  const [cborType, cbor] = await get('/v1/series', 'application/cbor')
  t.strictSame([cborType, decode(cbor).series[0].name], ['application/cbor', 't'])
  t.equal((await get('/v1/history?topic=site1/%2b&format=ndjson', 'text/csv'))[0], 'application/x-ndjson')
  t.equal((await get('/v1/series', 'text/html,*/*'))[0], 'application/json')
})

t.test('/v1 says what is wrong and where', async t => {
  const kit = await Kit.open({ queryLimits: { samplesMax: 3 } })
  t.teardown(() => kit.server.close())
  const post = (body: string, type: string) => ({ method: 'POST', body, headers: { 'content-type': type } })
  const cases: [path: string, init: RequestInit, status: number, code: string, where: string | undefined][] =
    [
      ['/v1/range?step=abc', {}, 400, 'VARVE_PARAMETER', 'step'],
      ['/v1/range?match=t%7B', {}, 400, 'VARVE_PARAMETER', 'match:3'],
      ['/v1/history', {}, 400, 'VARVE_PARAMETER', 'topic'],
      ['/v1/range', {}, 422, 'VARVE_QUERY_SAMPLES', undefined],
      ['/v1/range', post('{', 'application/json'), 400, 'VARVE_HTTP_BODY', undefined],
      ['/v1/range', post('[]', 'application/json'), 400, 'VARVE_HTTP_BODY', undefined],
      ['/v1/range', post('{"from":{}}', 'application/json'), 400, 'VARVE_HTTP_BODY', 'from'],
      ['/v1/range', post('x', 'text/plain'), 415, 'VARVE_HTTP_CONTENT_TYPE', 'content-type'],
      ['/v1/range', post('a'.repeat(2e6), 'application/json'), 413, 'VARVE_HTTP_TOO_LARGE', undefined],
      ['/v1/nothing', {}, 404, 'VARVE_HTTP_PATH', undefined],
      ['/v1/range', { method: 'DELETE' }, 405, 'VARVE_HTTP_METHOD', undefined],
      ['/v1/range', { method: 'HEAD' }, 405, '', undefined]
    ]
  for (const [path, init, status, code, where] of cases) {
    const response = await kit.fetch(path, init)
    t.equal(response.status, status, `${path} ${code}`)
    t.ok(response.headers.get('x-request-id'))
    if (code === '') continue
    const body = (await response.json()) as Record<string, string>
    t.strictSame([body.code, body.where], [code, where], path)
    t.match(body.message, /^Cannot /)
  }
  t.ok(kit.sources.every(source => source.isClosed))
})

t.test('a client that asks for gzip gets it', async t => {
  const kit = await Kit.open({ rows: 3000 })
  t.teardown(() => kit.server.close())
  const get = (encoding: string) =>
    new Promise<[string | undefined, Buffer]>(resolve => {
      const options = { port: kit.server.port, path: '/v1/range', headers: { 'accept-encoding': encoding } }
      request(options, async response => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        resolve([response.headers['content-encoding'], Buffer.concat(chunks)])
      }).end()
    })
  const [, plain] = await get('gzip;q=0')
  const [encoding, packed] = await get('deflate, gzip;q=0.5')
  t.equal(encoding, 'gzip')
  t.ok(packed.length < plain.length / 2)
  t.ok(gunzipSync(packed).equals(plain))
})

t.test('a reader that stops taking holds the query back, and cancels it by going', async t => {
  const kit = await Kit.open({ rows: 1_000_000 })
  t.teardown(() => kit.server.close())
  const { socket, closed } = kit.connect()
  socket.pause()
  socket.write('GET /v1/range?format=csv HTTP/1.1\r\nhost: x\r\n\r\n')
  await until(() => kit.sources.length === 1 && kit.sources[0]!.runsRead > 0, 'the query runs')
  let before = -1
  await until(() => {
    const same = kit.sources[0]!.runsRead === before
    before = kit.sources[0]!.runsRead
    return same
  }, 'the query waits for its reader')
  t.ok(kit.sources[0]!.runsRead < 300, `${kit.sources[0]!.runsRead} runs of about 400`)
  t.equal(kit.sources[0]!.isClosed, false)
  socket.destroy()
  await closed
  await until(() => kit.sources[0]!.isClosed, 'the source is closed')
  await until(() => kit.facts.length === 1, 'the request is reported')
  t.equal(kit.facts[0]!.isOurs, false, 'a client that goes is no fault of ours')
  t.equal((await kit.fetch('/health')).status, 200)
})

t.test('a reader that takes nothing for idleMs is cut off', async t => {
  const kit = await Kit.open({ rows: 1_000_000, limits: { idleMs: 300 } })
  t.teardown(() => kit.server.close())
  const { socket } = kit.connect()
  socket.pause()
  socket.write('GET /v1/range HTTP/1.1\r\nhost: x\r\n\r\n')
  await until(() => kit.sources.length === 1 && kit.sources[0]!.isClosed, 'the source is closed')
  socket.destroy()
  t.pass('cut off')
})

t.test('an error after the first piece breaks the answer off', async t => {
  const kit = await Kit.open({ rows: 200_000, queryLimits: { rowsMax: 100_000 } })
  t.teardown(() => kit.server.close())
  const response = await kit.fetch('/v1/range')
  t.equal(response.status, 200)
  await t.rejects(response.text())
  await until(() => kit.facts.length === 1, 'the request is reported')
  t.match(kit.facts[0]!.error, { code: 'VARVE_QUERY_ROWS' })
})

t.test('HttpServer.close() lets running answers end and breaks off those that do not', async t => {
  const kit = await Kit.open({ rows: 1_000_000, limits: { graceMs: 300 } })
  const { socket } = kit.connect()
  socket.pause()
  socket.write('GET /v1/range HTTP/1.1\r\nhost: x\r\n\r\n')
  await until(() => kit.sources.length === 1, 'the query runs')
  const idle = kit.connect()
  await kit.server.close()
  await idle.closed
  await until(() => kit.sources[0]!.isClosed, 'the source is closed')
  await t.rejects(kit.fetch('/health'))
  socket.destroy()
})

t.test('tokens decide who may read and write', async t => {
  const tokens = [
    token('reader', 'r-secret', ['read']),
    token('writer', 'w-secret', ['write']),
    token('root', 'a:b', ['admin'])
  ]
  const kit = await Kit.open({ tokens })
  t.teardown(() => kit.server.close())
  const basic = (name: string, secret: string) =>
    `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
  const cases: [path: string, authorization: string | null, status: number][] = [
    ['/v1/series', null, 401],
    ['/v1/series', 'Bearer r-secret', 200],
    ['/v1/series', 'Token r-secret', 200],
    ['/v1/series', 'Bearer w-secret', 403],
    ['/v1/series', 'Bearer nope', 401],
    ['/v1/series', 'Bearer', 401],
    ['/v1/series', 'Digest x', 401],
    ['/v1/series', basic('reader', 'r-secret'), 200],
    ['/v1/series', basic('writer', 'r-secret'), 401],
    ['/v1/series', basic('root', 'a:b'), 200],
    ['/v1/series?u=reader&p=r-secret', null, 200],
    ['/v1/series?u=reader&p=x', null, 401],
    ['/query?q=show+databases', 'Bearer w-secret', 200],
    ['/health', null, 200],
    ['/ping', null, 204],
    ['/metrics', null, 401]
  ]
  for (const [path, authorization, status] of cases) {
    const headers: Record<string, string> = authorization === null ? {} : { authorization }
    const response = await kit.fetch(path, { headers })
    t.equal(response.status, status, `${path} ${authorization}`)
    if (status === 401) t.match(response.headers.get('www-authenticate'), /Basic/)
    await response.arrayBuffer()
  }
})

t.test('/health, /ready, /metrics and the rest of the admin paths', async t => {
  let why: string | null = 'reading the WAL'
  const health = () => ({ isSound: why === null, message: 'x', parts: {} })
  const kit = await Kit.open({ admin: { unready: () => why, health } })
  t.teardown(() => kit.server.close())
  const get = async (path: string) => {
    const response = await kit.fetch(path)
    return [response.status, await response.text()] as const
  }
  t.equal((await get('/ready'))[0], 503)
  t.equal((await get('/health'))[0], 503)
  why = null
  t.equal((await get('/ready'))[0], 200)
  t.match(JSON.parse((await get('/health'))[1]), { name: 'varve', status: 'pass' })
  t.strictSame(await get('/metrics'), [200, '# TYPE varve_up gauge\nvarve_up 1\n'])
  t.match(JSON.parse((await get('/v1/status'))[1]), { version: '0' })
  t.match(JSON.parse((await get('/v1/wear'))[1]), { bytes: 1 })
  t.strictSame(JSON.parse((await get('/v1/dead-letter?limit=1'))[1]), { messages: [{ topic: 't0' }] })
  t.equal((await get('/v1/dead-letter?limit=0'))[0], 400)
})

t.test('an unexpected error is told without its text, and the log gets it', async t => {
  const kit = await Kit.open({
    admin: {
      status() {
        throw new TypeError('/secret/path')
      }
    }
  })
  t.teardown(() => kit.server.close())
  const response = await kit.fetch('/v1/status')
  const text = await response.text()
  t.equal(response.status, 500)
  t.match(text, /VARVE_INTERNAL/)
  t.notMatch(text, /secret/)
  t.match(kit.facts[0], { isOurs: true, error: { message: '/secret/path' } })
})

t.test('what is not HTTP is refused in words and closed', async t => {
  const kit = await Kit.open({ limits: { headersMs: 200, requestMs: 400 } })
  t.teardown(() => kit.server.close())
  for (const [bytes, status] of [
    ['nonsense\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
    ['GET /v1/%ff%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
    ['POST /write HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 400]
  ] as const) {
    const { socket, said, closed } = kit.connect()
    socket.write(bytes)
    await closed
    t.match(said(), new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"code":"VARVE_HTTP`), bytes.slice(0, 40))
  }
  t.equal((await kit.fetch('/health')).status, 200)
})

t.test('any query string gets an answer of the table and leaves the server sound', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const bits = [
    'match=',
    't',
    '%7B',
    '%',
    '%ff',
    '&',
    '=',
    'from=',
    '-1h',
    'step=1m',
    'fn=',
    'by=',
    'format=',
    'csv',
    '#',
    '+'
  ]
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const text = Array.from({ length: random.below(7) }, () => random.pick(bits)).join('')
    const response = await kit.fetch(`/v1/${random.pick(['series', 'last', 'range', 'history'])}?${text}`)
    await response.arrayBuffer()
    if (![200, 400].includes(response.status)) t.fail(`${response.status} VARVE_SEED=${seed} ${text}`)
  }
  t.ok(kit.sources.every(source => source.isClosed))
})

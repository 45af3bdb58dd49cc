// Redis clients and the real program: what they send at connect is answered, what was acknowledged is there after a
// kill, and channels are topics.
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Varve } from '../../scripts/varve-process.ts'
import { connect, serve, temporary } from './daemon.ts'

async function open(t: Test, dir = temporary(t)): Promise<{ varve: Varve; port: number; dir: string }> {
  const varve = await serve(t, dir, '--resp.enabled', 'true', '--resp.port', '0')
  const { port } = JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8')).resp
  return { varve, port, dir }
}

t.test('ioredis and node-redis work, in both protocols', async t => {
  const { port, varve } = await open(t)
  const io = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  t.teardown(() => io.disconnect())
  await io.connect()
  t.equal(await io.set('a', '1', 'EX', 100), 'OK')
  t.same(await io.multi().incr('a').hset('h', { f: 'v', g: 'w' }).hgetall('h').exec(), [
    [null, 2],
    [null, 2],
    [null, { f: 'v', g: 'w' }]
  ])
  t.same(await io.zadd('z', 1, 'a', 2, 'b'), 2)
  for (const protocol of [2, 3] as const) {
    const client = createClient({ socket: { port, host: '127.0.0.1' }, RESP: protocol })
    client.on('error', error => t.error(error))
    await client.connect()
    t.equal(await client.get('a'), '2')
    t.same({ ...(await client.hGetAll('h')) }, { f: 'v', g: 'w' })
    t.same(await client.zRangeWithScores('z', 0, -1), [
      { value: 'a', score: 1 },
      { value: 'b', score: 2 }
    ])
    const heard = Promise.withResolvers<string>()
    await client.subscribe('site/dev1', heard.resolve)
    const mqtt = await connect(t, varve)
    await mqtt.publishAsync('site/dev1', '{"temperature":21.5}', { qos: 1 })
    t.equal(await heard.promise, '{"temperature":21.5}')
    client.destroy()
  }
  t.same(
    await io.call('TS.GET', 'temperature{topic="site/dev1"}').then(pair => (pair as unknown[])[1]),
    '21.5'
  )
  t.equal(await io.call('SELECT', 'last'), 'OK')
  t.equal(await io.get('site/dev1/temperature'), '21.5')
  t.same(await io.keys('temp*'), ['temperature{topic="site/dev1"}'])
  t.equal(await io.call('SELECT', '0'), 'OK')
  t.equal(await io.call('TS.ADD', 'room', '1700000000000', '20.5', 'LABELS', 'floor', '1'), 1700000000000)
  t.same(await io.call('TS.RANGE', 'room', '-', '+'), [[1700000000000, '20.5']])
  t.same(await io.call('TS.QUERYINDEX', 'floor=1'), ['room'])
})

t.test('redis-cli gets its replies, where it is installed', async t => {
  if (spawnSync('redis-cli', ['--version']).error !== undefined) return t.pass('redis-cli is not installed')
  const { port } = await open(t)
  const cli = async (...args: string[]) =>
    (await promisify(execFile)('redis-cli', ['-p', String(port), ...args])).stdout.trim()
  t.equal(await cli('SET', 'a', 'x'), 'OK')
  t.equal(await cli('-3', 'GET', 'a'), 'x')
  t.match(await cli('INFO', 'server'), /varve_version:/)
  t.ok(Number(await cli('COMMAND', 'COUNT')) > 150)
})

t.test('what was acknowledged is there after a kill, and strings are entries for HTTP too', async t => {
  const { port, varve, dir } = await open(t)
  const io = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 0, retryStrategy: () => null })
  io.on('error', () => {})
  await Promise.all(Array.from({ length: 200 }, (_, i) => io.set(`k${i}`, `v${i}`)))
  await io.rpush('l', 'a', 'b')
  const reply = await fetch(`${varve.httpUrl}/v1/kv/redis.0/k7`)
  t.equal(await reply.text(), 'v7')
  await varve.stop('SIGKILL')
  io.disconnect()
  const again = await open(t, dir)
  const other = new Redis({ port: again.port, host: '127.0.0.1' })
  t.teardown(() => other.disconnect())
  t.equal(await other.dbsize(), 201)
  t.equal(await other.get('k199'), 'v199')
  t.same(await other.lrange('l', 0, -1), ['a', 'b'])
})

t.test('bytes that are no RESP end their connection and no other', async t => {
  const { port } = await open(t)
  const io = new Redis({ port, host: '127.0.0.1' })
  t.teardown(() => io.disconnect())
  for (const bytes of [
    '*1\r\n$x\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\x02',
    `*${'9'.repeat(40)}\r\n`
  ]) {
    const socket = createConnection(port, '127.0.0.1')
    const said = await new Promise<string>(resolve => {
      socket.once('data', data => resolve(data.toString()))
      socket.once('close', () => resolve(''))
      socket.end(`${bytes}\n`)
    })
    t.match(said, /^-ERR /, bytes)
    t.equal(await io.ping(), 'PONG')
  }
})

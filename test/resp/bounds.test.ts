// What is too much is refused in the protocol's own words, and hurts nobody else.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Role } from '../../src/resp/client.ts'
import { openFace } from './face.ts'

t.test('keys and values over their bounds are refused', async t => {
  const face = await openFace(t, { limits: { wordBytesMax: 100_000 } })
  const client = await face.client()
  t.match(await client.run(`SET ${'k'.repeat(2000)} v`), /^-ERR Cannot use key .* limit is 1024$/)
  t.match(await client.run(`APPEND a ${'x'.repeat(60_000)}`), ':60000')
  t.match(await client.run(`APPEND a ${'x'.repeat(60_000)}`), /^-ERR string exceeds maximum allowed size/)
  t.equal(await client.run(`SADD s ${'m'.repeat(5000)} short`), ':2', 'members may be longer than a key')
  t.equal(await client.run(`SISMEMBER s ${'m'.repeat(5000)}`), ':1')
  t.equal(await client.run(`SET a ${'x'.repeat(100_001)}`), '-ERR Protocol error: invalid bulk length')
  t.equal(await client.next(), 'closed')
})

t.test('a client that does not read has no further command run', async t => {
  const face = await openFace(t, { limits: { outputBytesMax: 100_000 } })
  const client = await face.client()
  await client.run(`SET a ${'x'.repeat(50_000)}`)
  client.socket.pause()
  for (let i = 0; i < 2000; i++) client.socket.write('GET a\r\n')
  await sleep(200)
  t.ok(face.server.hub.counts.commands < 1500, `${face.server.hub.counts.commands} commands have run`)
  t.equal(await (await face.client()).run('PING'), '+PONG')
})

t.test('a reply over its bound becomes an error', async t => {
  const face = await openFace(t, { limits: { replyBytesMax: 400_000 } })
  const client = await face.client()
  await client.run(`RPUSH l ${Array.from({ length: 10 }, () => 'x'.repeat(60_000)).join(' ')}`)
  t.equal(await client.run('LRANGE l 0 -1'), '-ERR reply is larger than 400000 bytes')
  t.equal(await client.run('PING'), '+PONG')
})

t.test('connections beyond their bound are told so', async t => {
  const face = await openFace(t, { limits: { connectionsMax: 2 } })
  const [first] = [await face.client(), await face.client()]
  const third = await face.client()
  t.equal(await third.next(), '-ERR max number of clients reached')
  t.equal(await first.run('PING'), '+PONG')
})

t.test('what a client may do its token says', async t => {
  const roles = (name: string | null, token: string): ReadonlySet<Role> | null =>
    token === 'reading' && (name === null || name === 'ann') ? new Set<Role>(['read']) : null
  const face = await openFace(t, { gatekeeper: { isNeeded: true, roles } })
  const client = await face.client()
  t.equal(await client.run('GET a'), '-NOAUTH Authentication required.')
  t.match(await client.run('HELLO 3'), /^-NOAUTH /)
  t.match(await client.run('AUTH wrong'), /^-WRONGPASS /)
  t.match(await client.run('AUTH bob reading'), /^-WRONGPASS /)
  t.equal(await client.run('AUTH ann reading'), '+OK')
  t.equal(await client.run('GET a'), 'nil')
  t.match(await client.run('SET a 1'), /^-NOPERM /)
  t.match(await client.run('FLUSHALL'), /^-NOPERM /)
  const other = await face.client()
  other.socket.write(`*2\r\n$4\r\nAUTH\r\n$${1 << 20}\r\n`)
  t.match(await other.next(), /^-ERR Protocol error/, 'strangers send little')
})

t.test('channels are topics, both ways, and each message is heard once', async t => {
  const published: string[] = []
  let listener: (topic: string, payload: Uint8Array) => void = () => {}
  const face = await openFace(t, {
    topics: {
      publish: (topic, payload) => {
        published.push(`${topic} ${Buffer.from(payload)}`)
        return 0
      },
      onMessage: (_, to) => {
        listener = to
      }
    }
  })
  const client = await face.client()
  t.equal(await client.run('SUBSCRIBE site/a'), '["subscribe" "site/a" :1]')
  t.equal(await (await face.client()).run('PUBLISH site/a hi'), ':1')
  t.equal(await client.next(), '["message" "site/a" "hi"]')
  listener('site/a', Buffer.from('from mqtt'))
  t.equal(await client.next(), '["message" "site/a" "from mqtt"]')
  t.same(published, ['site/a hi'])
})

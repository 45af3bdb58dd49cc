// All connections read into one buffer: what a command needs beyond the read that brought it was copied before
// another connection overwrites it. And replies of every size leave in order.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openFace } from './face.ts'
import { encode, type RespClient } from './resp-client.ts'

async function overwrite(client: RespClient): Promise<void> {
  await client.run(`ECHO ${'#'.repeat(60_000)}`)
}

t.test('half a command is as it was sent, whatever others send before its end', async t => {
  const face = await openFace(t)
  const [slow, other] = [await face.client(), await face.client()]
  const bytes = encode(['SET', 'key', 'v'.repeat(5000)])
  for (const cut of [2, 9, 20, 30, 2500, bytes.length - 1]) {
    slow.socket.write(bytes.subarray(0, cut))
    await sleep(5)
    await overwrite(other)
    slow.socket.write(bytes.subarray(cut))
    t.equal(await slow.next(), '+OK')
    t.equal(await slow.run('GET key'), JSON.stringify('v'.repeat(5000)), `cut at ${cut}`)
  }
})

t.test('commands behind one that waits are as they were sent', async t => {
  const face = await openFace(t)
  const [waits, other] = [await face.client(), await face.client()]
  const replies = [waits.run('BLPOP list 0'), waits.run('SET behind it'), waits.run('GET behind')]
  await sleep(10)
  await overwrite(other)
  await other.run('RPUSH list x')
  t.same(await Promise.all(replies), ['["list" "x"]', '+OK', '"it"'])
})

t.test('a queue of MULTI is as it was sent', async t => {
  const face = await openFace(t)
  const [client, other] = [await face.client(), await face.client()]
  await client.run('MULTI')
  await client.run('SET queued value')
  await overwrite(other)
  t.equal(await client.run('EXEC'), '[+OK]')
  t.equal(await client.run('GET queued'), '"value"')
})

t.test('small and large replies that wait for syncs leave in order', async t => {
  const face = await openFace(t, { syncs: false })
  const client = await face.client()
  const sizes = [1, 20_000, 3, 300_000, 16_384]
  const replies: Promise<string>[] = []
  for (const [i, size] of sizes.entries()) {
    // Each in a turn of its own, so that it is a piece of its own.
    replies.push(client.run(`SET k${i} ${String(i).repeat(size)}`), client.run(`GET k${i}`))
    await sleep(10)
  }
  t.equal(client.unread, 0)
  await face.wal.sync()
  const wanted = sizes.flatMap((size, i) => ['+OK', JSON.stringify(String(i).repeat(size))])
  t.same(await Promise.all(replies), wanted)
})

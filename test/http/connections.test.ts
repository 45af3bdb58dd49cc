// Connections beyond the bound: silence shuts nobody out, and work is not broken off.
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Auth } from '../../src/http/auth.ts'
import { varveFace } from '../../src/http/problem.ts'
import { HttpServer } from '../../src/http/server.ts'

/** A server of three connections, whose only route waits until it is let go. */
async function served(t: Test) {
  const waiting: (() => void)[] = []
  const server = await HttpServer.open({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    auth: new Auth([]),
    limits: { connectionsMax: 3, graceMs: 100 },
    routes: [
      {
        methods: ['GET'],
        path: '/wait',
        roles: null,
        face: varveFace,
        handle: () => new Promise(resolve => waiting.push(() => resolve({ status: 200, body: 'done' })))
      }
    ]
  })
  t.teardown(() => server.close())
  const open = async () => {
    const socket = connect(server.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const seen = { socket, text: '', isClosed: false }
    socket.on('data', data => (seen.text += data)).on('error', () => {})
    socket.on('close', () => (seen.isClosed = true))
    await new Promise(resolve => socket.once('connect', resolve))
    return seen
  }
  return { waiting, open }
}

const ask = (socket: Socket) => socket.write('GET /wait HTTP/1.1\r\nhost: x\r\n\r\n')

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(10)
}

t.test('those without a request make room, the longest first; those at work do not', async t => {
  const { waiting, open } = await served(t)
  const busy = await open()
  ask(busy.socket)
  await until(() => waiting.length === 1)
  const silent: Awaited<ReturnType<typeof open>>[] = []
  for (let i = 0; i < 6; i++) silent.push(await open())
  await until(() => silent[3]!.isClosed)
  t.same(
    silent.map(({ isClosed }) => isClosed),
    [true, true, true, true, false, false]
  )
  t.equal(busy.isClosed, false)
  ask(silent[4]!.socket)
  ask(silent[5]!.socket)
  await until(() => waiting.length === 3)
  const late = await open()
  await until(() => late.isClosed)
  t.match(late.text, /^HTTP\/1\.1 503 [\s\S]*retry-after: 1/)
  for (const done of waiting) done()
  await until(() => silent[5]!.text !== '')
  for (const { text } of [busy, silent[4]!, silent[5]!]) t.match(text, /200 OK[\s\S]*done$/)
  const next = await open()
  await until(() => busy.isClosed)
  t.same([busy.isClosed, next.isClosed], [true, false], 'who has its answer may go')
})

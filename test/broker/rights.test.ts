// Who may connect, publish and subscribe.
import t from 'tap'
import { Auth, hashPassword, verifyPassword } from '../../src/broker/auth.ts'
import { FakeStore, RawClient, startBroker, until } from './kit.ts'

t.test('users connect with their password only and stay within their rights', async t => {
  const store = new FakeStore()
  const passwordHash = await hashPassword('secret')
  t.ok(await verifyPassword('secret', passwordHash))
  t.notOk(await verifyPassword('Secret', passwordHash))
  t.notMatch(passwordHash, /secret/)
  await t.rejects(verifyPassword('x', 'md5$1'), { code: 'VARVE_PASSWORD_HASH' })
  const rights = { publish: ['dev/%u/#'], subscribe: ['dev/%u/+', 'all/#'] }
  const lines: string[] = []
  const log = {
    info: (fields: object, message: string) => lines.push(JSON.stringify(fields) + message),
    warn: (fields: object, message: string) => lines.push(JSON.stringify(fields) + message)
  }
  const users = [
    { name: 'ann', passwordHash, rights },
    { name: 'a/b', passwordHash, rights }
  ]
  for (const fastPath of [true, false]) {
    const broker = await startBroker(store, { auth: { allowAnonymous: false, users }, log, fastPath })
    const login = async (username?: string, password?: string): Promise<unknown> => {
      const raw = await RawClient.open(broker, {
        username,
        ...(password ? { password: Buffer.from(password) } : {})
      })
      const code = raw.packets[0]?.returnCode
      raw.end()
      return code
    }
    t.equal(await login(), 5)
    t.equal(await login('ann', 'wrong-word'), 4)
    t.equal(await login('nobody', 'secret'), 4)
    t.equal(await login('ann', 'secret'), 0)
    const ann = { username: 'ann', password: Buffer.from('secret') }
    const good = await RawClient.open(broker, ann, 5)
    const subscriptions = ['dev/ann/x', 'dev/ann/+', 'dev/ann/#', 'dev/+/x', 'all/#', '#'].map(topic => ({
      topic,
      qos: 1
    }))
    good.send({ cmd: 'subscribe', messageId: 1, subscriptions }, 5)
    await until(() => good.of('suback').length === 1)
    t.same(good.of('suback')[0]!.granted, [1, 1, 0x87, 0x87, 1, 0x87])
    good.send({ cmd: 'publish', topic: 'dev/ann/x', payload: '1', qos: 1, messageId: 2 }, 5)
    good.send({ cmd: 'publish', topic: 'dev/bob/x', payload: '1', qos: 1, messageId: 3 }, 5)
    await until(() => good.of('puback').length === 2)
    t.same(
      good.of('puback').map(p => p.reasonCode),
      [0, 0x87]
    )
    const old = await RawClient.open(broker, ann)
    old.send({ cmd: 'publish', topic: 'dev/bob/x', payload: '1', qos: 0 })
    t.ok(await until(() => old.isClosed))
    const odd = await RawClient.open(broker, { ...ann, username: 'a/b' }, 5)
    odd.send({ cmd: 'publish', topic: 'dev/a/b', payload: '1', qos: 1, messageId: 3 }, 5)
    await until(() => odd.of('puback').length === 1)
    t.equal(odd.of('puback')[0]!.reasonCode, 0x87, 'a user name cannot widen a right')
    for (const c of [good, odd]) c.end()
    await broker.close()
  }
  t.same(
    store.stored.map(s => s.topic),
    ['dev/ann/x', 'dev/ann/x']
  )
  t.notMatch(lines.join(), /secret|wrong-word/, 'no line holds a password')
  const auth = new Auth({ allowAnonymous: true, users: [] })
  t.ok(await auth.admit(undefined, undefined, 'c'))
})

// SELECT of a namespace that somebody else keeps: read as strings, and never written.
import t from 'tap'
import { Entry } from '../../src/kv/entry.ts'
import type { ForeignNamespace } from '../../src/kv/foreign.ts'
import { openFace } from './face.ts'

class Kept implements ForeignNamespace {
  private readonly entries = [
    ['site/a', '21.5'],
    ['site/b', 'on']
  ].map(([key, value], i) => new Entry(`last\0${key}`, i + 1, 0, Buffer.from(value!)))

  async get(key: string): Promise<Entry | undefined> {
    await new Promise(resolve => setTimeout(resolve, 5))
    return this.entries.find(entry => entry.keyText === key)
  }

  async *scan(): AsyncGenerator<Entry> {
    yield* this.entries
  }
}

t.test('SELECT takes a read-only namespace by its name', async t => {
  const face = await openFace(t, { foreign: new Map([['last', new Kept()]]) })
  const client = await face.client()
  t.equal(await client.run('SET site/a mine'), '+OK')
  t.equal(await client.run('SELECT last'), '+OK')
  for (const [command, reply] of [
    ['GET site/a', '"21.5"'],
    ['GET other', 'nil'],
    ['MGET site/b other site/a', '["on" nil "21.5"]'],
    ['STRLEN site/a', ':4'],
    ['EXISTS site/a other', ':1'],
    ['TYPE site/b', '+string'],
    ['TTL site/b', ':-1'],
    ['PTTL other', ':-2'],
    ['KEYS *b', '["site/b"]'],
    ['SCAN 0 MATCH site/* COUNT 1', '["0" ["site/a" "site/b"]]'],
    ['SCAN 7', '["0" []]'],
    ['DBSIZE', ':2'],
    ['PING', '+PONG']
  ] as const) {
    t.equal(await client.run(command), reply, command)
  }
  for (const command of [
    'SET site/a 1',
    'DEL site/a',
    'FLUSHALL',
    'LPUSH l 1',
    'BLPOP l 0',
    'EXPIRE site/a 9'
  ]) {
    t.match(await client.run(command), /^-ERR this database is read only/, command)
  }
  const pipelined = [
    client.run('GET site/a'),
    client.run('GET site/b'),
    client.run('SELECT 0'),
    client.run('GET site/a')
  ]
  t.same(await Promise.all(pipelined), ['"21.5"', '"on"', '+OK', '"mine"'], 'replies keep their order')
  t.equal(await client.run('SELECT other'), '-ERR value is not an integer or out of range')
})

t.test('a transaction neither reads nor chooses a read-only namespace', async t => {
  const face = await openFace(t, { foreign: new Map([['last', new Kept()]]) })
  const client = await face.client()
  for (const command of ['MULTI', 'SELECT last', 'SET a 1']) await client.run(command)
  t.equal(await client.run('EXEC'), '[-ERR a read-only database is not for MULTI +OK]')
  t.equal(await client.run('GET a'), '"1"')
  await client.run('SELECT last')
  await client.run('MULTI')
  t.equal(await client.run('GET site/a'), '-ERR Command not allowed inside a transaction')
  t.match(await client.run('EXEC'), /^-EXECABORT/)
})

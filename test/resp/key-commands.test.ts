// What commands of keys answer, as scripts: "> command" and the reply under it (resp-client.ts says how it is shown). Redis' own suite is
// run by scripts/resp-suite.ts, random commands beside a real Redis by scripts/resp-oracle.ts; here stands what has to be
// true at every change.
import t from 'tap'
import { readPlaces } from '../../src/resp/databases.ts'
import { openFace, play } from './face.ts'

t.test('keys have types, times to live and other names', t =>
  play(
    t,
    `
    > RPUSH l a b c
    :3
    > GET l
    -WRONGTYPE Operation against a key holding the wrong kind of value
    > TYPE l
    +list
    > EXPIRE l 100 XX
    :0
    > EXPIRE l 100
    :1
    > EXPIRE l 50 GT
    :0
    > EXPIRE l 50 LT
    :1
    > TTL l
    :50
    > RENAME l m
    +OK
    > TTL m
    :50
    > COPY m n
    :1
    > LRANGE n 0 -1
    ["a" "b" "c"]
    > PERSIST m
    :1
    > EXPIRE m -1
    :1
    > EXISTS m
    :0
    > SET n x
    +OK
    > TYPE n
    +string
    > RENAME nothing x
    -ERR no such key
    > HSET h f v
    :1
    > SCAN 0 TYPE hash
    ["0" ["h"]]
    > KEYS [h-n]
    ["n" "h"]
    > DBSIZE
    :2
    > FLUSHDB
    +OK
    > DBSIZE
    :0
`
  )
)

t.test('SORT orders elements by themselves or by what other keys hold', t =>
  play(
    t,
    `
    > RPUSH l 3 10 1
    :3
    > SORT l
    ["1" "3" "10"]
    > SORT l ALPHA DESC
    ["3" "10" "1"]
    > SORT l LIMIT 1 1
    ["3"]
    > MSET w_1 5 w_3 1 w_10 3 n_3 three
    +OK
    > SORT l BY w_* GET # GET n_*
    ["3" "three" "10" nil "1" nil]
    > SORT l BY nosort DESC
    ["1" "10" "3"]
    > HSET h_1 f b
    :1
    > HSET h_10 f a
    :1
    > SORT_RO l BY h_*->f ALPHA
    ["3" "10" "1"]
    > SORT l BY w_* STORE to
    :3
    > LRANGE to 0 -1
    ["3" "10" "1"]
    > SORT none STORE to
    :0
    > EXISTS to
    :0
    > ZADD z 2 a 1 b
    :2
    > SORT z BY nosort
    ["b" "a"]
    > SORT z
    -ERR One or more scores can't be converted into double
    > SORT h_1
    -WRONGTYPE Operation against a key holding the wrong kind of value
    > SORT_RO l STORE to
    -ERR syntax error
`
  )
)

t.test('SWAPDB exchanges what two databases hold, for all that look at them', t =>
  play(
    t,
    `
    1> SET a zero
    +OK
    1> RPUSH l x
    :1
    2> SELECT 1
    +OK
    2> BLPOP l 0
    3> WATCH a
    +OK
    3> MULTI
    +OK
    3> GET a
    +QUEUED
    1> SWAPDB 0 1
    +OK
    2> PING
    ["l" "x"]
    3> EXEC
    nil
    1> GET a
    nil
    2> GET a
    +PONG
    2> PING
    "zero"
    1> SWAPDB 0 16
    -ERR DB index is out of range
    1> SWAPDB x 1
    -ERR invalid first DB index
    1> SWAPDB 1 1
    +OK
`
  )
)

t.test('what SWAPDB exchanged stays so when the store is opened again', async t => {
  const first = await openFace(t)
  const before = await first.client()
  await before.run('SET a zero')
  await before.run('SWAPDB 0 2')
  await before.run('SET a other')
  t.equal(Buffer.from(first.store.get('redis.0', 'a')!.value).toString(), 'zero')
  await first.server.close()
  await first.store.close()
  const { client } = await openFace(t, { medium: first.medium })
  const after = await client()
  t.equal(await after.run('GET a'), '"other"')
  await after.run('SELECT 2')
  t.equal(await after.run('GET a'), '"zero"')
})

t.test('an order of places that is none is refused', t => {
  t.same(
    readPlaces(undefined),
    Array.from({ length: 16 }, (_, i) => i)
  )
  const example = Buffer.from('01000203 04050607 08090a0b 0c0d0e0f'.replaceAll(' ', ''), 'hex')
  t.same(readPlaces(example).slice(0, 3), [1, 0, 2])
  t.throws(() => readPlaces(Buffer.from([0, 0])), { code: 'VARVE_RESP_PLACES' })
  t.throws(() => readPlaces(new Uint8Array(16)), { code: 'VARVE_RESP_PLACES' })
  t.end()
})

t.test('FLUSHDB in pieces removes what it was told to, whatever SWAPDB does meanwhile', async t => {
  const { client } = await openFace(t)
  const one = await client()
  for (let i = 0; i < 3; i++) {
    const pairs = Array.from({ length: 500 }, (_, n) => `k${i * 500 + n} v`)
    await one.run(`MSET ${pairs.join(' ')}`)
  }
  await one.run('SELECT 1')
  await one.run('SET kept v')
  const other = await client()
  await one.run('SELECT 0')
  const [flushed, swapped] = await Promise.all([one.run('FLUSHDB'), other.run('SWAPDB 0 1')])
  t.equal(flushed, '+OK')
  t.equal(swapped, '+OK')
  t.equal(await other.run('GET kept'), '"v"')
  t.equal(await one.run('DBSIZE'), ':1')
  await one.run('SELECT 1')
  t.equal(await one.run('DBSIZE'), ':0')
})

t.test('DBSIZE counts many keys in pieces, and lets others run in between', async t => {
  const { client } = await openFace(t)
  const one = await client()
  for (let i = 0; i < 40; i++) {
    const pairs = Array.from({ length: 1000 }, (_, n) => `k${i * 1000 + n} v`)
    await one.run(`MSET ${pairs.join(' ')}`)
  }
  await one.run('RPUSH l x')
  const other = await client()
  const order: string[] = []
  await Promise.all([
    one.run('DBSIZE').then(reply => order.push(reply)),
    other.run('PING').then(reply => order.push(reply))
  ])
  t.same(order, ['+PONG', ':40001'])
  await one.run('MULTI')
  await one.run('DBSIZE')
  t.equal(await one.run('EXEC'), '[:40001]')
})

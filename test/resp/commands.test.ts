// What commands answer, as scripts: "> command" and the reply under it (resp-client.ts says how it is shown).
// Redis' own suite is run by scripts/resp-suite.ts; here stands what has to be true at every change.
import t, { type Test } from 'tap'
import { openFace, runScript } from './face.ts'
import type { RespClient } from './resp-client.ts'

async function play(t: Test, script: string): Promise<void> {
  const face = await openFace(t)
  const clients = new Map<string, Promise<RespClient>>()
  const client = (n: string) => {
    if (!clients.has(n)) clients.set(n, face.client())
    return clients.get(n)!
  }
  await runScript(t, client, script)
  t.same(face.errors, [])
}

t.test('strings are set, read and changed in part', t =>
  play(
    t,
    `
    > SET a 1
    +OK
    > GET a
    "1"
    > SET a 2 NX
    nil
    > SET a 2 XX GET
    "1"
    > SET a 3 EX 100 KEEPTTL
    -ERR syntax error
    > SET a 3 EX 0
    -ERR invalid expire time in 'set' command
    > SET b "" PX 100000
    +OK
    > TTL b
    :100
    > GETEX b PERSIST
    ""
    > TTL b
    :-1
    > APPEND a xyz
    :4
    > GETRANGE a 1 -1
    "xyz"
    > SETRANGE c 2 hi
    :4
    > GET c
    "\\u0000\\u0000hi"
    > MSET k1 v1 k2 v2
    +OK
    > MSETNX k2 x k3 x
    :0
    > MGET k1 k3 k2
    ["v1" nil "v2"]
    > GETDEL k1
    "v1"
    > EXISTS k1 k2 k2
    :2
    > STRLEN a
    :4
    > GET
    -ERR wrong number of arguments for 'get' command
    > NONSENSE a b
    -ERR unknown command 'NONSENSE', with args beginning with: 'a' 'b' 
`
  )
)

t.test('counters are 64-bit integers, and decimal sums are exact', t =>
  play(
    t,
    `
    > INCR n
    :1
    > INCRBY n 9223372036854775806
    :9223372036854775807
    > INCR n
    -ERR increment or decrement would overflow
    > DECRBY n 9223372036854775807
    :0
    > SET s x
    +OK
    > INCR s
    -ERR value is not an integer or out of range
    > INCRBYFLOAT f 0.1
    "0.1"
    > INCRBYFLOAT f 0.2
    "0.3"
    > INCRBYFLOAT f 5e2
    "500.3"
    > INCRBYFLOAT f nan
    -ERR value is not a valid float
`
  )
)

t.test('strings are rows of bits, the highest of a byte first', t =>
  play(
    t,
    `
    > SETBIT b 1 1
    :0
    > SETBIT b 15 1
    :0
    > GET b
    "@\\u0001"
    > SETBIT b 1 0
    :1
    > GETBIT b 15
    :1
    > GETBIT b 1
    :0
    > GETBIT b 4000
    :0
    > SETBIT b -1 1
    -ERR bit offset is not an integer or out of range
    > SETBIT b 1 2
    -ERR bit is not an integer or out of range
    > SET s foobar
    +OK
    > BITCOUNT s
    :26
    > BITCOUNT s 0 0
    :4
    > BITCOUNT s 1 1 BYTE
    :6
    > BITCOUNT s 5 30 BIT
    :17
    > BITCOUNT s -2 -1
    :7
    > BITCOUNT s -1 -2
    :0
    > BITCOUNT s 9 20
    :0
    > BITCOUNT none
    :0
    > BITCOUNT s 0
    -ERR syntax error
    > LPUSH l x
    :1
    > GETBIT l 0
    -WRONGTYPE Operation against a key holding the wrong kind of value
`
  )
)

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

t.test('hashes, lists, sets and sorted sets do what Redis does', t =>
  play(
    t,
    `
    > HSET h a 1 b 2
    :2
    > HINCRBY h a 5
    :6
    > HGETALL h
    ["a" "6" "b" "2"]
    > HDEL h a b
    :2
    > EXISTS h
    :0
    > RPUSH l a b c d
    :4
    > LINSERT l BEFORE c X
    :5
    > LREM l 1 b
    :1
    > LRANGE l 0 -1
    ["a" "X" "c" "d"]
    > LPOP l 2
    ["a" "X"]
    > LSET l 5 x
    -ERR index out of range
    > SADD s a b c
    :3
    > SADD r b c d
    :3
    > SINTER s r
    ["b" "c"]
    > SDIFFSTORE d s r
    :1
    > SMEMBERS d
    ["a"]
    > ZADD z 3 c 1 a 2 b
    :3
    > ZADD z XX GT CH 5 a 0 b
    :1
    > ZRANGE z 0 -1 WITHSCORES
    ["b" "2" "c" "3" "a" "5"]
    > ZRANGE z (2 5 BYSCORE LIMIT 1 1
    ["a"]
    > ZRANK z c
    :1
    > ZADD z nan x
    -ERR value is not a valid float
    > ZUNIONSTORE u 2 z s WEIGHTS 2 1
    :3
    > ZPOPMAX u
    ["a" "11"]
    > ZADD neg -1.5 m -inf least
    :2
    > ZRANGEBYSCORE neg -inf 0
    ["least" "m"]
`
  )
)

t.test('EXEC runs all or nothing, and not when a watched key was changed', t =>
  play(
    t,
    `
    1> WATCH a
    +OK
    1> MULTI
    +OK
    1> SET a 1
    +QUEUED
    2> SET a other
    +OK
    1> EXEC
    nil
    1> GET a
    "other"
    1> MULTI
    +OK
    1> INCR n
    +QUEUED
    1> LPUSH a x
    +QUEUED
    1> EXEC
    [:1 -WRONGTYPE Operation against a key holding the wrong kind of value]
    1> MULTI
    +OK
    1> GET
    -ERR wrong number of arguments for 'get' command
    1> EXEC
    -EXECABORT Transaction discarded because of previous errors.
    1> EXEC
    -ERR EXEC without MULTI
`
  )
)

t.test('a pop waits for an element, and who waits longest is served first', t =>
  play(
    t,
    `
    1> BLPOP q other 0
    2> CLIENT ID
    :2
    2> BLPOP q 0
    3> RPUSH q a b c
    :3
    1> PING
    ["q" "a"]
    2> PING
    ["q" "b"]
    3> LRANGE q 0 -1
    ["c"]
    3> BLPOP nothing 0.01
    nil
`
  )
)

t.test('channels and keyspace notifications are heard by subscribers', t =>
  play(
    t,
    `
    1> SUBSCRIBE news
    ["subscribe" "news" :1]
    1> PSUBSCRIBE n?ws
    ["psubscribe" "n?ws" :2]
    2> PUBLISH news hello
    :2
    1> PING
    ["message" "news" "hello"]
    1> GET a
    ["pmessage" "n?ws" "news" "hello"]
    2> CONFIG SET notify-keyspace-events KEA
    +OK
    3> PSUBSCRIBE __key*
    ["psubscribe" "__key*" :1]
    2> SET a 1
    +OK
    3> PING
    ["pmessage" "__key*" "__keyspace@0__:a" "set"]
`
  )
)

t.test('RESP3 has maps, sets, doubles and nothing', t =>
  play(
    t,
    `
    > HELLO 3
    {"server" "redis" "version" "7.2.0" "proto" :3 "id" :1 "mode" "standalone" "role" "master" "modules" []}
    > HSET h a 1
    :1
    > HGETALL h
    {"a" "1"}
    > SADD s x
    :1
    > SMEMBERS s
    ~["x"]
    > ZADD z 1.5 m
    :1
    > ZRANGE z 0 -1 WITHSCORES
    [["m" ,1.5]]
    > GET nothing
    nil
    > HELLO 4
    -NOPROTO unsupported protocol version
`
  )
)

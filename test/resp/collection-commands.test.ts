// What commands of hashes, lists, sets and sorted sets answer, as scripts: "> command" and the reply under it (resp-client.ts says how it is shown). Redis' own suite is
// run by scripts/resp-suite.ts, random commands beside a real Redis by scripts/resp-oracle.ts; here stands what has to be
// true at every change.
import t from 'tap'
import { play } from './face.ts'

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

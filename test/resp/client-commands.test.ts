// What commands of several clients answer, as scripts: "> command" and the reply under it (resp-client.ts says how it is shown). Redis' own suite is
// run by scripts/resp-suite.ts, random commands beside a real Redis by scripts/resp-oracle.ts; here stands what has to be
// true at every change.
import t from 'tap'
import { play } from './face.ts'

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

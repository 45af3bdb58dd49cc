// What commands of strings answer, as scripts: "> command" and the reply under it (resp-client.ts says how it is shown). Redis' own suite is
// run by scripts/resp-suite.ts, random commands beside a real Redis by scripts/resp-oracle.ts; here stands what has to be
// true at every change.
import t from 'tap'
import { play } from './face.ts'

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

t.test('strings are read, set and joined bit by bit', t =>
  play(
    t,
    `
    > SET s foobar
    +OK
    > BITPOS s 1
    :1
    > BITPOS s 1 1 1
    :9
    > BITPOS s 0 0 0
    :0
    > BITPOS s 1 9 20 BIT
    :9
    > BITPOS none 0
    :0
    > BITPOS none 1
    :-1
    > SETBIT ones 0 1
    :0
    > BITPOS ones 1 1
    :-1
    > BITPOS s 2
    -ERR The bit argument must be 1 or 0.
    > SET a abc
    +OK
    > SET b ab
    +OK
    > BITOP AND to a b
    :3
    > GET to
    "ab\\u0000"
    > BITOP XOR to a a
    :3
    > GET to
    "\\u0000\\u0000\\u0000"
    > BITOP NOT to a b
    -ERR BITOP NOT must be called with a single source key.
    > BITOP OR to none none
    :0
    > EXISTS to
    :0
    > BITFIELD f SET i8 #1 -5 GET i8 8 INCRBY u4 0 3
    [:0 :-5 :3]
    > BITFIELD f OVERFLOW SAT INCRBY u4 0 100 OVERFLOW FAIL INCRBY u4 0 1 OVERFLOW WRAP INCRBY u4 0 2
    [:15 nil :1]
    > BITFIELD f SET i64 0 -9223372036854775808 GET u63 1
    [:1223571723761221632 :0]
    > BITFIELD f OVERFLOW SAT INCRBY i64 0 -1
    [:-9223372036854775808]
    > BITFIELD f GET u64 0
    -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
    > BITFIELD_RO f SET u8 0 1
    -ERR BITFIELD_RO only supports the GET subcommand
`
  )
)

t.test('LCS tells what two strings have in common, and where', t =>
  play(
    t,
    `
    > SET a ohmytext
    +OK
    > SET b mynewtext
    +OK
    > LCS a b
    "mytext"
    > LCS a b LEN
    :6
    > LCS a b IDX
    ["matches" [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] "len" :6]
    > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
    ["matches" [[[:4 :7] [:5 :8] :4]] "len" :6]
    > LCS a none
    ""
    > LCS a b IDX LEN
    -ERR If you want both the length and indexes, please just use IDX.
    > RPUSH l x
    :1
    > LCS a l
    -ERR The specified keys must contain string values
`
  )
)

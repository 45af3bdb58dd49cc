// Random commands of Redis, from templates: what scripts/resp-oracle.ts sends to varve and to Redis.
//
//   {key} {value} ..  a word of that kind      [ .. ]  there or not      ( a | b )  one of them
//   { .. }*           one to three of them     /unordered: the reply is a set, /chance: its length is compared only
// Keys are few, so that types clash; numbers are at the edges of what is taken. Now and then a word is dropped,
// added or replaced by another, so that errors are compared too.
import type { Random } from '../src/base/random.ts'

/** How replies are compared. */
export type Order = 'as it is' | 'unordered' | 'chance' | 'time' | 'float'

export interface Call {
  readonly words: readonly string[]
  readonly order: Order
}

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'w_1', 'w_2', 'w_b']
const MEMBERS = ['a', 'b', 'c', '1', '2', '3', '10', 'm\u00e9', 'x y']
const PATTERNS = ['*', '?', 'w_*', '[ab]', '[^a]', 'a*', '\\a', '', '*1', '[a-c]']

const KINDS: Readonly<Record<string, (random: Random) => string>> = {
  key: random => random.pick(KEYS),
  value: random =>
    random.pick([
      '',
      '1',
      '-5',
      '10',
      'abc',
      'hello world',
      '3.5',
      '9223372036854775807',
      'x\u00ff\u0000y',
      'foobar',
      '01',
      'a long text, a long text, a long text, a long text, a long text'
    ]),
  member: random => random.pick(MEMBERS),
  score: random => random.pick(['0', '1', '2', '-1', '1.5', '3', '-inf', '+inf', '1e3', '0.25', '7']),
  bound: random => random.pick(['-inf', '+inf', '0', '1', '(1', '2', '(2', '3', '(-1', '1.5', 'x']),
  lex: random => random.pick(['-', '+', '[a', '(a', '[c', '(b', '[1', '[m', 'x']),
  int: random => random.pick(['0', '1', '2', '-1', '-2', '3', '5', '-100', '100', '7', '-3']),
  big: random =>
    random.pick([
      '1',
      '-1',
      '9223372036854775807',
      '-9223372036854775808',
      '100',
      '9223372036854775808',
      'x',
      ' 1',
      '1.0'
    ]),
  float: random =>
    random.pick(['1', '0.5', '-1.25', '1e2', 'inf', '-inf', 'nan', 'x', '3.0', '0x10', '1e-3']),
  count: random => random.pick(['0', '1', '2', '3', '10', '-1', '-2']),
  limit: random => random.pick(['0', '1', '2', '-1', '5']),
  seconds: random => random.pick(['1000', '2000', '5000', '100000']),
  anytime: random => random.pick(['1000', '2000', '-1', '0', 'x', '9223372036854775807', '500000']),
  millis: random => random.pick(['1000000', '2000000', '5000000']),
  at: random => random.pick(['4000000000', '3000000000', '5000000000']),
  atMillis: random => random.pick(['4000000000000', '3000000000000']),
  bit: random => random.pick(['0', '1', '1', '2']),
  offset: random => random.pick(['0', '1', '7', '8', '20', '63', '-1']),
  width: random => random.pick(['u8', 'i8', 'u4', 'i5', 'i64', 'u63', 'u1', 'u64', 'x']),
  place: random => random.pick(['0', '3', '8', '#1', '#0', '17', '-1']),
  pattern: random => random.pick(PATTERNS),
  weight: random => random.pick(['w_*', '*', 'a->*', '*->a', 'w_*->b', 'x*y']),
  fixed: random => random.pick(['nosort', '#', 'a->b']),
  by: random => random.pick(['w_*', 'nosort', '*', 'a->*', '*->a', '#', 'w_*->b', 'x*y']),
  db: random => random.pick(['0', '1', '9', '9', '16'])
}

export const TEMPLATES: readonly string[] = [
  'SET {key} {value} [ (NX|XX) ] [ GET ] [ (EX {seconds}|PX {millis}|EXAT {at}|PXAT {atMillis}|KEEPTTL) ]',
  'GET {key}',
  'GETSET {key} {value}',
  'GETDEL {key}',
  'GETEX {key} [ (EX {seconds}|PX {millis}|EXAT {at}|PERSIST) ]',
  'SETNX {key} {value}',
  'SETEX {key} {anytime} {value}',
  'PSETEX {key} {millis} {value}',
  'MGET {key}*',
  'MSET {key} {value} [ {key} {value} ]',
  'MSETNX {key} {value} [ {key} {value} ]',
  'APPEND {key} {value}',
  'STRLEN {key}',
  '(GETRANGE|SUBSTR) {key} {int} {int}',
  'SETRANGE {key} {int} {value}',
  'INCR {key}',
  'DECR {key}',
  '(INCRBY|DECRBY) {key} {big}',
  '/float INCRBYFLOAT {key} {float}',
  'SETBIT {key} {offset} {bit}',
  'GETBIT {key} {offset}',
  'BITCOUNT {key} [ {int} {int} [ (BYTE|BIT) ] ]',
  'BITPOS {key} {bit} [ {int} [ {int} [ (BYTE|BIT) ] ] ]',
  'BITOP (AND|OR|XOR|NOT) {key} {key}*',
  'BITOP NOT {key} {key}',
  'BITFIELD {key} [ GET {width} {place} ] [ OVERFLOW (WRAP|SAT|FAIL|x) ] [ SET {width} {place} {big} ] [ INCRBY {width} {place} {big} ] [ INCRBY {width} {place} {int} ]',
  'BITFIELD_RO {key} GET {width} {place}',
  'LCS {key} {key} [ (LEN|IDX) ] [ IDX ] [ MINMATCHLEN {int} ] [ WITHMATCHLEN ]',
  '(DEL|UNLINK|EXISTS|TOUCH) {key}*',
  'EXPIRE {key} {anytime} [ (NX|XX) ] [ (NX|XX) ]',
  'PEXPIRE {key} {millis} [ (NX|XX) ]',
  'EXPIREAT {key} {at} [ (NX|XX|GT|LT) ] [ (NX|XX|GT|LT) ]',
  'PEXPIREAT {key} {atMillis} [ (NX|XX|GT|LT) ]',
  '/time (TTL|PTTL|EXPIRETIME|PEXPIRETIME) {key}',
  '(PERSIST|TYPE) {key}',
  '(RENAME|RENAMENX) {key} {key}',
  'COPY {key} {key} [ DB {db} ] [ REPLACE ]',
  'MOVE {key} {db}',
  'SWAPDB {db} {db}',
  '/unordered KEYS {pattern}',
  'DBSIZE',
  'SORT {key} [ LIMIT {limit} {limit} ] [ GET {by} ] [ GET # ] [ (ASC|DESC) ] ALPHA [ STORE {key} ]',
  'SORT {key} [ BY {weight} ] [ LIMIT {limit} {limit} ] [ GET {by} ] [ (ASC|DESC) ] [ STORE {key} ]',
  'SORT {key} BY {fixed} [ GET {by} ] [ (ASC|DESC) ] STORE {key}',
  '/unordered SORT {key} BY {fixed} [ GET {by} ] [ (ASC|DESC) ]',
  'SORT lex BY {fixed} [ LIMIT {limit} {limit} ] [ (ASC|DESC) ]',
  '/unordered SORT_RO {key} [ BY {by} ] [ GET {by} ] ALPHA [ (ASC|DESC) ]',
  'HSET {key} {member} {value} [ {member} {value} ]',
  'HMSET {key} {member} {value}',
  'HSETNX {key} {member} {value}',
  '(HGET|HEXISTS|HSTRLEN) {key} {member}',
  '(HMGET|HDEL) {key} {member}*',
  '/unordered (HGETALL|HKEYS|HVALS) {key}',
  'HLEN {key}',
  'HINCRBY {key} {member} {big}',
  '/float HINCRBYFLOAT {key} {member} {float}',
  '/chance HRANDFIELD {key} [ {count} [ WITHVALUES ] ]',
  '/unordered HSCAN {key} 0 [ MATCH {pattern} ] [ COUNT {count} ]',
  '(LPUSH|RPUSH|LPUSHX|RPUSHX) {key} {member}*',
  '(LPOP|RPOP) {key} [ {count} ]',
  'LLEN {key}',
  'LINDEX {key} {int}',
  'LSET {key} {int} {value}',
  '(LRANGE|LTRIM) {key} {int} {int}',
  'LINSERT {key} (BEFORE|AFTER|x) {member} {member}',
  'LREM {key} {count} {member}',
  'LPOS {key} {member} [ RANK {count} ] [ COUNT {count} ] [ MAXLEN {count} ]',
  'LMOVE {key} {key} (LEFT|RIGHT) (LEFT|RIGHT)',
  'RPOPLPUSH {key} {key}',
  'LMPOP {count} {key}* (LEFT|RIGHT) [ COUNT {count} ]',
  '(BLPOP|BRPOP) {key}* 0.001',
  'BLMOVE {key} {key} (LEFT|RIGHT) (LEFT|RIGHT) 0.001',
  'BLMPOP 0.001 1 {key} (LEFT|RIGHT) [ COUNT {count} ]',
  'SADD {key} {member}*',
  '(SREM|SMISMEMBER) {key} {member}*',
  'SISMEMBER {key} {member}',
  'SCARD {key}',
  '/unordered SMEMBERS {key}',
  '/unordered SPOP {key} (100|0|-1)',
  '/chance SRANDMEMBER {key} [ {count} ]',
  'SMOVE {key} {key} {member}',
  '/unordered (SINTER|SUNION|SDIFF) {key}*',
  '(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) {key} {key}*',
  'SINTERCARD {count} {key}* [ LIMIT {limit} ]',
  '/unordered SSCAN {key} 0 [ MATCH {pattern} ]',
  'ZADD {key} [ (NX|XX) ] [ (GT|LT) ] [ CH ] [ INCR ] {score} {member}',
  'ZADD {key} {score} {member} {score} {member} {score} {member}',
  'ZINCRBY {key} {score} {member}',
  '(ZREM|ZMSCORE) {key} {member}*',
  '(ZSCORE|ZRANK|ZREVRANK) {key} {member}',
  'ZCARD {key}',
  'ZCOUNT {key} {bound} {bound}',
  'ZLEXCOUNT lex {lex} {lex}',
  'ZRANGE {key} {int} {int} [ REV ] [ WITHSCORES ]',
  'ZRANGE {key} {bound} {bound} BYSCORE [ REV ] [ LIMIT {limit} {limit} ] [ WITHSCORES ]',
  'ZADD lex 0 {member} 0 {member} 0 {member}',
  'ZRANGE lex {lex} {lex} BYLEX [ REV ] [ LIMIT {limit} {limit} ]',
  'ZREVRANGE {key} {int} {int} [ WITHSCORES ]',
  '(ZRANGEBYSCORE|ZREVRANGEBYSCORE) {key} {bound} {bound} [ WITHSCORES ] [ LIMIT {limit} {limit} ]',
  '(ZRANGEBYLEX|ZREVRANGEBYLEX) lex {lex} {lex} [ LIMIT {limit} {limit} ]',
  'ZRANGESTORE {key} {key} {int} {int} [ REV ]',
  'ZRANGESTORE {key} {key} {bound} {bound} BYSCORE [ LIMIT {limit} {limit} ]',
  'ZREMRANGEBYRANK {key} {int} {int}',
  'ZREMRANGEBYSCORE {key} {bound} {bound}',
  'ZREMRANGEBYLEX lex {lex} {lex}',
  '(ZPOPMIN|ZPOPMAX) {key} [ {count} ]',
  'ZMPOP {count} {key}* (MIN|MAX) [ COUNT {count} ]',
  '(BZPOPMIN|BZPOPMAX) {key}* 0.001',
  'BZMPOP 0.001 1 {key} (MIN|MAX) [ COUNT {count} ]',
  '(ZUNION|ZINTER) {count} {key} {key} [ WEIGHTS {int} {float} ] [ AGGREGATE (SUM|MIN|MAX) ] [ WITHSCORES ]',
  'ZDIFF {count} {key} {key} [ WITHSCORES ]',
  '(ZUNIONSTORE|ZINTERSTORE) {key} {count} {key} {key} [ WEIGHTS {int} {int} ] [ AGGREGATE (SUM|MIN|MAX) ]',
  'ZDIFFSTORE {key} {count} {key} {key}',
  'ZINTERCARD {count} {key} {key} [ LIMIT {limit} ]',
  '/chance ZRANDMEMBER {key} [ {count} [ WITHSCORES ] ]',
  '/unordered ZSCAN {key} 0 [ MATCH {pattern} ]',
  'MULTI',
  'EXEC',
  'DISCARD',
  'WATCH {key}',
  'UNWATCH',
  'SELECT {db}',
  'ECHO {value}',
  'PING [ {value} ]',
  'NOSUCH {key}'
]

/** The words of a template, drawn. */
function draw(template: string, random: Random): string[] {
  const tokens = template.replaceAll('(', ' ( ').replaceAll(')', ' ) ').replaceAll('|', ' | ').split(/\s+/)
  let at = 0
  const sequence = (ends: readonly string[]): string[] => {
    const words: string[] = []
    while (at < tokens.length && !ends.includes(tokens[at]!)) {
      const token = tokens[at++]!
      if (token === '[') {
        const some = sequence([']'])
        at++
        if (random.chance(0.4)) words.push(...some)
      } else if (token === '(') {
        const choices: string[][] = []
        do choices.push(sequence(['|', ')']))
        while (tokens[at++] === '|')
        words.push(...random.pick(choices))
      } else if (token.startsWith('{')) {
        const make = KINDS[token.slice(1, token.indexOf('}'))]!
        for (let n = token.endsWith('*') ? 1 + random.below(3) : 1; n > 0; n--) words.push(make(random))
      } else if (token !== '') words.push(token)
    }
    return words
  }
  return sequence([])
}

/** A random command. */
export function anyCall(random: Random): Call {
  const template = random.pick(TEMPLATES)
  const match = /^\/(\w+) (.*)$/.exec(template)
  const order = (match?.[1] ?? 'as it is') as Order
  const words = draw(match?.[2] ?? template, random)
  const mistake = random.below(60)
  if (mistake === 0 && words.length > 1) words.pop()
  else if (mistake === 1) words.push(random.pick(['x', '1', 'WITHSCORES', 'COUNT', '']))
  else if (mistake === 2 && words.length > 1)
    words[1 + random.below(words.length - 1)] = random.pick(['x', '100000', '', '-1', 'nan'])
  return { words, order }
}

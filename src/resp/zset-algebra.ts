// Operations over sorted sets and sets: union, intersection, difference, with weights and aggregates.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import type { Scored } from './elements.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX, WRONG_TYPE } from './reply-error.ts'
import { finite } from './zset-commands.ts'
import { writeAll } from './zset-pop.ts'
import { storeScored } from './zset-range-commands.ts'

type Operation = 'union' | 'inter' | 'diff'
type Aggregate = 'SUM' | 'MIN' | 'MAX'

interface Words {
  readonly keys: readonly string[]
  readonly weights: readonly number[]
  readonly aggregate: Aggregate
  readonly hasScores: boolean
  readonly limit: number
}

/** numkeys key.. [WEIGHTS..] [AGGREGATE..] [WITHSCORES] [LIMIT n] @throws {ReplyError} */
function readWords(
  db: Database,
  args: Args,
  from: number,
  name: string,
  operation: Operation,
  kind: 'give' | 'store' | 'count'
): Words {
  const n = integerOf(args.text(from), 'ERR value is not an integer or out of range')
  if (n < 1) fail(`ERR at least 1 input key is needed for '${name}' command`)
  if (n > args.count - from - 1) fail(SYNTAX)
  const keys = args.texts(from + 1).slice(0, n)
  for (const key of keys) if (!['set', 'zset', null].includes(db.type(key))) fail(WRONG_TYPE)
  let weights: number[] = keys.map(() => 1)
  let aggregate: Aggregate = 'SUM'
  let hasScores = false
  let limit = Number.POSITIVE_INFINITY
  for (let i = from + 1 + n; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'WITHSCORES' && kind === 'give') hasScores = true
    else if (word === 'LIMIT' && kind === 'count' && i + 1 < args.count) {
      limit = integerOf(args.text(++i), "ERR LIMIT can't be negative")
      if (limit < 0) fail("ERR LIMIT can't be negative")
      if (limit === 0) limit = Number.POSITIVE_INFINITY
    } else if (word === 'WEIGHTS' && operation !== 'diff' && kind !== 'count' && i + n < args.count) {
      weights = args
        .texts(i + 1)
        .slice(0, n)
        .map(finite)
      i += n
    } else if (word === 'AGGREGATE' && operation !== 'diff' && kind !== 'count' && i + 1 < args.count) {
      const named = args.upper(++i)
      if (named !== 'SUM' && named !== 'MIN' && named !== 'MAX') fail(SYNTAX)
      aggregate = named
    } else fail(SYNTAX)
  }
  return { keys, weights, aggregate, hasScores, limit }
}

/** Members and scores of a key: a set's count 1 each. */
function scoresOf(db: Database, key: string): Map<string, number> {
  const type = db.type(key)
  if (type === null) return new Map()
  const head = db.head(key)!
  const scores = new Map<string, number>()
  if (type === 'set') for (const { member } of db.elements.all(head)) scores.set(member, 1)
  else for (const { member, score } of db.elements.byScore(head)) scores.set(member, score)
  return scores
}

function joined(aggregate: Aggregate, a: number, b: number): number {
  if (aggregate === 'MIN') return Math.min(a, b)
  if (aggregate === 'MAX') return Math.max(a, b)
  const sum = a + b
  return Number.isNaN(sum) ? 0 : sum
}

function weighed(score: number, weight: number): number {
  const product = score * weight
  return Number.isNaN(product) ? 0 : product
}

function combine(db: Database, operation: Operation, { keys, weights, aggregate, limit }: Words): Scored[] {
  const sets = keys.map(key => scoresOf(db, key))
  let result = new Map<string, number>()
  for (const [member, score] of sets[0]!) {
    result.set(member, operation === 'diff' ? score : weighed(score, weights[0]!))
  }
  for (const [i, set] of sets.entries()) {
    if (i === 0) continue
    if (operation === 'diff') for (const member of set.keys()) result.delete(member)
    else if (operation === 'union') {
      for (const [member, score] of set) {
        const there = result.get(member)
        const own = weighed(score, weights[i]!)
        result.set(member, there === undefined ? own : joined(aggregate, there, own))
      }
    } else {
      const both = new Map<string, number>()
      for (const [member, score] of result) {
        const other = set.get(member)
        if (other !== undefined) both.set(member, joined(aggregate, score, weighed(other, weights[i]!)))
      }
      result = both
    }
  }
  const members = Array.from(result, ([member, score]) => ({ member, score }))
  members.sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1))
  return members.slice(0, limit)
}

function give(operation: Operation) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const words = readWords(db, args, 1, `z${operation}`, operation, 'give')
    writeAll(out, combine(db, operation, words), words.hasScores)
  }
}

function store(operation: Operation) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const words = readWords(db, args, 2, `z${operation}store`, operation, 'store')
    const members = combine(db, operation, words)
    storeScored(db, args.text(1), members, `z${operation}store`)
    out.int(members.length)
  }
}

function zInterCard(client: Client, args: Args) {
  const words = readWords(client.db, args, 1, 'zintercard', 'inter', 'count')
  client.out.int(combine(client.db, 'inter', words).length)
}

export const zsetAlgebra = family('sorted-set', [
  command('zunion', -3, 'r', 'none', 'Returns what is in any set.', give('union')),
  command('zinter', -3, 'r', 'none', 'Returns what is in all sets.', give('inter')),
  command('zdiff', -3, 'r', 'none', 'Returns what is in the first set only.', give('diff')),
  command('zunionstore', -4, 'w', 'one', 'Keeps what is in any set.', store('union')),
  command('zinterstore', -4, 'w', 'one', 'Keeps what is in all sets.', store('inter')),
  command('zdiffstore', -4, 'w', 'one', 'Keeps what is in the first set only.', store('diff')),
  command('zintercard', -3, 'r', 'none', 'Says how many are in all sets.', zInterCard)
])

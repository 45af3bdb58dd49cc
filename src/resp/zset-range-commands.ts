// Commands of ranges of sorted sets: ZRANGE with all its ways, the older commands that each do one of them, counting,
// ranks, and removing by range.
// Not here: the ranges themselves (zset-range.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import type { Scored } from './elements.ts'
import type { Head } from './head.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'
import { find } from './zset-commands.ts'
import { removeScored, writeAll } from './zset-pop.ts'
import {
  byLex,
  byRank,
  byScore,
  countByScore,
  lexBounds,
  limited,
  rankOf,
  scoreBounds
} from './zset-range.ts'

type By = 'rank' | 'score' | 'lex'

interface RangeWords {
  readonly by: By
  readonly reverse: boolean
  readonly hasScores: boolean
  readonly offset: number
  readonly count: number
}

/** What stands behind the bounds. @param fixed  what the command's name says already */
function readRangeWords(
  args: Args,
  from: number,
  fixed: { by?: By; reverse?: boolean },
  isStore: boolean
): RangeWords {
  let by: By = fixed.by ?? 'rank'
  let reverse = fixed.reverse ?? false
  let hasScores = false
  let isLimited = false
  let [offset, count] = [0, -1]
  const isOpen = fixed.by === undefined && fixed.reverse === undefined
  for (let i = from; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'WITHSCORES' && !isStore) hasScores = true
    else if (word === 'LIMIT' && i + 2 < args.count) {
      isLimited = true
      offset = integerOf(args.text(++i))
      count = integerOf(args.text(++i))
    } else if (isOpen && word === 'REV') reverse = true
    else if (isOpen && word === 'BYSCORE') by = 'score'
    else if (isOpen && word === 'BYLEX') by = 'lex'
    else fail(SYNTAX)
  }
  if (isLimited && by === 'rank') {
    fail('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  if (hasScores && by === 'lex') fail('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  return { by, reverse, hasScores, offset, count }
}

/** The members of a range; checks its bounds even where there is no set. */
function membersOf(
  db: Database,
  key: string,
  start: string,
  end: string,
  { by, reverse, offset, count }: RangeWords
): Scored[] {
  const get = () => db.collection(key, 'zset')
  if (by === 'rank') {
    const [from, to] = [integerOf(start), integerOf(end)]
    const head = get()
    return head === undefined ? [] : byRank(db, head, from, to, reverse)
  }
  const [low, high] = reverse ? [end, start] : [start, end]
  const bounds = by === 'score' ? scoreBounds(low, high) : lexBounds(low, high)
  const head = get()
  if (head === undefined) return []
  const all = 'lowOpen' in bounds ? byScore(db, head, bounds, reverse) : byLex(db, head, bounds, reverse)
  return limited(all, offset, count)
}

function range(fixed: { by?: By; reverse?: boolean }) {
  return (client: Client, args: Args) => {
    const words = readRangeWords(args, 4, fixed, false)
    const members = membersOf(client.db, args.text(1), args.text(2), args.text(3), words)
    writeAll(client.out, members, words.hasScores)
  }
}

function zRangeStore(client: Client, args: Args) {
  const { db, out } = client
  const words = readRangeWords(args, 5, {}, true)
  storeScored(db, args.text(1), membersOf(db, args.text(2), args.text(3), args.text(4), words), 'zrangestore')
  out.int(db.collection(args.text(1), 'zset')?.count ?? 0)
}

/** Puts a sorted set of these members under a key, whatever was there; none: deletes it. */
export function storeScored(db: Database, key: string, members: readonly Scored[], what: string) {
  const wasThere = db.remove(key)
  if (members.length === 0) {
    if (wasThere) db.changed(key, 'g', 'del')
    return
  }
  const head = db.create('zset')
  for (const { member, score } of members) db.elements.setScore(head, member, score, undefined)
  head.count = members.length
  db.save(key, head)
  db.changed(key, 'z', what)
}

function selected(by: By, args: Args): (db: Database, head: Head) => Scored[] {
  const [start, end] = [args.text(2), args.text(3)]
  if (by === 'rank') {
    const [from, to] = [integerOf(start), integerOf(end)]
    return (db, head) => byRank(db, head, from, to, false)
  }
  if (by === 'score') {
    const bounds = scoreBounds(start, end)
    return (db, head) => [...byScore(db, head, bounds, false)]
  }
  const bounds = lexBounds(start, end)
  return (db, head) => [...byLex(db, head, bounds, false)]
}

function zCount(client: Client, args: Args) {
  const bounds = scoreBounds(args.text(2), args.text(3))
  const head = find(client, args)
  client.out.int(head === undefined ? 0 : countByScore(client.db, head, bounds))
}

function zLexCount(client: Client, args: Args) {
  const bounds = lexBounds(args.text(2), args.text(3))
  const head = find(client, args)
  let n = 0
  if (head !== undefined) for (const _ of byLex(client.db, head, bounds, false)) n++
  client.out.int(n)
}

function removeRange(by: By, what: string) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const select = selected(by, args)
    const head = find(client, args)
    const members = head === undefined ? [] : select(db, head)
    if (head !== undefined) removeScored(db, args.text(1), head, members, what)
    out.int(members.length)
  }
}

function rank(reverse: boolean, name: string) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const hasScore = args.count === 4
    if (args.count > 4) fail(`ERR wrong number of arguments for '${name}' command`)
    if (hasScore && args.upper(3) !== 'WITHSCORE') fail(SYNTAX)
    const head = find(client, args)
    const found = head === undefined ? -1 : rankOf(db, head, args.text(2), reverse)
    if (found < 0) return hasScore ? out.nilArray() : out.nil()
    if (hasScore) out.array(2)
    out.int(found)
    if (hasScore) out.double(db.elements.score(head!, args.text(2))!)
  }
}

export const zsetRangeCommands = family('sorted-set', [
  command('zrange', -4, 'r', 'one', 'Returns a range by rank, score or member.', range({})),
  command(
    'zrevrange',
    -4,
    'r',
    'one',
    'Returns a range by rank, backwards.',
    range({ by: 'rank', reverse: true })
  ),
  command(
    'zrangebyscore',
    -4,
    'r',
    'one',
    'Returns a range by score.',
    range({ by: 'score', reverse: false })
  ),
  command('zrevrangebyscore', -4, 'r', 'one', 'The same backwards.', range({ by: 'score', reverse: true })),
  command('zrangebylex', -4, 'r', 'one', 'Returns a range by member.', range({ by: 'lex', reverse: false })),
  command('zrevrangebylex', -4, 'r', 'one', 'The same backwards.', range({ by: 'lex', reverse: true })),
  command('zrangestore', -5, 'w', [1, 2, 1], 'Keeps a range as another set.', zRangeStore),
  command('zcount', 4, 'rf', 'one', 'Counts members by score.', zCount),
  command('zlexcount', 4, 'rf', 'one', 'Counts members by their bytes.', zLexCount),
  command('zremrangebyrank', 4, 'w', 'one', 'Removes by rank.', removeRange('rank', 'zremrangebyrank')),
  command('zremrangebyscore', 4, 'w', 'one', 'Removes by score.', removeRange('score', 'zremrangebyscore')),
  command('zremrangebylex', 4, 'w', 'one', 'Removes by member.', removeRange('lex', 'zremrangebylex')),
  command('zrank', -3, 'rf', 'one', 'Says how many come before a member.', rank(false, 'zrank')),
  command('zrevrank', -3, 'rf', 'one', 'Says how many come behind a member.', rank(true, 'zrevrank'))
])

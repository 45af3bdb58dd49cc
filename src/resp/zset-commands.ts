// Commands of sorted sets: adding, counting, removing, taking. A member is two entries, one by its name and one by
// its score, so a change of a score writes three small ones.
// Not here: ranges (zset-range-commands.ts), operations over sets (zset-algebra.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Head } from './head.ts'
import { doubleOf, integerOf, parseDouble } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'
import { sample } from './sample.ts'
import { type End, popScored, removeScored, writeAll, writeScored } from './zset-pop.ts'

export function find(client: Client, args: Args): Head | undefined {
  return client.db.collection(args.text(1), 'zset')
}

interface AddWords {
  readonly nx: boolean
  readonly xx: boolean
  readonly gt: boolean
  readonly lt: boolean
  readonly ch: boolean
  readonly incr: boolean
  /** Where scores and members begin. */
  readonly from: number
}

function readAddWords(args: Args): AddWords {
  const words = { nx: false, xx: false, gt: false, lt: false, ch: false, incr: false }
  let from = 2
  for (; from < args.count; from++) {
    const word = args.text(from).toLowerCase()
    if (!Object.hasOwn(words, word)) break
    words[word as keyof typeof words] = true
  }
  const pairs = args.count - from
  if (pairs % 2 === 1 || pairs === 0) fail(SYNTAX)
  if (words.nx && words.xx) fail('ERR XX and NX options at the same time are not compatible')
  if ((words.gt && words.nx) || (words.lt && words.nx) || (words.gt && words.lt)) {
    fail('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (words.incr && pairs > 2) fail('ERR INCR option supports a single increment-element pair')
  return { ...words, from }
}

/** The new score of a member; null: it stays as it is. */
function scoreAfter(words: AddWords, before: number | undefined, given: number): number | null {
  if (before === undefined) return words.xx ? null : given
  if (words.nx) return null
  const score = words.incr ? before + given : given
  if (Number.isNaN(score)) fail('ERR resulting score is not a number (NaN)')
  if ((words.gt && score <= before) || (words.lt && score >= before)) return null
  return score
}

function addAll(
  client: Client,
  args: Args,
  words: AddWords
): { added: number; changed: number; last: number | null } {
  const { db } = client
  const key = args.text(1)
  const scores: number[] = []
  for (let i = words.from; i < args.count; i += 2) scores.push(doubleOf(args.text(i)))
  const there = find(client, args)
  const head = there ?? db.create('zset')
  let [added, changed] = [0, 0]
  let last: number | null = null
  for (const [i, given] of scores.entries()) {
    const member = args.text(words.from + i * 2 + 1)
    const before = db.elements.score(head, member)
    const score = scoreAfter(words, before, given)
    last = score
    if (score === null) continue
    if (before === undefined) added++
    else if (score !== before) changed++
    else continue
    db.elements.setScore(head, member, score, before)
    if (before === undefined) head.count++
  }
  if (added > 0) db.save(key, head)
  if (added + changed > 0) db.changed(key, 'z', words.incr ? 'zincr' : 'zadd')
  return { added, changed, last }
}

function zAdd(client: Client, args: Args) {
  const words = readAddWords(args)
  const { added, changed, last } = addAll(client, args, words)
  if (!words.incr) return client.out.int(words.ch ? added + changed : added)
  if (last === null) client.out.nil()
  else client.out.double(last)
}

const INCREMENT: AddWords = { nx: false, xx: false, gt: false, lt: false, ch: false, incr: true, from: 2 }

function zIncrBy(client: Client, args: Args) {
  client.out.double(addAll(client, args, INCREMENT).last!)
}

function zRem(client: Client, args: Args) {
  const { db, out } = client
  const head = find(client, args)
  if (head === undefined) return out.int(0)
  const gone = [...new Set(args.texts(2))].flatMap(member => {
    const score = db.elements.score(head, member)
    return score === undefined ? [] : [{ member, score }]
  })
  removeScored(db, args.text(1), head, gone, 'zrem')
  out.int(gone.length)
}

function zScore(client: Client, args: Args) {
  const head = find(client, args)
  const score = head && client.db.elements.score(head, args.text(2))
  if (score === undefined) client.out.nil()
  else client.out.double(score)
}

function zMScore(client: Client, args: Args) {
  const head = find(client, args)
  client.out.array(args.count - 2)
  for (const member of args.texts(2)) {
    const score = head && client.db.elements.score(head, member)
    if (score === undefined) client.out.nil()
    else client.out.double(score)
  }
}

function zPop(end: End) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    if (args.count > 3) fail(SYNTAX)
    const isMany = args.count === 3
    const count = isMany ? integerOf(args.text(2), 'ERR value is out of range, must be positive') : 1
    if (count < 0) fail('ERR value is out of range, must be positive')
    const head = find(client, args)
    const found = head === undefined ? [] : popScored(db, args.text(1), head, end, count)
    if (isMany) return writeAll(out, found, true)
    out.array(found.length * 2)
    if (found.length > 0) writeScored(out, found[0]!)
  }
}

function zRandMember(client: Client, args: Args) {
  const { db, out } = client
  const hasScores = args.count === 4
  if (args.count > 4 || (hasScores && args.upper(3) !== 'WITHSCORES')) fail(SYNTAX)
  const count = args.count === 2 ? 1 : integerOf(args.text(2))
  if (Math.abs(count) > (hasScores ? 2 ** 62 : 2 ** 63)) fail('ERR value is out of range')
  const head = find(client, args)
  const chosen = sample(head === undefined ? [] : [...db.elements.byScore(head)], count)
  if (args.count > 2) return writeAll(out, chosen, hasScores)
  out.textOrNil(chosen[0]?.member)
}

export function finite(text: string): number {
  return parseDouble(text) ?? fail('ERR weight value is not a float')
}

export const zsetCommands = family('sorted-set', [
  command('zadd', -4, 'wf', 'one', 'Adds members, or gives them other scores.', zAdd),
  command('zincrby', 4, 'wf', 'one', 'Adds to the score of a member.', zIncrBy),
  command('zrem', -3, 'wf', 'one', 'Removes members.', zRem),
  command('zcard', 2, 'rf', 'one', 'Returns the number of members.', (c, a) =>
    c.out.int(find(c, a)?.count ?? 0)
  ),
  command('zscore', 3, 'rf', 'one', 'Returns the score of a member.', zScore),
  command('zmscore', -3, 'rf', 'one', 'Returns the scores of members.', zMScore),
  command('zpopmin', -2, 'wf', 'one', 'Takes the members of the least scores.', zPop('min')),
  command('zpopmax', -2, 'wf', 'one', 'Takes the members of the greatest scores.', zPop('max')),
  command('zrandmember', -2, 'r', 'one', 'Returns members by chance.', zRandMember)
])

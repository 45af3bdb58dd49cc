// Commands of sets. Each member is an entry of its own without a value.
// Not here: how they lie (elements.ts), SSCAN (element-scan.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import type { Head } from './head.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'
import { sample } from './sample.ts'

function find(client: Client, args: Args): Head | undefined {
  return client.db.collection(args.text(1), 'set')
}

function add(db: Database, key: string, head: Head, members: Iterable<string>): number {
  const before = head.count
  for (const member of members) {
    if (db.elements.has(head, member)) continue
    db.elements.put(head, member)
    head.count++
  }
  if (head.count > before) {
    db.save(key, head)
    db.changed(key, 's', 'sadd')
  }
  return head.count - before
}

function sAdd(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  out.int(add(db, key, db.collectionOrNew(key, 'set'), args.texts(2)))
}

function remove(db: Database, key: string, head: Head, members: readonly string[], what: string): number {
  const before = head.count
  for (const member of members) {
    if (!db.elements.has(head, member)) continue
    db.elements.delete(head, member)
    head.count--
  }
  const removed = before - head.count
  if (removed > 0) {
    db.changed(key, 's', what)
    db.saveOrRemove(key, head)
  }
  return removed
}

function sRem(client: Client, args: Args) {
  const head = find(client, args)
  client.out.int(head === undefined ? 0 : remove(client.db, args.text(1), head, args.texts(2), 'srem'))
}

function sIsMember(client: Client, args: Args) {
  const head = find(client, args)
  client.out.int(head !== undefined && client.db.elements.has(head, args.text(2)) ? 1 : 0)
}

function sMIsMember(client: Client, args: Args) {
  const head = find(client, args)
  client.out.array(args.count - 2)
  for (const member of args.texts(2)) {
    client.out.int(head !== undefined && client.db.elements.has(head, member) ? 1 : 0)
  }
}

function sMembers(client: Client, args: Args) {
  const head = find(client, args)
  client.out.set(head?.count ?? 0)
  if (head !== undefined) for (const { member } of client.db.elements.all(head)) client.out.text(member)
}

function countOf(args: Args, i: number): number {
  const count = integerOf(args.text(i), 'ERR value is out of range, must be positive')
  return count < 0 ? fail('ERR value is out of range, must be positive') : count
}

function membersOf(db: Database, head: Head | undefined): string[] {
  return head === undefined ? [] : Array.from(db.elements.all(head), ({ member }) => member)
}

function sPop(client: Client, args: Args) {
  const { db, out } = client
  if (args.count > 3) fail(SYNTAX)
  const isMany = args.count === 3
  const count = isMany ? countOf(args, 2) : 1
  const head = find(client, args)
  const chosen = sample(membersOf(db, head), count)
  if (head !== undefined) remove(db, args.text(1), head, chosen, 'spop')
  if (!isMany) return out.textOrNil(chosen[0])
  out.set(chosen.length)
  for (const member of chosen) out.text(member)
}

function sRandMember(client: Client, args: Args) {
  const { db, out } = client
  if (args.count > 3) fail(SYNTAX)
  const count = args.count === 3 ? integerOf(args.text(2)) : 1
  if (Math.abs(count) > 2 ** 62) fail('ERR value is out of range')
  const chosen = sample(membersOf(db, find(client, args)), count)
  if (args.count === 2) out.textOrNil(chosen[0])
  else out.texts(chosen)
}

function sMove(client: Client, args: Args) {
  const { db, out } = client
  const [from, to, member] = [args.text(1), args.text(2), args.text(3)]
  // Where no source is, nobody looks what the target holds.
  const source = find(client, args)
  if (source === undefined) return out.int(0)
  const target = db.collection(to, 'set')
  if (!db.elements.has(source, member)) return out.int(0)
  if (from === to) return out.int(1)
  remove(db, from, source, [member], 'srem')
  add(db, to, target ?? db.create('set'), [member])
  out.int(1)
}

type Operation = 'inter' | 'union' | 'diff'

/** The members of an operation over sets; a key that is not there is an empty set. @throws {ReplyError} WRONGTYPE */
function combine(
  db: Database,
  operation: Operation,
  keys: readonly string[],
  max = Number.POSITIVE_INFINITY
): Set<string> {
  const heads = keys.map(key => db.collection(key, 'set'))
  const result = new Set<string>()
  if (operation === 'union') {
    for (const head of heads) for (const member of membersOf(db, head)) result.add(member)
    return result
  }
  const [first, ...others] = heads
  const isInter = operation === 'inter'
  if (isInter && heads.some(head => head === undefined)) return result
  const base = isInter ? heads.reduce((a, b) => (b!.count < a!.count ? b : a)) : first
  if (base === undefined) return result
  const rest = isInter ? heads.filter(head => head !== base) : others
  for (const { member } of db.elements.all(base)) {
    const isIn = (head: Head | undefined) => head !== undefined && db.elements.has(head, member)
    if (isInter ? rest.every(isIn) : !rest.some(isIn)) result.add(member)
    if (result.size >= max) break
  }
  return result
}

function answer(operation: Operation) {
  return (client: Client, args: Args) => {
    const members = combine(client.db, operation, args.texts(1))
    client.out.set(members.size)
    for (const member of members) client.out.text(member)
  }
}

function store(operation: Operation) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const key = args.text(1)
    const members = combine(db, operation, args.texts(2))
    const wasThere = db.remove(key)
    if (members.size === 0) {
      if (wasThere) db.changed(key, 'g', 'del')
      return out.int(0)
    }
    const head = db.create('set')
    for (const member of members) db.elements.put(head, member)
    head.count = members.size
    db.save(key, head)
    db.changed(key, 's', `s${operation}store`)
    out.int(members.size)
  }
}

function sInterCard(client: Client, args: Args) {
  const n = integerOf(args.text(1), 'ERR numkeys should be greater than 0')
  if (n <= 0) fail('ERR numkeys should be greater than 0')
  if (n > args.count - 2) fail("ERR Number of keys can't be greater than number of args")
  let limit = Number.POSITIVE_INFINITY
  for (let i = 2 + n; i < args.count; i += 2) {
    if (args.upper(i) !== 'LIMIT' || i + 1 >= args.count) fail(SYNTAX)
    limit = integerOf(args.text(i + 1), "ERR LIMIT can't be negative")
    if (limit < 0) fail("ERR LIMIT can't be negative")
    if (limit === 0) limit = Number.POSITIVE_INFINITY
  }
  client.out.int(combine(client.db, 'inter', args.texts(2).slice(0, n), limit).size)
}

export const setCommands = family('set', [
  command('sadd', -3, 'wf', 'one', 'Adds members.', sAdd),
  command('srem', -3, 'wf', 'one', 'Removes members.', sRem),
  command('scard', 2, 'rf', 'one', 'Returns the number of members.', (c, a) =>
    c.out.int(find(c, a)?.count ?? 0)
  ),
  command('sismember', 3, 'rf', 'one', 'Says whether it is a member.', sIsMember),
  command('smismember', -3, 'rf', 'one', 'Says which are members.', sMIsMember),
  command('smembers', 2, 'r', 'one', 'Returns all members.', sMembers),
  command('spop', -2, 'wf', 'one', 'Takes members by chance.', sPop),
  command('srandmember', -2, 'r', 'one', 'Returns members by chance.', sRandMember),
  command('smove', 4, 'wf', [1, 2, 1], 'Moves a member to another set.', sMove),
  command('sinter', -2, 'r', 'all', 'Returns what is in all sets.', answer('inter')),
  command('sunion', -2, 'r', 'all', 'Returns what is in any set.', answer('union')),
  command('sdiff', -2, 'r', 'all', 'Returns what is in the first set only.', answer('diff')),
  command('sinterstore', -3, 'w', 'all', 'Keeps what is in all sets.', store('inter')),
  command('sunionstore', -3, 'w', 'all', 'Keeps what is in any set.', store('union')),
  command('sdiffstore', -3, 'w', 'all', 'Keeps what is in the first set only.', store('diff')),
  command('sintercard', -3, 'r', 'none', 'Says how many are in all sets.', sInterCard)
])

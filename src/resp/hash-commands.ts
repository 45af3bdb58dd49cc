// Commands of hashes. Each field is an entry of its own, so a change of one writes one.
// Not here: how they lie (elements.ts), HSCAN (element-scan.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Head } from './head.ts'
import { addDecimals, addInt64, integerOf, parseDouble, parseInt64 } from './numbers.ts'
import { fail } from './reply-error.ts'
import { sample } from './sample.ts'

function find(client: Client, args: Args): Head | undefined {
  return client.db.collection(args.text(1), 'hash')
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
}

function setFields(client: Client, args: Args): number {
  const { db } = client
  const key = args.text(1)
  const head = db.collectionOrNew(key, 'hash')
  const before = head.count
  for (let i = 2; i < args.count; i += 2) {
    const field = args.text(i)
    if (!db.elements.has(head, field)) head.count++
    db.elements.put(head, field, args.view(i + 1))
  }
  if (head.count !== before) db.save(key, head)
  db.changed(key, 'h', 'hset')
  return head.count - before
}

function hSet(name: string) {
  return (client: Client, args: Args) => {
    if (args.count % 2 === 1) fail(`ERR wrong number of arguments for '${name}' command`)
    const added = setFields(client, args)
    if (name === 'hmset') client.out.ok()
    else client.out.int(added)
  }
}

function hSetNx(client: Client, args: Args) {
  const head = find(client, args)
  if (head !== undefined && client.db.elements.has(head, args.text(2))) return client.out.int(0)
  client.out.int(setFields(client, args))
}

function hGet(client: Client, args: Args) {
  const head = find(client, args)
  client.out.textOrNil(head && client.db.elements.get(head, args.text(2)))
}

function hMGet(client: Client, args: Args) {
  const head = find(client, args)
  client.out.array(args.count - 2)
  for (const field of args.texts(2)) client.out.textOrNil(head && client.db.elements.get(head, field))
}

function hDel(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const head = find(client, args)
  if (head === undefined) return out.int(0)
  const before = head.count
  for (const field of args.texts(2)) {
    if (!db.elements.has(head, field)) continue
    db.elements.delete(head, field)
    head.count--
  }
  const removed = before - head.count
  if (removed > 0) {
    db.changed(key, 'h', 'hdel')
    db.saveOrRemove(key, head)
  }
  out.int(removed)
}

function hExists(client: Client, args: Args) {
  const head = find(client, args)
  client.out.int(head !== undefined && client.db.elements.has(head, args.text(2)) ? 1 : 0)
}

function hStrLen(client: Client, args: Args) {
  const head = find(client, args)
  client.out.int((head && client.db.elements.get(head, args.text(2)))?.length ?? 0)
}

function hGetAll(client: Client, args: Args) {
  const { db, out } = client
  const head = find(client, args)
  out.map(head?.count ?? 0)
  if (head === undefined) return
  for (const { member, value } of db.elements.all(head)) {
    out.text(member)
    out.text(value)
  }
}

function hColumn(of: 'member' | 'value') {
  return (client: Client, args: Args) => {
    const head = find(client, args)
    client.out.array(head?.count ?? 0)
    if (head === undefined) return
    for (const element of client.db.elements.all(head)) client.out.text(element[of])
  }
}

/** Sets one field to what is made of its value. */
function change(client: Client, args: Args, what: string, make: (before: string | null) => string): string {
  const { db } = client
  const key = args.text(1)
  const field = args.text(2)
  const head = db.collectionOrNew(key, 'hash')
  const before = db.elements.get(head, field)
  const value = make(before === undefined ? null : textOf(before))
  db.elements.put(head, field, Buffer.from(value))
  if (before === undefined) {
    head.count++
    db.save(key, head)
  }
  db.changed(key, 'h', what)
  return value
}

function hIncrBy(client: Client, args: Args) {
  const by = parseInt64(args.text(3)) ?? fail('ERR value is not an integer or out of range')
  const sum = change(client, args, 'hincrby', before => {
    const now = before === null ? 0n : (parseInt64(before) ?? fail('ERR hash value is not an integer'))
    return addInt64(now, by).toString()
  })
  client.out.int(BigInt(sum))
}

function hIncrByFloat(client: Client, args: Args) {
  const by = args.text(3)
  const value = parseDouble(by)
  if (value === null) fail('ERR value is not a valid float')
  if (!Number.isFinite(value)) fail('ERR value is NaN or Infinity')
  const sum = change(client, args, 'hincrbyfloat', before => {
    if (before !== null && parseDouble(before) === null) fail('ERR hash value is not a float')
    return addDecimals(before ?? '0', by)
  })
  client.out.text(sum)
}

function hRandField(client: Client, args: Args) {
  const { db, out } = client
  const hasValues = args.count === 4
  if (args.count > 4 || (hasValues && args.upper(3) !== 'WITHVALUES')) fail('ERR syntax error')
  const wanted = args.count === 2 ? 1 : integerOf(args.text(2))
  if (hasValues && Math.abs(wanted) > 2 ** 62) fail('ERR value is out of range')
  const head = find(client, args)
  if (head === undefined) return args.count === 2 ? out.nil() : out.array(0)
  const chosen = sample([...db.elements.all(head)], wanted)
  if (args.count === 2) return out.text(chosen[0]!.member)
  const isFlat = out.protocol === 2 || !hasValues
  out.array(chosen.length * (hasValues && isFlat ? 2 : 1))
  for (const { member, value } of chosen) {
    if (!isFlat) out.array(2)
    out.text(member)
    if (hasValues) out.text(value)
  }
}

export const hashCommands = family('hash', [
  command('hset', -4, 'wf', 'one', 'Sets fields.', hSet('hset')),
  command('hmset', -4, 'wf', 'one', 'Sets fields.', hSet('hmset')),
  command('hsetnx', 4, 'wf', 'one', 'Sets a field where it is not there.', hSetNx),
  command('hget', 3, 'rf', 'one', 'Returns the value of a field.', hGet),
  command('hmget', -3, 'rf', 'one', 'Returns the values of fields.', hMGet),
  command('hdel', -3, 'wf', 'one', 'Deletes fields.', hDel),
  command('hlen', 2, 'rf', 'one', 'Returns the number of fields.', (c, a) =>
    c.out.int(find(c, a)?.count ?? 0)
  ),
  command('hexists', 3, 'rf', 'one', 'Says whether a field is there.', hExists),
  command('hstrlen', 3, 'rf', 'one', 'Returns the length of a value.', hStrLen),
  command('hgetall', 2, 'r', 'one', 'Returns all fields and values.', hGetAll),
  command('hkeys', 2, 'r', 'one', 'Returns all fields.', hColumn('member')),
  command('hvals', 2, 'r', 'one', 'Returns all values.', hColumn('value')),
  command('hincrby', 4, 'wf', 'one', 'Adds to the counter in a field.', hIncrBy),
  command('hincrbyfloat', 4, 'wf', 'one', 'Adds a decimal number to a field.', hIncrByFloat),
  command('hrandfield', -2, 'r', 'one', 'Returns fields by chance.', hRandField)
])

// Commands of lists that wait for nobody. A list is a run of indexes: pushing and popping at its ends writes one entry
// and its head, whatever its length. Changes in the middle move the shorter side.
// Not here: waiting for elements (blocking-commands.ts), how they lie (elements.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import type { Head } from './head.ts'
import { integerOf } from './numbers.ts'
import { fail, NO_KEY, OUT_OF_RANGE, SYNTAX } from './reply-error.ts'

export type Side = 'left' | 'right'

function find(client: Client, args: Args): Head | undefined {
  return client.db.collection(args.text(1), 'list')
}

/** Adds a value at one end; the head is not saved. */
export function pushOne(db: Database, head: Head, side: Side, value: Uint8Array) {
  if (side === 'left') {
    head.first--
    db.elements.setAt(head, 0, value)
  } else db.elements.setAt(head, head.count, value)
  head.count++
}

/** Takes a value from one end of a list that is not empty; the head is not saved. */
export function popOne(db: Database, head: Head, side: Side): Uint8Array {
  const index = side === 'left' ? 0 : head.count - 1
  const value = db.elements.at(head, index)
  if (value === undefined) fail('ERR the list is damaged: an element is missing')
  db.elements.removeAt(head, index)
  if (side === 'left') head.first++
  head.count--
  return value
}

function push(side: Side, onlyIfThere: boolean) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const key = args.text(1)
    const there = find(client, args)
    if (there === undefined && onlyIfThere) return out.int(0)
    const head = there ?? db.create('list')
    for (let i = 2; i < args.count; i++) pushOne(db, head, side, args.view(i))
    db.save(key, head)
    db.changed(key, 'l', side === 'left' ? 'lpush' : 'rpush')
    out.int(head.count)
  }
}

/** Pops up to so many; the list is there. */
export function popSome(db: Database, key: string, head: Head, side: Side, count: number): Uint8Array[] {
  const values: Uint8Array[] = []
  while (values.length < count && head.count > 0) values.push(popOne(db, head, side))
  if (values.length === 0) return values
  db.changed(key, 'l', side === 'left' ? 'lpop' : 'rpop')
  db.saveOrRemove(key, head)
  return values
}

function pop(side: Side) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    if (args.count > 3)
      fail(`ERR wrong number of arguments for '${side === 'left' ? 'lpop' : 'rpop'}' command`)
    const isMany = args.count === 3
    const count = isMany ? integerOf(args.text(2), 'ERR value is out of range, must be positive') : 1
    if (count < 0) fail('ERR value is out of range, must be positive')
    const head = find(client, args)
    if (head === undefined) return isMany ? out.nilArray() : out.nil()
    const values = popSome(db, args.text(1), head, side, count)
    if (isMany) out.texts(values)
    else out.text(values[0]!)
  }
}

function lIndex(client: Client, args: Args) {
  const head = find(client, args)
  if (head === undefined) return client.out.nil()
  const index = integerOf(args.text(2))
  const at = index < 0 ? head.count + index : index
  client.out.textOrNil(at < 0 || at >= head.count ? null : client.db.elements.at(head, at))
}

function lSet(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const head = find(client, args) ?? fail(NO_KEY)
  const index = integerOf(args.text(2))
  const at = index < 0 ? head.count + index : index
  if (at < 0 || at >= head.count) fail(OUT_OF_RANGE)
  db.elements.setAt(head, at, args.view(3))
  db.changed(key, 'l', 'lset')
  out.ok()
}

/** Start and end of a range, both included, within 0 .. count - 1; end < start where it is empty. */
export function rangeOf(start: number, end: number, count: number): { from: number; to: number } {
  const from = Math.max(0, start < 0 ? count + start : start)
  const to = Math.min(count - 1, end < 0 ? count + end : end)
  return { from, to }
}

function lRange(client: Client, args: Args) {
  const start = integerOf(args.text(2))
  const end = integerOf(args.text(3))
  const head = find(client, args)
  if (head === undefined) return client.out.array(0)
  const { from, to } = rangeOf(start, end, head.count)
  if (from > to) return client.out.array(0)
  client.out.array(to - from + 1)
  for (const value of client.db.elements.values(head, from, to)) client.out.text(value)
}

function lTrim(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const start = integerOf(args.text(2))
  const end = integerOf(args.text(3))
  const head = find(client, args)
  if (head === undefined) return out.ok()
  const { from, to } = rangeOf(start, end, head.count)
  if (from > to) db.remove(key)
  else {
    for (let i = to + 1; i < head.count; i++) db.elements.removeAt(head, i)
    for (let i = 0; i < from; i++) db.elements.removeAt(head, i)
    head.first += from
    head.count = to - from + 1
    db.save(key, head)
  }
  db.changed(key, 'l', 'ltrim')
  if (from > to) db.changed(key, 'g', 'del')
  out.ok()
}

/** Gives a list other values, writing only the places whose value changed, from the end where these are fewer. */
function rewrite(
  db: Database,
  key: string,
  head: Head,
  before: readonly Uint8Array[],
  after: readonly Uint8Array[]
) {
  const shift = before.length - after.length
  let same = 0
  while (same < after.length && same < before.length && after[same] === before[same]) same++
  let sameEnd = 0
  while (
    sameEnd < after.length &&
    sameEnd < before.length &&
    after.at(-1 - sameEnd) === before.at(-1 - sameEnd)
  )
    sameEnd++
  const first = same >= sameEnd ? head.first : head.first + shift
  const old = { from: head.first, to: head.first + head.count }
  const next = { from: first, to: first + after.length }
  for (let at = next.from; at < next.to; at++) {
    const value = after[at - next.from]!
    if (at < old.from || at >= old.to || before[at - old.from] !== value) {
      db.elements.setAt(head, at - head.first, value)
    }
  }
  for (let at = old.from; at < old.to; at++) {
    if (at < next.from || at >= next.to) db.elements.removeAt(head, at - head.first)
  }
  head.first = first
  head.count = after.length
  db.saveOrRemove(key, head)
}

function valuesOf(db: Database, head: Head): Uint8Array[] {
  return [...db.elements.values(head, 0, head.count - 1)]
}

function lInsert(client: Client, args: Args) {
  const { db, out } = client
  const where = args.upper(2)
  if (where !== 'BEFORE' && where !== 'AFTER') fail(SYNTAX)
  const key = args.text(1)
  const head = find(client, args)
  if (head === undefined) return out.int(0)
  const values = valuesOf(db, head)
  const pivot = args.view(3)
  const at = values.findIndex(value => pivot.equals(value))
  if (at < 0) return out.int(-1)
  rewrite(
    db,
    key,
    head,
    values,
    values.toSpliced(where === 'BEFORE' ? at : at + 1, 0, Buffer.from(args.view(4)))
  )
  db.changed(key, 'l', 'linsert')
  out.int(head.count)
}

function lRem(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const count = integerOf(args.text(2))
  const head = find(client, args)
  if (head === undefined) return out.int(0)
  const wanted = args.view(3)
  const values = valuesOf(db, head)
  let left = count === 0 ? values.length : Math.abs(count)
  const isGone = new Set<number>()
  for (let i = 0; i < values.length && left > 0; i++) {
    const at = count < 0 ? values.length - 1 - i : i
    if (!wanted.equals(values[at]!)) continue
    isGone.add(at)
    left--
  }
  if (isGone.size > 0) {
    db.changed(key, 'l', 'lrem')
    rewrite(
      db,
      key,
      head,
      values,
      values.filter((_, at) => !isGone.has(at))
    )
  }
  out.int(isGone.size)
}

function lPos(client: Client, args: Args) {
  const { db, out } = client
  let rank = 1
  let count: number | null = null
  let lookedMax = 0
  for (let i = 3; i < args.count; i += 2) {
    const word = args.upper(i)
    if (i + 1 >= args.count) fail(SYNTAX)
    const text = args.text(i + 1)
    if (word === 'RANK') {
      const value = integerOf(text)
      if (value === 0) {
        fail(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
        )
      }
      if (text === '-9223372036854775808') fail('ERR value is out of range')
      rank = value
    } else if (word === 'COUNT' || word === 'MAXLEN') {
      const bad = `ERR ${word} can't be negative`
      const value = integerOf(text, bad)
      if (value < 0) fail(bad)
      if (word === 'COUNT') count = value
      else lookedMax = value
    } else fail(SYNTAX)
  }
  const head = find(client, args)
  const values = head === undefined ? [] : valuesOf(db, head)
  const found: number[] = []
  const wanted = args.view(2)
  let skip = Math.abs(rank) - 1
  const looked = lookedMax === 0 ? values.length : Math.min(lookedMax, values.length)
  for (let i = 0; i < looked; i++) {
    const at = rank < 0 ? values.length - 1 - i : i
    if (!wanted.equals(values[at]!) || skip-- > 0) continue
    found.push(at)
    if (found.length === (count ?? 1)) break
  }
  if (count === null) {
    if (found.length === 0) out.nil()
    else out.int(found[0]!)
    return
  }
  out.array(found.length)
  for (const at of found) out.int(at)
}

/** Moves one value between two lists, or within one. @returns null when there is none */
export function moveOne(db: Database, from: string, to: string, out: Side, into: Side): Uint8Array | null {
  const source = db.collection(from, 'list')
  if (source === undefined) return null
  const target = from === to ? source : db.collectionOrNew(to, 'list')
  const value = popOne(db, source, out)
  pushOne(db, target, into, value)
  db.save(to, target)
  db.changed(to, 'l', into === 'left' ? 'lpush' : 'rpush')
  db.changed(from, 'l', out === 'left' ? 'lpop' : 'rpop')
  if (from !== to) db.saveOrRemove(from, source)
  return value
}

/** @throws {ReplyError} */
export function sideOf(text: string): Side {
  const word = text.toUpperCase()
  return word === 'LEFT' ? 'left' : word === 'RIGHT' ? 'right' : fail(SYNTAX)
}

function lMove(client: Client, args: Args) {
  const out = sideOf(args.text(3))
  const into = sideOf(args.text(4))
  client.out.textOrNil(moveOne(client.db, args.text(1), args.text(2), out, into))
}

function rPopLPush(client: Client, args: Args) {
  client.out.textOrNil(moveOne(client.db, args.text(1), args.text(2), 'right', 'left'))
}

export const listCommands = family('list', [
  command('lpush', -3, 'wf', 'one', 'Puts values before the first.', push('left', false)),
  command('rpush', -3, 'wf', 'one', 'Puts values behind the last.', push('right', false)),
  command('lpushx', -3, 'wf', 'one', 'The same where the list is there.', push('left', true)),
  command('rpushx', -3, 'wf', 'one', 'The same where the list is there.', push('right', true)),
  command('lpop', -2, 'wf', 'one', 'Takes values from the start.', pop('left')),
  command('rpop', -2, 'wf', 'one', 'Takes values from the end.', pop('right')),
  command('llen', 2, 'rf', 'one', 'Returns the length.', (c, a) => c.out.int(find(c, a)?.count ?? 0)),
  command('lindex', 3, 'r', 'one', 'Returns the value at an index.', lIndex),
  command('lset', 4, 'w', 'one', 'Sets the value at an index.', lSet),
  command('lrange', 4, 'r', 'one', 'Returns the values of a range.', lRange),
  command('ltrim', 4, 'w', 'one', 'Keeps a range only.', lTrim),
  command('linsert', 5, 'w', 'one', 'Puts a value beside another.', lInsert),
  command('lrem', 4, 'w', 'one', 'Removes values.', lRem),
  command('lpos', -3, 'r', 'one', 'Says where a value is.', lPos),
  command('lmove', 5, 'w', [1, 2, 1], 'Moves a value to another list.', lMove),
  command('rpoplpush', 3, 'w', [1, 2, 1], 'Moves the last value before the first of another list.', rPopLPush)
])

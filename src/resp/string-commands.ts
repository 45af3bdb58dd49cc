// Commands of strings: reading and setting whole values, many at once, and parts of them.
// Not here: counting (counter-commands.ts), what two have in common (lcs-command.ts), keys of any type (key-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { type ExpiryUnit, expiryOf, laterMomentOf, readSetOptions } from './expiry.ts'
import { integerOf } from './numbers.ts'
import { fail } from './reply-error.ts'

const EMPTY = new Uint8Array(0)
const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)'

function get(client: Client, args: Args) {
  const { counts } = client.hub
  const found = client.db.look(args, 1)
  if (found === null) {
    counts.misses++
    client.out.nil()
    return
  }
  counts.hits++
  client.out.part(found.bytes, found.at, found.length)
}

function set(client: Client, args: Args) {
  const { db, out } = client
  if (args.count === 3 && db.setWord(args, 1, 2)) {
    client.hub.counts.changes++
    out.ok()
    return
  }
  const key = args.text(1)
  if (args.count === 3) {
    db.setString(key, args.view(2))
    db.changed(key, '$', 'set')
    out.ok()
    return
  }
  const options = readSetOptions(args, 3, 'set')
  const expiresUs = expiryOf(options, db.space.clock.nowUs(), 'set')
  const before = options.gives ? db.string(key) : undefined
  const beforeValue = before?.value
  if (options.onlyIf !== null && db.has(key) !== (options.onlyIf === 'present')) {
    if (options.gives) out.textOrNil(beforeValue)
    else out.nil()
    return
  }
  const kept = options.keepTtl ? (db.expiry(key) ?? 0) : 0
  setUntil(client, key, args.view(2), expiresUs ?? kept, expiresUs !== null)
  if (options.gives) out.textOrNil(beforeValue)
  else out.ok()
}

/** A moment that is over removes the key. */
function setUntil(client: Client, key: string, value: Uint8Array, expiresUs: number, isTimed: boolean) {
  const { db } = client
  if (isTimed && expiresUs <= db.space.clock.nowUs()) {
    if (db.remove(key)) db.changed(key, 'g', 'del')
    return
  }
  db.setString(key, value, expiresUs)
  db.changed(key, '$', 'set')
  if (isTimed) db.changed(key, 'g', 'expire')
}

function setTimed(unit: ExpiryUnit, name: string) {
  return (client: Client, args: Args) => {
    const expiresUs = laterMomentOf(args.text(2), unit, client.hub.clock.nowUs(), name)
    setUntil(client, args.text(1), args.view(3), expiresUs, true)
    client.out.ok()
  }
}

function setNx(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  if (db.has(key)) return out.int(0)
  db.setString(key, args.view(2))
  db.changed(key, '$', 'set')
  out.int(1)
}

function getSet(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  out.textOrNil(db.string(key)?.value)
  db.setString(key, args.view(2))
  db.changed(key, '$', 'set')
}

function getDel(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const entry = db.string(key)
  out.textOrNil(entry?.value)
  if (entry === undefined) return
  db.remove(key)
  db.changed(key, 'g', 'del')
}

function getEx(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const options = readSetOptions(args, 2, 'getex')
  const entry = db.string(key)
  if (entry === undefined) return out.nil()
  const nowUs = db.space.clock.nowUs()
  const expiresUs = expiryOf(options, nowUs, 'getex')
  out.text(entry.value)
  if (options.endsTtl) {
    if (entry.expiresUs === 0) return
    db.setExpiry(key, 0)
    db.changed(key, 'g', 'persist')
  } else if (expiresUs !== null) {
    if (expiresUs <= nowUs) {
      db.remove(key)
      db.changed(key, 'g', 'del')
      return
    }
    db.setExpiry(key, expiresUs)
    db.changed(key, 'g', 'expire')
  }
}

function mGet(client: Client, args: Args) {
  const { db, out } = client
  out.array(args.count - 1)
  for (let i = 1; i < args.count; i++) out.textOrNil(db.space.get(db.strings, args.text(i))?.value)
}

function setPairs(client: Client, args: Args) {
  for (let i = 1; i < args.count; i += 2) {
    const key = args.text(i)
    client.db.setString(key, args.view(i + 1))
    client.db.changed(key, '$', 'set')
  }
}

function mSet(client: Client, args: Args) {
  if (args.count % 2 === 0) fail("ERR wrong number of arguments for 'mset' command")
  setPairs(client, args)
  client.out.ok()
}

function mSetNx(client: Client, args: Args) {
  if (args.count % 2 === 0) fail("ERR wrong number of arguments for 'msetnx' command")
  for (let i = 1; i < args.count; i += 2) if (client.db.has(args.text(i))) return client.out.int(0)
  setPairs(client, args)
  client.out.int(1)
}

function append(client: Client, args: Args) {
  const { db, out, hub } = client
  const key = args.text(1)
  const before = db.string(key)
  const more = args.view(2)
  const value = before === undefined ? more : Buffer.concat([before.value, more])
  if (value.length > hub.limits.wordBytesMax) fail(TOO_LONG)
  db.setString(key, value, before?.expiresUs ?? 0)
  db.changed(key, '$', 'append')
  out.int(value.length)
}

function strLen(client: Client, args: Args) {
  client.out.int(client.db.string(args.text(1))?.value.length ?? 0)
}

function getRange(client: Client, args: Args) {
  let start = integerOf(args.text(2))
  let end = integerOf(args.text(3))
  const value = client.db.string(args.text(1))?.value ?? EMPTY
  if (start < 0 && end < 0 && start > end) return client.out.text(EMPTY)
  if (start < 0) start = Math.max(0, value.length + start)
  if (end < 0) end = Math.max(0, value.length + end)
  end = Math.min(end, value.length - 1)
  client.out.text(start > end ? EMPTY : value.subarray(start, end + 1))
}

function setRange(client: Client, args: Args) {
  const { db, out, hub } = client
  const key = args.text(1)
  const offset = integerOf(args.text(2))
  const part = args.view(3)
  if (offset < 0) fail('ERR offset is out of range')
  const before = db.string(key)
  if (part.length === 0) return out.int(before?.value.length ?? 0)
  if (offset + part.length > hub.limits.wordBytesMax) fail(TOO_LONG)
  const value = Buffer.alloc(Math.max(before?.value.length ?? 0, offset + part.length))
  if (before !== undefined) value.set(before.value)
  value.set(part, offset)
  db.setString(key, value, before?.expiresUs ?? 0)
  db.changed(key, '$', 'setrange')
  out.int(value.length)
}

export const stringCommands = family('string', [
  command('get', 2, 'rf', 'one', 'Returns the string of a key.', get),
  command('set', -3, 'w', 'one', 'Sets the string of a key, whatever was there.', set),
  command('setnx', 3, 'wf', 'one', 'Sets a string where nothing is.', setNx),
  command('setex', 4, 'w', 'one', 'Sets a string that lives so many seconds.', setTimed('EX', 'setex')),
  command(
    'psetex',
    4,
    'w',
    'one',
    'Sets a string that lives so many milliseconds.',
    setTimed('PX', 'psetex')
  ),
  command('getset', 3, 'wf', 'one', 'Sets a string, returns the one before.', getSet),
  command('getdel', 2, 'wf', 'one', 'Returns a string and deletes its key.', getDel),
  command('getex', -2, 'wf', 'one', 'Returns a string and sets its time to live.', getEx),
  command('mget', -2, 'rf', 'all', 'Returns the strings of keys.', mGet),
  command('mset', -3, 'w', [1, -1, 2], 'Sets strings, all or none.', mSet),
  command('msetnx', -3, 'w', [1, -1, 2], 'Sets strings where none of the keys is there.', mSetNx),
  command('append', 3, 'wf', 'one', 'Appends to a string.', append),
  command('strlen', 2, 'rf', 'one', 'Returns the length of a string.', strLen),
  command('getrange', 4, 'r', 'one', 'Returns a part of a string.', getRange),
  command('substr', 4, 'r', 'one', 'Returns a part of a string.', getRange),
  command('setrange', 4, 'w', 'one', 'Overwrites a part of a string.', setRange)
])

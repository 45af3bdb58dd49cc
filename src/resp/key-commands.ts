// Commands of keys of any type: there or not, of what type, under which name, for how long.
// Not here: going through many keys (scan-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { encodingOf } from './encoding.ts'
import { type ExpiryUnit, momentOf } from './expiry.ts'
import { integerOf } from './numbers.ts'
import { fail, NO_KEY, SYNTAX } from './reply-error.ts'

function del(client: Client, args: Args) {
  const { db, out } = client
  let removed = 0
  for (let i = 1; i < args.count; i++) {
    const key = args.text(i)
    if (!db.remove(key)) continue
    removed++
    db.changed(key, 'g', 'del')
  }
  out.int(removed)
}

function exists(client: Client, args: Args) {
  let n = 0
  for (let i = 1; i < args.count; i++) if (client.db.has(args.text(i))) n++
  client.out.int(n)
}

type ExpiryOption = 'NX' | 'XX' | 'GT' | 'LT'

/** @throws {ReplyError} */
function readExpiryOptions(args: Args): Set<ExpiryOption> {
  const options = new Set<ExpiryOption>()
  for (let i = 3; i < args.count; i++) {
    const word = args.upper(i)
    if (word !== 'NX' && word !== 'XX' && word !== 'GT' && word !== 'LT')
      fail(`ERR Unsupported option ${args.text(i)}`)
    options.add(word)
  }
  if (options.has('NX') && options.size > 1) {
    fail('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (options.has('GT') && options.has('LT'))
    fail('ERR GT and LT options at the same time are not compatible')
  return options
}

/** Whether the options let an expiry be set. @param beforeUs  0: the key has none */
function mayExpire(options: ReadonlySet<ExpiryOption>, beforeUs: number, atUs: number): boolean {
  const before = beforeUs === 0 ? Number.POSITIVE_INFINITY : beforeUs
  if (options.has('NX') && beforeUs !== 0) return false
  if (options.has('XX') && beforeUs === 0) return false
  if (options.has('GT') && atUs <= before) return false
  return !(options.has('LT') && atUs >= before)
}

function expire(unit: ExpiryUnit, name: string) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const key = args.text(1)
    const nowUs = db.space.clock.nowUs()
    const options = readExpiryOptions(args)
    const atUs = momentOf(args.text(2), unit, nowUs, name)
    const before = db.expiry(key)
    if (before === null || !mayExpire(options, before, atUs)) return out.int(0)
    if (atUs <= nowUs) {
      db.remove(key)
      db.changed(key, 'g', 'del')
    } else {
      db.setExpiry(key, atUs)
      db.changed(key, 'g', 'expire')
    }
    out.int(1)
  }
}

function ttl(unitUs: number, isAbsolute: boolean) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const expiresUs = db.expiry(args.text(1))
    if (expiresUs === null) return out.int(-2)
    if (expiresUs === 0) return out.int(-1)
    if (isAbsolute) return out.int(Math.floor((expiresUs + (unitUs === 1000 ? 0 : unitUs / 2)) / unitUs))
    const leftMs = Math.max(0, Math.ceil((expiresUs - db.space.clock.nowUs()) / 1000))
    out.int(unitUs === 1000 ? leftMs : Math.floor((leftMs + 500) / 1000))
  }
}

function keep(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  if (!db.expiry(key)) return out.int(0)
  db.setExpiry(key, 0)
  db.changed(key, 'g', 'persist')
  out.int(1)
}

function typeOf(client: Client, args: Args) {
  client.out.simple(client.db.type(args.text(1)) ?? 'none')
}

function rename(onlyIfAbsent: boolean) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const from = args.text(1)
    const to = args.text(2)
    if (!db.has(from)) fail(NO_KEY)
    const isFree = from !== to && !db.has(to)
    if (onlyIfAbsent && !isFree) return out.int(0)
    if (from !== to) {
      db.rename(from, to)
      db.changed(from, 'g', 'rename_from')
      db.changed(to, 'g', 'rename_to')
    }
    if (onlyIfAbsent) out.int(1)
    else out.ok()
  }
}

function copy(client: Client, args: Args) {
  const { out, hub } = client
  const from = args.text(1)
  const to = args.text(2)
  let target = client.db
  let replaces = false
  for (let i = 3; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'REPLACE') replaces = true
    else if (word === 'DB' && i + 1 < args.count) target = hub.database(integerOf(args.text(++i)))
    else fail(SYNTAX)
  }
  if (target === client.db && from === to) fail('ERR source and destination objects are the same')
  if (!client.db.has(from)) return out.int(0)
  if (target.has(to)) {
    if (!replaces) return out.int(0)
    target.remove(to)
  }
  target.copyFrom(client.db, from, to)
  target.changed(to, 'g', 'copy_to')
  out.int(1)
}

function move(client: Client, args: Args) {
  const { db, out, hub } = client
  const key = args.text(1)
  const target = hub.database(integerOf(args.text(2)))
  if (target === db) fail('ERR source and destination objects are the same')
  if (!db.has(key) || target.has(key)) return out.int(0)
  target.copyFrom(db, key, key)
  db.remove(key)
  db.changed(key, 'g', 'move_from')
  target.changed(key, 'g', 'move_to')
  out.int(1)
}

function object(client: Client, args: Args) {
  const { out } = client
  const what = args.upper(1)
  if (what === 'HELP') {
    return out.texts([
      'OBJECT <subcommand> <key>. Subcommands are:',
      'ENCODING',
      'FREQ',
      'IDLETIME',
      'REFCOUNT'
    ])
  }
  if (args.count !== 3) fail("ERR wrong number of arguments for 'object' command")
  const key = args.text(2)
  if (!client.db.has(key)) return out.nil()
  if (what === 'ENCODING') out.text(encodingOf(client.db, key, client.hub.settings))
  else if (what === 'REFCOUNT') out.int(1)
  else if (what === 'IDLETIME') out.int(0)
  else if (what === 'FREQ') fail('ERR An LFU maxmemory policy is not selected, access frequency not tracked.')
  else fail(`ERR unknown subcommand '${args.text(1)}'. Try OBJECT HELP.`)
}

export const keyCommands = family('generic', [
  command('del', -2, 'w', 'all', 'Deletes keys.', del),
  command('unlink', -2, 'wf', 'all', 'Deletes keys.', del),
  command('exists', -2, 'rf', 'all', 'Says how many of the keys are there.', exists),
  command('touch', -2, 'rf', 'all', 'Says how many of the keys are there.', exists),
  command('expire', -3, 'wf', 'one', 'Sets the time to live in seconds.', expire('EX', 'expire')),
  command('pexpire', -3, 'wf', 'one', 'Sets the time to live in milliseconds.', expire('PX', 'pexpire')),
  command('expireat', -3, 'wf', 'one', 'Sets when a key expires, in seconds.', expire('EXAT', 'expireat')),
  command('pexpireat', -3, 'wf', 'one', 'The same in milliseconds.', expire('PXAT', 'pexpireat')),
  command('ttl', 2, 'rf', 'one', 'Returns the time to live in seconds.', ttl(1_000_000, false)),
  command('pttl', 2, 'rf', 'one', 'Returns the time to live in milliseconds.', ttl(1_000, false)),
  command('expiretime', 2, 'rf', 'one', 'Returns when a key expires, in seconds.', ttl(1_000_000, true)),
  command('pexpiretime', 2, 'rf', 'one', 'The same in milliseconds.', ttl(1_000, true)),
  command('persist', 2, 'wf', 'one', 'Lets a key live for ever.', keep),
  command('type', 2, 'rf', 'one', 'Returns the type of a key.', typeOf),
  command('rename', 3, 'w', [1, 2, 1], 'Moves what a key holds to another key.', rename(false)),
  command('renamenx', 3, 'wf', [1, 2, 1], 'The same where the other key is not there.', rename(true)),
  command('copy', -3, 'w', [1, 2, 1], 'Copies what a key holds to another key.', copy),
  command('move', 3, 'wf', 'one', 'Moves a key to another database.', move),
  command('object', -2, 'r', [2, 2, 1], 'Says how a value is kept.', object)
])

// DUMP and RESTORE: what a key holds as bytes that Redis reads too, and back.
// Not here: the bytes (rdb-value.ts, rdb-check.ts).
import { VarveError } from '../base/errors.ts'
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import { integerOf } from './numbers.ts'
import { sealed, unsealed } from './rdb-check.ts'
import { decodeValue, encodeValue, type RdbValue } from './rdb-value.ts'
import { fail, SYNTAX } from './reply-error.ts'

function heldBy(db: Database, key: string): RdbValue | null {
  const type = db.type(key)
  if (type === null) return null
  if (type === 'string') return { type, value: db.string(key)!.value }
  const head = db.collection(key, type)!
  const { elements } = db
  switch (type) {
    case 'list':
      return { type, values: [...elements.values(head, 0, head.count - 1)] }
    case 'set':
      return { type, members: Array.from(elements.all(head), ({ member }) => member) }
    case 'hash':
      return { type, fields: Array.from(elements.all(head), ({ member, value }) => [member, value] as const) }
    case 'zset':
      return { type, members: [...elements.byScore(head)] }
  }
}

/** Puts a value under a key that holds nothing. */
function put(db: Database, key: string, value: RdbValue, expiresUs: number): void {
  if (value.type === 'string') {
    db.setString(key, value.value, expiresUs)
    return
  }
  const head = db.create(value.type)
  const { elements } = db
  switch (value.type) {
    case 'list':
      for (const one of value.values) elements.setAt(head, head.count++, one)
      break
    case 'set':
      for (const member of value.members) elements.put(head, member)
      head.count = value.members.length
      break
    case 'hash':
      for (const [field, one] of value.fields) elements.put(head, field, one)
      head.count = value.fields.length
      break
    case 'zset':
      for (const { member, score } of value.members) elements.setScore(head, member, score, undefined)
      head.count = value.members.length
  }
  head.expiresUs = expiresUs
  db.save(key, head)
}

function dump(client: Client, args: Args) {
  const value = heldBy(client.db, args.text(1))
  if (value === null) client.out.nil()
  else client.out.text(sealed(encodeValue(value)))
}

interface RestoreWords {
  readonly replaces: boolean
  readonly isAbsolute: boolean
}

/** REPLACE, ABSTTL; IDLETIME and FREQ are of Redis' eviction, which is not here: checked, and forgotten. */
function readRestoreWords(args: Args): RestoreWords {
  let [replaces, isAbsolute] = [false, false]
  for (let i = 4; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'REPLACE') replaces = true
    else if (word === 'ABSTTL') isAbsolute = true
    else if (word === 'IDLETIME' && i + 1 < args.count) {
      if (integerOf(args.text(++i)) < 0) fail('ERR Invalid IDLETIME value, must be >= 0')
    } else if (word === 'FREQ' && i + 1 < args.count) {
      const often = integerOf(args.text(++i))
      if (often < 0 || often > 255) fail('ERR Invalid FREQ value, must be >= 0 and <= 255')
    } else fail(SYNTAX)
  }
  return { replaces, isAbsolute }
}

function decoded(payload: Uint8Array, room: number): RdbValue {
  try {
    return decodeValue(payload, room)
  } catch (error) {
    if (error instanceof VarveError) fail('ERR Bad data format')
    throw error
  }
}

function restore(client: Client, args: Args) {
  const { db, hub, out } = client
  const key = args.text(1)
  const { replaces, isAbsolute } = readRestoreWords(args)
  if (!replaces && db.has(key)) fail('BUSYKEY Target key name already exists.')
  const ms = integerOf(args.text(2))
  if (ms < 0) fail('ERR Invalid TTL value, must be >= 0')
  const bytes = unsealed(args.view(3)) ?? fail('ERR DUMP payload version or checksum are wrong')
  const value = decoded(bytes, hub.limits.commandBytesMax)
  const wasThere = db.remove(key)
  const nowUs = hub.clock.nowUs()
  const expiresUs = ms === 0 ? 0 : Math.min(ms * 1000 + (isAbsolute ? 0 : nowUs), Number.MAX_SAFE_INTEGER)
  if (expiresUs !== 0 && expiresUs <= nowUs) {
    if (wasThere) db.changed(key, 'g', 'del')
    return out.ok()
  }
  put(db, key, value, expiresUs)
  db.changed(key, 'g', 'restore')
  out.ok()
}

export const dumpCommands = family('generic', [
  command('dump', 2, 'r', 'one', 'Returns what a key holds as bytes.', dump),
  command('restore', -4, 'w', 'one', 'Makes a key of such bytes.', restore)
])

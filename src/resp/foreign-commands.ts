// `SELECT last`: a namespace that somebody else keeps (kv/foreign.ts), such as the newest samples, as a database of
// strings that can only be read. Its entries come later (they are found by query workers), so each command here
// answers later; nothing of it runs inside of MULTI.
//
// SCAN gives all that match in one answer and the cursor 0, which Redis allows: a page would cost as much as all.
// Not here: who keeps them (daemon), commands that name no key, which run as everywhere (execute.ts).
import type { ForeignNamespace } from '../kv/foreign.ts'
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { type Command, command, type Family, family, type Later } from './command.ts'
import { globMatches } from './glob.ts'
import { fail, SYNTAX } from './reply-error.ts'

/** Commands of these families name keys, or go through them. */
const OF_KEYS: ReadonlySet<Family> = new Set<Family>([
  'string',
  'generic',
  'hash',
  'list',
  'set',
  'sorted-set'
])
const READ_ONLY =
  'ERR this database is read only: GET, MGET, STRLEN, EXISTS, TYPE, TTL, KEYS, SCAN and DBSIZE are there'

function keptBy(client: Client): ForeignNamespace {
  return client.foreign ?? fail('ERR no read-only database is chosen')
}

function valuesOf(client: Client, args: Args): Promise<(Uint8Array | undefined)[]> {
  const kept = keptBy(client)
  const keys = args.texts(1).map(key => Buffer.from(key, 'latin1').toString())
  return Promise.all(keys.map(async key => (await kept.get(key))?.value))
}

async function keysLike(client: Client, pattern: string | null): Promise<string[]> {
  const kept = keptBy(client)
  const keys: string[] = []
  for await (const entry of kept.scan({})) {
    const key = Buffer.from(entry.key).toString('latin1')
    if (pattern === null || globMatches(pattern, key)) keys.push(key)
  }
  return keys
}

async function get(client: Client, args: Args): Later {
  const [value] = await valuesOf(client, args)
  return out => out.textOrNil(value)
}

async function mGet(client: Client, args: Args): Later {
  const values = await valuesOf(client, args)
  return out => {
    out.array(values.length)
    for (const value of values) out.textOrNil(value)
  }
}

async function strLen(client: Client, args: Args): Later {
  const [value] = await valuesOf(client, args)
  return out => out.int(value?.length ?? 0)
}

async function exists(client: Client, args: Args): Later {
  const values = await valuesOf(client, args)
  return out => out.int(values.filter(value => value !== undefined).length)
}

async function type(client: Client, args: Args): Later {
  const [value] = await valuesOf(client, args)
  return out => out.simple(value === undefined ? 'none' : 'string')
}

/** What is kept elsewhere never expires. */
async function ttl(client: Client, args: Args): Later {
  const [value] = await valuesOf(client, args)
  return out => out.int(value === undefined ? -2 : -1)
}

async function keys(client: Client, args: Args): Later {
  const found = await keysLike(client, args.text(1))
  return out => out.texts(found)
}

async function scan(client: Client, args: Args): Later {
  let pattern: string | null = null
  for (let i = 2; i < args.count; i += 2) {
    const word = args.upper(i)
    if (i + 1 === args.count || (word !== 'MATCH' && word !== 'COUNT')) fail(SYNTAX)
    if (word === 'MATCH') pattern = args.text(i + 1)
  }
  // Only 0 begins a scan; any other cursor was not given here, and ends it.
  const found = args.text(1) === '0' ? await keysLike(client, pattern) : []
  return out => {
    out.array(2)
    out.text('0')
    out.texts(found)
  }
}

async function dbSize(client: Client): Later {
  const found = await keysLike(client, null)
  return out => out.int(found.length)
}

const NO_MULTI = ['no_multi'] as const
const rows = new Map(
  family('generic', [
    command('get', 2, 'r', 'one', 'Returns the value of a key.', get, NO_MULTI),
    command('mget', -2, 'r', 'all', 'Returns the values of keys.', mGet, NO_MULTI),
    command('strlen', 2, 'r', 'one', 'Returns the length of a value.', strLen, NO_MULTI),
    command('exists', -2, 'r', 'all', 'Counts keys that are there.', exists, NO_MULTI),
    command('type', 2, 'r', 'one', 'Returns the type of a key.', type, NO_MULTI),
    command('ttl', 2, 'r', 'one', 'Returns that a key lives for ever.', ttl, NO_MULTI),
    command('pttl', 2, 'r', 'one', 'Returns that a key lives for ever.', ttl, NO_MULTI),
    command('keys', 2, 'r', 'none', 'Returns all keys that match a pattern.', keys, NO_MULTI),
    command('scan', -2, 'r', 'none', 'Returns all keys that match a pattern.', scan, NO_MULTI),
    command('dbsize', 1, 'r', 'none', 'Returns how many keys there are.', dbSize, NO_MULTI)
  ]).map(row => [row.name, row])
)

/** What a command is while the client has chosen such a database. */
export function commandThere(command: Command): Command {
  if (!OF_KEYS.has(command.family)) return command
  return rows.get(command.name) ?? { ...command, isWrite: false, run: () => fail(READ_ONLY) }
}

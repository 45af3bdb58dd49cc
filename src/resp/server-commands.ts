// Commands of the server: INFO, COMMAND, CONFIG, TIME, and what operators and test suites ask.
// INFO tells what is true of varve in Redis' names, and nothing that it does not know.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { type Command, command, family, keysOf } from './command.ts'
import { REDIS_VERSION } from './connection-commands.ts'
import { DATABASES } from './databases.ts'
import type { Hub } from './hub.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'
import { countKeys } from './scan-commands.ts'

const INFO_KEYS_MAX = 1000

function infoSections(hub: Hub): Record<string, () => [string, string | number][]> {
  const { counts } = hub
  return {
    Server: () => [
      ['redis_version', REDIS_VERSION],
      ['varve_version', hub.version],
      ['redis_mode', 'standalone'],
      ['os', process.platform],
      ['arch_bits', 64],
      ['process_id', process.pid],
      ['tcp_port', hub.port],
      ['uptime_in_seconds', Math.floor((hub.clock.monotonicMs() - hub.startedMs) / 1000)]
    ],
    Clients: () => [
      ['connected_clients', hub.clients.size],
      ['maxclients', hub.limits.connectionsMax],
      ['blocked_clients', hub.blocking.count],
      ['pubsub_clients', [...hub.clients.values()].filter(one => one.subscriptions > 0).length]
    ],
    Memory: () => [
      ['used_memory', process.memoryUsage.rss()],
      ['maxmemory', 0],
      ['maxmemory_policy', 'noeviction']
    ],
    Persistence: () => [
      ['loading', 0],
      ['aof_enabled', 1],
      ['rdb_changes_since_last_save', counts.changes]
    ],
    Stats: () => [
      ['total_connections_received', counts.connections],
      ['total_commands_processed', counts.commands],
      ['rejected_connections', counts.rejected],
      ['expired_keys', counts.expired],
      ['keyspace_hits', counts.hits],
      ['keyspace_misses', counts.misses],
      ['total_error_replies', counts.errors],
      ['pubsub_patterns', hub.pubSub.patternCount]
    ],
    Replication: () => [
      ['role', 'master'],
      ['connected_slaves', 0]
    ],
    Cluster: () => [['cluster_enabled', 0]],
    Keyspace: () => keyspace(hub)
  }
}

function keyspace(hub: Hub): [string, string][] {
  const rows: [string, string][] = []
  for (let i = 0; i < DATABASES; i++) {
    const keys = countKeys(hub.database(i), INFO_KEYS_MAX)
    if (keys > 0) rows.push([`db${i}`, `keys=${keys},expires=0,avg_ttl=0`])
  }
  return rows
}

function info(client: Client, args: Args) {
  const wanted = args.texts(1).map(text => text.toLowerCase())
  const isAll = wanted.length === 0 || wanted.some(one => ['all', 'default', 'everything'].includes(one))
  const text = Object.entries(infoSections(client.hub))
    .filter(([name]) => isAll || wanted.includes(name.toLowerCase()))
    .map(
      ([name, rows]) =>
        `# ${name}\r\n${rows()
          .map(([key, value]) => `${key}:${value}\r\n`)
          .join('')}`
    )
    .join('\r\n')
  client.out.verbatim(text)
}

function writeCommand(client: Client, { name, arity, flags, keys, family }: Command) {
  const { out } = client
  out.array(10)
  out.text(name)
  out.int(arity)
  const shown = flags.map(flag => (flag === 'at_once' ? 'skip_monitor' : flag))
  out.set(shown.length)
  for (const flag of shown) out.simple(flag)
  for (const place of keys) out.int(place)
  const categories = [
    `@${family}`,
    ...(flags.includes('write') ? ['@write'] : []),
    ...(flags.includes('readonly') ? ['@read'] : [])
  ]
  out.set(categories.length)
  for (const category of categories) out.simple(category)
  for (let i = 0; i < 3; i++) out.array(0)
}

function writeDocs(client: Client, { name, summary, family }: Command) {
  const { out } = client
  out.text(name)
  out.map(3)
  for (const [key, value] of [
    ['summary', summary],
    ['since', '1.0.0'],
    ['group', family]
  ] as const) {
    out.text(key)
    out.text(value)
  }
}

function getKeys(client: Client, args: Args) {
  const { hub, out } = client
  const found = hub.commands.named(args.text(2)) ?? fail('ERR Invalid command specified')
  const sub = args.copy()
  sub.starts.splice(0, 2)
  sub.ends.splice(0, 2)
  sub.count -= 2
  if (found.arity > 0 ? sub.count !== found.arity : sub.count < -found.arity) {
    fail('ERR Invalid number of arguments specified for command')
  }
  const keys = keysOf(found, sub)
  if (keys.length === 0) fail('ERR The command has no key arguments')
  out.texts(keys)
}

function commandCommand(client: Client, args: Args) {
  const { hub, out } = client
  const { all } = hub.commands
  const what = args.count === 1 ? '' : args.upper(1)
  const named = args.texts(2).map(name => hub.commands.named(name))
  if (what === '') {
    out.array(all.length)
    for (const one of all) writeCommand(client, one)
  } else if (what === 'INFO') {
    const some = args.count === 2 ? all : named
    out.array(some.length)
    for (const one of some) {
      if (one === undefined) out.nilArray()
      else writeCommand(client, one)
    }
  } else if (what === 'DOCS') {
    const some = args.count === 2 ? all : named.filter(one => one !== undefined)
    out.map(some.length)
    for (const one of some) writeDocs(client, one)
  } else if (what === 'COUNT') out.int(all.length)
  else if (what === 'LIST') out.texts(all.map(({ name }) => name))
  else if (what === 'GETKEYS' && args.count > 2) getKeys(client, args)
  else fail(`ERR unknown subcommand '${args.text(1)}'. Try COMMAND HELP.`)
}

function config(client: Client, args: Args) {
  const { hub, out } = client
  switch (args.upper(1)) {
    case 'GET': {
      const rows = hub.settings.get(args.texts(2))
      out.map(rows.length)
      for (const row of rows) for (const word of row) out.text(word)
      return
    }
    case 'SET': {
      if (args.count % 2 === 1 || args.count < 4)
        fail("ERR wrong number of arguments for 'config|set' command")
      for (let i = 2; i < args.count; i += 2) hub.settings.set(args.text(i), args.text(i + 1))
      return out.ok()
    }
    case 'RESETSTAT': {
      for (const name of Object.keys(hub.counts)) hub.counts[name as keyof Hub['counts']] = 0
      return out.ok()
    }
    default:
      fail(`ERR unknown subcommand '${args.text(1)}'. Try CONFIG HELP.`)
  }
}

function time(client: Client) {
  const nowUs = client.hub.clock.nowUs()
  client.out.texts([String(Math.floor(nowUs / 1_000_000)), String(nowUs % 1_000_000)])
}

/** Everything that was acknowledged is on the medium: there is nothing to wait for but other copies, which there are none of. */
function wait(client: Client) {
  client.out.int(0)
}

function lastSave(client: Client, args: Args) {
  if (args.count !== 1) fail(SYNTAX)
  client.out.int(Math.floor(client.hub.clock.nowUs() / 1_000_000))
}

function swapDb(client: Client, args: Args) {
  const { hub, out } = client
  const first = integerOf(args.text(1), 'ERR invalid first DB index')
  const second = integerOf(args.text(2), 'ERR invalid second DB index')
  const [a, b] = [hub.database(first), hub.database(second)]
  if (a !== b) hub.exchange(a, b)
  out.ok()
}

/** There are no functions: forgetting them all is done, and a list of them is empty. */
function functions(client: Client, args: Args) {
  const what = args.upper(1)
  if (what === 'FLUSH') client.out.ok()
  else if (what === 'LIST') client.out.array(0)
  else fail(`ERR unknown subcommand '${args.text(1)}'. Try FUNCTION HELP.`)
}

/** MEMORY USAGE: bytes of what a key holds, with its names, about; most of it lies on the medium. */
function memory(client: Client, args: Args) {
  const { db, out } = client
  if (args.upper(1) !== 'USAGE' || args.count < 3)
    fail(`ERR unknown subcommand '${args.text(1)}'. Try MEMORY HELP.`)
  const key = args.text(2)
  const type = db.type(key)
  if (type === null) return out.nil()
  let bytes = key.length + ENTRY_BYTES
  const head = db.head(key)
  if (type === 'string') bytes += db.string(key)!.value.length
  else if (head?.type === 'list') {
    for (const value of db.elements.values(head, 0, head.count - 1)) bytes += value.length + ENTRY_BYTES
  } else if (head !== undefined) {
    for (const { member, value } of db.elements.all(head)) bytes += member.length + value.length + ENTRY_BYTES
  }
  out.int(bytes)
}

const ENTRY_BYTES = 32

export const serverCommands = family('server', [
  command('info', -1, '', 'none', 'Tells of the server.', info),
  command('command', -1, '', 'none', 'Tells of the commands.', commandCommand),
  command('config', -2, '', 'none', 'Reads and sets settings.', config, ['admin']),
  command('function', -2, '', 'none', 'Tells of functions: there are none.', functions, ['admin']),
  command('memory', -2, 'r', [2, 2, 1], 'Says how large a value is.', memory),
  command('swapdb', 3, 'wf', 'none', 'Exchanges what two databases hold.', swapDb, ['admin']),
  command('time', 1, 'f', 'none', 'Tells the time.', time),
  command('wait', 3, '', 'none', 'Says how many other copies there are: none.', wait),
  command('lastsave', 1, 'f', 'none', 'Says when all was saved: now.', lastSave)
])

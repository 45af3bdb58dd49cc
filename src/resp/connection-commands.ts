// Commands of the connection itself: who it is, what it speaks, which database it uses.
// Not here: CLIENT (client-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

function authenticate(client: Client, name: string | null, token: string) {
  const { gatekeeper } = client.hub
  if (!gatekeeper.isNeeded) {
    if (name !== null && name !== 'default')
      fail('WRONGPASS invalid username-password pair or user is disabled.')
    if (name === null) {
      fail(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?'
      )
    }
    return
  }
  // Clients that know no names say "default".
  const isNamed = name !== null && name !== 'default'
  const roles = gatekeeper.roles(isNamed ? name : null, Buffer.from(token, 'latin1').toString())
  if (roles === null) fail('WRONGPASS invalid username-password pair or user is disabled.')
  client.roles = roles
  client.user = name ?? 'default'
}

function auth(client: Client, args: Args) {
  if (args.count > 3) fail(SYNTAX)
  if (args.count === 2) authenticate(client, null, args.text(1))
  else authenticate(client, args.text(1), args.text(2))
  client.out.ok()
}

/** @throws {ReplyError} for names that would break CLIENT LIST */
export function checkName(name: string) {
  if (!/^[!-~]*$/.test(name)) fail('ERR Client names cannot contain spaces, newlines or special characters.')
}

function hello(client: Client, args: Args) {
  const { out, hub } = client
  let { protocol } = client
  if (args.count > 1) {
    const wanted = integerOf(args.text(1), 'ERR Protocol version is not an integer or out of range')
    if (wanted !== 2 && wanted !== 3) fail('NOPROTO unsupported protocol version')
    protocol = wanted
  }
  let name: string | null = null
  for (let i = 2; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'AUTH' && i + 2 < args.count) {
      authenticate(client, args.text(i + 1), args.text(i + 2))
      i += 2
    } else if (word === 'SETNAME' && i + 1 < args.count) {
      name = args.text(++i)
      checkName(name)
    } else fail(`ERR Syntax error in HELLO option '${args.text(i)}'`)
  }
  if (client.roles === null) {
    fail(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time'
    )
  }
  if (name !== null) client.name = name
  client.protocol = out.protocol = protocol
  out.map(7)
  const pairs: [string, string | number][] = [
    ['server', 'redis'],
    ['version', REDIS_VERSION],
    ['proto', protocol],
    ['id', client.id],
    ['mode', 'standalone'],
    ['role', 'master']
  ]
  for (const [key, value] of pairs) {
    out.text(key)
    if (typeof value === 'number') out.int(value)
    else out.text(value)
  }
  out.text('modules')
  out.array(hub.series === null ? 0 : 1)
  if (hub.series === null) return
  out.map(2)
  out.text('name')
  out.text('timeseries')
  out.text('ver')
  out.int(11202)
}

/** The Redis whose commands these are: clients choose by it what they send. */
export const REDIS_VERSION = '7.2.0'

function select(client: Client, args: Args) {
  const foreign = client.hub.foreign.get(args.text(1)) ?? null
  if (foreign !== null && client.isInExec) fail('ERR a read-only database is not for MULTI')
  if (foreign === null) client.db = client.hub.database(integerOf(args.text(1)))
  client.foreign = foreign
  client.out.ok()
}

function ping(client: Client, args: Args) {
  const { out } = client
  if (args.count > 2) fail("ERR wrong number of arguments for 'ping' command")
  if (client.protocol === 2 && client.subscriptions > 0) {
    out.texts(['pong', args.count === 2 ? args.text(1) : ''])
    return
  }
  if (args.count === 2) out.text(args.text(1))
  else out.simple('PONG')
}

function quit(client: Client) {
  client.out.ok()
  client.isLeaving = true
}

function reset(client: Client) {
  const { hub, out } = client
  client.discard()
  hub.pubSub.forget(client)
  client.channels = client.patterns = null
  client.db = hub.database(0)
  client.foreign = null
  client.name = ''
  client.replies = 'on'
  client.protocol = out.protocol = 2
  client.roles = hub.rolesAtFirst()
  client.user = 'default'
  out.simple('RESET')
}

export const connectionCommands = family('connection', [
  command('auth', -2, 'f', 'none', 'Shows who the client is.', auth, ['no_auth', 'no_multi']),
  command('hello', -1, 'f', 'none', 'Chooses the protocol.', hello, ['no_auth', 'no_multi']),
  command('ping', -1, 'f', 'none', 'Answers.', ping),
  command('echo', 2, 'f', 'none', 'Answers the same.', (c, a) => c.out.text(a.text(1))),
  command('select', 2, 'f', 'none', 'Chooses the database, or a read-only namespace by its name.', select),
  command('quit', -1, 'f', 'none', 'Closes the connection.', quit, ['no_auth', 'at_once']),
  command('reset', 1, 'f', 'none', 'Makes the connection as it was at first.', reset, ['no_auth', 'at_once'])
])

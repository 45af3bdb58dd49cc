// CLIENT: what clients say of themselves at connect, and what an operator asks of connections.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { checkName } from './connection-commands.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

function describe(client: Client): string {
  const { hub } = client
  const nowMs = hub.clock.monotonicMs()
  const seconds = (ms: number) => Math.floor((nowMs - ms) / 1000)
  const flags = `${client.subscriptions > 0 ? 'P' : ''}${client.queued === null ? '' : 'x'}${client.waiter === null ? '' : 'b'}`
  const facts: [string, string | number][] = [
    ['id', client.id],
    ['addr', client.wire.remote],
    ['laddr', client.wire.local],
    ['name', client.name],
    ['age', seconds(client.sinceMs)],
    ['idle', seconds(client.activeMs)],
    ['flags', flags === '' ? 'N' : flags],
    ['db', client.db.index],
    ['sub', client.channels?.size ?? 0],
    ['psub', client.patterns?.size ?? 0],
    ['multi', client.queued?.length ?? -1],
    ['watch', client.watched.size],
    ['omem', client.wire.queued],
    ['cmd', client.lastCommand],
    ['user', client.user],
    ['lib-name', client.libName],
    ['lib-ver', client.libVersion],
    ['resp', client.protocol]
  ]
  return facts.map(([name, value]) => `${name}=${value}`).join(' ')
}

function setInfo(client: Client, args: Args) {
  if (args.count !== 4) fail("ERR wrong number of arguments for 'client|setinfo' command")
  const value = args.text(3)
  const what = args.upper(2)
  if (!/^[!-~]*$/.test(value))
    fail(`ERR ${what.toLowerCase()} cannot contain spaces, newlines or special characters.`)
  if (what === 'LIB-NAME') client.libName = value
  else if (what === 'LIB-VER') client.libVersion = value
  else fail(`ERR Unrecognized option '${args.text(2)}'`)
  client.out.ok()
}

function kill(client: Client, args: Args) {
  const { hub, out } = client
  const isOld = args.count === 3
  const tests: ((other: Client) => boolean)[] = []
  let skipsMe = !isOld
  if (isOld) tests.push(other => other.wire.remote === args.text(2))
  for (let i = isOld ? args.count : 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) fail(SYNTAX)
    const value = args.text(i + 1)
    const word = args.upper(i)
    if (word === 'ID') {
      const id = integerOf(value, 'ERR client-id should be greater than 0')
      tests.push(other => other.id === id)
    } else if (word === 'ADDR') tests.push(other => other.wire.remote === value)
    else if (word === 'LADDR') tests.push(other => other.wire.local === value)
    else if (word === 'USER') tests.push(other => other.user === value)
    else if (word === 'TYPE')
      tests.push(other => other.subscriptions > 0 === (value.toLowerCase() === 'pubsub'))
    else if (word === 'SKIPME') skipsMe = value.toLowerCase() === 'yes'
    else fail(SYNTAX)
  }
  const found = [...hub.clients.values()].filter(
    other => !(skipsMe && other === client) && tests.every(test => test(other))
  )
  if (isOld && found.length === 0) fail('ERR No such client')
  for (const other of found) {
    if (other === client) client.isLeaving = true
    else other.wire.end()
  }
  if (isOld) out.ok()
  else out.int(found.length)
}

function unblock(client: Client, args: Args) {
  const { hub, out } = client
  const how = args.count > 3 ? args.upper(3) : 'TIMEOUT'
  if (how !== 'TIMEOUT' && how !== 'ERROR') fail('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  const other = hub.clients.get(integerOf(args.text(2)))
  const waiter = other?.waiter
  if (other === undefined || waiter === null || waiter === undefined) return out.int(0)
  hub.blocking.release(other, reply => {
    if (how === 'TIMEOUT') waiter.timeOut(reply)
    else reply.error('UNBLOCKED client unblocked via CLIENT UNBLOCK')
  })
  out.int(1)
}

function replies(client: Client, args: Args) {
  const how = args.count === 3 ? args.upper(2) : fail(SYNTAX)
  if (how === 'ON') {
    client.replies = 'on'
    client.out.ok()
  } else if (how === 'OFF') client.replies = 'off'
  else if (how === 'SKIP') client.replies = client.replies === 'off' ? 'off' : 'skip-next'
  else fail(SYNTAX)
}

function list(client: Client, args: Args) {
  let clients = [...client.hub.clients.values()]
  if (args.count > 3 && args.upper(2) === 'ID') {
    const ids = new Set(args.texts(3).map(text => integerOf(text, 'ERR Invalid client ID')))
    clients = clients.filter(({ id }) => ids.has(id))
  } else if (args.count === 4 && args.upper(2) === 'TYPE') {
    const isPubSub = args.text(3).toLowerCase() === 'pubsub'
    clients = clients.filter(({ subscriptions }) => subscriptions > 0 === isPubSub)
  } else if (args.count > 2) fail(SYNTAX)
  client.out.verbatim(clients.map(one => `${describe(one)}\n`).join(''))
}

function clientCommand(client: Client, args: Args) {
  const { out } = client
  switch (args.upper(1)) {
    case 'ID':
      return out.int(client.id)
    case 'GETNAME':
      return client.name === '' ? out.nil() : out.text(client.name)
    case 'SETNAME': {
      if (args.count !== 3) fail("ERR wrong number of arguments for 'client|setname' command")
      checkName(args.text(2))
      client.name = args.text(2)
      return out.ok()
    }
    case 'SETINFO':
      return setInfo(client, args)
    case 'INFO':
      return out.verbatim(`${describe(client)}\n`)
    case 'LIST':
      return admin(client, args, list)
    case 'KILL':
      return admin(client, args, kill)
    case 'UNBLOCK':
      return admin(client, args, unblock)
    case 'REPLY':
      return replies(client, args)
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return out.ok()
    case 'GETREDIR':
      return out.int(-1)
    default:
      fail(`ERR unknown subcommand '${args.text(1)}'. Try CLIENT HELP.`)
  }
}

function admin(client: Client, args: Args, run: (client: Client, args: Args) => void) {
  if (!client.may('admin')) fail(`NOPERM User ${client.user} has no permissions to run the 'client' command`)
  run(client, args)
}

export const clientCommands = family('connection', [
  command('client', -2, '', 'none', 'Says and sets what is known of connections.', clientCommand)
])

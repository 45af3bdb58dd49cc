// MULTI and EXEC: commands that are queued and then run as one, with nothing in between, their writes one piece of the
// WAL: all of them are there after a power cut, or none. WATCH lets EXEC refuse where a key was changed.
// Not here: queueing (execute.ts), who watches what (watches.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { call } from './execute.ts'
import { fail } from './reply-error.ts'

function multi(client: Client) {
  if (client.queued !== null) fail('ERR MULTI calls can not be nested')
  client.queued = []
  client.out.ok()
}

function isBroken(client: Client): boolean {
  if (client.isWatchBroken) return true
  for (const [name, version] of client.watchedVersions) {
    const at = name.indexOf(' ')
    const db = client.hub.database(Number(name.slice(0, at)))
    if (versionOf(db, name.slice(at + 1)) !== version) return true
  }
  return false
}

function versionOf(db: Client['db'], key: string): number {
  return db.space.get(db.strings, key)?.version ?? 0
}

function exec(client: Client) {
  const { queued, out, hub } = client
  if (queued === null) fail('ERR EXEC without MULTI')
  const isBad = client.isQueueBad
  const isChanged = isBroken(client)
  client.discard()
  if (isBad) fail('EXECABORT Transaction discarded because of previous errors.')
  if (isChanged) return out.nilArray()
  out.array(queued.length)
  client.isInExec = true
  try {
    hub.space.together(() => {
      for (const { command, args } of queued) call(hub, client, command, args)
    })
  } finally {
    client.isInExec = false
  }
}

function watch(client: Client, args: Args) {
  if (client.queued !== null) fail('ERR WATCH inside MULTI is not allowed')
  for (const key of args.texts(1)) {
    const name = `${client.db.index} ${key}`
    client.hub.watches.add(client, client.db.index, key)
    if (!client.watchedVersions.has(name)) client.watchedVersions.set(name, versionOf(client.db, key))
  }
  client.out.ok()
}

function unwatch(client: Client) {
  client.hub.watches.clear(client)
  client.watchedVersions.clear()
  client.out.ok()
}

export const multiCommands = family('transactions', [
  command('multi', 1, 'f', 'none', 'Begins to queue commands.', multi, ['at_once']),
  command('exec', 1, '', 'none', 'Runs the queued commands as one.', exec, ['at_once']),
  command(
    'discard',
    1,
    'f',
    'none',
    'Forgets the queued commands.',
    client => {
      if (client.queued === null) fail('ERR DISCARD without MULTI')
      client.discard()
      client.out.ok()
    },
    ['at_once']
  ),
  command('watch', -2, 'f', 'all', 'Lets EXEC refuse when keys are changed.', watch, ['at_once']),
  command('unwatch', 1, 'f', 'none', 'Watches no key any more.', unwatch)
])

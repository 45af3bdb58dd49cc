// Commands of channels: publishing, hearing, and who hears what. Not here: the channels themselves (pub-sub.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { fail } from './reply-error.ts'

type Kind = 'channels' | 'patterns'

function subscribe(kind: Kind, name: string) {
  return (client: Client, args: Args) => {
    if (client.isInExec && client.protocol === 2) {
      fail(`ERR ${name.toUpperCase()} isn't allowed for a DENY BLOCKING client`)
    }
    for (const channel of args.texts(1)) {
      client.hub.pubSub.subscribe(client, kind, channel)
      tell(client, name, channel)
    }
  }
}

function unsubscribe(kind: Kind, name: string) {
  return (client: Client, args: Args) => {
    const channels = args.count > 1 ? args.texts(1) : [...(client[kind] ?? [])]
    if (channels.length === 0) tell(client, name, null)
    for (const channel of channels) {
      client.hub.pubSub.unsubscribe(client, kind, channel)
      tell(client, name, channel)
    }
  }
}

function tell(client: Client, name: string, channel: string | null) {
  const { out } = client
  out.push(3)
  out.text(name)
  out.textOrNil(channel)
  out.int(client.subscriptions)
}

function publish(client: Client, args: Args) {
  const { hub, out } = client
  const { heard, group } = hub.pubSub.publish(args.text(1), args.view(2))
  if (group > hub.space.wait) hub.space.wait = group
  out.int(heard)
}

function pubSub(client: Client, args: Args) {
  const { out, hub } = client
  switch (args.upper(1)) {
    case 'CHANNELS':
      return out.texts(hub.pubSub.names(args.count > 2 ? args.text(2) : '*'))
    case 'NUMSUB': {
      out.map(args.count - 2)
      for (const channel of args.texts(2)) {
        out.text(channel)
        out.int(hub.pubSub.count(channel))
      }
      return
    }
    case 'NUMPAT':
      return out.int(hub.pubSub.patternCount)
    default:
      fail(`ERR unknown subcommand '${args.text(1)}'. Try PUBSUB HELP.`)
  }
}

export const pubSubCommands = family('pubsub', [
  command('publish', 3, 'f', 'none', 'Publishes a message, to MQTT too.', publish, ['write', 'pubsub']),
  command('subscribe', -2, '', 'none', 'Hears channels.', subscribe('channels', 'subscribe'), ['pubsub']),
  command('psubscribe', -2, '', 'none', 'Hears channels by pattern.', subscribe('patterns', 'psubscribe'), [
    'pubsub'
  ]),
  command('unsubscribe', -1, '', 'none', 'Hears channels no more.', unsubscribe('channels', 'unsubscribe'), [
    'pubsub'
  ]),
  command(
    'punsubscribe',
    -1,
    '',
    'none',
    'Hears patterns no more.',
    unsubscribe('patterns', 'punsubscribe'),
    ['pubsub']
  ),
  command('pubsub', -2, '', 'none', 'Says who hears what.', pubSub, ['pubsub'])
])

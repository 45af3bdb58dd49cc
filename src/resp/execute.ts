// Runs a command for a client: finds it in the table, checks words and rights, queues it inside of MULTI, and turns
// what it throws into a reply.
//
// Invariants: a command runs to its end before any other starts, and its writes are one piece; every command
// gets one reply, or none when it waits.
// Not here: reading and sending (connection.ts).
import { VarveError } from '../base/errors.ts'
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import type { Command, Later } from './command.ts'
import { commandThere } from './foreign-commands.ts'
import type { Hub } from './hub.ts'
import { replyText } from './reply-error.ts'

const SUBSCRIPTIONS: ReadonlySet<string> = new Set(['subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe'])
const SUBSCRIBED = new Set([...SUBSCRIPTIONS, 'ping', 'quit', 'reset'])
const SHOWN_ARGS_MAX = 20
const SHOWN_BYTES_MAX = 128

/** One at a time: the command that runs, so that no closure is made for it. */
const running: { client: Client | null; command: Command | null; args: Args | null; later: unknown } = {
  client: null,
  command: null,
  args: null,
  later: undefined
}
const run = () => {
  running.later = running.command!.run(running.client!, running.args!)
}

/** Runs what a client sent. */
export function execute(hub: Hub, client: Client, args: Args): void {
  const { out } = client
  const start = out.length
  if (client.replies === 'skip-next') client.replies = 'skip'
  hub.counts.commands++
  const named = hub.commands.find(args.bytes, args.starts[0]!, args.ends[0]!)
  const command = named === undefined || client.foreign === null ? named : commandThere(named)
  const refusal = command === undefined ? unknown(args) : refused(client, command, args)
  if (refusal !== null) {
    hub.counts.errors++
    if (command?.name === 'exec') {
      client.discard()
      out.error(`EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, '')}`)
    } else {
      if (client.queued !== null) client.isQueueBad = true
      out.error(refusal)
    }
  } else if (client.queued !== null && !command!.isAtOnce) queue(client, command!, args)
  else {
    client.lastCommand = command!.name
    call(hub, client, command!, args)
    hub.blocking.serve()
  }
  // Who silenced replies still learns what it hears.
  if (client.replies === 'on' || SUBSCRIPTIONS.has(command?.name ?? '')) return
  out.cut(start)
  if (client.replies === 'skip') client.replies = 'on'
}

/** Runs a command that is allowed to. */
export function call(hub: Hub, client: Client, command: Command, args: Args): void {
  const { out } = client
  const start = out.length
  try {
    let later: unknown
    if (command.isWrite) {
      const { client: clientBefore, command: commandBefore, args: argsBefore } = running
      running.client = client
      running.command = command
      running.args = args
      try {
        hub.space.together(run)
        later = running.later
      } finally {
        running.client = clientBefore
        running.command = commandBefore
        running.args = argsBefore
      }
    } else later = command.run(client, args)
    if (later instanceof Promise) answerLater(client, later as Later)
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    hub.counts.errors++
    out.cut(start)
    out.error(replyText(error))
  }
}

function answerLater(client: Client, later: Later): void {
  client.isAwaiting = true
  const done = (write: Parameters<Client['wire']['aside']>[0]) => {
    client.isAwaiting = false
    client.wire.aside(write)
    client.wire.proceed()
  }
  later.then(done, error => {
    const text = error instanceof VarveError ? replyText(error) : null
    done(out => out.error(text ?? 'ERR internal error'))
    if (text === null) throw error
  })
}

function unknown(args: Args): string {
  let shown = ''
  for (let i = 1; i < args.count && i <= SHOWN_ARGS_MAX && shown.length < SHOWN_BYTES_MAX; i++) {
    shown += `'${args.text(i).slice(0, SHOWN_BYTES_MAX - shown.length)}' `
  }
  return `ERR unknown command '${args.text(0).slice(0, SHOWN_BYTES_MAX)}', with args beginning with: ${shown}`
}

/** Why it may not run; null: it may. */
function refused(client: Client, command: Command, args: Args): string | null {
  const { arity, name } = command
  if (arity > 0 ? args.count !== arity : args.count < -arity) {
    return `ERR wrong number of arguments for '${name}' command`
  }
  if (client.roles === null) {
    if (!command.isForStrangers) return 'NOAUTH Authentication required.'
  } else if (!command.isForStrangers && !client.may(command.role)) {
    return `NOPERM User ${client.user} has no permissions to run the '${name}' command`
  }
  if (client.protocol === 2 && client.subscriptions > 0 && !SUBSCRIBED.has(name)) {
    return `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`
  }
  if (client.queued !== null && !command.isForMulti) return 'ERR Command not allowed inside a transaction'
  return null
}

function queue(client: Client, command: Command, args: Args): void {
  const copy = args.copy()
  client.queuedBytes += copy.size
  if (client.queuedBytes > client.hub.limits.commandBytesMax) {
    client.isQueueBad = true
    client.out.error('ERR too many bytes are queued')
    return
  }
  client.queued!.push({ command, args: copy })
  client.out.simple('QUEUED')
}

// The entries of RESP, the face that Redis clients speak to.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { count, duration, flag, port, size, text } from './entry.ts'

export const resp = {
  enabled: flag({
    key: 'resp.enabled',
    default: false,
    what: 'Opens the port for Redis clients (RESP2 and RESP3).',
    why: 'Who does not use it has no port and no memory for it.'
  }),
  host: text({
    key: 'resp.host',
    default: 'auto',
    min: 1,
    max: 255,
    what: 'Address to listen on for RESP; "auto" is 127.0.0.1 until a token of http.tokens is configured, then every address.',
    why: 'The same rule as http.host, with the same tokens: AUTH name token.'
  }),
  port: port({
    key: 'resp.port',
    default: 6379,
    what: 'TCP port of RESP.',
    why: 'The port of Redis, so that clients connect unchanged.'
  }),
  connectionsMax: count({
    key: 'resp.connections_max',
    default: 10_000,
    min: 1,
    max: 100_000,
    what: 'Connections at the same time; further ones are told so and closed.',
    why: 'Redis has the same bound; an idle connection costs a few kB.'
  }),
  inlineMax: size({
    key: 'resp.inline_max',
    default: '64KiB',
    min: '1KiB',
    max: '1MiB',
    what: 'Longest command that is typed as a line.',
    why: 'As in Redis: what has no length in front is bounded.'
  }),
  valueMax: size({
    key: 'resp.value_max',
    default: '16MiB',
    min: '1KiB',
    max: '16MiB',
    what: 'Largest word of a command: a key, a value.',
    why: 'A value is an entry of the store, whose values are bounded.'
  }),
  wordsMax: count({
    key: 'resp.words_max',
    default: 1_048_576,
    min: 16,
    max: 1_048_576,
    what: 'Most words of a command.',
    why: 'As in Redis: bounds what one command may take in memory.'
  }),
  commandMax: size({
    key: 'resp.command_max',
    default: '32MiB',
    min: '64KiB',
    max: '64MiB',
    what: 'Most bytes of a command, or of the commands that one MULTI queues.',
    why: 'What a command writes is one batch of the store, which is bounded by 32MiB.'
  }),
  inputMax: size({
    key: 'resp.input_max',
    default: '64MiB',
    min: '1MiB',
    max: '1GiB',
    what: 'Bytes that all connections together keep of commands that have not come completely; who is over a MiB is closed then.',
    why: 'A thousand connections with half a command of 32MiB each must not take the memory of the gateway.'
  }),
  outputMax: size({
    key: 'resp.output_max',
    default: '8MiB',
    min: '64KiB',
    max: '256MiB',
    what: 'Bytes of replies that wait for one client; its commands are not run beyond. A subscriber over twice as much is closed.',
    why: 'A client that does not read costs bounded memory.'
  }),
  replyMax: size({
    key: 'resp.reply_max',
    default: '64MiB',
    min: '1MiB',
    max: '512MiB',
    what: 'Largest reply to one command; a larger one becomes an error.',
    why: 'KEYS of ten million keys is a mistake that should not end the process.'
  }),
  idleTimeout: duration({
    key: 'resp.idle_timeout',
    default: '0s',
    min: '0s',
    max: '24h',
    what: 'Time after which a silent connection is closed; 0s: never. Subscribers and blocked clients are left alone.',
    why: 'As in Redis: client libraries keep pools of connections that are silent for hours.'
  }),
  notifyKeyspaceEvents: text({
    key: 'resp.notify_keyspace_events',
    default: '',
    max: 16,
    what: 'Keyspace notifications at the start, in the letters of Redis: K keyspace, E keyevent, g$lshzxetdnm or A the classes; "" is none.',
    why: 'Each change of a key costs a message; CONFIG SET changes it while running.'
  })
}

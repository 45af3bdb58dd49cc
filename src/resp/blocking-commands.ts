// Commands that wait for elements: BLPOP and its kind for lists, BZPOPMIN and its kind for sorted sets; and LMPOP and
// ZMPOP, which choose among keys as they do.
// Not here: who waits (blocking.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { moveOne, popSome, type Side, sideOf } from './list-commands.ts'
import { integerOf, parseDouble } from './numbers.ts'
import type { Reply } from './reply.ts'
import { fail, SYNTAX } from './reply-error.ts'
import { type End, popScored, writeScored } from './zset-pop.ts'

const nothing = (out: Reply): void => out.nilArray()

/** Seconds as a word states them, in ms; 0: for ever. @throws {ReplyError} */
function timeoutOf(text: string): number {
  const seconds = parseDouble(text)
  if (seconds === null || Number.isNaN(seconds)) fail('ERR timeout is not a float or out of range')
  if (seconds < 0) fail('ERR timeout is negative')
  const ms = Math.ceil(seconds * 1000)
  if (!Number.isFinite(ms) || ms > Number.MAX_SAFE_INTEGER / 1024) fail('ERR timeout is out of range')
  // A timer takes 2^31 ms at most.
  return Math.min(ms, 2 ** 31 - 1)
}

function blockingPop(side: Side) {
  return (client: Client, args: Args) => {
    const { db, hub } = client
    const timeoutMs = timeoutOf(args.text(args.count - 1))
    const keys = args.texts(1).slice(0, -1)
    const attempt = (): boolean => {
      for (const key of keys) {
        const head = db.collection(key, 'list')
        if (head === undefined) continue
        const [value] = popSome(db, key, head, side, 1)
        client.out.texts([key, value!])
        return true
      }
      return false
    }
    hub.blocking.wait(client, keys, timeoutMs, tolerant(client, attempt), nothing)
  }
}

/** A key that became another type while its client waits is passed over, as Redis does. */
function tolerant(client: Client, attempt: () => boolean): () => boolean {
  let isFirst = true
  return () => {
    if (isFirst) {
      isFirst = false
      return attempt()
    }
    const start = client.out.length
    try {
      return attempt()
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error
      client.out.cut(start)
      return false
    }
  }
}

function blockingMove(from: string, to: string, out: Side, into: Side, timeoutMs: number, client: Client) {
  const { db } = client
  const attempt = (): boolean => {
    const value = moveOne(db, from, to, out, into)
    if (value === null) return false
    client.out.text(value)
    return true
  }
  const answering = (): boolean => {
    const start = client.out.length
    try {
      return attempt()
    } catch (error) {
      if (client.waiter === null || !(error instanceof Error && error.message.startsWith('WRONGTYPE')))
        throw error
      client.out.cut(start)
      // The source is a list, so the target is not: there is nothing to wait for.
      if (db.type(from) !== 'list') return false
      client.out.error(error.message)
      return true
    }
  }
  client.hub.blocking.wait(client, [from], timeoutMs, answering, reply =>
    client.isInExec ? reply.nil() : reply.nilArray()
  )
}

function bLMove(client: Client, args: Args) {
  const out = sideOf(args.text(3))
  const into = sideOf(args.text(4))
  blockingMove(args.text(1), args.text(2), out, into, timeoutOf(args.text(5)), client)
}

function bRPopLPush(client: Client, args: Args) {
  blockingMove(args.text(1), args.text(2), 'right', 'left', timeoutOf(args.text(3)), client)
}

const SIDES = ['LEFT', 'RIGHT']
const ENDS = ['MIN', 'MAX']

interface ManyWords {
  readonly keys: readonly string[]
  readonly where: string
  readonly count: number
}

/** numkeys key.. where [COUNT n] @param places  what where may be @throws {ReplyError} */
function readMany(args: Args, from: number, places: readonly string[]): ManyWords {
  const n = integerOf(args.text(from), 'ERR numkeys should be greater than 0')
  if (n <= 0) fail('ERR numkeys should be greater than 0')
  if (from + n + 1 >= args.count) fail(SYNTAX)
  const keys = args.texts(from + 1).slice(0, n)
  const where = args.upper(from + n + 1)
  if (!places.includes(where)) fail(SYNTAX)
  let count = 1
  const rest = from + n + 2
  if (args.count > rest) {
    if (args.count < rest + 2 || args.upper(rest) !== 'COUNT') fail(SYNTAX)
    count = integerOf(args.text(rest + 1), 'ERR count should be greater than 0')
    if (count <= 0) fail('ERR count should be greater than 0')
    if (args.count > rest + 2) fail(SYNTAX)
  }
  return { keys, where, count }
}

function listMany(client: Client, { keys, where, count }: ManyWords): () => boolean {
  const side = sideOf(where)
  const { db } = client
  return tolerant(client, () => {
    for (const key of keys) {
      const head = db.collection(key, 'list')
      if (head === undefined) continue
      const values = popSome(db, key, head, side, count)
      client.out.array(2)
      client.out.text(key)
      client.out.texts(values)
      return true
    }
    return false
  })
}

function scoredMany(client: Client, { keys, where, count }: ManyWords): () => boolean {
  const { db } = client
  return tolerant(client, () => {
    for (const key of keys) {
      const head = db.collection(key, 'zset')
      if (head === undefined) continue
      const found = popScored(db, key, head, where === 'MIN' ? 'min' : 'max', count)
      client.out.array(2)
      client.out.text(key)
      client.out.array(found.length)
      for (const { member, score } of found) {
        client.out.array(2)
        client.out.text(member)
        client.out.double(score)
      }
      return true
    }
    return false
  })
}

function many(make: typeof listMany, places: readonly string[]) {
  return (client: Client, args: Args) => {
    if (!make(client, readMany(args, 1, places))()) client.out.nilArray()
  }
}

function blockingMany(make: typeof listMany, places: readonly string[]) {
  return (client: Client, args: Args) => {
    const words = readMany(args, 2, places)
    const timeoutMs = timeoutOf(args.text(1))
    client.hub.blocking.wait(client, words.keys, timeoutMs, make(client, words), nothing)
  }
}

function blockingZPop(end: End) {
  return (client: Client, args: Args) => {
    const { db, hub } = client
    const timeoutMs = timeoutOf(args.text(args.count - 1))
    const keys = args.texts(1).slice(0, -1)
    const attempt = tolerant(client, () => {
      for (const key of keys) {
        const head = db.collection(key, 'zset')
        if (head === undefined) continue
        const found = popScored(db, key, head, end, 1)
        client.out.array(3)
        client.out.text(key)
        writeScored(client.out, found[0]!)
        return true
      }
      return false
    })
    hub.blocking.wait(client, keys, timeoutMs, attempt, nothing)
  }
}

export const blockingCommands = [
  ...family('list', [
    command('blpop', -3, 'w', [1, -2, 1], 'Takes the first value, or waits.', blockingPop('left'), [
      'blocking'
    ]),
    command('brpop', -3, 'w', [1, -2, 1], 'Takes the last value, or waits.', blockingPop('right'), [
      'blocking'
    ]),
    command('blmove', 6, 'w', [1, 2, 1], 'Moves a value, or waits.', bLMove, ['blocking']),
    command('brpoplpush', 4, 'w', [1, 2, 1], 'Moves a value, or waits.', bRPopLPush, ['blocking']),
    command('lmpop', -4, 'w', 'none', 'Takes values of the first list that has some.', many(listMany, SIDES)),
    command('blmpop', -5, 'w', 'none', 'The same, or waits.', blockingMany(listMany, SIDES), ['blocking'])
  ]),
  ...family('sorted-set', [
    command('bzpopmin', -3, 'wf', [1, -2, 1], 'Takes the least, or waits.', blockingZPop('min'), [
      'blocking'
    ]),
    command('bzpopmax', -3, 'wf', [1, -2, 1], 'Takes the greatest, or waits.', blockingZPop('max'), [
      'blocking'
    ]),
    command(
      'zmpop',
      -4,
      'w',
      'none',
      'Takes members of the first set that has some.',
      many(scoredMany, ENDS)
    ),
    command('bzmpop', -5, 'w', 'none', 'The same, or waits.', blockingMany(scoredMany, ENDS), ['blocking'])
  ])
]

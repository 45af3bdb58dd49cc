// Counters in strings: whole numbers of 64 bits, and decimal numbers whose sums are exact.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { addDecimals, addInt64, parseInt64 } from './numbers.ts'
import { fail, NOT_INTEGER } from './reply-error.ts'

function bytesText(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
}

/** Down is told as up, as Redis does. */
function add(client: Client, key: string, by: bigint) {
  const { db, out } = client
  const before = db.string(key)
  const now = before === undefined ? 0n : (parseInt64(bytesText(before.value)) ?? fail(NOT_INTEGER))
  const sum = addInt64(now, by)
  db.setString(key, Buffer.from(sum.toString()), before?.expiresUs ?? 0)
  db.changed(key, '$', 'incrby')
  out.int(sum)
}

function incrBy(sign: 1n | -1n) {
  return (client: Client, args: Args) => {
    const by = parseInt64(args.text(2)) ?? fail(NOT_INTEGER)
    if (sign < 0n && by === -(2n ** 63n)) fail('ERR decrement would overflow')
    add(client, args.text(1), by * sign)
  }
}

function incrByFloat(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const before = db.string(key)
  const sum = addDecimals(before === undefined ? '0' : bytesText(before.value), args.text(2))
  db.setString(key, Buffer.from(sum), before?.expiresUs ?? 0)
  db.changed(key, '$', 'incrbyfloat')
  out.text(sum)
}

export const counterCommands = family('string', [
  command('incr', 2, 'wf', 'one', 'Adds one to a counter.', (c, a) => add(c, a.text(1), 1n)),
  command('decr', 2, 'wf', 'one', 'Takes one from a counter.', (c, a) => add(c, a.text(1), -1n)),
  command('incrby', 3, 'wf', 'one', 'Adds to a counter.', incrBy(1n)),
  command('decrby', 3, 'wf', 'one', 'Takes from a counter.', incrBy(-1n)),
  command('incrbyfloat', 3, 'wf', 'one', 'Adds a decimal number to another.', incrByFloat)
])

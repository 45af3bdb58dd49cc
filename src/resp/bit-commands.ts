// Commands of strings as rows of bits: bit 0 is the highest one of the first byte, as Redis has it.
// Not here: whole values (string-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range'
const BAD_BIT = 'ERR bit is not an integer or out of range'

/** @throws {ReplyError} beyond what a string may be long */
function offsetOf(client: Client, text: string): number {
  const offset = integerOf(text, BAD_OFFSET)
  if (offset < 0 || offset >= client.hub.limits.wordBytesMax * 8) fail(BAD_OFFSET)
  return offset
}

function bitAt(bytes: Uint8Array, offset: number): 0 | 1 {
  return ((bytes[Math.floor(offset / 8)] ?? 0) & (128 >>> (offset % 8))) === 0 ? 0 : 1
}

function setBit(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const offset = offsetOf(client, args.text(2))
  const bit = integerOf(args.text(3), BAD_BIT)
  if (bit !== 0 && bit !== 1) fail(BAD_BIT)
  const before = db.string(key)
  const at = Math.floor(offset / 8)
  const value = Buffer.alloc(Math.max(before?.value.length ?? 0, at + 1))
  if (before !== undefined) value.set(before.value)
  out.int(bitAt(value, offset))
  const mask = 128 >>> (offset % 8)
  value[at] = bit === 1 ? value[at]! | mask : value[at]! & ~mask
  db.setString(key, value, before?.expiresUs ?? 0)
  db.changed(key, '$', 'setbit')
}

function getBit(client: Client, args: Args) {
  const offset = offsetOf(client, args.text(2))
  const entry = client.db.string(args.text(1))
  client.out.int(entry === undefined ? 0 : bitAt(entry.value, offset))
}

/** A place counted from the end where it is negative, within [0, length]. */
function placeOf(text: string, length: number): number {
  const place = integerOf(text)
  return place < 0 ? Math.max(0, length + place) : Math.min(place, length)
}

function bitCount(client: Client, args: Args) {
  if (args.count === 3 || args.count > 5) fail(SYNTAX)
  const unit = args.count === 5 ? args.upper(4) : 'BYTE'
  if (unit !== 'BYTE' && unit !== 'BIT') fail(SYNTAX)
  const bytes = client.db.string(args.text(1))?.value ?? new Uint8Array(0)
  const bitsEach = unit === 'BIT' ? 1 : 8
  const length = (bytes.length * 8) / bitsEach
  let from = 0
  let to = length
  if (args.count > 2) {
    const [start, end] = [integerOf(args.text(2)), integerOf(args.text(3))]
    from = placeOf(args.text(2), length)
    const isNothing = start < 0 && end < 0 && start > end
    to = isNothing ? from : Math.min(length, placeOf(args.text(3), length) + 1)
  }
  client.out.int(countBits(bytes, from * bitsEach, to * bitsEach))
}

function countBits(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  let at = from
  for (; at < to && at % 8 !== 0; at++) count += bitAt(bytes, at)
  for (; at + 8 <= to; at += 8) {
    for (let byte = bytes[at / 8]!; byte !== 0; byte &= byte - 1) count++
  }
  for (; at < to; at++) count += bitAt(bytes, at)
  return count
}

export const bitCommands = family('string', [
  command('setbit', 4, 'w', 'one', 'Sets one bit of a string, returns what it was.', setBit),
  command('getbit', 3, 'rf', 'one', 'Returns one bit of a string.', getBit),
  command('bitcount', -2, 'r', 'one', 'Counts the bits of a string that are set.', bitCount)
])

// Commands of strings as rows of bits: bit 0 is the highest one of the first byte, as Redis has it.
// Not here: whole values (string-commands.ts), numbers of several bits (bitfield-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { integerOf } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range'
const BAD_BIT = 'ERR bit is not an integer or out of range'

/**
 * Where a bit is; "#n" is the place of number n of so many bits each.
 * @param bits  0: such is no offset
 * @throws {ReplyError} beyond what a string may be long
 */
export function bitOffsetOf(client: Client, text: string, bits = 0): number {
  const isCounted = bits > 0 && text.startsWith('#')
  const offset = isCounted ? integerOf(text.slice(1), BAD_OFFSET) * bits : integerOf(text, BAD_OFFSET)
  if (offset < 0 || offset >= client.hub.limits.wordBytesMax * 8) fail(BAD_OFFSET)
  return offset
}

function bitAt(bytes: Uint8Array, offset: number): 0 | 1 {
  return ((bytes[Math.floor(offset / 8)] ?? 0) & (128 >>> (offset % 8))) === 0 ? 0 : 1
}

function setBit(client: Client, args: Args) {
  const { db, out } = client
  const key = args.text(1)
  const offset = bitOffsetOf(client, args.text(2))
  const bit = integerOf(args.text(3), BAD_BIT)
  if (bit !== 0 && bit !== 1) fail(BAD_BIT)
  const before = db.string(key)
  const at = Math.floor(offset / 8)
  const value = Buffer.alloc(Math.max(before?.value.length ?? 0, at + 1))
  if (before !== undefined) value.set(before.value)
  out.int(bitAt(value, offset))
  const isSame = bitAt(value, offset) === bit && value.length === before?.value.length
  if (isSame) return
  const mask = 128 >>> (offset % 8)
  value[at] = bit === 1 ? value[at]! | mask : value[at]! & ~mask
  db.setString(key, value, before?.expiresUs ?? 0)
  db.changed(key, '$', 'setbit')
}

function getBit(client: Client, args: Args) {
  const offset = bitOffsetOf(client, args.text(2))
  const entry = client.db.string(args.text(1))
  client.out.int(entry === undefined ? 0 : bitAt(entry.value, offset))
}

interface BitRange {
  /** In bits; from >= to: nothing is in it. */
  readonly from: number
  readonly to: number
}

/** Start and end, both included, in bytes or bits, counted from the end where they are negative. */
function bitRange(start: number, end: number, unit: number, bytes: number): BitRange {
  const length = (bytes * 8) / unit
  const from = Math.max(0, start < 0 ? length + start : start)
  const to = Math.min(length - 1, Math.max(0, end < 0 ? length + end : end))
  return { from: from * unit, to: (to + 1) * unit }
}

/** Bits of the unit that is named by word i; without one a byte. @throws {ReplyError} */
function unitOf(args: Args, i: number): number {
  if (i >= args.count) return 8
  const unit = args.upper(i)
  return unit === 'BYTE' ? 8 : unit === 'BIT' ? 1 : fail(SYNTAX)
}

function bitCount(client: Client, args: Args) {
  const bytes = client.db.string(args.text(1))?.value
  if (bytes === undefined) return client.out.int(0)
  if (args.count === 2) return client.out.int(countBits(bytes, 0, bytes.length * 8))
  if (args.count === 3 || args.count > 5) fail(SYNTAX)
  const [start, end] = [integerOf(args.text(2)), integerOf(args.text(3))]
  if (start < 0 && end < 0 && start > end) return client.out.int(0)
  const { from, to } = bitRange(start, end, unitOf(args, 4), bytes.length)
  client.out.int(countBits(bytes, from, to))
}

function bitPos(client: Client, args: Args) {
  const { db, out } = client
  const bit = integerOf(args.text(2))
  if (bit !== 0 && bit !== 1) fail('ERR The bit argument must be 1 or 0.')
  const bytes = db.string(args.text(1))?.value
  if (bytes === undefined) return out.int(bit === 1 ? -1 : 0)
  if (args.count > 6) fail(SYNTAX)
  const start = args.count > 3 ? integerOf(args.text(3)) : 0
  const unit = unitOf(args, 5)
  const hasEnd = args.count > 4
  const end = hasEnd ? integerOf(args.text(4)) : (bytes.length * 8) / unit - 1
  const { from, to } = bitRange(start, end, unit, bytes.length)
  if (from >= to) return out.int(-1)
  const found = findBit(bytes, from, to, bit)
  // Behind the end of a string there are zeros, for who did not name an end.
  out.int(found < 0 && bit === 0 && !hasEnd ? to : found)
}

/** The first such bit of a range; -1: there is none. */
function findBit(bytes: Uint8Array, from: number, to: number, bit: 0 | 1): number {
  const without = bit === 1 ? 0 : 255
  for (let at = from; at < to; ) {
    if (at % 8 === 0 && at + 8 <= to && bytes[at / 8] === without) at += 8
    else if (bitAt(bytes, at) === bit) return at
    else at++
  }
  return -1
}

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  AND: (a, b) => a & b,
  OR: (a, b) => a | b,
  XOR: (a, b) => a ^ b
}

function bitOp(client: Client, args: Args) {
  const { db, out } = client
  const name = args.upper(1)
  const isNot = name === 'NOT'
  const operation = OPERATIONS[name]
  if (operation === undefined && !isNot) fail(SYNTAX)
  if (isNot && args.count !== 4) fail('ERR BITOP NOT must be called with a single source key.')
  const sources = args.texts(3).map(key => db.string(key)?.value ?? new Uint8Array(0))
  const result = Buffer.alloc(Math.max(...sources.map(({ length }) => length)))
  result.set(sources[0]!)
  if (operation === undefined) for (let i = 0; i < result.length; i++) result[i] = ~result[i]!
  else {
    for (const source of sources.slice(1)) {
      for (let i = 0; i < result.length; i++) result[i] = operation(result[i]!, source[i] ?? 0)
    }
  }
  const key = args.text(2)
  if (result.length > 0) {
    db.setString(key, result)
    db.changed(key, '$', 'set')
  } else if (db.remove(key)) db.changed(key, 'g', 'del')
  out.int(result.length)
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
  command('bitcount', -2, 'r', 'one', 'Counts the bits of a string that are set.', bitCount),
  command('bitpos', -3, 'r', 'one', 'Says where the first bit is set, or not.', bitPos),
  command('bitop', -4, 'w', [2, -1, 1], 'Keeps what strings give bit by bit.', bitOp)
])

// BITFIELD: a string as whole numbers of 1 to 64 bits at any bit, read, set and counted, with a choice of what
// happens at the end of their range.
//
// Numbers are bigints: 64 bits do not fit a double.
// Not here: single bits and counts of them (bit-commands.ts).
import type { Args } from './args.ts'
import { bitOffsetOf } from './bit-commands.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { parseInt64 } from './numbers.ts'
import { fail, NOT_INTEGER, SYNTAX } from './reply-error.ts'

const BAD_TYPE =
  'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'

type Overflow = 'WRAP' | 'SAT' | 'FAIL'

interface Step {
  readonly what: 'GET' | 'SET' | 'INCRBY'
  readonly isSigned: boolean
  readonly bits: number
  readonly offset: number
  readonly value: bigint
  readonly overflow: Overflow
}

/** "i16", "u8". @throws {ReplyError} */
function widthOf(text: string): { isSigned: boolean; bits: number } {
  const match = /^([iu])([1-9]\d?)$/.exec(text)
  if (match === null) return fail(BAD_TYPE)
  const isSigned = match[1] === 'i'
  const bits = Number(match[2])
  return bits > (isSigned ? 64 : 63) ? fail(BAD_TYPE) : { isSigned, bits }
}

/** @throws {ReplyError} */
function readSteps(client: Client, args: Args): Step[] {
  const steps: Step[] = []
  let overflow: Overflow = 'WRAP'
  for (let i = 2; i < args.count; ) {
    const left = args.count - i - 1
    const what = args.upper(i)
    if (what === 'OVERFLOW' && left >= 1) {
      const word = args.upper(i + 1)
      if (word !== 'WRAP' && word !== 'SAT' && word !== 'FAIL') fail('ERR Invalid OVERFLOW type specified')
      overflow = word
      i += 2
      continue
    }
    const isGet = what === 'GET'
    if (!(isGet && left >= 2) && !((what === 'SET' || what === 'INCRBY') && left >= 3)) fail(SYNTAX)
    const { isSigned, bits } = widthOf(args.text(i + 1))
    const offset = bitOffsetOf(client, args.text(i + 2), bits)
    const value = isGet ? 0n : (parseInt64(args.text(i + 3)) ?? fail(NOT_INTEGER))
    steps.push({ what, isSigned, bits, offset, value, overflow })
    i += isGet ? 3 : 4
  }
  return steps
}

/** Bits beyond the end are 0. */
function readBits(bytes: Uint8Array, { offset, bits, isSigned }: Step): bigint {
  let value = 0n
  for (let at = offset; at < offset + bits; at++) {
    const bit = ((bytes[Math.floor(at / 8)] ?? 0) >>> (7 - (at % 8))) & 1
    value = (value << 1n) | BigInt(bit)
  }
  return isSigned ? BigInt.asIntN(bits, value) : value
}

/** The room for them is there. */
function writeBits(bytes: Uint8Array, { offset, bits }: Step, value: bigint): void {
  for (let n = 0; n < bits; n++) {
    const at = offset + bits - 1 - n
    const mask = 128 >>> (at % 8)
    const byte = Math.floor(at / 8)
    const isSet = ((value >> BigInt(n)) & 1n) === 1n
    bytes[byte] = isSet ? bytes[byte]! | mask : bytes[byte]! & ~mask
  }
}

/** The value within the range of its width; null: it is out of range, and must not be stored. */
function fitted(value: bigint, { isSigned, bits, overflow }: Step): bigint | null {
  const width = BigInt(bits)
  const max = isSigned ? (1n << (width - 1n)) - 1n : (1n << width) - 1n
  const min = isSigned ? -max - 1n : 0n
  if (value >= min && value <= max) return value
  if (overflow === 'FAIL') return null
  if (overflow === 'SAT') return value > max ? max : min
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

function bitField(isReadOnly: boolean) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const key = args.text(1)
    const steps = readSteps(client, args)
    const writes = steps.filter(({ what }) => what !== 'GET')
    if (isReadOnly && writes.length > 0) fail('ERR BITFIELD_RO only supports the GET subcommand')
    const before = db.string(key)
    const length = before?.value.length ?? 0
    const need = Math.max(length, ...writes.map(({ offset, bits }) => Math.ceil((offset + bits) / 8)))
    const bytes = Buffer.alloc(need)
    if (before !== undefined) bytes.set(before.value)
    let isChanged = false
    out.array(steps.length)
    for (const step of steps) {
      const old = readBits(bytes, step)
      if (step.what === 'GET') {
        out.int(old)
        continue
      }
      const isSet = step.what === 'SET'
      // As Redis has it: what SET is given for an unsigned field is taken as 64 bits without a sign.
      const given = isSet && !step.isSigned ? BigInt.asUintN(64, step.value) : step.value
      const next = fitted(isSet ? given : old + given, step)
      if (next === null) {
        out.nil()
        continue
      }
      out.int(isSet ? old : next)
      if (next === old && need === length) continue
      writeBits(bytes, step, next)
      isChanged = true
    }
    if (!isChanged && need === length) return
    db.setString(key, bytes, before?.expiresUs ?? 0)
    if (isChanged) db.changed(key, '$', 'setbit')
  }
}

export const bitFieldCommands = family('string', [
  command('bitfield', -2, 'w', 'one', 'Reads and changes numbers within a string.', bitField(false)),
  command('bitfield_ro', -2, 'rf', 'one', 'Reads numbers within a string.', bitField(true))
])

// Values in the format of Redis' RDB: what DUMP gives and RESTORE takes, so that keys move between varve and Redis.
//
//   value  := 00 string | 01 list | 02 set | 04 hash | 05 sorted set           DUMP writes these, RESTORE reads as well
//             the packed forms of Redis 2.6 to 7.2: 0a .. 0e, 10, 11, 12, 14 (rdb-packed.ts)
//   list, set := count | string*        hash := count | (field string | value string)*
//   sorted set := count | (member string | score f64 little-endian)*
//   string := length | bytes, or c0 i8, c1 i16, c2 i32: a number in decimal; c3 shortened length | length | LZF
//   length := 00xxxxxx | 01xxxxxx u8 | 80 u32 | 81 u64, big-endian
// Example: the set of "a" = 02 01 01 61
//
// Invariants: a value that is read has no member twice and at least one element.
// Not here: version and checksum (rdb-check.ts), the commands (dump-commands.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Scored } from './elements.ts'
import { parseLoosely } from './numbers.ts'
import { badValue, bigEndian, readIntset, readListpack, readZiplist, unshortened } from './rdb-packed.ts'

export type RdbValue =
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'list'; readonly values: readonly Uint8Array[] }
  | { readonly type: 'set'; readonly members: readonly string[] }
  | { readonly type: 'hash'; readonly fields: readonly (readonly [field: string, value: Uint8Array])[] }
  | { readonly type: 'zset'; readonly members: readonly Scored[] }

function writeLength(out: ByteWriter, length: number): void {
  if (length < 64) out.u8(length)
  else if (length < 16_384) {
    out.u8(0x40 | (length >> 8))
    out.u8(length & 0xff)
  } else {
    out.u8(0x80)
    for (const shift of [24, 16, 8, 0]) out.u8((length >>> shift) & 0xff)
  }
}

function writeString(out: ByteWriter, value: string | Uint8Array): void {
  writeLength(out, value.length)
  out.raw(typeof value === 'string' ? Buffer.from(value, 'latin1') : value)
}

/** The value as bytes, without version and checksum. */
export function encodeValue(value: RdbValue): Uint8Array {
  const out = new ByteWriter(256)
  switch (value.type) {
    case 'string':
      out.u8(0)
      writeString(out, value.value)
      break
    case 'list':
      out.u8(1)
      writeLength(out, value.values.length)
      for (const one of value.values) writeString(out, one)
      break
    case 'set':
      out.u8(2)
      writeLength(out, value.members.length)
      for (const member of value.members) writeString(out, member)
      break
    case 'hash':
      out.u8(4)
      writeLength(out, value.fields.length)
      for (const pair of value.fields) for (const word of pair) writeString(out, word)
      break
    case 'zset':
      out.u8(5)
      writeLength(out, value.members.length)
      for (const { member, score } of value.members) {
        writeString(out, member)
        out.f64(score)
      }
  }
  return out.copy()
}

/** Reads one value, and all of it. */
class ValueReader {
  private readonly from: ByteReader
  /** What shortened strings may still become, bytes. */
  private room: number

  constructor(bytes: Uint8Array, room: number) {
    this.from = new ByteReader(bytes)
    this.room = room
  }

  value(): RdbValue {
    const type = this.from.u8()
    const value = this.ofType(type)
    if (this.from.left > 0) badValue(`${this.from.left} bytes are left`)
    return value
  }

  private ofType(type: number): RdbValue {
    switch (type) {
      case 0:
        return { type: 'string', value: this.string() }
      case 1:
        return listOf(this.strings(1))
      case 2:
        return setOf(this.strings(1))
      case 4:
        return hashOf(this.strings(2))
      case 5:
        return this.sortedSet()
      case 10:
        return listOf(readZiplist(this.string()))
      case 11:
        return setOf(readIntset(this.string()))
      case 12:
        return zsetOf(readZiplist(this.string()))
      case 13:
        return hashOf(readZiplist(this.string()))
      case 14:
        return listOf(this.strings(1).flatMap(readZiplist))
      case 16:
        return hashOf(readListpack(this.string()))
      case 17:
        return zsetOf(readListpack(this.string()))
      case 18:
        return listOf(this.nodes())
      case 20:
        return setOf(readListpack(this.string()))
      default:
        return badValue(`type ${type} is not known`)
    }
  }

  private length(): number {
    const head = this.from.u8()
    if (head < 0x40) return head
    if (head < 0x80) return ((head & 0x3f) << 8) | this.from.u8()
    if (head === 0x80) return bigEndian(this.from, 4)
    if (head !== 0x81 || bigEndian(this.from, 2) !== 0) return badValue(`byte ${head} begins no length`)
    return bigEndian(this.from, 6)
  }

  private string(): Uint8Array {
    const { from } = this
    const head = from.bytes[from.at] ?? badValue('it ends')
    if (head < 0xc0) return from.raw(this.length())
    from.skip(1)
    if (head === 0xc3) {
      const shortened = this.length()
      const length = this.length()
      if (length > this.room) badValue(`a string of ${length} bytes`)
      this.room -= length
      return unshortened(from.raw(shortened), length)
    }
    if (head > 0xc2) badValue(`byte ${head} begins no string`)
    const bytes = 1 << (head - 0xc0)
    const raw = from.raw(bytes)
    return Buffer.from(String(Buffer.from(raw).readIntLE(0, bytes)))
  }

  private strings(each: number): Uint8Array[] {
    const count = this.length() * each
    const all: Uint8Array[] = []
    while (all.length < count) all.push(this.string())
    return all
  }

  private sortedSet(): RdbValue {
    const count = this.length()
    const members: Scored[] = []
    while (members.length < count) {
      members.push({ member: textOf(this.string()), score: this.from.f64() })
    }
    return zset(members)
  }

  /** Nodes of a list: a value as it is, or a listpack of some. */
  private nodes(): Uint8Array[] {
    const count = this.length()
    const values: Uint8Array[] = []
    for (let i = 0; i < count; i++) {
      const isPlain = this.length() === 1
      const node = this.string()
      if (isPlain) values.push(node)
      else for (const value of readListpack(node)) values.push(value)
    }
    return values
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function checkMembers(members: readonly string[]): void {
  if (members.length === 0) badValue('it has no element')
  if (new Set(members).size < members.length) badValue('a member is there twice')
}

function listOf(values: readonly Uint8Array[]): RdbValue {
  if (values.length === 0) badValue('it has no element')
  return { type: 'list', values }
}

function setOf(words: readonly Uint8Array[]): RdbValue {
  const members = words.map(textOf)
  checkMembers(members)
  return { type: 'set', members }
}

function pairsOf(words: readonly Uint8Array[]): [string, Uint8Array][] {
  if (words.length % 2 === 1) badValue('a pair is not whole')
  return Array.from({ length: words.length / 2 }, (_, i) => [textOf(words[i * 2]!), words[i * 2 + 1]!])
}

function hashOf(words: readonly Uint8Array[]): RdbValue {
  const fields = pairsOf(words)
  checkMembers(fields.map(([field]) => field))
  return { type: 'hash', fields }
}

function zsetOf(words: readonly Uint8Array[]): RdbValue {
  return zset(
    pairsOf(words).map(([member, text]) => {
      return { member, score: parseLoosely(textOf(text)) ?? Number.NaN }
    })
  )
}

function zset(members: readonly Scored[]): RdbValue {
  checkMembers(members.map(({ member }) => member))
  if (members.some(({ score }) => Number.isNaN(score))) badValue('a score is no number')
  return { type: 'zset', members }
}

/**
 * The value in some bytes.
 * @param room  its shortened strings become no longer than this together, bytes
 * @throws {VarveError} VARVE_RESP_VALUE, VARVE_TRUNCATED
 */
export function decodeValue(bytes: Uint8Array, room: number): RdbValue {
  return new ValueReader(bytes, room).value()
}

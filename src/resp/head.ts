// The head of a collection: what is stored under its key, whatever it holds. Its elements are entries of their
// own (elements.ts), found by the generation, a number that no other collection ever has.
//
//   head value := 01 | type u8 | generation varint | count varint | expires varint | [first varint]
//   type       := 1 hash | 2 list | 3 set | 4 sorted set        first, of a list only: index of its first element
// Example: a list of generation 9, 2 elements, no expiry, first 1000 = 01 02 09 02 00 e8 07
//
// So DEL, RENAME, EXPIRE and overwriting cost one entry however large the collection is; what it held is no
// collection's any more and is removed later (graveyard.ts).
// Invariants: count is the number of elements, at least 1 where a head is stored.
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

export type CollectionType = 'hash' | 'list' | 'set' | 'zset'

const TYPES: readonly (CollectionType | undefined)[] = [undefined, 'hash', 'list', 'set', 'zset']
const VERSION = 1
/** A new list begins in the middle, so that it grows both ways. */
export const LIST_MIDDLE = 2 ** 46

export class Head {
  readonly type: CollectionType
  readonly generation: number
  /** The start of the keys of its elements. */
  readonly prefix: string
  count: number
  /** us since the epoch; 0: never. */
  expiresUs: number
  /** Of a list: the index of its first element. */
  first: number

  constructor(type: CollectionType, generation: number, count = 0, expiresUs = 0, first = LIST_MIDDLE) {
    this.type = type
    this.generation = generation
    this.prefix = generation.toString(36).padStart(11, '0')
    this.count = count
    this.expiresUs = expiresUs
    this.first = first
  }
}

export function encodeHead(head: Head): Uint8Array {
  const out = new ByteWriter(32)
  out.u8(VERSION)
  out.u8(TYPES.indexOf(head.type))
  out.varint(head.generation)
  out.varint(head.count)
  out.varint(head.expiresUs)
  if (head.type === 'list') out.varint(head.first)
  return out.copy()
}

/** @throws {VarveError} VARVE_RESP_HEAD, VARVE_TRUNCATED when the bytes are no head */
export function decodeHead(value: Uint8Array): Head {
  const from = new ByteReader(value)
  const version = from.u8()
  const type = TYPES[from.u8()]
  if (version !== VERSION || type === undefined) {
    throw new VarveError('VARVE_RESP_HEAD', `Cannot read head of a collection: version ${version}`)
  }
  const generation = from.varint()
  const count = from.varint()
  const expiresUs = from.varint()
  return new Head(type, generation, count, expiresUs, type === 'list' ? from.varint() : LIST_MIDDLE)
}

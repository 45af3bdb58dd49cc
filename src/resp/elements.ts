// The elements of collections, each an entry of its own, so that a change of one writes one.
//
//   namespace redis.parts    key := prefix | place      hash, set: place := "-" member         value := value
//                                                                   or "+" start digest         value := varint
//                                                                        length of member | member | value
//                                                       list: place := index in base 36, 10 digits
//                                                       zset: as hash, value := score f64 big-endian
//   namespace redis.scores   key := prefix | score | place        of a sorted set, in the order of its scores
// prefix is the generation in base 36, 11 digits; score is 16 hexadecimal digits that sort as the number.
// A member over 800 bytes does not fit a key: start is its first 512 bytes, digest the SHA-256 of all in
// hexadecimal. Such members come before the others; among themselves they are in order by the first 512.
// Example: member "a" of generation 46 = 30 30 30 30 30 30 30 30 30 31 61 2d 61
//
// Not here: how many there are (head.ts), what commands do with them.
import { createHash } from 'node:crypto'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Entry } from '../kv/entry.ts'
import type { Head } from './head.ts'
import { Ranks, type Walk } from './ranks.ts'
import type { Space } from './space.ts'

export const PARTS = 'redis.parts'
export const SCORES = 'redis.scores'
const PARTS_START = PARTS.length + 1
const SCORES_START = SCORES.length + 1
const PREFIX = 11
const SCORE = 16
const MEMBER_KEY_BYTES_MAX = 800
const LONG_START = 512
const EMPTY = Buffer.alloc(0)
const INDEX_DIGITS = 10
/** So many members of a sorted set are walked over rather than counted by landmarks. */
const WALKED_MAX = 512

/** An element of a hash or a set, or the place of a list. */
export interface Element {
  readonly member: string
  readonly value: Uint8Array
}

export interface Scored {
  readonly member: string
  readonly score: number
}

/** All collections' elements: generations tell them apart. */
export class Elements {
  private readonly space: Space
  private readonly ranks = new Ranks()

  constructor(space: Space) {
    this.space = space
  }

  // --- hashes and sets: by member ---

  get(head: Head, member: string): Uint8Array | undefined {
    const found = this.space.get(PARTS, head.prefix + placeOf(member))?.value
    return found === undefined || member.length <= MEMBER_KEY_BYTES_MAX ? found : longOf(found).value
  }

  has(head: Head, member: string): boolean {
    return this.space.get(PARTS, head.prefix + placeOf(member)) !== undefined
  }

  put(head: Head, member: string, value: Uint8Array = EMPTY): void {
    const stored = member.length <= MEMBER_KEY_BYTES_MAX ? value : longValue(member, value)
    this.space.put(PARTS, head.prefix + placeOf(member), stored)
  }

  delete(head: Head, member: string): void {
    this.space.delete(PARTS, head.prefix + placeOf(member))
  }

  /** All, in the order of their places. @param after  only those behind this place, as placeOf() gives it */
  *all(head: Head, after?: string): Generator<Element, void, undefined> {
    const from = after === undefined ? {} : { from: `${head.prefix}${after}\0` }
    for (const entry of this.space.scan(PARTS, { prefix: head.prefix, ...from })) yield elementOf(entry)
  }

  // --- lists: by index ---

  at(head: Head, index: number): Uint8Array | undefined {
    return this.space.get(PARTS, head.prefix + indexPlace(head.first + index))?.value
  }

  /** @param index  counted from the first; may be -1 or count, before the head is changed */
  setAt(head: Head, index: number, value: Uint8Array): void {
    this.space.put(PARTS, head.prefix + indexPlace(head.first + index), value)
  }

  removeAt(head: Head, index: number): void {
    this.space.delete(PARTS, head.prefix + indexPlace(head.first + index))
  }

  /** Values of a list from one index to another, both included. */
  *values(head: Head, from: number, to: number): Generator<Uint8Array, void, undefined> {
    if (from > to) return
    const bounds = {
      from: head.prefix + indexPlace(head.first + from),
      to: head.prefix + indexPlace(head.first + to + 1)
    }
    for (const { value } of this.space.scan(PARTS, bounds)) yield value
  }

  // --- sorted sets: by member and by score ---

  score(head: Head, member: string): number | undefined {
    const value = this.get(head, member)
    return value === undefined ? undefined : readScore(value)
  }

  setScore(head: Head, member: string, score: number, before: number | undefined): void {
    if (before !== undefined) this.removeScore(head, member, before)
    const value = Buffer.allocUnsafe(8)
    value.writeDoubleBE(score)
    this.put(head, member, value)
    const isLong = member.length > MEMBER_KEY_BYTES_MAX
    const place = scorePlace(member, score)
    this.space.put(SCORES, head.prefix + place, isLong ? Buffer.from(member, 'latin1') : EMPTY)
    this.ranks.added(head, place)
  }

  removeScored(head: Head, { member, score }: Scored): void {
    this.delete(head, member)
    this.removeScore(head, member, score)
  }

  private removeScore(head: Head, member: string, score: number): void {
    const place = scorePlace(member, score)
    this.space.delete(SCORES, head.prefix + place)
    this.ranks.removed(head, place)
  }

  /** By score, then member. Bounds are scores: low included; high included as well, unless it is left out. */
  *byScore(
    head: Head,
    { low, high, reverse = false }: { low?: number; high?: number; reverse?: boolean } = {}
  ): Generator<Scored, void, undefined> {
    const bounds = {
      prefix: head.prefix,
      ...(low === undefined ? {} : { from: head.prefix + sortable(low) }),
      ...(high === undefined ? {} : { to: head.prefix + scoreBound(high, true) })
    }
    for (const entry of this.space.scan(SCORES, { ...bounds, reverse })) yield scoredOf(entry)
  }

  /** How many members come before one that is there, or behind it when reversed. */
  rank(head: Head, { member, score }: Scored, reverse: boolean): number {
    const place = scorePlace(member, score)
    return reverse ? this.countWithin(head, `${place}\0`, null) : this.countWithin(head, '', place)
  }

  /** How many members are from one bound to another, as scoreBound() gives them. @param to  null: the end */
  countWithin(head: Head, from: string, to: string | null): number {
    let n = 0
    for (const _ of this.places(head, from, to)) if (++n > WALKED_MAX) break
    if (n <= WALKED_MAX) return n
    const walk = this.walkOf(head)
    const below = from === '' ? 0 : this.ranks.below(head, from, walk)
    return (to === null ? head.count : this.ranks.below(head, to, walk)) - below
  }

  /** Members from a rank on, upwards, or downwards when reversed: 0 <= rank < count. */
  *fromRank(head: Head, rank: number, reverse: boolean): Generator<Scored, void, undefined> {
    const fromEnd = head.count - 1 - rank
    const isNear = (reverse ? fromEnd : rank) <= WALKED_MAX
    const start = isNear
      ? { from: '', to: null, skip: rank, skipBack: fromEnd }
      : this.ranks.start(head, rank, this.walkOf(head))
    const { from, to } = start
    let skip = reverse ? start.skipBack : start.skip
    const bounds = {
      prefix: head.prefix,
      ...(reverse || from === '' ? {} : { from: head.prefix + from }),
      ...(!reverse || to === null ? {} : { to: head.prefix + to })
    }
    for (const entry of this.space.scan(SCORES, { ...bounds, reverse }))
      if (skip-- <= 0) yield scoredOf(entry)
  }

  private walkOf(head: Head): Walk {
    return (from, to) => this.places(head, from, to)
  }

  private *places(head: Head, from: string, to: string | null): Generator<string, void, undefined> {
    const bounds = { from: head.prefix + from, ...(to === null ? {} : { to: head.prefix + to }) }
    const start = SCORES_START + PREFIX
    for (const { stored } of this.space.scan(SCORES, { prefix: head.prefix, ...bounds })) {
      yield stored.slice(start)
    }
  }
}

/** Where a member lies behind the prefix. */
export function placeOf(member: string): string {
  if (member.length <= MEMBER_KEY_BYTES_MAX) return `-${member}`
  const digest = createHash('sha256').update(member, 'latin1').digest('hex')
  return `+${member.slice(0, LONG_START)}${digest}`
}

function indexPlace(index: number): string {
  return index.toString(36).padStart(INDEX_DIGITS, '0')
}

function longValue(member: string, value: Uint8Array): Uint8Array {
  const out = new ByteWriter(member.length + value.length + 8)
  out.varint(member.length)
  out.raw(Buffer.from(member, 'latin1'))
  out.raw(value)
  return out.copy()
}

function longOf(stored: Uint8Array): Element {
  const from = new ByteReader(stored)
  const member = Buffer.from(from.raw(from.varint())).toString('latin1')
  return { member, value: from.raw(from.left) }
}

function elementOf({ stored, value }: Entry): Element {
  const place = stored.slice(PARTS_START + PREFIX)
  return place.startsWith('+') ? longOf(value) : { member: place.slice(1), value }
}

function scoredOf({ stored, value }: Entry): Scored {
  const rest = stored.slice(SCORES_START + PREFIX)
  const place = rest.slice(SCORE)
  const member = place.startsWith('+') ? Buffer.from(value).toString('latin1') : place.slice(1)
  return { member, score: unsortable(rest.slice(0, SCORE)) }
}

/** Where a member lies among the scores, behind the prefix. */
function scorePlace(member: string, score: number): string {
  return sortable(score) + placeOf(member)
}

/**
 * A bound among the scores: the members below it are those below the score, or up to it.
 * @param isIncluded  members of that score are below the bound
 */
export function scoreBound(score: number, isIncluded: boolean): string {
  // The places begin with "+" or "-": below "~".
  return isIncluded ? `${sortable(score)}~` : sortable(score)
}

export function readScore(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, value.length).readDoubleBE(0)
}

const room = new DataView(new ArrayBuffer(8))

/** 16 hexadecimal digits that sort as the numbers do; -0 is 0. */
export function sortable(score: number): string {
  room.setFloat64(0, score === 0 ? 0 : score)
  const bits = room.getBigUint64(0)
  const turned = bits >> 63n === 1n ? ~bits & 0xffff_ffff_ffff_ffffn : bits | (1n << 63n)
  return turned.toString(16).padStart(SCORE, '0')
}

export function unsortable(digits: string): number {
  const turned = BigInt(`0x${digits}`)
  room.setBigUint64(0, turned >> 63n === 1n ? turned ^ (1n << 63n) : ~turned & 0xffff_ffff_ffff_ffffn)
  return room.getFloat64(0)
}

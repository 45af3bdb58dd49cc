// Ranges of sorted sets: by rank, by score, by member; how their bounds are written, and the members within.
//
// Nothing outside of a range is read, but for a stretch before its rank (ranks.ts), and ranges by member, which go
// through the set.
// Not here: the commands (zset-range-commands.ts).
import type { Database } from './database.ts'
import { type Scored, scoreBound } from './elements.ts'
import type { Head } from './head.ts'
import { rangeOf } from './list-commands.ts'
import { parseLoosely } from './numbers.ts'
import { fail } from './reply-error.ts'

export interface ScoreBounds {
  readonly low: number
  readonly high: number
  readonly lowOpen: boolean
  readonly highOpen: boolean
}

/** "1.5", "(1.5", "-inf". @throws {ReplyError} */
export function scoreBounds(low: string, high: string): ScoreBounds {
  const read = (text: string): { value: number; isOpen: boolean } => {
    const isOpen = text.startsWith('(')
    const value = parseLoosely(isOpen ? text.slice(1) : text)
    return value === null ? fail('ERR min or max is not a float') : { value, isOpen }
  }
  const [from, to] = [read(low), read(high)]
  return { low: from.value, high: to.value, lowOpen: from.isOpen, highOpen: to.isOpen }
}

export function isInScores({ low, high, lowOpen, highOpen }: ScoreBounds, score: number): boolean {
  return (lowOpen ? score > low : score >= low) && (highOpen ? score < high : score <= high)
}

export interface LexBounds {
  /** null: no bound on this side; 'none': nothing is within. */
  readonly low: { text: string; isOpen: boolean } | null | 'none'
  readonly high: { text: string; isOpen: boolean } | null | 'none'
}

/** "[a", "(a", "-", "+". @throws {ReplyError} */
export function lexBounds(low: string, high: string): LexBounds {
  const read = (text: string, none: string, all: string): LexBounds['low'] => {
    if (text === all) return null
    if (text === none) return 'none'
    if (text[0] !== '[' && text[0] !== '(') fail('ERR min or max not valid string range item')
    return { text: text.slice(1), isOpen: text[0] === '(' }
  }
  return { low: read(low, '+', '-'), high: read(high, '-', '+') }
}

function isInLex({ low, high }: LexBounds, member: string): boolean {
  if (low === 'none' || high === 'none') return false
  if (low !== null && (low.isOpen ? member <= low.text : member < low.text)) return false
  return high === null || (high.isOpen ? member < high.text : member <= high.text)
}

/** Members by rank, from one to another as in LRANGE. */
export function byRank(db: Database, head: Head, start: number, end: number, reverse: boolean): Scored[] {
  const { from, to } = rangeOf(start, end, head.count)
  const found: Scored[] = []
  if (from > to) return found
  const take = to - from + 1
  if (head.count - 1 - to < from) {
    // The other end is nearer.
    for (const scored of db.elements.fromRank(head, reverse ? head.count - 1 - to : to, !reverse)) {
      found.push(scored)
      if (found.length === take) break
    }
    return found.reverse()
  }
  for (const scored of db.elements.fromRank(head, reverse ? head.count - 1 - from : from, reverse)) {
    found.push(scored)
    if (found.length === take) break
  }
  return found
}

/** How many members have a score within bounds. */
export function countByScore(
  db: Database,
  head: Head,
  { low, high, lowOpen, highOpen }: ScoreBounds
): number {
  const [from, to] = [scoreBound(low, lowOpen), scoreBound(high, !highOpen)]
  return from >= to ? 0 : db.elements.countWithin(head, from, to)
}

/** Members by score, the greatest first when reversed. */
export function* byScore(
  db: Database,
  head: Head,
  bounds: ScoreBounds,
  reverse: boolean
): Generator<Scored, void, undefined> {
  if (bounds.low > bounds.high) return
  for (const scored of db.elements.byScore(head, { low: bounds.low, high: bounds.high, reverse })) {
    if (isInScores(bounds, scored.score)) yield scored
  }
}

/** Members by their bytes, of a set whose scores are equal. */
export function* byLex(
  db: Database,
  head: Head,
  bounds: LexBounds,
  reverse: boolean
): Generator<Scored, void, undefined> {
  if (bounds.low === 'none' || bounds.high === 'none') return
  for (const scored of db.elements.byScore(head, { reverse }))
    if (isInLex(bounds, scored.member)) yield scored
}

/** Skips some, takes some; a negative count takes all. */
export function limited(all: Iterable<Scored>, offset: number, count: number): Scored[] {
  const found: Scored[] = []
  let skip = offset
  if (offset < 0) return found
  for (const scored of all) {
    if (skip-- > 0) continue
    if (count >= 0 && found.length >= count) break
    found.push(scored)
  }
  return found
}

/** How many members come before one; -1: it is none. */
export function rankOf(db: Database, head: Head, member: string, reverse: boolean): number {
  const score = db.elements.score(head, member)
  if (score === undefined) return -1
  return db.elements.rank(head, { member, score }, reverse)
}

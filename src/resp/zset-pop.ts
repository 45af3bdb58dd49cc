// Taking the least or the greatest members of a sorted set, and removing members.
import type { Database } from './database.ts'
import type { Scored } from './elements.ts'
import type { Head } from './head.ts'
import type { Reply } from './reply.ts'

export type End = 'min' | 'max'

/** Removes up to so many from one end; the set is there. */
export function popScored(db: Database, key: string, head: Head, end: End, count: number): Scored[] {
  const found: Scored[] = []
  if (count === 0) return found
  for (const scored of db.elements.byScore(head, { reverse: end === 'max' })) {
    found.push(scored)
    if (found.length >= count) break
  }
  removeScored(db, key, head, found, `zpop${end}`)
  return found
}

/** Removes members with their scores, tells it, and the key where none is left. */
export function removeScored(
  db: Database,
  key: string,
  head: Head,
  members: readonly Scored[],
  what: string
): void {
  if (members.length === 0) return
  for (const scored of members) db.elements.removeScored(head, scored)
  head.count -= members.length
  db.changed(key, 'z', what)
  db.saveOrRemove(key, head)
}

/** Member and score, one behind the other. */
export function writeScored(out: Reply, { member, score }: Scored): void {
  out.text(member)
  out.double(score)
}

/** Members, with their scores: flat in RESP2, in pairs in RESP3. */
export function writeAll(out: Reply, members: readonly Scored[], hasScores: boolean): void {
  const isPaired = hasScores && out.protocol === 3
  out.array(hasScores && !isPaired ? members.length * 2 : members.length)
  for (const scored of members) {
    if (isPaired) out.array(2)
    out.text(scored.member)
    if (hasScores) out.double(scored.score)
  }
}

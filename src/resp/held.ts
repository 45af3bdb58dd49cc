// Replies of one connection that wait for a sync, in order: pieces, each with the WAL group that it waits for.
// Invariants: groups ascend, so that a piece behind another never goes before it; bytes counts what is held.
// Not here: which group a reply waits for (space.ts), sending (connection.ts).
import type { Taken } from './reply.ts'

export class HeldReplies {
  bytes = 0
  private groups: number[] = []
  private pieces: Taken[] = []

  get isEmpty(): boolean {
    return this.pieces.length === 0
  }

  hold(group: number, piece: Taken): void {
    const last = this.groups.at(-1) ?? 0
    this.groups.push(group > last ? group : last)
    this.pieces.push(piece)
    this.bytes += piece.length
  }

  /** What waited for the group or one before it, joined; null: nothing did. */
  release(group: number): Taken | null {
    const { groups, pieces } = this
    let n = 0
    while (n < groups.length && groups[n]! <= group) n++
    if (n === 0) return null
    let ready: Taken
    if (n === 1) ready = pieces[0]!
    else {
      const some = pieces.slice(0, n)
      ready = some.every(piece => typeof piece === 'string')
        ? some.join('')
        : Buffer.concat(some.map(bytesOf))
    }
    if (n === pieces.length) groups.length = pieces.length = 0
    else {
      groups.splice(0, n)
      pieces.splice(0, n)
    }
    this.bytes -= ready.length
    return ready
  }

  clear(): void {
    this.groups.length = this.pieces.length = 0
    this.bytes = 0
  }
}

function bytesOf(piece: Taken): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
}

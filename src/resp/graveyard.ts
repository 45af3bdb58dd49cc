// Elements of collections that are gone: removed in small steps after the reply, so that DEL of a million
// elements costs one entry and stops nobody.
//
//   namespace redis.dead   key := prefix of the collection (elements.ts), value := type name
// Written with the removal of the head, in one piece: a cut leaves either the collection or its grave, and what a
// run did not finish the next one does.
//
// Few elements are removed at once: a grave would cost more. Not here: which collections go (database.ts).
import type { Clock } from '../base/clock.ts'
import { PARTS, SCORES } from './elements.ts'
import type { Head } from './head.ts'
import type { Space } from './space.ts'

const DEAD = 'redis.dead'
const AT_ONCE_MAX = 32
const STEP_ELEMENTS = 500
const STEP_MS = 5

export class Graveyard {
  private readonly space: Space
  private readonly clock: Clock
  private readonly onError: (error: unknown) => void
  private cancel: (() => void) | null = null
  private isClosed = false

  constructor(space: Space, clock: Clock, onError: (error: unknown) => void) {
    this.space = space
    this.clock = clock
    this.onError = onError
  }

  /** Goes on with what an earlier run left. */
  start(): void {
    this.later()
  }

  stop(): void {
    this.isClosed = true
    this.cancel?.()
  }

  /** The head of a collection is gone, in the same piece. */
  bury(head: Head): void {
    if (head.count > AT_ONCE_MAX) {
      this.space.put(DEAD, head.prefix, Buffer.from(head.type))
      this.later()
      return
    }
    this.remove(head.prefix, AT_ONCE_MAX * 2 + 2)
  }

  private later(): void {
    if (this.isClosed) return
    this.cancel ??= this.clock.after(STEP_MS, () => {
      this.cancel = null
      try {
        this.step()
      } catch (error) {
        // The store has no room now, or ended: the grave stays for the next step, or the next run.
        this.onError(error)
      }
      this.space.takeWait()
    })
  }

  private step(): void {
    for (const entry of this.space.scan(DEAD, { limit: 1 })) {
      const prefix = entry.keyText
      this.space.together(() => {
        if (this.remove(prefix, STEP_ELEMENTS) < STEP_ELEMENTS) this.space.delete(DEAD, prefix)
      })
      this.later()
    }
  }

  /** Removes at most so many elements. @returns how many */
  private remove(prefix: string, limit: number): number {
    let removed = 0
    for (const ns of [PARTS, SCORES]) {
      const keys = [...this.space.scan(ns, { prefix, limit: limit - removed })].map(entry =>
        entry.stored.slice(ns.length + 1)
      )
      for (const key of keys) this.space.delete(ns, key)
      removed += keys.length
      if (removed >= limit) break
    }
    return removed
  }
}

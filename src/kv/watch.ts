// A watch: the changes of a range of keys, from a version on, as an asynchronous iterator. It holds only
// its place in the history (history.ts), so that a reader that does not come back costs nothing.
//
// Invariants: each change of the range is given once, in the order of versions, after it is on the medium.
import type { Entry } from './entry.ts'
import type { History } from './history.ts'
import type { KeyRange } from './key.ts'

const CHANGES_AT_ONCE = 256

export class Watch implements AsyncIterable<Entry> {
  private readonly history: History
  private readonly range: KeyRange
  private at: number
  private open = true
  private wake: (() => void) | null = null

  /** @param after  the version that the watcher knows already @throws {VarveError} VARVE_WATCH_OLD */
  constructor(history: History, range: KeyRange, after: number) {
    this.history = history
    this.range = range
    this.at = after
    history.after(after, 0)
  }

  /** The version up to which changes were given: where a later watch goes on. */
  get version(): number {
    return this.at
  }

  /**
   * Changes that are ready now, in order; a tombstone tells of a delete.
   * @param limit  the most changes to look at
   * @throws {VarveError} VARVE_WATCH_OLD when the watch fell behind what is kept
   */
  take(limit = CHANGES_AT_ONCE): Entry[] {
    if (!this.open) return []
    const seen = this.history.after(this.at, limit)
    if (seen.length > 0) this.at = seen.at(-1)!.version
    return seen.filter(entry => this.watches(entry))
  }

  /** Every change until close(). @throws {VarveError} VARVE_WATCH_OLD when the watch fell behind what is kept */
  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, undefined> {
    try {
      while (this.open && !this.history.closed) {
        const seen = this.history.after(this.at, CHANGES_AT_ONCE)
        if (seen.length === 0) await this.more()
        for (const entry of seen) {
          if (!this.open) return
          this.at = entry.version
          if (this.watches(entry)) yield entry
        }
      }
    } finally {
      this.close()
    }
  }

  close(): void {
    this.open = false
    this.wake?.()
  }

  private watches({ stored }: Entry): boolean {
    return stored >= this.range.low && stored < this.range.high
  }

  private more(): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.history.wait(resolve)
      this.wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

// Keeps what queries may still read: the files of dropped and merged segments, and the pages of flushed
// heads. A worker that was told of them uses them as long as the query goes on that was started before.
//
// Invariants: a file is removed, and a page used again, once, after every query that may know it has ended;
// files that a crash leaves are removed at the next open (the manifest does not name them).
// Not here: which segments go (series/retention.ts, series/merge-plan.ts).

export class SegmentPins {
  private readonly remove: (id: number) => void
  private version = 0
  private readonly active = new Map<number, number>()
  private retired: { readonly done: () => void; readonly version: number }[] = []

  /** @param remove  deletes the file of a segment; must not throw */
  constructor(remove: (id: number) => void) {
    this.remove = remove
  }

  /** A query begins; call the result when it has ended. */
  pin(): () => void {
    const { version } = this
    this.active.set(version, (this.active.get(version) ?? 0) + 1)
    let isPinned = true
    return () => {
      if (!isPinned) return
      isPinned = false
      const left = this.active.get(version)! - 1
      if (left === 0) this.active.delete(version)
      else this.active.set(version, left)
      this.sweep()
    }
  }

  /** Segments left the manifest: their files go when nobody can read them any more. */
  retire(ids: readonly number[]): void {
    this.after(() => {
      for (const id of ids) this.remove(id)
    })
  }

  /** Calls back when every query that is under way now has ended. */
  after(done: () => void): void {
    this.retired.push({ done, version: this.version })
    this.version++
    this.sweep()
  }

  private sweep(): void {
    const oldest = Math.min(...this.active.keys(), Number.POSITIVE_INFINITY)
    const free = this.retired.filter(({ version }) => version < oldest)
    if (free.length === 0) return
    this.retired = this.retired.filter(({ version }) => version >= oldest)
    for (const { done } of free) done()
  }
}

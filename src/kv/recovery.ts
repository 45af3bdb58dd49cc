// What the store learns from the WAL at open: entries not yet in segments, and the changes watches may
// ask for. Sections may come twice and out of order of version (carried ones); versions decide.
//
// Invariants: after finish() the memtable holds exactly the entries that are later than what segments
// hold, and the history every change after its floor.
// Not here: finding and checking the WAL's records (engine).
import { assert } from '../base/assert.ts'
import { VERSION_MAX } from './entry.ts'
import { wordOf } from './entry-log.ts'
import type { History } from './history.ts'
import type { Versions } from './maintenance.ts'
import type { Memtables } from './memtables.ts'
import { readSections, SECTION_NEW } from './section.ts'

/** More than can ever be unsynced at once, pending and on its way: each write takes at least 3 bytes of pendingBytesMax. */
const VERSIONS_SKIPPED = 2 ** 25
/** The group of what was found at open: it is on the medium. */
const DURABLE_GROUP = 0

export class Recovery {
  private readonly memtables: Memtables
  private readonly history: History
  /** The greatest version seen. */
  version = 0
  private newest = 0
  private firstFloor = -1
  private gap = false

  constructor(memtables: Memtables, history: History) {
    this.memtables = memtables
    this.history = history
  }

  /** Takes one payload of the WAL. @throws {VarveError} VARVE_SECTION, VARVE_TRUNCATED, VARVE_SQUEEZED, VARVE_ENTRY */
  replay(payload: Uint8Array): void {
    readSections(payload, (kind, entries) => {
      for (const entry of entries) {
        this.version = Math.max(this.version, entry.version)
        const address = this.memtables.replayed(entry)
        if (kind === SECTION_NEW && entry.version > this.newest) this.tell(entry.version, address)
      }
    })
    this.history.synced(DURABLE_GROUP)
  }

  /** Some of the WAL cannot be read: watches from before it would miss what was in it. */
  lost(): void {
    this.gap = true
    this.firstFloor = -1
  }

  /**
   * All was replayed.
   * @param segments  the greatest version of each segment
   * @returns the version that new writes follow
   */
  finish(versions: Versions, segments: readonly number[]): number {
    const start = Math.max(this.version, versions.next, ...segments) + VERSIONS_SKIPPED
    assert(start < VERSION_MAX, 'versions last longer than the medium')
    // An adopted segment came without its note; a segment has all that the memtable had.
    this.memtables.dropUpTo(Math.max(versions.flushed, ...segments))
    if (this.firstFloor === -1) this.history.restart(this.gap ? start : versions.told)
    else if (!this.gap && this.history.floor === this.firstFloor) {
      this.history.floor = Math.min(this.firstFloor, versions.told)
    }
    return start
  }

  private tell(version: number, address: number): void {
    this.newest = version
    if (this.firstFloor === -1) {
      this.firstFloor = version - 1
      this.history.restart(this.firstFloor)
    }
    this.history.push(this.memtables.slabOf(address), wordOf(address), DURABLE_GROUP)
  }
}

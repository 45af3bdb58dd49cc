// Which WAL files are still needed, by whom, when the next one is due, and who is told when they run short: each owner
// has a checkpoint, the first file that it needs, and a file is free when no owner needs it any more.
//
// Invariants: a checkpoint only moves forward; every owner has one; the next file is due once a file.
// Not here: the files (wal-files.ts), when it is looked whether they are short (wal.ts).
import { assert } from '../base/assert.ts'
import { VarveError } from '../base/errors.ts'
import type { WalFiles } from './wal-files.ts'
import type { WalOwner, WalPressure } from './wal-owner.ts'

/** So many files that are not pinned are few: the current one and two more, which are written while owners flush. */
const SHORT_FILES = 3

export class WalNeeds {
  private readonly files: WalFiles
  private readonly checkpoints: Map<number, number>
  private readonly listeners: ((pressure: WalPressure) => void)[] = []
  private isNextMade = false

  constructor(
    files: WalFiles,
    owners: readonly Pick<WalOwner, 'kind'>[],
    checkpoints: ReadonlyMap<number, number>
  ) {
    this.files = files
    this.checkpoints = new Map(checkpoints)
    for (const owner of owners) assert(this.checkpoints.has(owner.kind), 'every owner has a checkpoint')
  }

  /** Whether it is time to make the next file ready: once a file, when half of it is used. */
  isNextDue(used: number): boolean {
    const isHalfUsed = used * 2 >= this.files.fileBytes
    const isDue = isHalfUsed && !this.isNextMade
    this.isNextMade = isHalfUsed
    return isDue
  }

  /** Two files or fewer are left beside the current one. */
  get areShort(): boolean {
    return this.files.pinnedCount + SHORT_FILES >= this.files.filesMax
  }

  /** The state of the files. @param full  the WAL waits for one */
  pressure(full: boolean): WalPressure {
    const { files } = this
    const oldest = Math.min(...this.checkpoints.values())
    const kinds = [...this.checkpoints].filter(([, at]) => at === oldest).map(([kind]) => kind)
    const { count, pinnedCount: filesPinned, filesMax, diskFull } = files
    return { files: count, filesPinned, filesMax, full, diskFull, kinds }
  }

  /** Why so many bytes are not accepted while `pending` of at most `max` wait. @param full  the WAL waits for a file */
  refusal(bytes: number, pending: number, max: number, full: boolean): VarveError {
    const why = this.files.diskFull
      ? 'the medium is full'
      : full
        ? 'every WAL file is waiting for a flush'
        : 'the medium is slower than the writers'
    return new VarveError(
      'VARVE_WAL_FULL',
      `Cannot accept ${bytes} bytes: ${pending} are pending, ${max} at most, ${why}`
    )
  }

  /** Called by press(). */
  onPressure(listener: (pressure: WalPressure) => void): void {
    this.listeners.push(listener)
  }

  /** Tells that files are short: owners have to flush. */
  press(full: boolean): void {
    const pressure = this.pressure(full)
    for (const listener of this.listeners) listener(pressure)
  }

  /**
   * The checkpoint of an owner is durable.
   * @param next  the file that is to come: none needs a later one
   * @returns how many files became free
   */
  checkpoint(kind: number, walFile: number, next: number): number {
    const before = this.checkpoints.get(kind)
    assert(before !== undefined, 'a checkpoint belongs to an owner')
    assert(walFile >= before && walFile <= next, 'a checkpoint only moves forward')
    this.checkpoints.set(kind, walFile)
    return this.files.release(Math.min(...this.checkpoints.values()))
  }
}

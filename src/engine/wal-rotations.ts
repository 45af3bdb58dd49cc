// Who waits for the current file of the WAL to end. An owner whose rows are to leave the WAL asks for that, and
// gets the sequence number of the next file: what was drained before lies before it. All who wait when a
// file ends get the same answer, so that several flushes at a time cost one file.
//
// Invariant: each promise is settled once, by the end of a file or by the end of the WAL.
// Not here: when a file ends (wal.ts), files (wal-files.ts).
import type { VarveError } from '../base/errors.ts'

export class WalRotations {
  private waiting: PromiseWithResolvers<number>[] = []

  /** Somebody waits: the pending group is urgent, and its file ends after it. */
  get isAsked(): boolean {
    return this.waiting.length > 0
  }

  /** Resolves with the sequence number of the next file. @throws {VarveError} why the WAL ended before */
  ask(): Promise<number> {
    const rotation = Promise.withResolvers<number>()
    this.waiting.push(rotation)
    return rotation.promise
  }

  /** The file has ended, or none is to be had for a group: what is drained from now on goes to file `sequence`. */
  end(sequence: number): void {
    for (const rotation of this.take()) rotation.resolve(sequence)
  }

  /** The WAL has ended: no file follows. */
  fail(failure: VarveError): void {
    for (const rotation of this.take()) rotation.reject(failure)
  }

  /** They are asked anew, perhaps by who is answered. */
  private take(): PromiseWithResolvers<number>[] {
    const { waiting } = this
    this.waiting = []
    return waiting
  }
}

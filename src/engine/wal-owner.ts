// What the WAL asks of those whose payloads it carries, and what it tells about itself: types only, so that an
// owner needs to know nothing else of it.
// Not here: the WAL (wal.ts), how payloads lie in a group (wal-record.ts).
import type { ByteWriter } from '../base/bytes.ts'
import type { CorruptionError } from '../base/errors.ts'

/** One owner of WAL content. Kinds: 1 series, 2 kv. */
export interface WalOwner {
  readonly kind: number
  /**
   * At open: the payloads that this owner drained, in order, from its checkpoint on; a view, valid during the
   * call. `fresh` says that it was drained with fresh = true. The same payload may have been in a segment
   * already (rotate() says when): replaying it twice must give the same state as once.
   */
  replay(payload: Uint8Array, fresh: boolean): void
  /** Payloads between the last replay() and the next are lost. Until a fresh one, later ones may refer to them. */
  lost?(error: CorruptionError): void
  /**
   * Appends everything pending to `out` (no framing, only appending). Nothing appended: nothing pending.
   * With `fresh`, what is appended must be readable without any payload before it. This owner's first payload
   * in each file is fresh, so that it can replay from there.
   */
  drain(out: ByteWriter, fresh: boolean): void
}

/** What the files of the WAL look like when room is short. */
export interface WalPressure {
  /** Files that exist, and those of them whose groups an owner needs. */
  readonly files: number
  readonly filesPinned: number
  readonly filesMax: number
  /** The WAL cannot write the pending group before an owner's checkpoint frees a file, or the medium has room. */
  readonly full: boolean
  /** The medium had no room for another file, or for more of one. */
  readonly diskFull: boolean
  /** Kinds of the owners that pin the oldest file: these have to flush. */
  readonly kinds: readonly number[]
}

export interface WalStats {
  /** Groups written by this process. */
  groups: number
  /** Bytes written, padding included. */
  bytes: number
  /** Bytes of them that carry nothing. */
  paddingBytes: number
  /** Duration of the last write and sync, milliseconds. */
  lastSyncMs: number
  /** Longest so far, milliseconds. */
  syncMsMax: number
}

// What a file system adds to our writes, as ext4 does in its default mode: a model, because no program can
// see it from within. scripts/wear-check.ts holds it against the counters of a block device.
//
//   change            blocks of metadata it dirties
//   bytes in place    the inode (a new modification time)
//   a longer file     the inode
//   more blocks       the inode, a bitmap, the group's counts and one more (measured: four in all)
//   a name            the directory, its inode, and for a new or removed file the bitmap of inodes
//
// Dirty blocks are written to the log of the file system together: by a sync that needs them, else
// `commitMs` after the first of them, and each costs itself once; every commit COMMIT_BLOCKS more. Later each
// block goes to its own place, once for all commits within HOME_MS. Measured on Linux 6.18 with blocks of
// 4 KiB, a sync a second: in place 2,165 bytes a sync (model 2,165), 300 bytes appended 17,605 (17,800),
// 4 KiB appended 24,869 (25,000); in place with commit=60 410, with lazytime or noatime as without, with
// data=journal 16,677 (16,700), since every sync is a commit there that holds the data too.
//
// Invariants: a sync in place costs nothing by itself; who changes first pays for a commit that nobody asked
// for. A copy-on-write file system (btrfs) rewrites its tree for every sync: COPY_SYNC_BYTES each.
// A commit is two pieces of the medium, what it holds and its end behind a flush, and each block that goes home
// is another (wear-meter.ts says why that counts).
// Not here: bytes of files (wear-meter.ts), which file system it is (flash-probe.ts).
import type { Clock } from '../base/clock.ts'
import type { Cause } from './disk.ts'

export interface FileSystemFacts {
  /** Bytes of a block. */
  readonly blockBytes: number
  /** How long a change may wait for its commit, ms (mount option `commit`). */
  readonly commitMs: number
  /** It writes its tree anew for every sync. */
  readonly copiesOnWrite: boolean
  /** Bytes of files go through its log too (ext4, data=journal). */
  readonly logsData: boolean
}

/** ext4 as mkfs and mount make it on any medium of 512 MB and more. */
export const USUAL_FILE_SYSTEM: FileSystemFacts = {
  blockBytes: 4096,
  commitMs: 5000,
  copiesOnWrite: false,
  logsData: false
}

/** Blocks of a commit beside what it holds: its description and its end. */
const COMMIT_BLOCKS = 2
/** What it holds, and its end. */
const COMMIT_PIECES = 2
/** The kernel rounds the time of a commit up to its whole seconds: so much on average, ms. */
const ROUNDING_MS = 500
/** How long blocks of metadata collect changes before they are written to their own place, ms. */
const HOME_MS = 35_000
/** Bytes of one sync of 4 KiB on btrfs beyond them: 74 to 90 KB were measured. */
export const COPY_SYNC_BYTES = 78_000
/** Places that it writes them to: the new leaves and nodes, the log, the superblocks. */
const COPY_SYNC_PIECES = 4

/** What changed about a file or its directory. */
export type Change = 'bytes' | 'length' | 'blocks' | 'name' | 'existence'

const BLOCKS: Readonly<Record<Change, readonly string[]>> = {
  bytes: ['inodes'],
  length: ['inodes'],
  blocks: ['inodes', 'bitmap', 'counts', 'extents'],
  name: ['inodes', 'names'],
  existence: ['inodes', 'names', 'inode bitmap', 'counts']
}

export class MetadataCost {
  private readonly clock: Clock
  private readonly facts: FileSystemFacts
  private readonly charge: (cause: Cause, bytes: number, pieces: number) => void
  /** Blocks dirtied since the last commit. */
  private readonly dirty = new Set<string>()
  /** When each block was last counted on its way home, ms. */
  private readonly homeMs = new Map<string, number>()
  private firstMs = 0
  private firstCause: Cause = 'other'

  /** @param charge  told of bytes, in how many pieces, and whose they are */
  constructor(
    clock: Clock,
    facts: FileSystemFacts,
    charge: (cause: Cause, bytes: number, pieces: number) => void
  ) {
    this.clock = clock
    this.facts = facts
    this.charge = charge
  }

  get blockBytes(): number {
    return this.facts.blockBytes
  }

  /** Something of a file in `dir` changed. */
  changed(change: Change, dir: string, cause: Cause): void {
    this.expire()
    if (this.dirty.size === 0) {
      this.firstMs = this.clock.monotonicMs()
      this.firstCause = cause
    }
    for (const block of BLOCKS[change]) this.dirty.add(`${dir}\n${block}`)
  }

  /** A sync of so many blocks of bytes; with `needsCommit` it has to make changes of metadata durable. */
  synced(needsCommit: boolean, cause: Cause, dataBlocks = 0): void {
    this.expire()
    if (this.facts.copiesOnWrite) this.charge(cause, COPY_SYNC_BYTES, COPY_SYNC_PIECES)
    else if (this.facts.logsData) this.commit(cause, dataBlocks)
    else if (needsCommit) this.commit(cause)
  }

  /** Counts a commit that came by itself since the last call. */
  expire(): void {
    if (this.dirty.size === 0) return
    const ageMs = this.clock.monotonicMs() - this.firstMs
    if (ageMs >= this.facts.commitMs + ROUNDING_MS) this.commit(this.firstCause)
  }

  /** Counts what is dirty as committed: nobody will ask this model again. */
  end(): void {
    this.commit(this.firstCause)
  }

  private commit(cause: Cause, dataBlocks = 0): void {
    if (this.dirty.size === 0) return
    const nowMs = this.clock.monotonicMs()
    let blocks = COMMIT_BLOCKS + this.dirty.size + dataBlocks
    let pieces = COMMIT_PIECES
    for (const block of this.dirty) {
      const lastMs = this.homeMs.get(block)
      if (lastMs !== undefined && nowMs - lastMs < HOME_MS) continue
      this.homeMs.set(block, nowMs)
      blocks++
      pieces++
    }
    this.dirty.clear()
    if (!this.facts.copiesOnWrite) this.charge(cause, blocks * this.facts.blockBytes, pieces)
  }
}

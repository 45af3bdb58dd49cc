// Puts together what the owners have pending: one group, a section each.
//
// Invariant: after a restart point an owner's next payload is fresh, whenever it comes.
// Not here: the bytes of group and section (wal-record.ts), when a group is due (wal.ts).
import { ByteWriter } from '../base/bytes.ts'
import type { WalOwner } from './wal-owner.ts'
import { beginGroup, beginSection, endSection, GROUP_HEADER_BYTES } from './wal-record.ts'

/** Buffers larger than this are given back after a burst, bytes. */
const BUFFER_KEPT_BYTES = 1024 * 1024

export class GroupBuilder {
  /** The group, without its header until it is written. */
  out = new ByteWriter(64 * 1024)
  private readonly owners: readonly WalOwner[]
  /** Owners that drained nothing since the last restart point: their next payload has to be fresh. */
  private readonly stale = new Set<WalOwner>()

  constructor(owners: readonly WalOwner[]) {
    this.owners = owners
  }

  /** No owner had anything pending. */
  get isEmpty(): boolean {
    return this.out.length <= GROUP_HEADER_BYTES
  }

  /** Takes what is pending from every owner. @param restart  the group is a restart point */
  build(restart: boolean): void {
    if (restart) for (const owner of this.owners) this.stale.add(owner)
    const { out } = this
    beginGroup(out)
    for (const owner of this.owners) {
      const fresh = this.stale.has(owner)
      const at = beginSection(out, owner.kind, fresh)
      owner.drain(out, fresh)
      if (endSection(out, at) > 0 && fresh) this.stale.delete(owner)
    }
  }

  /** The group was written. */
  written(): void {
    if (this.out.bytes.length > BUFFER_KEPT_BYTES) this.out = new ByteWriter(64 * 1024)
  }
}

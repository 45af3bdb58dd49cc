// Checks what is stored: reads every block of every segment, with its checksum, and decodes each entry. Gives way
// between blocks, so that it may run beside everything else.
// Not here: the WAL and the manifest, which are checked when they are read at open (engine).
import { CorruptionError } from '../base/errors.ts'
import { giveWay } from './segment-job.ts'
import type { PinnedTables } from './tables.ts'

export interface VerifyReport {
  readonly segments: number
  readonly blocks: number
  /** Overwritten ones and tombstones too. */
  readonly entries: number
  /** Blocks that cannot be read. */
  readonly damaged: number
}

/** @param onDamage  told of each block that cannot be read */
export async function verifySegments(
  pinned: PinnedTables,
  onDamage: (error: CorruptionError) => void
): Promise<VerifyReport> {
  let [blocks, entries, damaged] = [0, 0, 0]
  try {
    for (const { segment } of pinned.segments) {
      for (let block = 0; block < segment.blocks; block++) {
        blocks++
        try {
          entries += segment.checkBlock(block)
        } catch (error) {
          if (!(error instanceof CorruptionError)) throw error
          damaged++
          onDamage(error)
        }
        await giveWay()
      }
    }
    return { segments: pinned.segments.length, blocks, entries, damaged }
  } finally {
    pinned.release()
  }
}

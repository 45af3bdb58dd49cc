// What another process of ours made the medium of the data write: `varve backup`, beside a daemon or without one. It
// leaves a slip in the data directory; the daemon that runs, or the next one, adds it to its counts and takes it away.
//
//   <data>/WEAR-<pid>-<time in us> := JSON: by cause {"bytes", "writes", "syncs", "metadataBytes", "pieces"}
// Example: {"other":{"bytes":5,"writes":1,"syncs":1,"metadataBytes":4091,"pieces":1}}; causes left out wrote nothing
//
// Invariant: a slip is counted once, but for a daemon that is killed before its next save of the ledger (small-notes.ts).
// Not here: counting (disk/wear-meter.ts), the ledger (wear-ledger.ts).
import type { Clock } from '../base/clock.ts'
import { CorruptionError } from '../base/errors.ts'
import { readWhole, writeAtomic } from '../disk/atomic-file.ts'
import { CAUSES, type Disk } from '../disk/disk.ts'
import type { WearCount, WearCounts } from '../disk/wear-meter.ts'

const NAME = /^WEAR-\d+-\d+$/
const EVERY_MS = 60_000
const FIELDS = ['bytes', 'writes', 'syncs', 'metadataBytes', 'pieces'] as const

/** Leaves a slip in the data directory. @throws {VarveError} as Disk, where this process may not write there */
export async function leaveSlip(disk: Disk, counts: WearCounts, pid: number, nowUs: number): Promise<void> {
  const written = Object.fromEntries(
    Object.entries(counts).filter(([, { writes, syncs }]) => writes + syncs > 0)
  )
  await writeAtomic(disk, `WEAR-${pid}-${nowUs}`, Buffer.from(JSON.stringify(written)), 'other')
}

/** The slips of a data directory. @param onError  told of one that cannot be read, as CorruptionError or of Disk */
export function* readSlips(
  disk: Disk,
  onError: (error: unknown) => void
): Generator<{ path: string; counts: WearCounts }> {
  for (const path of disk.list('').filter(name => NAME.test(name))) {
    try {
      yield { path, counts: parseSlip(path, readWhole(disk, path)) }
    } catch (error) {
      onError(error)
    }
  }
}

/** @throws {CorruptionError} */
export function parseSlip(path: string, bytes: Uint8Array): WearCounts {
  const counts: Partial<Record<string, WearCount>> = {}
  try {
    const found = JSON.parse(new TextDecoder().decode(bytes)) as Record<
      string,
      Record<string, unknown> | undefined
    >
    for (const cause of CAUSES) {
      const count = { bytes: 0, writes: 0, syncs: 0, metadataBytes: 0, pieces: 0 }
      for (const field of FIELDS) count[field] = wholeOf(found[cause]?.[field] ?? 0)
      counts[cause] = count
    }
  } catch {
    throw new CorruptionError(path, 0, 'it is no slip of written bytes')
  }
  return counts as WearCounts
}

function wholeOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError('not a count')
}

/**
 * Counts and removes slips, now and every minute.
 * @param onError  told of one that cannot be read or removed, once
 * @returns what ends it
 */
export function keepTakingSlips(
  disk: Disk,
  meter: { add(counts: WearCounts): void },
  clock: Clock,
  onError: (error: unknown) => void
): () => void {
  const done = new Set<string>()
  const told = new Set<string>()
  const tell = (error: unknown) => {
    const text = String(error)
    if (!told.has(text)) onError(error)
    told.add(text)
  }
  let cancel = () => {}
  const look = () => {
    for (const { path, counts } of readSlips(disk, tell)) {
      // It was counted, and could not be removed.
      if (done.has(path)) continue
      done.add(path)
      meter.add(counts)
      disk.remove(path).catch(tell)
    }
    cancel = clock.after(EVERY_MS, look)
  }
  look()
  return () => cancel()
}

// Keeps damaged files where nobody uses them and nobody deletes them, for repair by hand.
// Not here: finding damage (the readers), telling about it (engine.ts).
import { writeAtomic } from '../disk/atomic-file.ts'
import type { Disk } from '../disk/disk.ts'
import { QUARANTINE_DIR, quarantinePath } from './file-names.ts'

/** At most so many copies of files of one name are kept. */
const COPIES_MAX = 16

/** Keeps a copy of a damaged file; the newest copies beyond COPIES_MAX are not kept. @throws as Disk */
export async function keepAside(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const to = await freePath(disk, path)
  if (to !== null) await writeAtomic(disk, to, bytes, 'other')
}

/** Moves a damaged file there. Returns its new path, or null when it was removed (too many already). */
export async function moveAside(disk: Disk, path: string): Promise<string | null> {
  const to = await freePath(disk, path)
  if (to === null) {
    await disk.remove(path)
    return null
  }
  await disk.rename(path, to)
  await disk.syncDir(QUARANTINE_DIR)
  return to
}

async function freePath(disk: Disk, path: string): Promise<string | null> {
  if (!disk.exists(QUARANTINE_DIR)) {
    await disk.makeDir(QUARANTINE_DIR)
    await disk.syncDir('')
  }
  for (let nth = 0; nth < COPIES_MAX; nth++) {
    const to = quarantinePath(path, nth)
    if (!disk.exists(to)) return to
  }
  return null
}

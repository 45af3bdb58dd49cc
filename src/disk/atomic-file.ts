// Replaces a small file whole: a reader, and a power cut at any write, sees the old bytes or the new ones.
// Write a temporary beside it, sync it, rename it over, sync the directory. Three of these steps are not
// enough: without the first sync the new name may carry no bytes, without the last the old name may return.
//
// Invariants: names end in TEMPORARY while not complete; whoever owns a directory removes such leftovers
// when it opens. Not here: large files (engine/segment-writer.ts), files that grow (engine/record-file.ts).
import type { Cause, Disk } from './disk.ts'

/** The ending of a file that is not complete. */
export const TEMPORARY = '.tmp'

/** The directory of a path; '' for a name in the root. */
export function dirOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/**
 * Puts `bytes` at `path`, durable when it resolves.
 * @throws {VarveError} as Disk; the old file is then still there
 */
export async function writeAtomic(disk: Disk, path: string, bytes: Uint8Array, cause: Cause): Promise<void> {
  const temporary = path + TEMPORARY
  if (disk.exists(temporary)) await disk.remove(temporary)
  const file = await disk.openWrite(temporary, cause)
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    file.close()
  }
  await disk.rename(temporary, path)
  await disk.syncDir(dirOf(path))
}

/** All bytes of a file. @throws {VarveError} VARVE_NOT_FOUND */
export function readWhole(disk: Disk, path: string): Uint8Array<ArrayBuffer> {
  const file = disk.openRead(path)
  try {
    const bytes = new Uint8Array(file.size())
    const n = file.read(bytes, 0)
    return n === bytes.length ? bytes : bytes.slice(0, n)
  } finally {
    file.close()
  }
}

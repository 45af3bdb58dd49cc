// The only maker and parser of the names in a data directory.
//
//   MANIFEST              which segments live, checkpoints, small named values (manifest.ts)
//   CATALOG               names and labels of the series (series/catalog.ts)
//   wal/<slot>.wal        WAL files; the slot is only a name, the sequence is in the records (wal-record.ts)
//   segments/<id>.seg     segments (segment-writer.ts)
//   quarantine/<name>     files found damaged, kept for repair by hand
//   <any>.tmp             not complete; removed at open
// Slots are six digits, ids ten, so that names sort by number.
import { TEMPORARY } from '../disk/atomic-file.ts'

export const MANIFEST = 'MANIFEST'
export const CATALOG = 'CATALOG'
export const WAL_DIR = 'wal'
export const SEGMENT_DIR = 'segments'
export const QUARANTINE_DIR = 'quarantine'

export function walPath(slot: number): string {
  return `${WAL_DIR}/${String(slot).padStart(6, '0')}.wal`
}

export function segmentPath(id: number): string {
  return `${SEGMENT_DIR}/${String(id).padStart(10, '0')}.seg`
}

/** Where a damaged file is kept: its own name with dashes for slashes, and a number when taken. */
export function quarantinePath(path: string, nth: number): string {
  const name = path.replaceAll('/', '-')
  return `${QUARANTINE_DIR}/${nth === 0 ? name : `${name}.${nth}`}`
}

/** The slot of a name in WAL_DIR, or null. */
export function parseWalName(name: string): number | null {
  const found = /^(\d{6})\.wal$/.exec(name)
  return found ? Number(found[1]) : null
}

/** The id of a name in SEGMENT_DIR, or null. */
export function parseSegmentName(name: string): number | null {
  const found = /^(\d{10,})\.seg$/.exec(name)
  return found ? Number(found[1]) : null
}

/** Whether a name is that of a file that was not complete. */
export function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY)
}

// Faults that are planted to see that the matrix finds them: what a store would do wrong shows on the disk as a
// sync that never happens, so most are disks that forget some of them. One is in blind-checksum.ts; some keep silent.
import { CATALOG, MANIFEST, SEGMENT_DIR, WAL_DIR } from '../../src/engine/file-names.ts'
import type { DiskPlant } from './crash-disk.ts'
import type { Region } from './file-regions.ts'

export const PLANTS = {
  'early-ack': 'acknowledges before the sync of the WAL',
  'edit-first': 'a manifest edit before the sync of its segment',
  'late-edit': 'goes on before the sync of a manifest edit',
  'late-catalog': 'definitions are used before their sync',
  'no-dir-sync': 'no directory is synced',
  'no-wal-dir-sync': 'the directory is not synced after a WAL file is made',
  'no-segment-dir-sync': 'the directory is not synced after a segment got its name',
  'no-root-dir-sync': 'the directory is not synced after a file was replaced',
  'no-checksum': 'checksums are not looked at',
  'mute-newest': 'a changed bit of the newest group of the WAL is not told',
  'mute-structure': 'damage of what only finds other things in a segment is not told'
} as const
export type PlantName = keyof typeof PLANTS

/** Those that a disk can play. */
export const DISK_PLANTS: Readonly<Partial<Record<PlantName, DiskPlant>>> = {
  'early-ack': { forgetsSync: path => path.startsWith(WAL_DIR) },
  'edit-first': { forgetsSync: path => path.startsWith(SEGMENT_DIR) },
  'late-edit': { forgetsSync: path => path.startsWith(MANIFEST) },
  'late-catalog': { forgetsSync: path => path.startsWith(CATALOG) },
  'no-dir-sync': { forgetsDir: () => true },
  'no-wal-dir-sync': { forgetsDir: dir => dir === WAL_DIR },
  'no-segment-dir-sync': { forgetsDir: dir => dir === SEGMENT_DIR },
  'no-root-dir-sync': { forgetsDir: dir => dir === '' }
}

/** Stores that tell nothing of damage in some places. */
export const MUTE_PLANTS: Readonly<Partial<Record<PlantName, (region: Region) => boolean>>> = {
  'mute-newest': ({ name }) => name === 'newest group',
  'mute-structure': ({ name }) => ['header', 'index', 'footer', 'trailer'].includes(name)
}

/** Whether bytes must change at rest for a planted fault to show. */
export function showsInFlips(plant: PlantName): boolean {
  return DISK_PLANTS[plant] === undefined
}

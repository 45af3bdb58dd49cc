// The numbers that make our files ours: magics, versions, sizes. What stands where in a file is said in
// the header of the file that encodes it (record-file.ts, wal-record.ts, segment-writer.ts, manifest-edit.ts);
// the order of structures and the history of versions are in FORMAT.md.
import { assert } from '../base/assert.ts'

/** "VRVS" at the start of a segment, "SVRV" at its end; "VRVR" at the start of a record file. */
export const SEGMENT_MAGIC = 0x53565256
export const SEGMENT_END_MAGIC = 0x56525653
export const RECORD_MAGIC = 0x52565256

/** The newest version of each format that this varve reads and the one it writes. */
export const WAL_VERSION = 1
export const SEGMENT_VERSION = 1
export const RECORD_VERSION = 1

/** The unit in which a WAL is written and an ext4 block is dirtied, bytes. */
export const PAGE_BYTES = 4096
/** What erase blocks of cards divide: the sizes of WAL files are multiples of it, bytes. */
export const ERASE_BYTES = 4 * 1024 * 1024
export const WAL_FILE_BYTES = 16 * 1024 * 1024
export const WAL_FILES_MAX = 8
/** How much of a WAL file is written ahead of small groups at a time, bytes. */
export const WAL_AHEAD_BYTES = 1024 * 1024
/** A group is self-contained after this much WAL at the latest, bytes. */
export const RESTART_BYTES = 2 * 1024 * 1024
/** Largest record of a record file and largest block of a segment, bytes. */
export const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024
/** Size of the writes that fill a segment or write a WAL file ahead, bytes. */
export const WRITE_BYTES = 1024 * 1024

assert(ERASE_BYTES % PAGE_BYTES === 0, 'an erase block is whole pages')
assert(WAL_FILE_BYTES % ERASE_BYTES === 0, 'a WAL file is whole erase blocks')
assert(WAL_FILE_BYTES % WAL_AHEAD_BYTES === 0, 'a WAL file is whole pieces')
assert(WRITE_BYTES % PAGE_BYTES === 0, 'a large write is whole pages')

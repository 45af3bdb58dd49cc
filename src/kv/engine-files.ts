// The store's segment files in the engine's container. Needs a disk only, so that a compaction in a worker
// opens its inputs and writes its output with this and nothing of the main thread.
// Not here: what is in the files (segment.ts), which of them live (the manifest).
import type { Cause, Disk } from '../disk/disk.ts'
import { segmentPath } from '../engine/file-names.ts'
import { SegmentReader } from '../engine/segment-reader.ts'
import { SegmentWriter } from '../engine/segment-writer.ts'
import { KV_KIND, type SegmentFiles } from './host.ts'

/** What the manifest and each segment say the store's segments are. */
const CLASS = 'kv'

/** @param cause  what the bytes are counted under */
export function engineFiles(disk: Disk, cause: Cause = 'kv'): SegmentFiles {
  return {
    async create(id) {
      const header = { id, family: KV_KIND, class: CLASS, bucketUs: 0, spanUs: 0 }
      const writer = await SegmentWriter.create(disk, segmentPath(id), cause, header)
      return {
        block: (kind, payload) => writer.block(kind, payload),
        room: () => writer.room(),
        finish: (footer, { order, level, entries }) =>
          writer.finish(footer, { order, level, samples: entries, timeMinUs: 0, timeMaxUs: 0, boot: 0 }),
        abort: () => writer.abort()
      }
    },
    open(id) {
      const reader = SegmentReader.open(disk, segmentPath(id))
      return {
        file: reader.path,
        footer: reader.footer,
        damage: reader.damage,
        blocks: () => reader.blocks(),
        block: (offset, length) => reader.block(offset, length),
        close: () => reader.close()
      }
    },
    async remove(id) {
      if (disk.exists(segmentPath(id))) await disk.remove(segmentPath(id))
    }
  }
}

// Reads a series segment: footer at open, index and blocks as they are asked for. The grammar
// is in segment-build.ts. Used by queries, merging, rollups and `varve check`; never on the main thread.
//
// A damaged footer or index is made anew from the blocks (segment-rebuild.ts); `damage` names it.
//
// Invariants: every byte handed out was checked by the container; what cannot be decoded although its
// checksum holds is a CorruptionError too, with file and offset; a segment of a boot whose clock was corrected
// afterwards shows corrected times everywhere (boots.ts).
// Not here: merging several segments and the head (reader.ts).
import { zstdDecompressSync } from 'node:zlib'
import { AssertionError } from '../base/assert.ts'
import { ByteReader } from '../base/bytes.ts'
import { CorruptionError, FormatError, reason, VarveError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { SegmentReader } from '../engine/segment-reader.ts'
import type { BlockPlace } from '../engine/segment-writer.ts'
import { readDefinitions } from './catalog.ts'
import { ChunkView } from './chunk-view.ts'
import type { Column, Run } from './run.ts'
import type { RunRoom } from './run-room.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from './sample.ts'
import { type GroupName, SERIES_SEGMENT_VERSION } from './segment-build.ts'
import { type ChunkPlace, countIndex, SegmentIndex } from './segment-index.ts'
import { findParts, rebuildIndex } from './segment-rebuild.ts'

/** Bound on what a names or index block may inflate to, in bytes. */
const inflatedBytesMax = 1 << 29

const ALL_TIME = { timeMinUs: TIME_MIN_US, timeMaxUs: TIME_MAX_US }

/** One open series segment. */
export class SeriesSegment {
  readonly path: string
  /** What is damaged of what finds the chunks; grows as more of it is read. */
  readonly damage: CorruptionError[]
  /** Added to the times that are stored, us. */
  readonly shiftUs: number
  private readonly file: SegmentReader
  /** Groups and chunks as the footer says; null when it is damaged. */
  private readonly counts: { readonly groups: number; readonly chunks: number } | null
  /** Null where there is none to be found. */
  private readonly indexAt: BlockPlace | null
  private readonly namesAt: BlockPlace | null
  /** The block read last, in memory used again for the next: chunks of neighbouring groups share it. */
  private room = new ByteReader(new Uint8Array(0))
  private blockAt = -1
  private blockStart = 0
  private blockEnd = 0

  /** @throws {CorruptionError} when neither header nor footer can be read; {FormatError} when newer */
  constructor(disk: Disk, path: string, shiftUs = 0) {
    this.path = path
    this.shiftUs = shiftUs
    this.file = SegmentReader.open(disk, path)
    this.damage = [...this.file.damage]
    const { footer } = this.file
    if (footer === null) {
      this.counts = null
      const { names, index } = findParts(this.file)
      this.namesAt = names
      this.indexAt = index
      return
    }
    const from = new ByteReader(footer)
    const version = from.u8()
    if (version > SERIES_SEGMENT_VERSION) throw new FormatError(path, version, SERIES_SEGMENT_VERSION)
    this.counts = { groups: from.varint(), chunks: from.varint() }
    this.indexAt = { offset: from.varint(), length: from.varint() }
    this.namesAt = { offset: from.varint(), length: from.varint() }
  }

  /**
   * Where the chunks of all groups lie, read and checked; keep it, it does not need the file any more.
   * @param span  the times of the segment, as the manifest knows them
   */
  readIndex(span = ALL_TIME): SegmentIndex {
    const place = this.indexAt
    if (place === null) return this.rebuilt(span)
    try {
      const bytes = this.inflate(place)
      return this.decode(place, () => {
        const { groups, chunks } = this.counts ?? countIndex(new ByteReader(bytes))
        return new SegmentIndex(new ByteReader(bytes), groups, chunks, this.shiftUs)
      })
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.damage.push(error)
      return this.rebuilt(span)
    }
  }

  /** The groups of this segment by name: what makes it readable alone. */
  names(): GroupName[] {
    const place = this.namesAt
    if (place === null) throw this.damage[0] ?? new CorruptionError(this.path, 0, 'there are no names')
    const bytes = this.inflate(place)
    return this.decode(place, () => {
      const names: (GroupName & { fields: string[] })[] = []
      readDefinitions(new ByteReader(bytes), {
        group: (id, name, labels) => names.push({ id, name, labels, fields: [] }),
        field: (_, __, field) => {
          const group = names.at(-1)
          if (group === undefined)
            throw new VarveError('VARVE_CATALOG', 'Cannot read names: a field before its group')
          group.fields.push(field)
        }
      })
      return names
    })
  }

  /**
   * The rows of the chunk at a place of the index, numbers and times in memory of the room.
   * @param fields  only these; null: all; []: the times alone
   * @throws {CorruptionError} naming the block
   */
  run(place: ChunkPlace, fields: readonly number[] | null, room: RunRoom): Run {
    return this.chunk(place, view => decodeRun(view, fields, room))
  }

  /**
   * Reads what the caller needs of the chunk at a place of the index; the view is gone afterwards.
   * @throws {CorruptionError} naming the block
   */
  chunk<T>(place: ChunkPlace, read: (view: ChunkView) => T): T {
    if (this.blockAt !== place.block) this.readBlock(place)
    return this.decode({ offset: place.block, length: 0 }, () => {
      const at = this.blockStart + place.at
      if (at + place.length > this.blockEnd) {
        throw new VarveError('VARVE_INDEX', `chunk at ${place.at} of ${place.length} bytes leaves its block`)
      }
      return read(new ChunkView(this.room.sub(at, at + place.length), this.shiftUs))
    })
  }

  close(): void {
    this.file.close()
  }

  private readBlock({ block, blockLength }: ChunkPlace): void {
    this.blockAt = -1
    if (blockLength > this.room.bytes.length) this.room = new ByteReader(new Uint8Array(2 * blockLength))
    const payload = this.file.blockInto(this.room.bytes, block, blockLength)
    this.blockStart = payload.byteOffset
    this.blockEnd = payload.byteOffset + payload.length
    this.blockAt = block
  }

  private rebuilt(span: typeof ALL_TIME): SegmentIndex {
    const place = this.indexAt ?? { offset: this.file.bytes, length: 0 }
    return this.decode(place, () =>
      rebuildIndex(this.file, this.shiftUs, span, error => this.damage.push(error))
    )
  }

  private inflate(place: BlockPlace): Uint8Array {
    const block = this.file.block(place.offset, place.length)
    return this.decode(place, () => zstdDecompressSync(block, { maxOutputLength: inflatedBytesMax }))
  }

  /** Runs a decoder; whatever it dislikes is corruption of the block at `place`. */
  private decode<T>(place: BlockPlace, decoder: () => T): T {
    try {
      return decoder()
    } catch (error) {
      if (error instanceof CorruptionError || error instanceof AssertionError) throw error
      throw new CorruptionError(this.path, place.offset, reason(error))
    }
  }
}

function decodeRun(chunk: ChunkView, fields: readonly number[] | null, room: RunRoom): Run {
  const rows = chunk.rows
  const times = room.doubles(rows)
  chunk.times(times)
  const columns: Column[] = []
  for (let i = 0; i < chunk.columns.length; i++) {
    const { field, kind, count } = chunk.columns[i]!
    if (fields !== null && !fields.includes(field)) continue
    const present = count === rows ? null : new Uint8Array(rows)
    if (present !== null) chunk.present(i, present)
    if (kind === KIND.number || kind === KIND.boolean) {
      const numbers = room.doubles(count)
      chunk.numbers(i, numbers)
      columns.push({ field, kind, present, count, numbers, texts: null })
    } else {
      // The bytes may lie in the block, whose memory the next one takes.
      const { bytes, offsets } = chunk.texts(i)
      columns.push({ field, kind, present, count, numbers: null, texts: { bytes: bytes.slice(), offsets } })
    }
  }
  return { rows, times, columns }
}

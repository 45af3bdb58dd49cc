// A series segment: the chunks of one retention class and bucket in the container of engine/segment-writer,
// with everything needed to read it on a machine that has nothing else.
//
//   blocks  := chunks* names index            in this order in the file
//   chunks  := kind 1 | chunk* | directory    whole chunks (chunk.ts) of consecutive groups, about 16 KiB;
//                                             block-directory.ts says whose they are, should the index be damaged
//   names   := kind 2 | frames(definitions)   catalog.ts: the groups of this segment with all their fields
//   index   := kind 3 | frames(index)         segment-index.ts
//   frames  := zstd frame *                   of FRAME_BYTES or a little more each, the last of what is left
//   footer  := u8 version 1 | varint groups | varint chunks
//            | varint index offset | varint index length | varint names offset | varint names length
//
// Invariants: groups ascend; a chunk has at most CHUNK_ROWS_MAX rows and lies in one block.
// Not here: choosing what goes in (flush-job.ts, merge-job.ts), the container and its checksums (engine),
// reading it back (segment-open.ts).
import { zstdCompressSync } from 'node:zlib'
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import type { SegmentWriter } from '../engine/segment-writer.ts'
import { BlockDirectory } from './block-directory.ts'
import { defineField, defineGroup } from './catalog.ts'
import { encodeChunk } from './chunk.ts'
import type { Labels } from './label.ts'
import type { Run } from './run.ts'
import { slice } from './run-edit.ts'
import { type ChunkPlace, IndexBuilder } from './segment-index.ts'

export const SERIES_SEGMENT_VERSION = 1
export const BLOCK_CHUNKS = 1
export const BLOCK_NAMES = 2
export const BLOCK_INDEX = 3
export const CHUNK_ROWS_MAX = 4096
const BLOCK_BYTES = 16 * 1024
const FRAME_BYTES = 512 * 1024
/** The offset of a chunk whose block is still open. */
const OPEN = -1

/** A group as a segment names it. */
export interface GroupName {
  readonly id: number
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
}

/**
 * Bytes that are compressed while they come: the names of 100,000 series are 10 MB, more than everything else
 * that a flush holds.
 */
class Frames {
  readonly plain = new ByteWriter()
  private readonly squeezed = new ByteWriter()

  /** Compresses what came, once it is enough. */
  squeeze(): void {
    if (this.plain.length >= FRAME_BYTES) this.frame()
  }

  /** All of it, compressed. */
  finish(): Uint8Array {
    if (this.plain.length > 0) this.frame()
    return this.squeezed.written()
  }

  private frame(): void {
    this.squeezed.raw(zstdCompressSync(this.plain.written()))
    this.plain.reset()
  }
}

type PlaceUnderWay = { -readonly [K in keyof ChunkPlace]: ChunkPlace[K] }

/** Writes one series segment; groups are given in ascending order of id. */
export class SeriesSegmentWriter {
  private readonly file: SegmentWriter
  private readonly block = new ByteWriter(BLOCK_BYTES * 2)
  private readonly directory = new BlockDirectory()
  private readonly names = new Frames()
  private readonly index = new Frames()
  private readonly builder = new IndexBuilder(this.index.plain)
  /** Groups that are not in the index yet: the last of them may still get chunks. */
  private readonly pending: { id: number; places: PlaceUnderWay[] }[] = []
  private groups = 0
  private chunks = 0
  private samples = 0
  private timeMinUs = Number.POSITIVE_INFINITY
  private timeMaxUs = 0
  private groupBefore = -1

  constructor(file: SegmentWriter) {
    this.file = file
  }

  /** Adds all runs of one group, ascending in time; a group without rows is left out. */
  group(name: GroupName, runs: Iterable<Run>): void {
    assert(name.id > this.groupBefore, 'groups of a segment ascend')
    this.groupBefore = name.id
    const places: PlaceUnderWay[] = []
    this.pending.push({ id: name.id, places })
    for (const run of runs) {
      const pieces = Math.ceil(run.rows / CHUNK_ROWS_MAX)
      for (let i = 0; i < pieces; i++) {
        const end = Math.floor((run.rows * (i + 1)) / pieces)
        const part = slice(run, Math.floor((run.rows * i) / pieces), end)
        if (part !== null) places.push(this.chunk(name.id, part))
        if (this.block.length >= BLOCK_BYTES) this.closeBlock()
      }
    }
    if (places.length === 0) {
      this.pending.pop()
      return
    }
    this.groups++
    const { plain } = this.names
    defineGroup(name.id, name.name, name.labels, plain)
    for (const [index, field] of name.fields.entries()) defineField(name.id, index, field, plain)
    this.names.squeeze()
    this.index.squeeze()
  }

  /** Nothing was added: abort the file rather than finish it. */
  get isEmpty(): boolean {
    return this.groups === 0
  }

  /**
   * Writes names, index and footer; the file is durable when this resolves.
   * @param order  its place among the writes of its bucket
   * @param level  how often its content was merged
   * @param boot   whose clock was not known when it stamped the times (boots.ts); 0: they are known
   */
  async finish(order: number, level: number, boot: number): Promise<SegmentInfo> {
    assert(this.groups > 0, 'a segment holds something')
    this.closeBlock()
    for (const { id, places } of this.pending) this.builder.group(id, places)
    const names = this.file.block(BLOCK_NAMES, this.names.finish())
    const index = this.file.block(BLOCK_INDEX, this.index.finish())
    const footer = new ByteWriter()
    footer.u8(SERIES_SEGMENT_VERSION)
    footer.varint(this.groups)
    footer.varint(this.chunks)
    for (const value of [index.offset, index.length, names.offset, names.length]) footer.varint(value)
    const { timeMinUs, timeMaxUs, samples } = this
    return this.file.finish(footer.written(), { order, level, timeMinUs, timeMaxUs, samples, boot })
  }

  private chunk(group: number, run: Run): PlaceUnderWay {
    const at = this.block.length
    encodeChunk(run, this.block)
    this.directory.add(group, this.block.length - at)
    const firstUs = run.times[0]!
    const lastUs = run.times[run.rows - 1]!
    this.chunks++
    for (const column of run.columns) this.samples += column.count
    this.timeMinUs = Math.min(this.timeMinUs, firstUs)
    this.timeMaxUs = Math.max(this.timeMaxUs, lastUs)
    return {
      block: OPEN,
      blockLength: 0,
      at,
      length: this.block.length - at,
      rows: run.rows,
      firstUs,
      lastUs
    }
  }

  private closeBlock(): void {
    if (this.block.length === 0) return
    this.directory.end(this.block)
    const { offset, length } = this.file.block(BLOCK_CHUNKS, this.block.written())
    this.block.reset()
    for (const { places } of this.pending) {
      for (const place of places) {
        if (place.block !== OPEN) continue
        place.block = offset
        place.blockLength = length
      }
    }
    // The last group stays: more chunks of it may follow.
    for (const { id, places } of this.pending.splice(0, this.pending.length - 1))
      this.builder.group(id, places)
  }
}

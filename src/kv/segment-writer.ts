// Writes a segment of the store: entries in key order become blocks, an index, a filter and a footer, in the
// bytes that segment.ts states and reads. Memory: the index and four bytes a key.
// Invariants: keys ascend (engine/block.ts asserts it); one finish() or one abort().
// Not here: which entries (segment-job.ts), the container (engine).

import { ByteWriter } from '../base/bytes.ts'
import { BlockWriter } from '../engine/block.ts'
import { BloomWriter, bloomHash } from '../engine/bloom.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { type Entry, encodeEntry } from './entry.ts'
import type { SegmentOut } from './host.ts'
import { bytesOf } from './key.ts'
import { FOOTER_VERSION, type KvSegment } from './segment.ts'
import { Squeezer } from './squeeze.ts'

const BLOCK_KIND = 1
/** A block is closed once it is this long; random reads fetch one, so it is a few flash sectors. */
const BLOCK_BYTES = 8 * 1024
/** A shorter block is not worth the call. */
const SQUEEZED_BYTES_MIN = 512

/** Shadows are counted key by key up to so many keys, beyond them one key stands for some. */
const SHADOWS_EXACT = 4096
const SHADOWS_SAMPLED = 16

/** Writes entries in key order into a container. */
export class KvSegmentWriter {
  private readonly out: SegmentOut
  private readonly older: readonly KvSegment[]
  private readonly block = new BlockWriter()
  private readonly bloom = new BloomWriter()
  private readonly squeezer = new Squeezer(SQUEEZED_BYTES_MIN)
  private readonly squeezed = new ByteWriter(BLOCK_BYTES)
  private readonly scratch = new ByteWriter(1024)
  private readonly index = new ByteWriter(4096)
  private readonly shadows = new Map<number, number>()
  private blocks = 0
  private keyMin = ''
  private keyMax = ''
  private facts = {
    entries: 0,
    tombstones: 0,
    expiringBytes: 0,
    expiresMinUs: 0,
    expiresMaxUs: 0,
    versionMin: 0,
    versionMax: 0
  }

  /** @param older  the live segments that are older than what is written: shadows are counted on them */
  constructor(out: SegmentOut, older: readonly KvSegment[]) {
    this.out = out
    this.older = older
  }

  get entries(): number {
    return this.facts.entries
  }

  /** Adds the next entry; keys ascend. @returns bytes it took, about */
  add(entry: Entry): number {
    this.scratch.reset()
    encodeEntry(entry, this.scratch)
    const bytes = entry.stored.length + this.scratch.length
    const facts = this.facts
    if (facts.entries++ === 0) {
      this.keyMin = entry.stored
      facts.versionMin = entry.version
    }
    this.keyMax = entry.stored
    if (entry.deleted) facts.tombstones++
    if (entry.expiresUs !== 0) {
      facts.expiringBytes += bytes
      facts.expiresMaxUs = Math.max(facts.expiresMaxUs, entry.expiresUs)
      if (facts.expiresMinUs === 0 || entry.expiresUs < facts.expiresMinUs)
        facts.expiresMinUs = entry.expiresUs
    }
    facts.versionMin = Math.min(facts.versionMin, entry.version)
    facts.versionMax = Math.max(facts.versionMax, entry.version)
    const hash = bloomHash(entry.stored)
    this.bloom.add(hash)
    if (facts.entries <= SHADOWS_EXACT) this.shadow(entry.stored, hash, 1)
    else if (hash % SHADOWS_SAMPLED === 0) this.shadow(entry.stored, hash, SHADOWS_SAMPLED)
    if (this.block.count > 0 && this.block.bytes + bytes > BLOCK_BYTES) this.close()
    this.block.add(entry.stored, this.scratch.written())
    return bytes
  }

  /** Resolves when there is room for more; await it now and then to bound memory. */
  room(): Promise<void> {
    return this.out.room()
  }

  /** Closes the segment: on the medium when it resolves. */
  async finish(order: number, level: number): Promise<SegmentInfo> {
    if (this.block.count > 0) this.close()
    return this.out.finish(this.footer(), { order, level, entries: this.facts.entries })
  }

  abort(): Promise<void> {
    return this.out.abort()
  }

  /** Counts keys that older segments may hold too. */
  private shadow(stored: string, hash: number, keys: number): void {
    for (const segment of this.older) {
      if (!segment.mayHold(stored, hash)) continue
      this.shadows.set(segment.id, (this.shadows.get(segment.id) ?? 0) + keys)
    }
  }

  private close(): void {
    const first = this.block.first
    this.squeezed.reset()
    this.squeezer.put(this.block.finish(), this.squeezed)
    const { offset, length } = this.out.block(BLOCK_KIND, this.squeezed.written())
    writeKey(first, this.index)
    this.index.varint(offset)
    this.index.varint(length)
    this.blocks++
  }

  private footer(): Uint8Array {
    const out = new ByteWriter(this.index.length + 4096)
    const { facts } = this
    out.u8(FOOTER_VERSION)
    out.varint(facts.entries)
    out.varint(facts.tombstones)
    out.varint(facts.expiringBytes)
    out.varint(facts.expiresMinUs)
    out.varint(facts.expiresMaxUs)
    out.varint(facts.versionMin)
    out.varint(facts.versionMax)
    writeKey(this.keyMin, out)
    writeKey(this.keyMax, out)
    out.varint(this.shadows.size)
    for (const [segment, keys] of this.shadows) {
      out.varint(segment)
      out.varint(keys)
    }
    out.varint(this.blocks)
    out.raw(this.index.written())
    const bloom = this.bloom.finish()
    out.varint(bloom.length)
    out.raw(bloom)
    return out.copy()
  }
}

function writeKey(key: string, out: ByteWriter): void {
  out.varint(key.length)
  out.raw(bytesOf(key))
}

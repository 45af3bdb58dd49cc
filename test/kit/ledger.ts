// An owner of WAL content and segments that remembers, for crash tests: it appends numbered entries whose
// bytes follow from their numbers, so that after a cut one can say of whatever is found whether it was sent,
// whether it is whole and whether something acknowledged is missing.
//
// WAL payload := fresh u8 | first u32, only when fresh | (length u32 | bytes)*    else it follows the one before
// Segment     := blocks of kind 1, one an entry: number u32 | bytes
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import type { CorruptionError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Disk } from '../../src/disk/disk.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import { SegmentReader } from '../../src/engine/segment-reader.ts'
import { SegmentWriter } from '../../src/engine/segment-writer.ts'
import type { Urgency, WalOwner } from '../../src/engine/wal.ts'

/** The bytes of entry n of a kind: any length from 4 to some thousands, some like our own formats. */
export function entryBytes(kind: number, n: number): Uint8Array {
  const key = kind * 1_000_003 + n
  const known = made.get(key)
  if (known !== undefined) return known
  const bytes = makeEntry(kind, n)
  if (made.size < MADE_MAX) made.set(key, bytes)
  return bytes
}

/** Entries follow from their numbers, and every life begins with the same ones. */
const made = new Map<number, Uint8Array>()
const MADE_MAX = 20_000

function makeEntry(kind: number, n: number): Uint8Array {
  const random = new Random(kind * 1_000_003 + n)
  const length = 4 + (random.chance(0.05) ? random.below(20_000) : random.below(300))
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = random.chance(0.3) ? 0 : random.u32() & 0xff
  new DataView(bytes.buffer).setUint32(0, n, true)
  return bytes
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

export class Ledger implements WalOwner {
  readonly kind: number
  /** Numbers found at open, in WAL or segments; wrong bytes are counted. */
  readonly found = new Set<number>()
  wrong = 0
  readonly losses: CorruptionError[] = []
  /** The next number. */
  next = 0
  acknowledged = 0
  private pending: number[] = []
  private flushedTo = 0
  private busy: Promise<void> = Promise.resolve()
  private replayAt: number | null = 0

  constructor(kind: number) {
    this.kind = kind
  }

  replay(payload: Uint8Array): void {
    const from = new ByteReader(payload)
    if (from.u8() === 1) this.replayAt = from.u32()
    while (from.left > 0) {
      const bytes = from.raw(from.u32())
      if (this.replayAt === null) continue
      this.see(this.replayAt++, bytes)
    }
  }

  lost(error: CorruptionError): void {
    this.losses.push(error)
    this.replayAt = null
  }

  drain(out: ByteWriter, fresh: boolean): void {
    if (this.pending.length === 0) return
    out.u8(fresh ? 1 : 0)
    if (fresh) out.u32(this.pending[0]!)
    for (const n of this.pending) {
      const bytes = entryBytes(this.kind, n)
      out.u32(bytes.length)
      out.raw(bytes)
    }
    this.pending = []
  }

  /** Appends one entry; returns the group to wait for. */
  append(engine: Engine, urgency: Urgency): number {
    const n = this.next++
    this.pending.push(n)
    engine.wal.note(entryBytes(this.kind, n).length, urgency)
    return engine.wal.pendingGroup
  }

  /** Flushes everything so far into a segment and moves the checkpoint. */
  flush(engine: Engine, disk: Disk): Promise<void> {
    return this.alone(() => this.flushNow(engine, disk))
  }

  /** Rewrites this owner's two oldest segments into one. */
  merge(engine: Engine, disk: Disk): Promise<void> {
    return this.alone(() => this.mergeNow(engine, disk))
  }

  /** One flush or merge at a time. */
  private alone(job: () => Promise<void>): Promise<void> {
    const done = this.busy.then(job)
    this.busy = done.catch(() => {})
    return done
  }

  private async flushNow(engine: Engine, disk: Disk): Promise<void> {
    const walFile = await engine.wal.rotate()
    const from = this.flushedTo
    const to = this.next
    const add = to > from ? [await this.write(engine, disk, from, to, 'segment')] : []
    await engine.manifest.commit({ add, checkpoint: { kind: this.kind, walFile } })
    this.flushedTo = to
    this.acknowledged = Math.max(this.acknowledged, to)
  }

  private async mergeNow(engine: Engine, disk: Disk): Promise<void> {
    const own = this.segments(engine)
    if (own.length < 2) return
    const [a, b] = [own[0]!, own[1]!]
    const add = [await this.write(engine, disk, a.timeMinUs, b.timeMaxUs, 'merge')]
    await engine.manifest.commit({ add, remove: [a.id, b.id] })
    for (const { id } of [a, b]) await engine.removeFile(id)
  }

  segments(engine: Engine) {
    return [...engine.manifest.segments.values()]
      .filter(segment => segment.family === this.kind)
      .sort((a, b) => a.order - b.order)
  }

  /** After open: reads the segments and takes up where the medium ends. */
  load(engine: Engine, disk: Disk): void {
    for (const segment of this.segments(engine)) {
      const reader = SegmentReader.open(disk, segmentPath(segment.id))
      for (const block of reader.blocks()) {
        if (block.payload === null) throw block.error
        this.see(new ByteReader(block.payload).u32(), block.payload.subarray(4))
      }
      reader.close()
      this.flushedTo = Math.max(this.flushedTo, segment.timeMaxUs)
    }
    while (this.found.has(this.next)) this.next++
  }

  private see(n: number, bytes: Uint8Array): void {
    this.found.add(n)
    if (!same(bytes, entryBytes(this.kind, n))) this.wrong++
  }

  private async write(engine: Engine, disk: Disk, from: number, to: number, cause: 'segment' | 'merge') {
    const id = engine.manifest.nextSegmentId()
    const header = { id, family: this.kind, class: 'test', bucketUs: 0, spanUs: 1 }
    const writer = await SegmentWriter.create(disk, segmentPath(id), cause, header)
    const out = new ByteWriter()
    for (let n = from; n < to; n++) {
      out.reset()
      out.u32(n)
      out.raw(entryBytes(this.kind, n))
      writer.block(1, out.written())
      await writer.room()
    }
    const facts = { order: from, timeMinUs: from, timeMaxUs: to, samples: to - from, level: 0, boot: 0 }
    return writer.finish(new Uint8Array([1, 2, 3]), facts)
  }
}

/** What is wrong with what was found, as sentences; empty when a prefix holds all that was acknowledged. */
export function verdict(found: Ledger, sent: number, acknowledged: number): string[] {
  const wrongs: string[] = []
  if (found.wrong > 0) wrongs.push(`${found.wrong} entries of kind ${found.kind} are altered`)
  if (found.next < acknowledged)
    wrongs.push(`kind ${found.kind}: ${acknowledged} acknowledged, ${found.next} found`)
  if (found.found.size !== found.next) wrongs.push(`kind ${found.kind}: not a prefix of what was sent`)
  if (found.next > sent) wrongs.push(`kind ${found.kind}: ${sent} sent, ${found.next} found`)
  return wrongs
}

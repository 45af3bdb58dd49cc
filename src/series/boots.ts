// Boots whose clock was not known when they stamped samples: a Pi without a battery clock starts with a
// stale time, and learns the right one minutes later, or never. What the gateway stamps until then bears
// provisional times, and the number of its boot (shape.ts in heads and WAL, SegmentInfo in segments). When the
// clock becomes known, one record says by how much all of them are off.
//
//   note := u8 version 1 | varint newest | text kernel | f64 zero us | boot*
//   boot := varint number | u8 0 | f64 before us         not corrected: what bears it keeps its times
//         | varint number | u8 1 | f64 delta us          what bears it is so much later
// `newest` is the newest number given out, `kernel` the boot of the kernel that it belongs to ('' when it does
// not tell), `zero` the provisional time at the moment when that kernel had been up for 0 s. `before`: all
// samples of the boot are older than this, by a clock that was known; 0 while none was.
// Example: boot 3 of kernel "k", zero at 1 us, is late by 2 us; boot 1 is older than 16 us =
//   01 03 01 6b 00 00 00 00 00 00 f0 3f 01 00 00 00 00 00 00 00 30 40 03 01 00 00 00 00 00 00 00 40
//
// Why one note of the manifest: a commit of it is one checksummed record, so that every reader finds all of a
// boot at its provisional times or all of it corrected, whenever power goes, and a flush in the same edit is
// consistent with it. Segments are never rewritten for it: their times are shifted where they are read.
//
// Invariants: the note of a boot is durable before the first row that bears its number; a boot is corrected at
// most once; numbers are not given out twice while anything bears them.
// Not here: when the clock is known and what time it is until then (base/gateway-clock.ts, the daemon).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'
import type { SegmentInfo } from '../engine/manifest.ts'

export const BOOTS_NOTE = 'series.boots'
const VERSION = 1

/** A live segment as it is read. */
export interface LiveSegment extends SegmentInfo {
  /** Added to the times that are stored, us; timeMinUs, timeMaxUs and bucketUs have it already. */
  readonly shiftUs?: number
  /** Its samples count as no older than this whatever their times say, us: their clock was never known. */
  readonly notBeforeUs?: number
}

interface Boot {
  /** Null: never corrected, or not yet. */
  readonly deltaUs: number | null
  /** Of a boot that is not corrected, samples are older than this; 0: nobody knows. */
  readonly beforeUs: number
}

export class Boots {
  /** The newest number given out; 0: none was. */
  newest = 0
  /** The boot of the kernel that it belongs to. */
  kernel = ''
  /** The provisional time at the moment when that kernel had been up for 0 s, us. */
  zeroUs = 0
  private readonly known = new Map<number, Boot>()

  /** @throws {FormatError} for a newer version; {VarveError} VARVE_TRUNCATED */
  static decode(note: Uint8Array | undefined): Boots {
    const boots = new Boots()
    if (note === undefined) return boots
    const from = new ByteReader(note)
    const version = from.u8()
    if (version > VERSION) throw new FormatError('the note of boots', version, VERSION)
    boots.newest = from.varint()
    boots.kernel = from.text()
    boots.zeroUs = from.f64()
    while (from.left > 0) {
      const number = from.varint()
      if (from.u8() === 1) boots.known.set(number, { deltaUs: from.f64(), beforeUs: 0 })
      else boots.known.set(number, { deltaUs: null, beforeUs: from.f64() })
    }
    return boots
  }

  encode(): Uint8Array {
    const out = new ByteWriter()
    out.u8(VERSION)
    out.varint(this.newest)
    out.text(this.kernel)
    out.f64(this.zeroUs)
    for (const [number, { deltaUs, beforeUs }] of this.known) {
      out.varint(number)
      out.u8(deltaUs === null ? 0 : 1)
      out.f64(deltaUs ?? beforeUs)
    }
    return out.copy()
  }

  /** A copy to be changed and made durable before it replaces this one. */
  copy(): Boots {
    return Boots.decode(this.encode())
  }

  /** Begins the next boot. @param taken  the highest number that any segment or row bears */
  begin(taken: number, kernel: string, zeroUs: number): number {
    this.newest = Math.max(this.newest, taken) + 1
    this.kernel = kernel
    this.zeroUs = zeroUs
    this.known.set(this.newest, { deltaUs: null, beforeUs: 0 })
    return this.newest
  }

  /** Whether the newest boot is that of this kernel and waits for its clock: then it goes on. */
  goesOn(kernel: string): boolean {
    return kernel !== '' && this.kernel === kernel && this.deltaUs(this.newest) === null
  }

  /** What is to be added to the times of a boot; null while nobody knows. */
  deltaUs(boot: number): number | null {
    return this.known.get(boot)?.deltaUs ?? null
  }

  correct(boot: number, deltaUs: number): void {
    this.known.set(boot, { deltaUs, beforeUs: 0 })
  }

  /** The clock is known: what was not corrected until now is older than this. False: nothing to say. */
  settle(nowUs: number): boolean {
    let some = false
    for (const [number, { deltaUs, beforeUs }] of this.known) {
      if (deltaUs !== null || beforeUs !== 0) continue
      this.known.set(number, { deltaUs, beforeUs: nowUs })
      some = true
    }
    return some
  }

  /** Forgets the boots that nothing bears any more; the newest stays. */
  keepOnly(borne: ReadonlySet<number>): void {
    for (const number of this.known.keys()) {
      if (number !== this.newest && !borne.has(number)) this.known.delete(number)
    }
  }

  /** A segment as it is to be read. */
  place(info: SegmentInfo): LiveSegment {
    if (info.boot === 0) return info
    const boot = this.known.get(info.boot)
    const shiftUs = boot?.deltaUs ?? null
    if (shiftUs === null) return { ...info, notBeforeUs: boot?.beforeUs || Number.POSITIVE_INFINITY }
    return {
      ...info,
      shiftUs,
      bucketUs: info.bucketUs + shiftUs,
      timeMinUs: info.timeMinUs + shiftUs,
      timeMaxUs: info.timeMaxUs + shiftUs
    }
  }
}

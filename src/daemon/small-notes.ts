// Small state that is saved now and then rather than at every change: the wear ledger, when each scheduled job
// ran last, the newest moment (clock-moment.ts). One edit of the manifest takes all of it.
//
//   jobs note := u8 version 1 | (text name | varint last start, ms)*
// Example: job "a" at 5 = 01 01 61 05
//
// Invariants: a power cut loses what changed since the last save and nothing else; a job's lost start costs
// one more run of it, and the ledger finds most of what it lost again.
// Not here: what the ledger counts (wear-ledger.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { FormatError } from '../base/errors.ts'
import type { Manifest } from '../engine/manifest.ts'
import type { JobStore } from '../schedule/jobs.ts'

export const WEAR_NOTE = 'wear'
export const JOBS_NOTE = 'jobs'
const VERSION = 1
/** Each save costs 8 KiB of the medium, 30 with a year of days in the ledger: up to 3 MB a day. */
const SAVE_EVERY_MS = 15 * 60_000
/** Or after so many bytes, which a cut would else leave to estimates: a save is 2 to 7 parts in a thousand of them. */
const SAVE_EVERY_BYTES = 4 * 2 ** 20
const LOOK_EVERY_MS = 1_000
/** The first comes soon, so that what a start writes is not lost with a process that keeps being killed. */
const FIRST_SAVE_MS = 2000

export interface KeepParts {
  readonly clock: Clock
  /** The ledger as it stands. */
  ledger(): Uint8Array
  /** By this process so far. */
  writtenBytes(): number
  onError(error: unknown): void
}

export class SmallNotes implements JobStore {
  private readonly manifest: Manifest
  private readonly starts = new Map<string, number>()
  private readonly moment: () => [string, Uint8Array]
  private cancel: () => void = () => {}

  /** @param moment  gives the note of the newest moment */
  constructor(manifest: Manifest, moment: () => [string, Uint8Array]) {
    this.manifest = manifest
    this.moment = moment
    const saved = manifest.note(JOBS_NOTE)
    if (saved === undefined) return
    const from = new ByteReader(saved)
    const version = from.u8()
    if (version > VERSION) throw new FormatError('the note of jobs', version, VERSION)
    while (from.left > 0) this.starts.set(from.text(), from.varint())
  }

  lastStart(name: string): number | undefined {
    return this.starts.get(name)
  }

  started(name: string, atMs: number): void {
    this.starts.set(name, Math.floor(atMs))
  }

  /** The state as notes for an edit. */
  notes(ledger: Uint8Array): [string, Uint8Array][] {
    const out = new ByteWriter()
    out.u8(VERSION)
    for (const [name, atMs] of this.starts) {
      out.text(name)
      out.varint(atMs)
    }
    return [[JOBS_NOTE, out.copy()], [WEAR_NOTE, ledger], this.moment()]
  }

  /** Saves soon, then from time to time until stop(). */
  keep(parts: KeepParts): void {
    let saved = { atMs: Number.NEGATIVE_INFINITY, bytes: 0 }
    const look = () => {
      const now = { atMs: parts.clock.monotonicMs(), bytes: parts.writtenBytes() }
      if (now.atMs - saved.atMs >= SAVE_EVERY_MS || now.bytes - saved.bytes >= SAVE_EVERY_BYTES) {
        saved = now
        this.manifest.commit({ notes: this.notes(parts.ledger()) }).catch(parts.onError)
      }
      this.cancel = parts.clock.after(LOOK_EVERY_MS, look)
    }
    this.cancel = parts.clock.after(FIRST_SAVE_MS, look)
  }

  stop(): void {
    this.cancel()
  }
}

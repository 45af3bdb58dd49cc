// Small state that is saved now and then rather than at every change: the wear ledger and when each
// scheduled job ran last. One edit of the manifest takes all of it.
//
//   jobs note := u8 version 1 | (text name | varint last start, ms)*
// Example: job "a" at 5 = 01 01 61 05
//
// Invariants: a power cut loses what changed since the last save and nothing else; a job's lost start costs
// one more run of it, and the ledger finds most of what it lost again (wear-ledger.ts). Not here: what the ledger counts (wear-ledger.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { FormatError } from '../base/errors.ts'
import type { Manifest } from '../engine/manifest.ts'
import type { JobStore } from '../schedule/jobs.ts'

export const WEAR_NOTE = 'wear'
export const JOBS_NOTE = 'jobs'
const VERSION = 1
/** Each save costs about 8 KiB of the medium: under 1 MB a day. */
const SAVE_EVERY_MS = 15 * 60_000

export class SmallNotes implements JobStore {
  private readonly manifest: Manifest
  private readonly starts = new Map<string, number>()
  private cancel: () => void = () => {}

  constructor(manifest: Manifest) {
    this.manifest = manifest
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
    return [
      [JOBS_NOTE, out.copy()],
      [WEAR_NOTE, ledger]
    ]
  }

  /** Saves from time to time until stop(); `ledger` gives it as it stands. */
  keep(clock: Clock, ledger: () => Uint8Array, onError: (error: unknown) => void): void {
    this.cancel = clock.after(SAVE_EVERY_MS, () => {
      this.manifest.commit({ notes: this.notes(ledger()) }).catch(onError)
      this.keep(clock, ledger, onError)
    })
  }

  stop(): void {
    this.cancel()
  }
}

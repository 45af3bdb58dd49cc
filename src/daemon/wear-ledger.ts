// The wear ledger: every byte that the process made the medium write, by cause and by day, over restarts.
// It is saved as a note of the manifest, with every flush and now and then, together with a mark: how far
// WAL and segments had come. After a kill or a power cut the rest is counted again from them (recover()).
// What is not found again: edits of manifest and catalog, and a segment that was written and removed, since
// the last save; metadata is taken as its upper bound.
//
//   ledger := u8 version 2 | varint ordinal | varint segment id | varint WAL file bytes | varint head samples
//           | varint since ms | varint until ms | varint samples | varint causes
//           | (text cause | varint bytes)* | varint days | (varint day | (varint bytes)*)*
// `day` counts from the epoch; each day has the bytes of the causes in their order.
// Version 1 has no mark. Example: mark 6 7 8 9, since 1, until 2, 3 samples, wal 4 bytes, day 5 with them =
//   02 06 07 08 09 01 02 03 01 03 77 61 6c 04 01 05 04
//
// Invariants: sums never fall; a day is told apart by UTC; at most DAYS_MAX days are kept, the oldest go.
// Not here: counting (disk/wear-meter.ts), what it means for a card (wear-report.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { FormatError } from '../base/errors.ts'
import { CAUSES, type Cause } from '../disk/disk.ts'
import type { WearCounts } from '../disk/wear-meter.ts'

const VERSION = 2
const DAYS_MAX = 800
const DAY_MS = 86_400_000

/** Bytes that the process made the medium write, by cause ("wal", "segment", ...). */
export type BytesByCause = Readonly<Record<string, number>>

/** How far the store had come when the ledger was saved. */
export interface WearMark {
  /** Of the newest group of the WAL. */
  readonly ordinal: number
  /** The newest that was given out. */
  readonly segmentId: number
  /** Of all WAL files. */
  readonly walFileBytes: number
  /** Samples that would be replayed from the WAL. */
  readonly headSamples: number
}

/** What the medium shows at the next start. */
export interface WearFound {
  /** Groups of the WAL after the mark, and their bytes. */
  readonly groups: number
  readonly groupBytes: number
  readonly walFileBytes: number
  readonly headSamples: number
  /** Live segments after the mark. */
  readonly segments: readonly { readonly cause: Cause; readonly bytes: number }[]
}

/** Metadata of a sync in place at one sync a second; more syncs in a second share it. */
const SYNC_METADATA_BYTES = 2165
/** Metadata of one new segment with its edit of the manifest, as scripts/wear-check.ts measured it. */
const SEGMENT_METADATA_BYTES = 70_000

/** A ledger as it stands. */
export interface WearFacts {
  /** When counting began, ms since the epoch. */
  readonly sinceMs: number
  /** Until when it counts. */
  readonly untilMs: number
  readonly samples: number
  readonly bytes: BytesByCause
  /** Oldest first; dayMs is the start of a UTC day. */
  readonly days: readonly { readonly dayMs: number; readonly bytes: BytesByCause }[]
}

type Sums = Record<string, number>

export class WearLedger {
  private readonly clock: Clock
  private readonly sinceMs: number
  private readonly total: Sums = {}
  private readonly days = new Map<number, Sums>()
  private readonly seen: Sums = {}
  private samples: number
  private samplesSeen = 0
  private readonly savedMs: number
  private readonly mark: WearMark | null

  /** @param saved  what encode() gave, of an earlier run */
  constructor(clock: Clock, saved: Uint8Array | undefined) {
    this.clock = clock
    const before = saved === undefined ? null : decodeLedger(saved)
    this.sinceMs = before?.sinceMs ?? nowMs(clock)
    this.samples = before?.samples ?? 0
    this.savedMs = before?.untilMs ?? this.sinceMs
    this.mark = before?.mark ?? null
    Object.assign(this.total, before?.bytes)
    for (const { dayMs, bytes } of before?.days ?? []) this.days.set(dayMs / DAY_MS, { ...bytes })
  }

  /** The newest segment when it was saved; Infinity when nothing is known. */
  get savedSegmentId(): number {
    return this.mark?.segmentId ?? Number.POSITIVE_INFINITY
  }

  /** Adds what was written after the ledger was saved, by a process that could not save it again. */
  recover(found: WearFound): void {
    const { mark } = this
    if (mark === null) return
    const seconds = Math.max(0, nowMs(this.clock) - this.savedMs) / 1000
    const metadata = Math.ceil(Math.min(found.groups, seconds)) * SYNC_METADATA_BYTES
    const made = Math.max(0, found.walFileBytes - mark.walFileBytes)
    const day = Math.floor(this.savedMs / DAY_MS)
    this.add(day, 'wal', found.groupBytes + made + metadata)
    for (const { cause, bytes } of found.segments) {
      this.add(day, cause, bytes)
      this.add(day, 'other', SEGMENT_METADATA_BYTES)
    }
    this.samples += Math.max(0, found.headSamples - mark.headSamples)
  }

  private add(day: number, cause: Cause, bytes: number): void {
    if (bytes === 0) return
    const today = this.days.get(day) ?? {}
    this.days.set(day, today)
    this.total[cause] = (this.total[cause] ?? 0) + bytes
    today[cause] = (today[cause] ?? 0) + bytes
  }

  /** Takes in what this process has written and appended so far, in all. */
  take(counts: WearCounts, samples: number): void {
    const day = Math.floor(nowMs(this.clock) / DAY_MS)
    for (const cause of CAUSES) {
      const written = counts[cause].bytes + counts[cause].metadataBytes
      const more = written - (this.seen[cause] ?? 0)
      this.seen[cause] = written
      this.add(day, cause, more)
    }
    this.samples += samples - this.samplesSeen
    this.samplesSeen = samples
    for (const old of [...this.days.keys()].sort((a, b) => a - b).slice(0, -DAYS_MAX)) this.days.delete(old)
  }

  facts(): WearFacts {
    return {
      sinceMs: this.sinceMs,
      untilMs: nowMs(this.clock),
      samples: this.samples,
      bytes: { ...this.total },
      days: [...this.days]
        .sort(([a], [b]) => a - b)
        .map(([day, bytes]) => ({ dayMs: day * DAY_MS, bytes: { ...bytes } }))
    }
  }

  encode(mark: WearMark): Uint8Array {
    return encodeLedger(this.facts(), mark)
  }
}

function nowMs(clock: Clock): number {
  return Math.floor(clock.nowUs() / 1000)
}

/** The ordinal of the newest group that a saved ledger counts; Infinity when it does not say. */
export function savedOrdinal(saved: Uint8Array | undefined): number {
  return (saved === undefined ? null : decodeLedger(saved).mark)?.ordinal ?? Number.POSITIVE_INFINITY
}

export function encodeLedger(facts: WearFacts, mark: WearMark): Uint8Array {
  const out = new ByteWriter()
  const causes = Object.keys(facts.bytes)
  out.u8(VERSION)
  for (const value of [mark.ordinal, mark.segmentId, mark.walFileBytes, mark.headSamples]) out.varint(value)
  out.varint(facts.sinceMs)
  out.varint(facts.untilMs)
  out.varint(facts.samples)
  out.varint(causes.length)
  for (const cause of causes) {
    out.text(cause)
    out.varint(facts.bytes[cause]!)
  }
  out.varint(facts.days.length)
  for (const { dayMs, bytes } of facts.days) {
    out.varint(dayMs / DAY_MS)
    for (const cause of causes) out.varint(bytes[cause] ?? 0)
  }
  return out.copy()
}

/** @throws {FormatError} for a newer version; {VarveError} VARVE_TRUNCATED */
export function decodeLedger(bytes: Uint8Array): WearFacts & { readonly mark: WearMark | null } {
  const from = new ByteReader(bytes)
  const version = from.u8()
  if (version > VERSION) throw new FormatError('the wear ledger', version, VERSION)
  const mark = version === 1 ? null : getMark(from)
  const [sinceMs, untilMs, samples] = [from.varint(), from.varint(), from.varint()]
  const total: Sums = {}
  for (let left = from.varint(); left > 0; left--) total[from.text()] = from.varint()
  const days: { dayMs: number; bytes: Sums }[] = []
  for (let left = from.varint(); left > 0; left--) {
    const dayMs = from.varint() * DAY_MS
    const day: Sums = {}
    for (const cause of Object.keys(total)) day[cause] = from.varint()
    days.push({ dayMs, bytes: day })
  }
  return { sinceMs, untilMs, samples, bytes: total, days, mark }
}

function getMark(from: ByteReader): WearMark {
  const [ordinal, segmentId] = [from.varint(), from.varint()]
  return { ordinal, segmentId, walFileBytes: from.varint(), headSamples: from.varint() }
}

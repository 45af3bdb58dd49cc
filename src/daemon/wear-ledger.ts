// The wear ledger: every byte that the process made the medium write, by cause and by day, over restarts.
// It is saved as a note of the manifest, with every flush and now and then, together with a mark: how far
// WAL and segments had come. After a kill or a power cut the rest is counted again from them (recover()).
// What is not found again: edits of manifest and catalog, and a segment that was written and removed again, since
// the last save, a minute ago at most where much is written; metadata is taken as its upper bound.
//
//   ledger := u8 version 1 | varint ordinal | varint segment id | varint open | (varint open segment id)*
//           | varint WAL file bytes | varint head samples
//           | varint since ms | varint until ms | varint samples
//           | varint recent span ms | varint recent bytes | varint recent sync bytes
//           | varint programmed | varint causes | (text cause | varint bytes)*
//           | varint days | (varint day | varint programmed | (varint bytes)*)*
// `day` counts from the epoch; each day has the bytes of the causes in their order. Example: mark 6 7 (5) 8 9,
// since 1, until 2, 3 samples, recent 1 2 1, programmed 5, wal 4 bytes, day 5 with them =
//   01 06 07 01 05 08 09 01 02 03 01 02 01 05 01 03 77 61 6c 04 01 05 05 04
//
// A gateway may begin to count before its clock is set. While the process that began runs, a step of the wall
// clock moves what it dated; later steps are taken for the time in which it was off.
//
// Invariants: sums never fall; since <= until; a day is told apart by UTC; at most DAYS_MAX days are kept,
// the oldest go.
// Not here: counting (disk/wear-meter.ts), the recent rate (wear-rates.ts), what it means (cli/wear-report.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { FormatError } from '../base/errors.ts'
import { CAUSES, type Cause } from '../disk/disk.ts'
import { PIECE_REST_BYTES, programmedBytes, type WearCounts } from '../disk/wear-meter.ts'
import { NO_RECENT, type Recent } from './wear-rates.ts'

const VERSION = 1
/** More than a year, so that a plot shows all seasons; a save takes 20 KiB then. */
const DAYS_MAX = 400
const DAY_MS = 86_400_000
/** A difference between wall and monotonic time that is no step of the clock, ms. */
const STEP_MS_MIN = 10_000

/** Bytes that the process made the medium write, by cause ("wal", "segment", ...). */
export type BytesByCause = Readonly<Record<string, number>>

/** How far the store had come when the ledger was saved. */
export interface WearMark {
  /** Of the newest group of the WAL. */
  readonly ordinal: number
  /** The newest that was given out. */
  readonly segmentId: number
  /** Given out before it, but being written yet, and not counted. */
  readonly segmentIdsOpen: readonly number[]
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
  /** Those of them that let a WAL file grow. */
  readonly grownGroups: number
  readonly grownBytes: number
  readonly walFileBytes: number
  readonly headSamples: number
  /** Segment files after the mark; of one that never became live the cause is `other`. */
  readonly segments: readonly { readonly cause: Cause; readonly bytes: number }[]
}

/** Metadata of a sync in place at one sync a second; more syncs in a second share it. */
const SYNC_METADATA_BYTES = 2165
/** Pieces of the medium that a sync takes, its share of the commits of metadata included. */
const SYNC_PIECES = 1.35
/** Metadata of a sync that makes a longer file durable. */
const GROWN_SYNC_METADATA_BYTES = 24_000
/** Metadata of one new segment with its edit of the manifest, as scripts/wear-check.ts measured it. */
const SEGMENT_METADATA_BYTES = 70_000
/** Pieces of the medium that those take, and the segment itself. */
const SEGMENT_PIECES = 12

export interface WearDay {
  /** The start of a UTC day, ms since the epoch. */
  readonly dayMs: number
  readonly bytes: BytesByCause
  /** What a card programs for them (disk/wear-meter.ts), estimated. */
  readonly programmedBytes: number
}

/** A ledger as it stands. */
export interface WearFacts {
  /** When counting began, ms since the epoch. */
  readonly sinceMs: number
  /** Until when it counts. */
  readonly untilMs: number
  readonly samples: number
  readonly bytes: BytesByCause
  /** What a card programs for them, estimated. */
  readonly programmedBytes: number
  /** Oldest first. */
  readonly days: readonly WearDay[]
}

type Sums = Record<string, number>
interface DaySums {
  readonly bytes: Sums
  programmed: number
}

export class WearLedger {
  /** The rate of the last day as it was saved, with what was found since. */
  recent: Recent = NO_RECENT
  private readonly clock: Clock
  private readonly total: Sums = {}
  private days = new Map<number, DaySums>()
  private readonly seen: Sums = {}
  private readonly savedMs: number
  private readonly mark: WearMark | null = null
  /** When counting began, ms since the epoch. */
  sinceMs: number
  /** What a card programs for all of it, estimated. */
  programmedBytes = 0
  private programmedSeen = 0
  private samples = 0
  private samplesSeen = 0
  /** Wall time less monotonic time, ms. */
  private offsetMs: number

  /** @param saved  what encode() gave, of an earlier run */
  constructor(clock: Clock, saved: Uint8Array | undefined) {
    this.clock = clock
    this.offsetMs = nowMs(clock) - clock.monotonicMs()
    this.sinceMs = nowMs(clock)
    this.savedMs = this.sinceMs
    if (saved === undefined) return
    const before = decodeLedger(saved)
    this.sinceMs = Math.min(before.sinceMs, this.sinceMs)
    this.savedMs = before.untilMs
    this.samples = before.samples
    this.programmedBytes = before.programmedBytes
    this.recent = before.recent
    this.mark = before.mark
    Object.assign(this.total, before.bytes)
    for (const { dayMs, bytes, programmedBytes } of before.days)
      this.days.set(dayMs / DAY_MS, { bytes: { ...bytes }, programmed: programmedBytes })
  }

  /** Whether a segment was written after the ledger was saved. */
  isNew(segmentId: number): boolean {
    const { mark } = this
    return mark !== null && (segmentId > mark.segmentId || mark.segmentIdsOpen.includes(segmentId))
  }

  /** Until when it counts, ms since the epoch. */
  get untilMs(): number {
    return Math.max(this.sinceMs, nowMs(this.clock))
  }

  /** How long nobody counted before this process, by the wall clock, ms. */
  get offMs(): number {
    return Math.max(0, nowMs(this.clock) - this.savedMs)
  }

  /** Adds what was written after the ledger was saved, by a process that could not save it again. */
  recover(found: WearFound): void {
    const { mark } = this
    if (mark === null) return
    const before = this.programmedBytes
    // A clock that went back says nothing of the time between: then each group is taken by itself.
    const seconds = this.offMs > 0 ? this.offMs / 1000 : found.groups
    const inPlace = Math.ceil(Math.min(found.groups - found.grownGroups, seconds))
    const metadata = inPlace * SYNC_METADATA_BYTES + found.grownGroups * GROWN_SYNC_METADATA_BYTES
    const ahead = Math.max(0, found.walFileBytes - mark.walFileBytes - found.grownBytes)
    const day = Math.floor(this.savedMs / DAY_MS)
    this.add(day, 'wal', found.groupBytes + ahead + metadata, Math.ceil(found.groups * SYNC_PIECES))
    for (const { cause, bytes } of found.segments) {
      this.add(day, cause, bytes, 0)
      this.add(day, 'other', SEGMENT_METADATA_BYTES, SEGMENT_PIECES)
    }
    this.samples += Math.max(0, found.headSamples - mark.headSamples)
    this.recent = { ...this.recent, bytes: this.recent.bytes + this.programmedBytes - before }
  }

  private add(day: number, cause: Cause, bytes: number, pieces: number): void {
    if (bytes === 0 && pieces === 0) return
    const today = this.sumsOf(day)
    this.total[cause] = (this.total[cause] ?? 0) + bytes
    today.bytes[cause] = (today.bytes[cause] ?? 0) + bytes
    const programmed = bytes + pieces * PIECE_REST_BYTES
    today.programmed += programmed
    this.programmedBytes += programmed
  }

  private sumsOf(day: number): DaySums {
    const sums = this.days.get(day) ?? { bytes: {}, programmed: 0 }
    this.days.set(day, sums)
    return sums
  }

  /** Takes in what this process has written and appended so far, in all. */
  take(counts: WearCounts, samples: number): void {
    this.noticeStep()
    const day = Math.floor(nowMs(this.clock) / DAY_MS)
    let programmed = 0
    for (const cause of CAUSES) {
      const written = counts[cause].bytes + counts[cause].metadataBytes
      const more = written - (this.seen[cause] ?? 0)
      this.seen[cause] = written
      programmed += programmedBytes(counts[cause]) - written
      this.add(day, cause, more, 0)
    }
    const rests = programmed - this.programmedSeen
    this.programmedSeen = programmed
    this.programmedBytes += rests
    if (rests > 0) this.sumsOf(day).programmed += rests
    this.samples += samples - this.samplesSeen
    this.samplesSeen = samples
    if (this.days.size <= DAYS_MAX) return
    for (const old of [...this.days.keys()].sort((a, b) => a - b).slice(0, -DAYS_MAX)) this.days.delete(old)
  }

  /** The wall clock was set: what this process dated before is moved, if nobody dated anything before it. */
  private noticeStep(): void {
    const offsetMs = nowMs(this.clock) - this.clock.monotonicMs()
    const stepMs = offsetMs - this.offsetMs
    if (Math.abs(stepMs) < STEP_MS_MIN) return
    this.offsetMs = offsetMs
    if (this.mark === null) {
      const sinceMs = Math.max(0, this.sinceMs + stepMs)
      const moved = Math.floor(sinceMs / DAY_MS) - Math.floor(this.sinceMs / DAY_MS)
      this.sinceMs = sinceMs
      this.days = new Map([...this.days].map(([day, sums]) => [day + moved, sums]))
    }
    this.sinceMs = Math.min(this.sinceMs, nowMs(this.clock))
  }

  facts(): WearFacts {
    return {
      sinceMs: this.sinceMs,
      untilMs: this.untilMs,
      samples: this.samples,
      bytes: { ...this.total },
      programmedBytes: this.programmedBytes,
      days: [...this.days]
        .sort(([a], [b]) => a - b)
        .map(([day, { bytes, programmed }]) => ({
          dayMs: day * DAY_MS,
          bytes: { ...bytes },
          programmedBytes: programmed
        }))
    }
  }

  /** @param recent  as WearRates tells it now */
  encode(mark: WearMark, recent: Recent): Uint8Array {
    return encodeLedger(this.facts(), mark, recent)
  }
}

function nowMs(clock: Clock): number {
  return Math.floor(clock.nowUs() / 1000)
}

/** The ordinal of the newest group that a saved ledger counts; Infinity when nothing was saved. */
export function savedOrdinal(saved: Uint8Array | undefined): number {
  return saved === undefined ? Number.POSITIVE_INFINITY : decodeLedger(saved).mark.ordinal
}

export function encodeLedger(facts: WearFacts, mark: WearMark, recent: Recent): Uint8Array {
  const out = new ByteWriter()
  const causes = Object.keys(facts.bytes)
  out.u8(VERSION)
  for (const value of [mark.ordinal, mark.segmentId, mark.segmentIdsOpen.length]) out.varint(value)
  for (const value of [...mark.segmentIdsOpen, mark.walFileBytes, mark.headSamples]) out.varint(value)
  for (const value of [facts.sinceMs, facts.untilMs, facts.samples]) out.varint(value)
  for (const value of [recent.spanMs, recent.bytes, recent.syncBytes]) out.varint(Math.round(value))
  out.varint(facts.programmedBytes)
  out.varint(causes.length)
  for (const cause of causes) {
    out.text(cause)
    out.varint(facts.bytes[cause]!)
  }
  out.varint(facts.days.length)
  for (const { dayMs, bytes, programmedBytes } of facts.days) {
    out.varint(dayMs / DAY_MS)
    out.varint(programmedBytes)
    for (const cause of causes) out.varint(bytes[cause] ?? 0)
  }
  return out.copy()
}

/** @throws {FormatError} for a newer version; {VarveError} VARVE_TRUNCATED */
export function decodeLedger(
  bytes: Uint8Array
): WearFacts & { readonly mark: WearMark; readonly recent: Recent } {
  const from = new ByteReader(bytes)
  const version = from.u8()
  if (version !== VERSION) throw new FormatError('the wear ledger', version, VERSION)
  const [ordinal, segmentId, segmentIdsOpen] = [from.varint(), from.varint(), [] as number[]]
  for (let left = from.varint(); left > 0; left--) segmentIdsOpen.push(from.varint())
  const walFileBytes = from.varint()
  const mark = { ordinal, segmentId, segmentIdsOpen, walFileBytes, headSamples: from.varint() }
  const [sinceMs, untilMs, samples] = [from.varint(), from.varint(), from.varint()]
  const recent = { spanMs: from.varint(), bytes: from.varint(), syncBytes: from.varint() }
  const programmed = from.varint()
  const total: Sums = {}
  for (let left = from.varint(); left > 0; left--) total[from.text()] = from.varint()
  const days: WearDay[] = []
  for (let left = from.varint(); left > 0; left--) {
    const [dayMs, programmedBytes] = [from.varint() * DAY_MS, from.varint()]
    const day: Sums = {}
    for (const cause of Object.keys(total)) day[cause] = from.varint()
    days.push({ dayMs, bytes: day, programmedBytes })
  }
  return { sinceMs, untilMs, samples, bytes: total, programmedBytes: programmed, days, mark, recent }
}

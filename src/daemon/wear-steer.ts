// Joins measuring and steering: once a minute the ledger takes in what was written, the plan is made anew
// (wear-control.ts), and WAL and series are told. What may wait asks here whether it may run.
//
// Invariants: the plan changes waits only below ack.delay_max; a plan that cannot be met is told to the log
// when it becomes so, and stands in health, /metrics and /v1/wear as long as it is so. What the device says of
// itself is asked for again each hour: it grows old while we run.
// Not here: the choices (wear-control.ts), the probe (disk/flash-probe.ts), the merges (maintenance.ts).
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/schema.ts'
import type { Cause, Disk } from '../disk/disk.ts'
import { type FlashFacts, isAtEnd } from '../disk/flash-probe.ts'
import { PIECE_REST_BYTES, type WearMeter } from '../disk/wear-meter.ts'
import { parseSegmentName, SEGMENT_DIR, segmentPath } from '../engine/file-names.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { isTierClass } from '../rollup/tier.ts'
import { FAMILY_SERIES } from '../series/family.ts'
import { headBytes } from './policy.ts'
import type { Storage } from './storage.ts'
import { planWear, ROLLUP_HOLD_MS_MAX, type WearBudget, type WearPlan } from './wear-control.ts'
import type { WearLedger } from './wear-ledger.ts'
import { WearRates } from './wear-rates.ts'

const STEP_MS = 60_000
const PROBE_MS = 3_600_000
/** While rollups are held back they run in one span of this length after each ROLLUP_HOLD_MS_MAX. */
const ROLLUP_TURN_MS = 65 * 60_000

export interface WearSteerParts {
  readonly clock: Clock
  readonly meter: WearMeter
  readonly storage: Pick<Storage, 'engine' | 'series'>
  readonly ledger: WearLedger
  /** Segments that workers write now. */
  segmentIdsOpen(): readonly number[]
  /** Asks the system what it knows of the medium. */
  probe(): FlashFacts
  /** Size of the file system, where neither configuration nor device says one. */
  readonly fileSystemBytes: number
  config(): Config
  /** The plan went from one state to another, or is `over` at the start. */
  onState(plan: WearPlan): void
  /** The medium says something bad of itself that it did not say before. */
  onNote(note: string): void
}

export class WearSteer {
  flash: FlashFacts
  plan: WearPlan
  private readonly parts: WearSteerParts
  private readonly rates: WearRates
  private probedMs: number
  private overSinceMs: number | null = null
  private cancel: () => void = () => {}

  constructor(parts: WearSteerParts) {
    this.parts = parts
    this.rates = new WearRates(parts.ledger.recent, parts.ledger.offMs)
    this.flash = parts.probe()
    this.probedMs = parts.clock.monotonicMs()
    for (const note of this.flash.notes) parts.onNote(note)
    this.plan = this.step()
    if (this.plan.state === 'over') parts.onState(this.plan)
  }

  /** Steers until stop(). */
  start(): void {
    this.cancel = this.parts.clock.after(STEP_MS, () => {
      const before = this.plan.state
      this.probeAgain()
      this.step()
      if (this.plan.state !== before) this.parts.onState(this.plan)
      this.start()
    })
  }

  stop(): void {
    this.cancel()
  }

  /** Bytes of the whole medium: as stated, as the device says, as the file system has. */
  get mediumBytes(): number {
    return this.parts.config().flash.size ?? this.flash.device?.bytes ?? this.parts.fileSystemBytes
  }

  /** Brings the ledger up to date. */
  refresh(): void {
    this.parts.ledger.take(this.parts.meter.counts, this.parts.storage.series.samplesAppended)
  }

  /** The ledger as it stands, to be saved. @param headSamples  what would be replayed after this save */
  saved(headSamples: number): Uint8Array {
    this.refresh()
    this.measure()
    const { engine } = this.parts.storage
    const mark = {
      ordinal: engine.wal.ordinal,
      segmentId: engine.manifest.newestId,
      segmentIdsOpen: this.parts.segmentIdsOpen(),
      walFileBytes: engine.wal.fileBytes,
      headSamples
    }
    return this.parts.ledger.encode(mark, this.rates.recent)
  }

  private probeAgain(): void {
    const nowMs = this.parts.clock.monotonicMs()
    if (nowMs - this.probedMs < PROBE_MS) return
    const known = new Set(this.flash.notes)
    this.flash = this.parts.probe()
    this.probedMs = nowMs
    for (const note of this.flash.notes) if (!known.has(note)) this.parts.onNote(note)
  }

  private measure(): void {
    const { clock, meter, storage } = this.parts
    const { groups, walPaddingBytes } = storage.engine.stats
    const { metadataBytes, pieces } = meter.counts.wal
    const syncExtraBytes = metadataBytes + pieces * PIECE_REST_BYTES
    this.rates.take(clock.monotonicMs(), {
      bytes: meter.programmedBytes,
      syncBytes: walPaddingBytes + syncExtraBytes,
      syncExtraBytes,
      syncs: groups
    })
  }

  /** Plans anew and sets what the plan says. */
  step(): WearPlan {
    const { clock, storage, ledger } = this.parts
    const { engine, series } = storage
    const nowMs = clock.monotonicMs()
    this.refresh()
    this.measure()
    const hour = this.rates.hour()
    const { untilMs, sinceMs, programmedBytes } = ledger
    const { device } = this.flash
    const heldMs = this.overSinceMs === null ? 0 : nowMs - this.overSinceMs
    const state = {
      nowMs: untilMs,
      writtenBytes: programmedBytes,
      lifeUsed: device?.lifeUsed?.[0] ?? null,
      isAtEnd: device !== null && isAtEnd(device),
      hour,
      day: this.rates.day(),
      segments: engine.manifest.segments.size,
      rollupHeldMs: heldMs % (ROLLUP_HOLD_MS_MAX + ROLLUP_TURN_MS),
      wasOver: this.overSinceMs !== null
    }
    const config = this.parts.config()
    const { flush, flushMax } = headBytes(config)
    const limits = { delayMaxMs: config.ack.delayMax, flushBytes: flush, flushBytesMax: flushMax }
    this.plan = planWear(this.budget(sinceMs), state, limits)
    this.overSinceMs = this.plan.state === 'over' ? (this.overSinceMs ?? nowMs) : null
    const { delayMs, eagerBytesPerS, eagerBurstBytes, flushBytes } = this.plan
    engine.wal.setPace({
      delayMs,
      wearBytesPerSecond: eagerBytesPerS,
      wearBurstBytes: eagerBurstBytes,
      syncBytes: hour.syncExtraBytes
    })
    series.flushBytes = flushBytes
    return this.plan
  }

  private budget(sinceMs: number): WearBudget {
    const { endurance, life } = this.parts.config().flash
    return { mediumBytes: this.mediumBytes, endurance, lifeMs: life, sinceMs }
  }
}

/** Bytes of each segment file that lies in a directory, live or not, by id: what to ask before it is opened. */
export function segmentFiles(disk: Disk): ReadonlyMap<number, number> {
  const files = new Map<number, number>()
  for (const name of disk.list(SEGMENT_DIR)) {
    const id = parseSegmentName(name)
    if (id !== null) files.set(id, disk.facts(segmentPath(id))?.bytes ?? 0)
  }
  return files
}

/**
 * Counts what an earlier process wrote after it saved the ledger, from what the medium shows at open.
 * @param files  as segmentFiles() found them before the open, which removes what is not live
 */
export function recoverLedger(
  ledger: WearLedger,
  { engine, series }: Pick<Storage, 'engine' | 'series'>,
  files: ReadonlyMap<number, number>
): void {
  const { fileBytes: walFileBytes, ...groups } = engine.since
  const live = engine.manifest.segments
  const segments = [...files]
    .filter(([id]) => ledger.isNew(id))
    .map(([id, bytes]) => ({ cause: causeOf(live.get(id)), bytes }))
  ledger.recover({ ...groups, walFileBytes, headSamples: series.openSamples, segments })
}

/** Whose a segment is; of one that never became live nothing is known. */
function causeOf(segment: SegmentInfo | undefined): Cause {
  if (segment === undefined) return 'other'
  if (segment.family !== FAMILY_SERIES) return 'kv'
  return isTierClass(segment.class) ? 'rollup' : segment.level > 0 ? 'merge' : 'segment'
}

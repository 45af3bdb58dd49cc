// Joins measuring and steering: once a minute the ledger takes in what was written, the plan is made anew
// (wear-control.ts), and WAL and series are told. What may wait asks here whether it may run.
//
// Invariants: the plan changes waits only below ack.delay_max; a plan that cannot be met is told to the log
// when it becomes so, and stands in health, /metrics and /v1/wear as long as it is so.
// Not here: the choices (wear-control.ts), the probe (disk/flash-probe.ts), the merges (maintenance.ts).
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/schema.ts'
import type { FlashFacts } from '../disk/flash-probe.ts'
import type { WearMeter } from '../disk/wear-meter.ts'
import { isTierClass } from '../rollup/tier.ts'
import { FAMILY_SERIES } from '../series/family.ts'
import { headBytes } from './policy.ts'
import type { Storage } from './storage.ts'
import { planWear, ROLLUP_HOLD_MS_MAX, type WearBudget, type WearPlan } from './wear-control.ts'
import type { WearLedger } from './wear-ledger.ts'
import { dayBytesPerS, WearRates } from './wear-rates.ts'

const STEP_MS = 60_000
/** While rollups are held back they run in one span of this length after each ROLLUP_HOLD_MS_MAX. */
const ROLLUP_TURN_MS = 65 * 60_000

export interface WearSteerParts {
  readonly clock: Clock
  readonly meter: WearMeter
  readonly storage: Pick<Storage, 'engine' | 'series'>
  readonly ledger: WearLedger
  readonly flash: FlashFacts
  /** Size of the file system, where neither configuration nor device says one. */
  readonly fileSystemBytes: number
  config(): Config
  /** The plan went from one state to another. */
  onState(plan: WearPlan): void
}

export class WearSteer {
  readonly flash: FlashFacts
  plan: WearPlan
  private readonly parts: WearSteerParts
  private readonly rates = new WearRates()
  private overSinceMs: number | null = null
  private cancel: () => void = () => {}

  constructor(parts: WearSteerParts) {
    this.parts = parts
    this.flash = parts.flash
    this.plan = this.step()
  }

  /** Steers until stop(). */
  start(): void {
    this.cancel = this.parts.clock.after(STEP_MS, () => {
      const before = this.plan.state
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
    const { engine } = this.parts.storage
    return this.parts.ledger.encode({
      ordinal: engine.wal.ordinal,
      segmentId: engine.manifest.newestId,
      walFileBytes: engine.wal.fileBytes,
      headSamples
    })
  }

  /** Plans anew and sets what the plan says. */
  step(): WearPlan {
    const { clock, meter, storage, ledger } = this.parts
    const { engine, series } = storage
    const nowMs = clock.monotonicMs()
    this.refresh()
    const { groups, walPaddingBytes } = engine.stats
    const { metadataBytes } = meter.counts.wal
    this.rates.take(nowMs, {
      bytes: meter.totalBytes,
      syncBytes: walPaddingBytes + metadataBytes,
      metadataBytes,
      syncs: groups
    })
    const hour = this.rates.hour()
    const facts = ledger.facts()
    const state = {
      nowMs: facts.untilMs,
      writtenBytes: Object.values(facts.bytes).reduce((sum, bytes) => sum + bytes, 0),
      lifeUsed: this.flash.device?.lifeUsed?.[0] ?? null,
      hourBytesPerS: hour.bytesPerS,
      dayBytesPerS: dayBytesPerS(facts),
      syncBytesPerS: hour.syncBytesPerS,
      syncBytes: hour.syncBytes,
      segments: engine.manifest.segments.size,
      rollupHeldMs:
        this.overSinceMs === null ? 0 : (nowMs - this.overSinceMs) % (ROLLUP_HOLD_MS_MAX + ROLLUP_TURN_MS)
    }
    const config = this.parts.config()
    const { flush, flushMax } = headBytes(config)
    const limits = { delayMaxMs: config.ack.delayMax, flushBytes: flush, flushBytesMax: flushMax }
    this.plan = planWear(this.budget(facts.sinceMs), state, limits)
    this.overSinceMs = this.plan.state === 'over' ? (this.overSinceMs ?? nowMs) : null
    const { delayMs, eagerBytesPerS, eagerBurstBytes, flushBytes } = this.plan
    engine.wal.setPace({
      delayMs,
      wearBytesPerSecond: eagerBytesPerS,
      wearBurstBytes: eagerBurstBytes,
      syncBytes: hour.metadataBytes
    })
    series.flushBytes = flushBytes
    return this.plan
  }

  private budget(sinceMs: number): WearBudget {
    const { endurance, life } = this.parts.config().flash
    return { mediumBytes: this.mediumBytes, endurance, lifeMs: life, sinceMs }
  }
}

/** Counts what an earlier process wrote after it saved the ledger, from what the medium shows at open. */
export function recoverLedger(
  ledger: WearLedger,
  { engine, series }: Pick<Storage, 'engine' | 'series'>
): void {
  const { groups, groupBytes, fileBytes: walFileBytes } = engine.since
  const segments = [...engine.manifest.segments.values()]
    .filter(({ id }) => id > ledger.savedSegmentId)
    .map(({ family, class: name, level, bytes }) => {
      if (family !== FAMILY_SERIES) return { cause: 'kv', bytes } as const
      return { cause: isTierClass(name) ? 'rollup' : level > 0 ? 'merge' : 'segment', bytes } as const
    })
  ledger.recover({ groups, groupBytes, walFileBytes, headSamples: series.openSamples, segments })
}

// The wear budget steers: from what the medium may bear, what was written and how fast, to how often to sync,
// when to flush and whether work that can wait may run. Pure: months pass in a test in a second. Bytes are
// those that the card programs (disk/wear-meter.ts).
//
//   budget    = medium bytes x endurance, to be spent over `life` from the first write on
//   allowed   = what is left of it / the time that is left: overspending narrows it, thrift widens it, to
//               CARRY_MAX times the even rate at most, whatever a clock says of the time that is left
//   base      = the measured rate without what syncs cost beyond their data (rests of pages, metadata)
//   spare     = allowed - base: what syncs may cost. EAGER_SHARE of it pays early syncs for clients that send
//               nothing more until acknowledged; the rest is kept for worse days.
//
//   state     when                                       then
//   ample     spare is at least half of allowed          early syncs, usual flushes
//   careful   less                                       and heads are flushed as late as memory bears
//   over      base and one sync a delay_max exceed it,   and no early syncs, no merges, rollups seldom
//             or the device says that it is at its end
//
// Everybody else waits delay_max, however ample the budget: more syncs than the owner asked for wear the card
// and please nobody.
//
// Invariants: no wait is ever longer than delay_max, whatever the budget says: when it cannot be met the plan
// says so (`state`, `why`) and the durability stays. Merges run again when segments are so many that queries
// would suffer, rollups after ROLLUP_HOLD_MS_MAX. `over` ends when the need is OVER_ENDS of what is allowed.
// Not here: measuring (wear-rates.ts), doing (wear-steer.ts).
import { roughDuration, roughSize } from '../base/units.ts'
import type { HourRates, Rates } from './wear-rates.ts'

export interface WearBudget {
  /** Bytes of the whole medium. */
  readonly mediumBytes: number
  /** How many times it can be written in full. */
  readonly endurance: number
  readonly lifeMs: number
  /** Since when it is written, ms since the epoch. */
  readonly sinceMs: number
}

export interface WearState {
  readonly nowMs: number
  /** Programmed for us, since `sinceMs`. */
  readonly writtenBytes: number
  /** What the device itself says is used up of its life, 0 to 1; null: nothing. */
  readonly lifeUsed: number | null
  /** The device itself says that every write may be one of its last. */
  readonly isAtEnd: boolean
  readonly hour: HourRates
  readonly day: Rates
  readonly segments: number
  /** How long rollups have been held back, ms. */
  readonly rollupHeldMs: number
  /** The plan before this one was `over`. */
  readonly wasOver: boolean
}

export interface WearLimits {
  readonly delayMaxMs: number
  /** What starts a flush: usually, and at most. */
  readonly flushBytes: number
  readonly flushBytesMax: number
}

export interface WearPlan {
  readonly state: 'ample' | 'careful' | 'over'
  /** A sentence for people. */
  readonly why: string
  readonly allowedBytesPerS: number
  /** The rate that is held against it: of the last day. */
  readonly bytesPerS: number
  readonly writtenBytes: number
  readonly budgetBytes: number
  /** When the budget is used up at this rate, ms since the epoch; Infinity when nothing is written. */
  readonly endMs: number
  readonly delayMs: number
  readonly eagerBytesPerS: number
  readonly eagerBurstBytes: number
  readonly flushBytes: number
  readonly mayMerge: boolean
  readonly mayRollup: boolean
}

const EAGER_SHARE = 1 / 2
/** Over, until the need is this part of what is allowed: a state that comes and goes tells nobody anything. */
const OVER_ENDS = 0.95
/**
 * A budget that was saved is spent at most so many times as fast as it would be evenly: a card that did
 * little for years is not drained in its last, and a clock that is years ahead does little harm.
 */
const CARRY_MAX = 2
/** What is left of the life is taken as this much at least: a card that outlives its plan is not drained at once. */
const LIFE_LEFT_MS_MIN = 30 * 86_400_000
const BURST_BYTES_MIN = 1024 * 1024
/** Early syncs that were saved up for: of so many seconds. */
const BURST_S = 3600
/** Segments above which reading suffers more than the medium. */
const SEGMENTS_MAX = 2000
export const ROLLUP_HOLD_MS_MAX = 6 * 3_600_000

export function planWear(budget: WearBudget, state: WearState, limits: WearLimits): WearPlan {
  const { hour, day } = state
  const budgetBytes = budget.mediumBytes * budget.endurance
  const writtenBytes = Math.max(state.writtenBytes, (state.lifeUsed ?? 0) * budgetBytes)
  const leftBytes = Math.max(0, budgetBytes - writtenBytes)
  const leftMs = Math.max(LIFE_LEFT_MS_MIN, budget.sinceMs + budget.lifeMs - state.nowMs)
  const allowed = Math.min(leftBytes / leftMs, (CARRY_MAX * budgetBytes) / budget.lifeMs) * 1000
  const dayBase = baseOf(day)
  const spare = Math.max(0, allowed - Math.max(baseOf(hour), dayBase))

  // What stays when nothing more can be saved; judged by the day, so that an hour's burst is no alarm.
  const floor = Math.min(day.syncBytesPerS, (hour.syncBytes * 1000) / Math.max(1, limits.delayMaxMs))
  const isOver = state.isAtEnd || dayBase + floor > allowed * (state.wasOver ? OVER_ENDS : 1)
  const isAmple = !isOver && spare >= allowed / 2
  const eager = isOver ? 0 : spare * EAGER_SHARE
  const name = isOver ? 'over' : isAmple ? 'ample' : 'careful'
  return {
    state: name,
    why: name === 'over' ? overWhy(budget, state, limits, allowed, leftBytes) : WHY[name],
    allowedBytesPerS: allowed,
    bytesPerS: day.bytesPerS,
    writtenBytes,
    budgetBytes,
    endMs: day.bytesPerS > 0 ? state.nowMs + (leftBytes / day.bytesPerS) * 1000 : Infinity,
    delayMs: limits.delayMaxMs,
    eagerBytesPerS: eager,
    eagerBurstBytes: Math.max(BURST_BYTES_MIN, eager * BURST_S),
    flushBytes: isAmple ? limits.flushBytes : limits.flushBytesMax,
    mayMerge: !isOver || state.segments > SEGMENTS_MAX,
    mayRollup: !isOver || state.rollupHeldMs >= ROLLUP_HOLD_MS_MAX
  }
}

function baseOf({ bytesPerS, syncBytesPerS }: Rates): number {
  return Math.max(0, bytesPerS - syncBytesPerS)
}

const WHY = {
  ample: 'the budget bears more than is written: syncs come early for those who wait',
  careful: 'most of the budget is used: syncs come seldom, flushes late'
}

/** What cannot be met and what would help. */
function overWhy(
  { lifeMs, sinceMs }: WearBudget,
  { nowMs, day, hour: { syncBytes }, isAtEnd }: WearState,
  { delayMaxMs }: WearLimits,
  allowed: number,
  leftBytes: number
): string {
  if (isAtEnd) return 'the medium itself says that it is at its end: replace it'
  const perDay = (bytesPerS: number) => `${roughSize(bytesPerS * 86_400)} a day`
  const lastsMs = nowMs - sinceMs + (day.bytesPerS > 0 ? (leftBytes / day.bytesPerS) * 1000 : 0)
  const dayBase = baseOf(day)
  const helpfulMs = Math.ceil((syncBytes * 1000) / Math.max(1, allowed - dayBase) / 1000) * 1000
  const remedy =
    dayBase < allowed && helpfulMs > delayMaxMs && helpfulMs <= 60_000
      ? `ack.delay_max of ${roughDuration(helpfulMs)} would do`
      : 'the data alone are more: store less, or take a larger medium'
  return `${perDay(day.bytesPerS)} are written, the budget bears ${perDay(allowed)}: the medium lasts ${roughDuration(lastsMs)} instead of ${roughDuration(lifeMs)}; ${remedy}`
}
